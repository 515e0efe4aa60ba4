import Foundation
import Testing

/// The built program as a user runs it, against real engines, tor off every network.
@Suite(.serialized) struct CommandTests {
  static let engines = ["docker", "podman"]

  @Test(arguments: engines) func planIsWhatApplyDoes(engine: String) async throws {
    try await withHost(engine, ["blog": CommandHost.definition()]) { host in
      let early = try await host.onionkeeper("plan")
      #expect(early.code == 1)
      #expect(early.errors.contains("not set up"))
      try await host.setUp()
      let planned = try await host.onionkeeper("plan --json")
      #expect(planned.code == 2)
      let applied = try await host.onionkeeper("apply --quiet")
      #expect(applied.code == 0, "\(applied.errors)")
      let history = try await host.onionkeeper("history --json")
      #expect(try actions(history.output) == actions(planned.output))
      let again = try await host.onionkeeper("plan")
      #expect(again.code == 0)
      #expect(again.output.contains("nothing to do"))
      #expect(try await host.containers()["onionkeeper-blog"] == "running")
      let proof = try await host.onionkeeper("status --proof")
      #expect(proof.output.contains("uid 7942 7942 7942 7942"))
      #expect(proof.output.contains("CapBnd 0000000000000000"))
      #expect(proof.output.contains("NoNewPrivs 1  Seccomp 2"))
      #expect(proof.output.contains("off: not the public Tor network"))
      try await host.examine()

      // Drift that an engine repairs by nobody: its own kill, a lost owner, a lost container.
      let address = try host.address("blog")
      _ = try await host.engine("-X POST 'http://e/containers/onionkeeper-blog/kill'")
      try await must(
        "chown -R root:root \(host.keys)/blog/blog && rm \(host.keys)/blog/blog/hostname")
      let drift = try await host.onionkeeper("plan")
      #expect(drift.code == 2)
      #expect(drift.output.contains("[drift]"))
      #expect(try await host.onionkeeper("apply --quiet").code == 0)
      #expect(try await host.containers()["onionkeeper-blog"] == "running")
      #expect(try host.address("blog") == address)

      // Gone for good, but for the keys; and back again with the same address.
      let down = try await host.onionkeeper("down")
      #expect(down.code == 0)
      #expect(try await host.containers().isEmpty)
      #expect(try await host.onionkeeper("apply --quiet").code == 0)
      #expect(try host.address("blog") == address)
    }
  }

  private func actions(_ json: String) throws -> [String] {
    struct Step: Decodable { var action: String }
    struct Group: Decodable { var steps: [Step] }
    struct Plan: Decodable { var groups: [Group] }
    let data = Data(json.utf8)
    let decoder = JSONDecoder()
    if json.hasPrefix("{") {
      return try decoder.decode(Plan.self, from: data).groups.flatMap(\.steps).map(\.action)
    }
    return try decoder.decode([Step].self, from: data).map(\.action)
  }

  @Test func aPortIsAReloadAndAClientLessARestart() async throws {
    let keys = ["C", "B"].map { "descriptor:x25519:" + String(repeating: $0, count: 51) + "A" }
    let clients = { (names: [Int]) in
      "access: clients\nclients:\n"
        + names.map { "  - {name: c\($0), key: \"\(keys[$0])\"}\n" }.joined()
    }
    try await withHost("docker", ["vault": CommandHost.definition(clients([0, 1]))]) { host in
      try await host.setUp()
      #expect(try await host.onionkeeper("apply --quiet").code == 0)
      let started = try await host.container("vault").state.startedAt
      try await host.define("vault", CommandHost.definition(clients([0, 1]), port: 81))
      #expect(try await host.onionkeeper("apply --quiet").code == 0)
      #expect(try await host.container("vault").state.startedAt == started)
      try await host.define("vault", CommandHost.definition(clients([0]), port: 81))
      #expect(try await host.onionkeeper("apply --quiet").code == 0)
      #expect(try await host.container("vault").state.startedAt != started)
      let folder = "\(host.keys)/vault/vault/authorized_clients"
      #expect(
        try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
          == ["0-onionkeeper.auth", "c0.auth"])

      // The start guard: with the agent away and a client file gone, the engine cannot start tor.
      try await must("rm \(folder)/c0.auth")
      _ = try await host.engine("-X POST 'http://e/containers/onionkeeper-vault/restart?t=5'")
      try await eventually("the guard refuses") {
        try await host.container("vault").state.exitCode == 78
      }
      let mended = try await host.onionkeeper("apply")
      #expect(mended.code == 0, "\(mended.output)\(mended.errors)")
      #expect(try await host.containers()["onionkeeper-vault"] == "running")
    }
  }

  @Test func whatIsWrongStaysWhereItIsWrong() async throws {
    let services = [
      "a1": CommandHost.definition(), "a2": CommandHost.definition(),
      "a3": CommandHost.definition(),
    ]
    try await withHost("docker", services) { host in
      try await host.setUp()
      #expect(try await host.onionkeeper("apply --quiet").code == 0)
      let address = try host.address("a1")

      // A bad file keeps its service, the rest applies, and every error has its place.
      try await host.define(
        "a1", "hosts: [web-1]\naccess: public\nports:\n  - virtual: 70000\n    target: host:8080\n")
      try await host.define("a2", CommandHost.definition(port: 82))
      let bad = try await host.onionkeeper("apply")
      #expect(bad.code == 1)
      #expect(
        bad.output.contains(
          "services/a1.yaml:4:14: ports[0].virtual: 70000 is not a port (1–65535)"))
      #expect(try await host.containers()["onionkeeper-a1"] == "running")
      let torrc = try String(
        contentsOfFile: "\(host.state)/instances/a2/etc/torrc", encoding: .utf8)
      #expect(torrc.contains("HiddenServicePort 82 "))

      // No onionkeeper.yaml: not a repository of ours, nothing is removed.
      try await must("rm \(host.repository)/onionkeeper.yaml")
      try await host.commit("lost")
      let lost = try await host.onionkeeper("apply")
      #expect(lost.code == 1)
      #expect(lost.output.contains("onionkeeper.yaml"))
      #expect(try await host.containers().count == 3)

      // All services removed: they wait for a person, and the keys stay.
      try host.write("repository/onionkeeper.yaml", "version: 1\n")
      try await must("rm \(host.repository)/services/*.yaml")
      try await host.commit("remove all")
      let held = try await host.onionkeeper("apply")
      #expect(held.output.contains("--removals"))
      #expect(try await host.containers().count == 3)
      let revision = try await must("git -C \(host.repository) rev-parse HEAD")
        .trimmingCharacters(in: .whitespacesAndNewlines)
      let approved = try await host.onionkeeper("approve \(revision) --removals")
      #expect(approved.code == 0)
      #expect(approved.output.contains(address))
      #expect(try await host.onionkeeper("apply --quiet").code == 0)
      #expect(try await host.containers().isEmpty)
      let retired = try FileManager.default.contentsOfDirectory(
        atPath: "\(host.keys)/.onionkeeper/retired")
      #expect(retired.count == 3)

      // A definition that returns takes its key back.
      try await host.define("a1", CommandHost.definition())
      #expect(try await host.onionkeeper("apply --quiet").code == 0)
      #expect(try host.address("a1") == address)
    }
  }

  @Test func repositoryAwayAndRollBack() async throws {
    try await withHost("docker", ["blog": CommandHost.definition()]) { host in
      try await host.setUp()
      #expect(try await host.onionkeeper("apply --quiet").code == 0)
      try await must("mv \(host.repository) \(host.repository).away")
      _ = try await host.engine("-X DELETE 'http://e/containers/onionkeeper-blog?force=1'")
      let away = try await host.onionkeeper("apply")
      #expect(away.code == 1)
      #expect(away.output.contains("repository:"))
      #expect(try await host.containers()["onionkeeper-blog"] == "running")
      try await must("mv \(host.repository).away \(host.repository)")

      // Another history behind the same address is refused, also after the state folder was lost.
      try await must(
        "cd \(host.repository) && git checkout -q --orphan other && git branch -D main")
      try await host.commit("another history")
      try await must("git -C \(host.repository) branch -m main")
      let rolled = try await host.onionkeeper("apply")
      #expect(rolled.code == 1)
      #expect(rolled.output.contains("does not descend"))
      try await must("rm -rf \(host.state)")
      let lost = try await host.onionkeeper("apply")
      #expect(lost.errors.contains("not mounted"))
      try await host.setUp()
      let anew = try await host.onionkeeper("apply")
      #expect(anew.output.contains("does not descend"))
      #expect(try await host.containers()["onionkeeper-blog"] == "running")
    }
  }

  @Test func engineSilentKeysUnmountedDiskFull() async throws {
    try await withHost("docker", ["blog": CommandHost.definition()]) { host in
      try await host.setUp()
      #expect(try await host.onionkeeper("apply --quiet").code == 0)
      let address = try host.address("blog")

      try await must("mv \(host.keys) \(host.keys).away && mkdir -m 700 \(host.keys)")
      let unmounted = try await host.onionkeeper("apply")
      #expect(unmounted.code == 1)
      #expect(unmounted.errors.contains("not mounted; nothing was touched"))
      #expect(try FileManager.default.contentsOfDirectory(atPath: host.keys).isEmpty)
      try await must("rmdir \(host.keys) && mv \(host.keys).away \(host.keys)")

      try await host.engineTool("kill")
      let silent = try await host.onionkeeper("apply")
      #expect(silent.output.contains("engine does not answer"))
      #expect(try host.address("blog") == address)
      try await must("\(projectFolder)/ops/lib/engine start docker \(host.folder)/e")
      #expect(try await host.onionkeeper("apply --quiet").code == 0)
      #expect(try await host.containers()["onionkeeper-blog"] == "running")

      // A key that cannot be made whole is not made: nothing half is left, and the service waits.
      try await must(
        "mkdir \(host.keys)/full && mount -t tmpfs -o size=4k,nr_inodes=4,mode=700 none \(host.keys)/full"
      )
      try await host.define("full", CommandHost.definition())
      let full = try await host.onionkeeper("apply")
      let left = try FileManager.default.contentsOfDirectory(atPath: "\(host.keys)/full")
      try await must("umount -l \(host.keys)/full && rmdir \(host.keys)/full")
      #expect(full.code == 1 || full.output.contains("waiting full"))
      #expect(!left.contains("full"))
      #expect(try await host.containers()["onionkeeper-blog"] == "running")
      #expect(try await host.onionkeeper("apply --quiet").code == 0)
      #expect(try await host.containers()["onionkeeper-full"] == "running")
    }
  }

  /// tor verifies the configuration in the new image, and then does not run: the previous image carries on.
  @Test func aNewImageThatFailsGoesBackToThePreviousOne() async throws {
    try await withHost("docker", ["blog": CommandHost.definition()]) { host in
      try await host.setUp()
      #expect(try await host.onionkeeper("apply --quiet").code == 0)
      let before = try await host.container("blog").configuration.image
      let tor = "#!/bin/sh\ncase $* in *verify*) exit 0;; esac\nexit 1\n"
      try await must(
        "mkdir \(host.folder)/x && tar -xf \(host.state)/images/bookworm.tar -C \(host.folder)/x")
      try await must("rm \(host.folder)/x/usr/bin/tor")
      try host.write("x/usr/bin/tor", tor)
      try await must(
        "cd \(host.folder)/x && chmod 755 usr/bin/tor && tar -cf \(host.state)/images/broken.tar .")
      let file = host.hostFile
      try host.write("host.yaml", file.replacingOccurrences(of: "bookworm", with: "broken"))
      let failed = try await host.onionkeeper("apply")
      #expect(failed.code == 1)
      #expect(try await host.containers()["onionkeeper-blog"] == "running")
      #expect(try await host.container("blog").configuration.image == before)
      let history = try await host.onionkeeper("history")
      #expect(
        history.output.contains("prove  change  failed")
          || history.output.contains("startContainer  change  failed"))
      let waiting = try await host.onionkeeper("plan")
      #expect(waiting.code == 0)
      #expect(waiting.output.contains("the previous one is kept"))

      // The host file as it was: nothing moved, nothing restarts.
      try host.write("host.yaml", file)
      let back = try await host.onionkeeper("plan")
      #expect(back.output.contains("nothing to do"), "\(back.output)")
    }
  }

  @Test func theLoopHearsSignalsAndEvents() async throws {
    try await withHost("docker", ["blog": CommandHost.definition()]) { host in
      try await host.setUp()
      let log = "\(host.folder)/run.log"
      let pid = try await must(
        "\(CommandHost.program) run --config \(host.folder)/host.yaml >\(log) 2>&1 </dev/null & echo $!"
      ).trimmingCharacters(in: .whitespacesAndNewlines)
      try await eventually("blog runs") {
        try await host.containers()["onionkeeper-blog"] == "running"
      }
      try await eventually("the first pass ends") {
        try await host.onionkeeper("plan --offline").code == 0
      }
      let second = try await host.onionkeeper("apply")
      #expect(second.code == 1)
      #expect(second.errors.contains("held by process \(pid)"))

      // An engine event: the interval is a minute.
      _ = try await host.engine("-X POST 'http://e/containers/onionkeeper-blog/kill'")
      try await eventually("the killed container runs again", within: 30) {
        try await host.containers()["onionkeeper-blog"] == "running"
      }
      try await host.define("forum", CommandHost.definition())
      try await must("kill -HUP \(pid)")
      try await eventually("SIGHUP starts a pass", within: 30) {
        try await host.containers()["onionkeeper-forum"] == "running"
      }
      try await must("kill -TERM \(pid)")
      try await eventually("SIGTERM ends it", within: 15) {
        try await bash("kill -0 \(pid)").code != 0
      }
      #expect(try await host.containers().values.allSatisfy { $0 == "running" })
      let status = try await host.onionkeeper("status --json")
      #expect(status.output.contains("\"isRunning\" : false"))
    }
  }
}
