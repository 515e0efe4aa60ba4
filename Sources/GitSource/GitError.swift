/// Why the source of definitions could not be used.
///
/// `message` says what is wrong, where, and what to do next. It never holds a credential, a token,
/// key bytes or repository content.
public struct GitError: Error, Sendable, Equatable, CustomStringConvertible {
  /// What kind of trouble it is; decides what the caller may conclude and whether waiting helps.
  public enum Code: String, Sendable, CaseIterable {
    /// The configuration cannot work as written; only its owner can change that.
    case configuration
    /// No answer, a broken answer, or no repository at that place.
    case unreachable
    /// The server does not let us in. It may also be that the repository does not exist: forges
    /// answer both alike.
    case authentication
    /// The ssh server's key is not the pinned one, or none is pinned.
    case hostKey
    /// The TLS certificate does not verify.
    case certificate
    /// Connect, idle or total deadline passed.
    case timeout
    /// More bytes, objects, files or depth than allowed.
    case limit
    /// The server sent us somewhere else.
    case redirect
    /// The local mirror is damaged. It is only a cache: the next fetch makes it anew.
    case corruptMirror
    /// The local disk refused (full, read-only, no permission).
    case storage
    /// The repository answers and has branches, but not the configured one.
    case branchMissing
    /// The repository answers and has no branch at all.
    case emptyRepository
    /// The commit is not signed as the trust policy wants it.
    case untrusted
    /// The same, by a date ahead of our clock: time alone may end it.
    case early
    /// The commit's tree has something that is refused (link, submodule, LFS pointer, bad name).
    case badTree
    /// The commit is not in the mirror.
    case missingCommit
    /// The task was cancelled.
    case cancelled
  }

  public let code: Code
  /// What was being done, for example `look` or `fetch`.
  public let operation: String
  public let message: String

  public init(_ code: Code, _ operation: String, _ message: String) {
    self.code = code
    self.operation = operation
    self.message = message
  }

  public var description: String { "\(operation): \(message)" }
}
