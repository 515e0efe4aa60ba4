import Foundation
import Testing

/// What disks and operators lose, bring back and copy: each leaves every key as it is, starts and stops nothing, makes no
/// second tor, and says what to do.
@Suite(.serialized) struct LossTests {
  private struct Row: Sendable {
    var name: String
    /// In the host's folder; `$K` and `$S` are the key and state folders.
    var damage: String
    var repair: String
    /// What `apply` says.
    var words: String
  }

  private static let rows = [
    Row(
      name: "key folder not mounted", damage: "mv $K kept && mkdir -m 700 $K",
      repair: "rmdir $K && mv kept $K", words: "is not mounted; nothing was touched"),
    Row(
      name: "state folder not mounted", damage: "mv $S kept && mkdir -m 700 $S",
      repair: "rmdir $S && mv kept $S", words: "is not mounted; nothing was touched"),
    Row(
      name: "another agent's keys",
      damage:
        "cp $K/.onionkeeper/id kept && echo ffffffffffffffffffffffffffffffff >$K/.onionkeeper/id",
      repair: "cp kept $K/.onionkeeper/id && rm kept", words: "one of them is another disk's"),
    Row(
      name: "another agent's state",
      damage:
        "cp $S/.onionkeeper/id kept && echo ffffffffffffffffffffffffffffffff >$S/.onionkeeper/id",
      repair: "cp kept $S/.onionkeeper/id && rm kept", words: "one of them is another disk's"),
    Row(
      name: "a copy of the machine",
      damage: "cp $K/.onionkeeper/machine kept && echo 0000 >$K/.onionkeeper/machine",
      repair: "cp kept $K/.onionkeeper/machine && rm kept", words: "setup --moved"),
    Row(
      name: "others may write the key folder", damage: "chmod 777 $K", repair: "chmod 700 $K",
      words: "chmod go-w"),
    Row(
      name: "the keys of one service, restored from before it had any",
      damage: "mv $K/blog kept && mv $K/.onionkeeper/pins/blog kept.pin",
      repair: "mv kept $K/blog && mv kept.pin $K/.onionkeeper/pins/blog",
      words: "nothing is started or re-keyed meanwhile"),
    Row(
      name: "pins restored from before",
      damage: "cp $K/.onionkeeper/pins/wiki kept"
        + " && cp $K/.onionkeeper/pins/blog $K/.onionkeeper/pins/wiki",
      repair: "cp kept $K/.onionkeeper/pins/wiki && rm kept", words: "is pinned to"),
  ]

  /// Every secret under the key folder and what it holds.
  private func secrets(_ host: CommandHost) async throws -> String {
    try await must(
      "cd \(host.folder) && find . -name hs_ed25519_secret_key -exec sha256sum {} + | cut -c1-64 | sort"
    )
  }

  /// Names and processes of the containers.
  private func containers(_ host: CommandHost) async throws -> [String] {
    var found: [String] = []
    for name in try await host.containers().keys.sorted() {
      found.append("\(name) \(try await host.pid(String(name.dropFirst("onionkeeper-".count))))")
    }
    return found
  }

  @Test func eachIsHeldAndNamed() async throws {
    try await withHost(
      "docker", ["blog": CommandHost.definition(), "wiki": CommandHost.definition()]
    ) { host in
      try await host.setUp()
      try await host.apply()
      let secrets = try await self.secrets(host)
      let running = try await containers(host)
      func shell(_ words: String) async throws {
        try await must("cd \(host.folder) && K=\(host.keys) S=\(host.state) && \(words)")
      }
      for row in Self.rows {
        try await shell(row.damage)
        let ended = try await host.onionkeeper("apply")
        let told = ended.output + ended.errors
        #expect(told.contains(row.words), "\(row.name): \(told)")
        #expect(try await self.secrets(host) == secrets, "\(row.name)")
        #expect(try await containers(host) == running, "\(row.name)")
        try await shell(row.repair)
        let healed = try await host.onionkeeper("apply")
        #expect(healed.code == 0, "\(row.name): \(healed.output)\(healed.errors)")
        #expect(try await containers(host) == running, "\(row.name)")
      }

      // Two agents at one key folder.
      let agent = try await RunningAgent.start(on: host)
      let second = try await host.onionkeeper("apply")
      #expect(second.code == 1 && second.errors.contains("one agent at a time"), "\(second.errors)")
      try await agent.stop()

      try await lostState(host, secrets: secrets, running: running)
    }
  }

  /// A state folder that is gone, and one that was restored from before the last revision.
  private func lostState(_ host: CommandHost, secrets: String, running: [String]) async throws {
    try await must("cp -a \(host.state) \(host.folder)/old-state")
    try await host.define("late", CommandHost.definition())
    try await host.apply()
    let late = try host.address("late")
    try await must("rm -rf \(host.state) && mv \(host.folder)/old-state \(host.state)")
    try await host.apply()
    #expect(try host.address("late") == late)
    // Folders that were put back are others than those that tors had mounted: those may start anew, and none goes.
    let names = Set(running.map { String($0.prefix { $0 != " " }) })
    #expect(names.isSubset(of: try await host.containers().keys))

    try await must("rm -rf \(host.state)")
    #expect(try await host.onionkeeper("apply").errors.contains("onionkeeper setup"))
    try await host.setUp()
    try await host.define("fresh", CommandHost.definition())
    let held = try await host.onionkeeper("apply")
    #expect(held.output.contains("--new-keys"), "\(held.output)")
    #expect(try host.address("late") == late)
    #expect(!FileManager.default.fileExists(atPath: "\(host.keys)/fresh/fresh"))
    let after = try await self.secrets(host)
    #expect(Set(after.split(separator: "\n")).isSuperset(of: secrets.split(separator: "\n")))
    let revision = try await must("git -C \(host.repository) rev-parse HEAD")
      .trimmingCharacters(in: .whitespacesAndNewlines)
    #expect(try await host.onionkeeper("approve \(revision) --new-keys").code == 0)
    try await host.apply()
    #expect(try host.address("fresh").hasSuffix(".onion"))
  }
}
