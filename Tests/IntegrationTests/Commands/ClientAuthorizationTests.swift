import Foundation
import Testing

/// A service that asks for client authorization never runs open: proven by clients on a private Tor network, and by
/// engines that start things by themselves.
@Suite(.serialized) struct ClientAuthorizationTests {
  private typealias Client = (name: String, key: String)

  private static func definition(_ clients: [Client]) -> String {
    guard !clients.isEmpty else { return CommandHost.definition("access: public\n") }
    let lines = clients.map { "  - {name: \($0.name), key: \"descriptor:x25519:\($0.key)\"}\n" }
    return CommandHost.definition("access: clients\nclients:\n\(lines.joined())")
  }

  /// A client of whom nobody has the other half.
  private static let nobody: Client = ("nobody", String(repeating: "C", count: 51) + "A")

  @Test func whoIsMeantComesInAndNobodyElse() async throws {
    let (alice, bob) = (try await TorNetwork.keys(), try await TorNetwork.keys())
    let both: [Client] = [("alice", alice.public), ("bob", bob.public)]
    try await withHost("docker", ["vault": Self.definition(both)]) { host in
      let network = try await TorNetwork.start(beside: host)
      do {
        try await live(host, network, alice.private, bob.private, both)
      } catch {
        try await network.stop()
        throw error
      }
      try await network.stop()
    }
  }

  private func live(
    _ host: CommandHost, _ network: TorNetwork, _ alice: String, _ bob: String, _ both: [Client]
  ) async throws {
    try await host.setUp()
    try await host.apply()
    let vault = try host.address("vault")
    try await network.refuses(vault)
    try await network.give(alice, of: vault)
    try await network.answers(vault)

    // One more: a reload, and whoever was in stays in.
    let pid = try await host.pid("vault")
    try await host.define("vault", Self.definition(both + [Self.nobody]))
    try await host.apply()
    #expect(try await host.pid("vault") == pid, "adding is a reload")
    try await network.answers(vault)

    // One less: a restart, and with the descriptor that it still has it does not come in again.
    try await host.define("vault", Self.definition([both[1], Self.nobody]))
    try await host.apply()
    let revoked = try await host.pid("vault")
    #expect(revoked != pid, "revoking is a restart")
    let visits = try network.visits()
    try await network.refuses(vault)
    #expect(try network.visits() == visits, "a revoked client came in")
    try await network.take(vault)
    try await network.give(bob, of: vault)
    try await network.answers(vault)

    // Open, and shut again: a restart, and who came in meanwhile is out.
    try await network.take(vault)
    try await host.define("vault", Self.definition([]))
    try await host.apply()
    try await network.answers(vault)
    let open = try await host.pid("vault")
    try await host.define("vault", Self.definition([both[0]]))
    try await host.apply()
    #expect(try await host.pid("vault") != open, "public to clients is a restart")
    let late = try network.visits()
    try await network.refuses(vault)
    #expect(try network.visits() == late, "who came in while it was open came in again")
  }

  /// No agent runs: what an engine starts by itself is what was approved, or nothing.
  @Test(arguments: CommandTests.engines) func withoutAnAgentItStaysShut(engine: String) async throws
  {
    let services = [
      "blog": CommandHost.definition(), "vault": Self.definition([Self.nobody]),
    ]
    try await withHost(engine, services) { host in
      try await host.setUp()
      try await host.apply()
      let address = try host.address("vault")
      let vault = "\(host.keys)/vault/vault"
      let swap = "cd \(host.keys) && mv blog/blog x && mv vault/vault blog/blog && mv x vault/vault"
      let aside = "\(host.folder)/aside"
      // Each is undone by its second command; nothing of it is seen by an agent.
      for (what, harm, undo) in [
        ("swapped directories", swap, swap),
        (
          "no client file", "mkdir -p \(aside) && mv \(vault)/authorized_clients/* \(aside)/",
          "mv \(aside)/* \(vault)/authorized_clients/"
        ),
        (
          "the decoy alone", "mv \(vault)/authorized_clients/nobody.auth \(aside)/",
          "mv \(aside)/* \(vault)/authorized_clients/"
        ),
        (
          "no folder", "mv \(vault)/authorized_clients \(aside)/",
          "mv \(aside)/authorized_clients \(vault)/"
        ),
        (
          "one client too many",
          "cp -p \(vault)/authorized_clients/nobody.auth \(vault)/authorized_clients/eve.auth",
          "rm \(vault)/authorized_clients/eve.auth"
        ),
      ] {
        try await must(harm)
        try await restart(host, "vault")
        try await eventually("\(what): the guard refuses", within: 60) {
          try await host.container("vault").state.exitCode == 78
        }
        try await must(undo)
        try await restart(host, "vault")
        try await eventually("\(what) undone: it runs") { try await isRunning(host) }
      }
      // The engine itself, killed and started again, with the files gone.
      try await must("mv \(vault)/authorized_clients/* \(aside)/")
      try await host.engineTool("restart")
      if engine == "podman" { try await restart(host, "vault") }
      try await eventually("the restarted engine starts it in vain", within: 60) {
        try await host.container("vault").state.exitCode == 78
      }
      // The agent puts it right.
      try await host.apply()
      #expect(try await host.containers()["onionkeeper-vault"] == "running")
      #expect(try host.address("vault") == address)
    }
  }

  private func isRunning(_ host: CommandHost) async throws -> Bool {
    try await host.container("vault").state.pid != 0
  }

  private func restart(_ host: CommandHost, _ name: String) async throws {
    // A container that ends at once is an error to some engines: what counts is how it ended.
    _ = try await bash(
      "curl -sS --unix-socket \(host.socket) -X POST 'http://e/containers/onionkeeper-\(name)/restart?t=1'"
    )
  }

  /// Its files cannot be put right: it does not run on.
  @Test func whatCannotBePutRightIsStopped() async throws {
    try await withHost("docker", ["vault": Self.definition([Self.nobody])]) { host in
      try await host.setUp()
      try await host.apply()
      let clients = "\(host.keys)/vault/vault/authorized_clients"
      try await must("rm \(clients)/*.auth && chattr +i \(clients)")
      do {
        let failed = try await host.onionkeeper("apply")
        #expect(failed.code == 1 && failed.output.contains("lsattr"), "\(failed)")
        #expect(try await host.containers()["onionkeeper-vault"] == nil)
        let again = try await host.onionkeeper("apply")
        #expect(again.code == 1)
        #expect(try await host.containers()["onionkeeper-vault"] == nil)
      } catch {
        try await must("chattr -i \(clients)")
        throw error
      }
      try await must("chattr -i \(clients)")
      try await host.apply()
      #expect(try await host.containers()["onionkeeper-vault"] == "running")
      let history = try await host.onionkeeper("history --json")
      #expect(history.output.contains("removeContainer"))
    }
  }
}
