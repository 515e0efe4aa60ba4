/// Why a commit may act.
public enum TrustPolicy: Sendable, Equatable {
  /// Whoever may push is trusted, as far as the transport proves who answered.
  case transport
  /// The commit must carry an SSH signature by a key of this file (`ssh-keygen`'s
  /// `allowed_signers`, with `namespaces`, `valid-after` and `valid-before`).
  ///
  /// - Parameter chain: whether every commit on the first-parent line since the anchor must, too.
  case signers(file: String, chain: Bool = false)
  /// Who may sign is said in the repository itself, from one commit on.
  case introduction(Introduction)

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
      guard address.scheme.isAuthentic else {
        throw GitError(
          .configuration, "repository.trust",
          "transport: true proves nothing over \(address.scheme.rawValue)://, where anybody in between can "
            + "answer; use https, ssh, signers or an introduction")
      }
    case .signers(let file, _):
      if readsFile {
        _ = try GuardedFile.read(file, .rootOwned, named: "repository.trust.signers")
      }
    case .introduction: break
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

  /// The same, where only the clock bounds.
  var withoutAnchor: CommitTimeBounds { CommitTimeBounds(now: now) }

  /// What is wrong with a commit that claims to be of `time`; nil: nothing.
  func complaint(about time: Int64) -> (code: GitError.Code, reason: String)? {
    if let notBefore, time < notBefore {
      return (.untrusted, "its committer date is before the anchor's")
    }
    if time > now + Self.tolerance {
      return (.early, "its committer date is \(time - now) s ahead of this host's clock")
    }
    return nil
  }
}

extension GitMirror {
  /// Decides whether the commit may act under the policy.
  ///
  /// A signature covers the commit's tree and its parents, so the tip's signature vouches for all
  /// that is read. Its time is the committer date: that is when the key must have been valid.
  ///
  /// - Parameters:
  ///   - times: what the committer date may be; nil: anything.
  ///   - anchors: commits that were authenticated before; with `chain`, what they hold is not judged
  ///     again. Those that are not in the mirror bound nothing.
  /// - Throws: `.untrusted` or `.early` with the commit, the key's fingerprint (where there is one) and
  ///   the reason; `.configuration` if the policy cannot be applied; `.limit` if there are too many
  ///   commits to judge; `.missingCommit`, `.corruptMirror`, `.storage`, `.cancelled`.
  public func authenticate(
    _ commit: String, by policy: TrustPolicy, times: CommitTimeBounds? = nil,
    since anchors: Set<String> = []
  ) async throws(GitError) -> Authentication {
    try policy.check(for: source)
    switch policy {
    case .transport: return .transport
    case .signers(let file, let chain):
      let verifier = SignatureVerifier(try SignersList(file: file))
      let proof = try await verify(commit, by: verifier, times: times)
      if chain {
        for ancestor in try line(to: commit, since: anchors).dropFirst() {
          do throws(GitError) { _ = try await verify(ancestor, by: verifier, times: times) } catch {
            throw error.onTheWay(to: commit)
          }
        }
      }
      return proof
    case .introduction(let introduction):
      return try await authenticate(commit, from: introduction, times: times)
    }
  }

  /// One commit's signature.
  func verify(
    _ commit: String, by verifier: SignatureVerifier, times: CommitTimeBounds?
  ) async throws(GitError) -> Authentication {
    let (signed, time) = try reading { repository throws(GitError) in
      (
        try SignedCommit(commit, in: repository),
        try CommitHistory(repository: repository).info(commit).committed
      )
    }
    let signature = try signed.sshSignature()
    if let complaint = times?.complaint(about: time) {
      throw signed.refused(complaint.code, "\(complaint.reason) (key \(signature.fingerprint))")
    }
    let principal = try await verifier.verify(signed, signature, at: time)
    return .signature(principal: principal, fingerprint: signature.fingerprint)
  }

  /// More commits than this are not judged at once: at two runs of `ssh-keygen` each, these take
  /// minutes. A later `since` or `introduction` makes them fewer.
  static let commitLimit = 5_000

  /// The commit and its first parent, and so on, as far as the anchors do not hold them already.
  private func line(to commit: String, since anchors: Set<String>) throws(GitError) -> [String] {
    try reading { repository throws(GitError) in
      let history = CommitHistory(repository: repository)
      let new = Set(try history.commits(reachableFrom: commit, butNotFrom: anchors))
      var line: [String] = []
      var next: String? = commit
      while let commit = next, line.isEmpty || new.contains(commit) {
        guard line.count < Self.commitLimit else {
          throw GitError(
            .limit, "authenticate",
            "more than \(Self.commitLimit) commits lead to \(commit); "
              + "set repository.trust.since to a later commit")
        }
        line.append(commit)
        next = try history.info(commit).parents.first
      }
      return line
    }
  }
}

extension GitError {
  /// The same refusal, where a commit on the way to `tip` is meant.
  func onTheWay(to tip: String) -> GitError {
    guard code == .untrusted || code == .early else { return self }
    return GitError(code, operation, "\(message); it is on the way to \(tip)")
  }
}
