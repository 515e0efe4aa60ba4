import CGit2
import Glibc

/// The commits that were authenticated with all that they stand on, so that only what is new must be
/// judged. Under an introduction that never changes: a commit's id covers its history.
///
/// A file of ours alone. One that is damaged or could be another's is as none: all is judged again.
struct AuthenticatedCommits: Sendable {
  let path: String

  /// The newest are kept; each stands for all its ancestors.
  private static let limit = 200

  /// The newest last; none if the file is of another introduction.
  func commits(under introduction: Introduction) -> [String] {
    let bytes: [UInt8]
    do throws(GitError) {
      bytes = try GuardedFile.read(path, .secret, named: "authenticated")
    } catch {
      return []
    }
    let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
    guard lines.first == Self.header(introduction) else { return [] }
    let commits = lines.dropFirst()
    guard commits.count <= Self.limit, commits.allSatisfy({ git_oid(hex: $0) != nil }) else {
      return []
    }
    return Array(commits)
  }

  /// - Throws: `.storage`.
  func add(_ commit: String, under introduction: Introduction) throws(GitError) {
    var commits = commits(under: introduction)
    guard commits.last != commit else { return }
    commits.removeAll { $0 == commit }
    commits = Array((commits + [commit]).suffix(Self.limit))
    let text = ([Self.header(introduction)] + commits).map { $0 + "\n" }.joined()
    try write(Array(text.utf8))
  }

  private static func header(_ introduction: Introduction) -> String {
    "onionkeeper-authenticated 1 \(introduction.commit) \(introduction.signer)"
  }

  /// Beside, then into its place: never half a file.
  private func write(_ bytes: [UInt8]) throws(GitError) {
    func failure(_ what: String) -> GitError {
      GitError(.storage, "authenticate", "cannot \(what) \(path): \(errorText(errno))")
    }
    let fresh = path + ".new"
    unlink(fresh)
    let descriptor = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw failure("write") }
    let isWritten = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
    let isWhole = isWritten == bytes.count && fsync(descriptor) == 0
    let isClosed = close(descriptor) == 0
    guard isWhole, isClosed, rename(fresh, path) == 0 else {
      let error = failure("write")
      unlink(fresh)
      throw error
    }
  }
}
