import CGit2

/// Why a commit may act.
public enum TrustPolicy: Sendable, Equatable {
  /// Whoever may push is trusted, as far as the transport proves who answered.
  case transport
  /// The commit must carry an SSH signature by a key of this file (`ssh-keygen`'s
  /// `allowed_signers`, with `namespaces`, `valid-after` and `valid-before`).
  case signers(file: String)

  /// Checks the policy against where the commits come from, and its file.
  ///
  /// - Parameter readsFile: false where the file lies on another machine.
  /// - Throws: `.configuration`.
  public func check(
    for source: RepositorySource, readsFile: Bool = true
  ) throws(GitError) {
    switch self {
    case .transport:
      let address = try source.checkedAddress()
      guard address.scheme != .http else {
        throw GitError(
          .configuration, "repository.trust",
          "transport: true proves nothing over http://, where anybody in between can answer; "
            + "use https, ssh or signers")
      }
    case .signers(let file):
      if readsFile {
        _ = try GuardedFile.read(file, .rootOwned, named: "repository.trust.signers")
      }
    }
  }
}

/// What was proven about a commit.
public enum Authentication: Sendable, Equatable {
  case transport
  /// - Parameters:
  ///   - principal: as the signers file names the key's holder.
  ///   - fingerprint: `SHA256:…` of the key.
  case signature(principal: String, fingerprint: String)
}

/// Bounds on the time that a signed commit claims.
public struct CommitTimeBounds: Sendable, Equatable {
  /// The committer date of the anchor: a descendant is not older. Seconds since 1970.
  public let notBefore: Int64?
  /// The clock now. Seconds since 1970.
  public let now: Int64
  /// Ten minutes: clocks of people's machines differ by less.
  public static let tolerance: Int64 = 600

  public init(notBefore: Int64? = nil, now: Int64) {
    self.notBefore = notBefore
    self.now = now
  }
}

extension GitMirror {
  /// Decides whether the commit may act under the policy.
  ///
  /// A signature covers the commit's tree and its parents, so the tip's signature vouches for all
  /// that is read. Its time is the committer date: that is when the key must have been valid.
  ///
  /// - Parameter times: what the committer date may be; nil: anything.
  /// - Throws: `.untrusted` with the commit, the key's fingerprint (where there is one) and the
  ///   reason; `.configuration` if the policy cannot be applied; `.missingCommit`,
  ///   `.corruptMirror`, `.cancelled`.
  public func authenticate(
    _ commit: String, by policy: TrustPolicy, times: CommitTimeBounds? = nil
  ) async throws(GitError) -> Authentication {
    try policy.check(for: source)
    guard case .signers(let file) = policy else { return .transport }
    let (signed, time) = try reading { repository throws(GitError) in
      (
        try SignedCommit(commit, in: repository),
        try CommitHistory(repository: repository).info(commit).committed
      )
    }
    let signature = try signed.sshSignature()
    if let complaint = times?.complaint(about: time) {
      throw signed.untrusted("\(complaint) (key \(signature.fingerprint))")
    }
    let verifier = try SignatureVerifier(signersFile: file)
    let principal = try await verifier.verify(signed, signature, at: time)
    return .signature(principal: principal, fingerprint: signature.fingerprint)
  }
}

extension CommitTimeBounds {
  fileprivate func complaint(about time: Int64) -> String? {
    if let notBefore, time < notBefore { return "its committer date is before the anchor's" }
    if time > now + Self.tolerance {
      return "its committer date is \(time - now) s ahead of this host's clock"
    }
    return nil
  }
}

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

  func untrusted(_ reason: String) -> GitError {
    GitError(.untrusted, "authenticate", "commit \(commit) is refused: \(reason)")
  }
}
