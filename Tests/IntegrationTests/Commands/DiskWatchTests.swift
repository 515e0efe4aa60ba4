import Foundation
import Testing

/// A running agent sees at once what somebody does on its disk: its interval is a minute, and nothing waits for it.
@Suite(.serialized) struct DiskWatchTests {
  static let key = "descriptor:x25519:" + String(repeating: "C", count: 51) + "A"
  static let vault = CommandHost.definition(
    "access: clients\nclients:\n  - {name: c0, key: \"\(key)\"}\n")

  /// Actions that were done because the disk told.
  private func deeds(_ host: CommandHost) async throws -> [String] {
    struct Row: Decodable {
      var trigger: String
      var action: String
    }
    let history = try await host.onionkeeper("history --json")
    return try JSONDecoder().decode([Row].self, from: Data(history.output.utf8))
      .filter { $0.trigger == "disk" }.map(\.action)
  }

  @Test func whatSomebodyDoesIsSeenAtOnce() async throws {
    try await withHost("docker", ["vault": Self.vault]) { host in
      try await host.setUp()
      let log = "\(host.folder)/run.log"
      let pid = try await must(
        "\(CommandHost.program) run --config \(host.folder)/host.yaml >\(log) 2>&1 </dev/null & echo $!"
      ).trimmingCharacters(in: .whitespacesAndNewlines)
      defer { _ = kill(pid_t(pid) ?? 0, SIGTERM) }
      try await eventually("vault runs") {
        try await host.containers()["onionkeeper-vault"] == "running"
      }
      try await eventually("the first pass ends") {
        try await host.onionkeeper("plan --offline").code == 0
      }
      let started = try await host.container("vault").state.startedAt
      let vault = "\(host.keys)/vault/vault"
      let etc = "\(host.state)/instances/vault/etc"

      // All clients gone: put back, and tor, which may have read that there are none, started anew.
      try await must("rm \(vault)/authorized_clients/*.auth")
      try await eventually("tor is restarted", within: 30) {
        try await deeds(host).sorted() == ["prove", "repairKeys", "restartContainer"]
      }
      #expect(try await host.container("vault").state.startedAt != started)
      // Owner, mode, a file that nobody defined, the torrc.
      for (command, condition, action) in [
        (
          "chown root:root \(vault)/hs_ed25519_secret_key",
          "[ $(stat -c %u \(vault)/hs_ed25519_secret_key) = 7942 ]", "repairKeys"
        ),
        ("chmod 755 \(vault)", "[ $(stat -c %a \(vault)) = 700 ]", "repairKeys"),
        ("echo x >\(vault)/notes", "[ ! -e \(vault)/notes ]", "repairKeys"),
        (
          "echo 'SocksPort 1' >>\(etc)/torrc", "! grep -q 'SocksPort 1' \(etc)/torrc", "writeFiles"
        ),
        ("rm \(etc)/sums", "[ -s \(etc)/sums ]", "writeFiles"),
      ] {
        let before = try await deeds(host).filter { $0 == action }.count
        try await must(command)
        try await eventually("\(command) is put right", within: 30) {
          let isRight = try await bash(condition).code == 0
          let deeds = try await deeds(host).filter { $0 == action }
          return isRight && deeds.count > before
        }
        try await eventually("that pass ends") {
          try await host.onionkeeper("plan --offline").code == 0
        }
      }
      // The secret away: held and said; back: whole again, with no interval waited for.
      try await must("mv \(vault)/hs_ed25519_secret_key \(host.folder)/kept")
      try await eventually("key.lost is told", within: 30) {
        try await host.onionkeeper("status vault").output.contains("secret key")
      }
      try await must("mv \(host.folder)/kept \(vault)/hs_ed25519_secret_key")
      try await eventually("the hold ends", within: 30) {
        try await !host.onionkeeper("status vault").output.contains("secret key")
      }
      // The host file: an invalid one is told at once.
      try await must("echo 'nonsense: 1' >>\(host.folder)/host.yaml")
      try await eventually("config.invalid", within: 30) {
        try String(contentsOfFile: log, encoding: .utf8).contains("the host file is invalid")
      }
      try host.write("host.yaml", host.hostFile)
    }
  }
}
