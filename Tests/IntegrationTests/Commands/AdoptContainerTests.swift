import Foundation
import Testing

/// A container that somebody runs as the well-known recipe says, moved in without a new address and with one restart.
@Suite(.serialized) struct AdoptContainerTests {
  private func post(_ host: CommandHost, _ path: String, _ body: String? = nil) async throws {
    let data = body.map { "-H 'Content-Type: application/json' -d '\($0)'" } ?? ""
    _ = try await host.engine("-X POST \(data) 'http://e/v1.41/containers/\(path)'")
  }

  /// tor with its torrc and its service directory mounted from the host. Not below `/var/lib/tor`: in our image that is the
  /// packaged user's alone.
  private func start(_ name: String, of host: CommandHost, image: String) async throws {
    let native = "\(host.folder)/native"
    try await must(
      "mkdir -m 755 \(native) && mkdir -m 700 \(native)/hs && chown 7942:7942 \(native)/hs")
    try host.write(
      "native/torrc",
      "DataDirectory /tmp/data\nDisableNetwork 1\nSocksPort 0\nHiddenServiceDir /hs\n"
        + "HiddenServicePort 80 127.0.0.1:8080\n")
    let limit =
      #"{"Name":"nofile","Soft":1024,"Hard":1024},{"Name":"nproc","Soft":1024,"Hard":1024}"#
    let body =
      #"{"Image":"\#(image)","User":"7942:7942","Entrypoint":["tor","-f","/etc/torrc-hand"],"Cmd":[],"#
      + #""HostConfig":{"NetworkMode":"none","Ulimits":[\#(limit)],"RestartPolicy":{"Name":"always"},"#
      + #""Binds":["\#(native)/torrc:/etc/torrc-hand:ro","\#(native)/hs:/hs"]}}"#
    try await post(host, "create?name=\(name)", body)
    try await post(host, "\(name)/start")
    do {
      try await eventually("the hand-run tor has made its key", within: 60) {
        FileManager.default.fileExists(atPath: "\(native)/hs/hostname")
      }
    } catch {
      let log = try await host.engine("'http://e/v1.41/containers/\(name)/logs?stdout=1&stderr=1'")
      throw Unfit("\(error): \(log.suffix(2000))")
    }
  }

  @Test(arguments: CommandTests.engines, [false, true])
  func takenOver(engine: String, beside agentRuns: Bool) async throws {
    try await withHost(engine, ["first": CommandHost.definition()]) { host in
      try await host.setUp()
      try await host.apply()
      let image = try await host.container("first").configuration.image
      try await start("pastebin", of: host, image: image)
      let native = "\(host.folder)/native"
      let address = try String(contentsOfFile: "\(native)/hs/hostname", encoding: .utf8)
        .trimmingCharacters(in: .whitespacesAndNewlines)
      let before = try await must("cd \(native) && find . -type f -exec sha256sum {} + | sort")

      let dry = try await host.onionkeeper("adopt --container pastebin --dry-run")
      #expect(dry.code == 0 && dry.output.contains(address), "\(dry.output)\(dry.errors)")
      #expect(!FileManager.default.fileExists(atPath: "\(host.keys)/pastebin"))
      let early = try await host.onionkeeper("adopt --container pastebin --take-over")
      #expect(early.errors.contains("nothing was adopted"), "\(early.errors)")

      let adopted = try await host.onionkeeper(
        "adopt --container pastebin --to \(host.repository)")
      #expect(adopted.code == 0, "\(adopted.output)\(adopted.errors)")
      #expect(try host.address("pastebin") == address)
      let undefined = try await host.onionkeeper("adopt --container pastebin --take-over")
      #expect(undefined.errors.contains("commit and push"), "\(undefined.errors)")
      try await host.commit("move pastebin in")

      // As long as it runs, nothing is started, and all else is done.
      let waiting = try await host.onionkeeper("apply")
      #expect(waiting.output.contains("pastebin has these keys"), "\(waiting.output)")
      #expect(try await host.containers()["onionkeeper-pastebin"] == nil)
      #expect(try await host.containers()["pastebin"] == "running")

      let agent = agentRuns ? try await RunningAgent.start(on: host) : nil
      let taken = try await host.onionkeeper("adopt --container pastebin --take-over")
      if let agent { try await agent.stop() }
      #expect(taken.code == 0, "\(taken.output)\(taken.errors)")
      let found = try await host.containers()
      #expect(found["onionkeeper-pastebin"] == "running")
      #expect(found["pastebin"] == nil && found["pastebin-before-onionkeeper"] == "exited")
      #expect(try host.address("pastebin") == address)
      #expect(try await host.onionkeeper("plan").code == 0)
      #expect(
        try await must("cd \(native) && find . -type f -exec sha256sum {} + | sort") == before)
    }
  }
}
