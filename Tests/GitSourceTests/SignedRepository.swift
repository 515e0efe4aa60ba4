import Foundation
import GitSource
import Testing

/// A repository with one commit, two keys, and a signers file.
struct SignedRepository {
  let repository: Repository
  let tree: String
  let mirror: GitMirror

  init(keys: [String] = ["alice", "mallory"]) async throws {
    repository = try await Repository()
    tree = try await repository.tree(of: Repository.onions)
    mirror = GitMirror(
      at: repository.folder.path + "/mirror", source: repository.mirror().source,
      authenticated: repository.folder.path + "/authenticated")
    for name in keys {
      try await run(
        "ssh-keygen",
        ["-q", "-t", "ed25519", "-N", "", "-f", repository.folder.path + "/" + name])
    }
  }

  func key(_ name: String) -> String { repository.folder.path + "/" + name }

  func publicKey(_ name: String) throws -> String {
    try String(contentsOfFile: key(name) + ".pub", encoding: .utf8)
      .split(separator: " ").prefix(2).joined(separator: " ")
  }

  func fingerprint(_ name: String) async throws -> String {
    let said = try await run("ssh-keygen", ["-l", "-f", key(name) + ".pub"])
    return String(try #require(said.split(separator: " ").dropFirst().first))
  }

  func signers(_ lines: String...) throws -> TrustPolicy {
    let text = lines.map { $0 + "\n" }.joined()
    return .signers(file: try repository.folder.write("signers", text, mode: 0o644))
  }

  @discardableResult
  func commit(
    by name: String, date: String? = nil, tree other: String? = nil, parents: [String]? = nil
  ) async throws -> String {
    let commit = try await repository.commit(
      tree: other ?? tree, "signed", parents: parents, options: ["-S"], date: date,
      configuration: ["gpg.format=ssh", "user.signingKey=" + key(name)])
    try await mirror.fetch()
    return commit
  }

  /// Not signed.
  @discardableResult
  func commit(tree other: String? = nil, parents: [String]? = nil) async throws -> String {
    let commit = try await repository.commit(tree: other ?? tree, "unsigned", parents: parents)
    try await mirror.fetch()
    return commit
  }

  /// A tree whose `allowed_signers` names these.
  func tree(allowing names: String...) async throws -> String {
    var files = Repository.onions
    files["allowed_signers"] = try names.map { "\($0) \(try publicKey($0))\n" }.joined()
    return try await repository.tree(of: files)
  }

  /// Writes a commit object as text, which git itself would not sign like this.
  func commit(raw text: String) async throws -> String {
    let id = try await repository.git(
      "hash-object", "-t", "commit", "-w", "--stdin", input: Array(text.utf8))
    try await repository.git("update-ref", "refs/heads/main", id)
    try await mirror.fetch()
    return id
  }
}
