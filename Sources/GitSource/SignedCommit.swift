import CGit2

/// A commit's signature, and the exact bytes that were signed.
struct SignedCommit: Sendable {
  let commit: String
  /// The armored block, as it is in the commit's header; nil: unsigned.
  let armor: String?
  let payload: [UInt8]

  init(_ commit: String, in repository: OpaquePointer) throws(GitError) {
    guard var id = git_oid(hex: commit) else {
      throw GitError(.missingCommit, "authenticate", "'\(printable(commit))' is not a full id")
    }
    guard try CommitHistory(repository: repository).contains(commit) else {
      throw GitError(.missingCommit, "authenticate", "commit \(commit) is not in the mirror")
    }
    var (signature, data) = (git_buf(), git_buf())
    defer {
      git_buf_dispose(&signature)
      git_buf_dispose(&data)
    }
    let result = git_commit_extract_signature(&signature, &data, repository, &id, nil)
    self.commit = commit
    if result == GIT_ENOTFOUND.rawValue {
      (armor, payload) = (nil, [])
      return
    }
    try Libgit2.check(result, "authenticate", "signature of \(commit)")
    armor = String(
      decoding: UnsafeRawBufferPointer(start: signature.ptr, count: signature.size), as: UTF8.self)
    payload = Array(UnsafeRawBufferPointer(start: data.ptr, count: data.size))
  }

  init(commit: String, armor: String?, payload: [UInt8]) {
    self.commit = commit
    self.armor = armor
    self.payload = payload
  }

  /// - Throws: `.untrusted`: unsigned, of another kind, damaged, or made for another purpose.
  func sshSignature() throws(GitError) -> SSHSignature {
    guard let armor else { throw untrusted("it is not signed") }
    if armor.hasPrefix("-----BEGIN PGP") {
      throw untrusted("it is signed with OpenPGP, which is not supported yet; sign with an ssh key")
    }
    if armor.hasPrefix("-----BEGIN SIGNED MESSAGE") {
      throw untrusted("it is signed with X.509, which is not supported; sign with an ssh key")
    }
    guard let signature = SSHSignature(armor: armor) else {
      throw untrusted("its signature is damaged")
    }
    let by = "key \(signature.fingerprint)"
    guard signature.namespace == "git" else {
      throw untrusted(
        "its signature is of namespace '\(printable(signature.namespace, limit: 60))', "
          + "not 'git' (\(by))")
    }
    guard !signature.keyType.hasSuffix("-cert-v01@openssh.com") else {
      throw untrusted("it is signed with a certificate, which is not supported yet (\(by))")
    }
    return signature
  }

  func untrusted(_ reason: String) -> GitError { refused(.untrusted, reason) }

  func refused(_ code: GitError.Code, _ reason: String) -> GitError {
    GitError(code, "authenticate", "commit \(commit) is refused: \(reason)")
  }
}
