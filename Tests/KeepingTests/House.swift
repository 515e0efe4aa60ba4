import Engine
import Foundation
import GitSource
import Journaling
import KeyStore
import OnionModel
import Spawning
import Testing
import Transport

@testable import Keeping

/// A host in a folder of its own: a real repository, real key and state folders, a real journal, and an engine's socket
/// that nobody listens at. Gone with this value.
final class House: Sendable {
  let path: String
  static let file = "services/blog.yaml"
  static let blog = "hosts: [web-1]\nports:\n  - virtual: 80\n    target: host:8080\n"

  init() throws {
    path = NSTemporaryDirectory() + "okk-\(UUID().uuidString.prefix(8))"
    try FileManager.default.createDirectory(
      atPath: "\(path)/repository/services", withIntermediateDirectories: true,
      attributes: [.posixPermissions: 0o700])
    try git("init", "-q", "-b", "main")
    try write("repository/onionkeeper.yaml", "version: 1\n")
    try write("repository/\(Self.file)", Self.blog)
    try writeHostFile()
  }

  deinit {
    do { try FileManager.default.removeItem(atPath: path) } catch {
      Issue.record("\(path) stays: \(error)")
    }
  }

  /// - Parameter more: lines added to the host file.
  func writeHostFile(host: String = "web-1", _ more: String = "") throws {
    try write(
      "host.yaml",
      """
      host: \(host)
      repository: {url: \(path)/repository, trust: {transport: true}}
      engine: {socket: \(path)/none.sock}
      directories: {keys: \(path)/keys, state: \(path)/state}
      allow: {targets: [host]}
      tor: {network: off}
      \(more)
      """)
  }

  func write(_ name: String, _ text: String) throws {
    let file = URL(fileURLWithPath: "\(path)/\(name)")
    try Data(text.utf8).write(to: file)
    try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file.path)
  }

  /// - Parameter date: what commits say of their time; else now.
  @discardableResult
  func git(_ arguments: String..., date: Timestamp? = nil) throws -> String {
    try git(arguments, date: date)
  }

  @discardableResult
  func git(_ arguments: [String], date: Timestamp? = nil) throws -> String {
    var environment = [
      "PATH": "/usr/bin:/bin", "GIT_CONFIG_NOSYSTEM": "1", "HOME": path,
      "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.org", "GIT_COMMITTER_NAME": "a",
      "GIT_COMMITTER_EMAIL": "a@example.org",
    ]
    if let date { environment["GIT_COMMITTER_DATE"] = "@\(date.seconds) +0000" }
    let (code, output) = try spawn(
      ["/usr/bin/git", "-C", "\(path)/repository"] + arguments, environment: environment)
    guard code == 0 else { throw KeepingError("git \(arguments) ended with \(code)") }
    return String(decoding: output, as: UTF8.self)
      .trimmingCharacters(in: .whitespacesAndNewlines)
  }

  /// Commits everything.
  @discardableResult
  func commit(_ message: String = "change") throws -> CommitID {
    try git("add", "-A")
    try git("commit", "-q", "--allow-empty", "-m", message)
    return try #require(CommitID(try git("rev-parse", "HEAD")))
  }

  func configuration() throws -> HostConfiguration {
    try HostFile(path: "\(path)/host.yaml").read()
  }

  static func agent() throws -> AgentID {
    try #require(AgentID("0123456789abcdef0123456789abcdef"))
  }

  /// As `setup` does it, but for the engine.
  func setUp() throws {
    try KeyRoot.setUp("\(path)/keys", id: try Self.agent())
    try RootMarker.setUp("\(path)/state", id: try Self.agent())
  }

  /// Everything but the key folder is lost.
  func loseState() throws {
    try FileManager.default.removeItem(atPath: "\(path)/state")
    try setUp()
  }

  var keys: KeyRoot { get throws { KeyRoot(path: "\(path)/keys", id: try Self.agent()) } }

  func writeAnchor(_ commit: CommitID) async throws {
    try await keys.writeAnchor(Anchor(commit: commit, source: try configuration().sourceDigest))
  }

  func anchor() async throws -> CommitID? { try await keys.anchor().value?.commit }

  /// Opens the journal and the agent, as `run` does.
  func open() async throws -> AgentHouse { try await AgentHouse.open(try configuration()) { _ in } }

  /// Opens, runs `body`, and closes: as if the agent had ended after it.
  func agent<Value: Sendable>(
    _ body: (AgentHouse) async throws -> Value
  ) async throws -> Value {
    let house = try await open()
    let value = try await body(house)
    try await house.journal.close()
    return value
  }

  func pass() async throws -> PassReport {
    try await agent { try await $0.keeper.pass(trigger: "test", patience: nil) }
  }
}

extension Journal {
  func kinds() async throws -> [EventKind] {
    try await latestEvents(limit: 100).map(\.event.kind)
  }
}
