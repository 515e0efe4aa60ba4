/// Where trust begins when who may sign is said in the repository itself: one commit, and the key
/// that signed it. Both are told to the host by its owner.
///
/// From there on the rules are those of guix: a commit acts only if whoever signed it is allowed by
/// the signers file of *each* of its parents. So a change of that file counts from the next commit
/// on, and a merge cannot widen rights.
public struct Introduction: Sendable, Hashable {
  /// Forty lower-case hexadecimal digits.
  public let commit: String
  /// `SHA256:…` of the key, as `ssh-keygen -l` prints it.
  public let signer: String

  public init(commit: String, signer: String) {
    self.commit = commit
    self.signer = signer
  }

  /// Who may sign what comes next: a file in the repository's top folder, whatever
  /// `repository.path` is.
  public static let signersFile = "allowed_signers"
  /// A thousand signers are 100 KiB.
  static let signersLimit = 1 << 20
}

extension GitMirror {
  /// Authenticates the commit and all that it stands on, back to the introduction.
  func authenticate(
    _ commit: String, from introduction: Introduction, times: CommitTimeBounds?
  ) async throws(GitError) -> Authentication {
    let descends = try reading { repository throws(GitError) in
      try CommitHistory(repository: repository).isDescendant(commit, of: introduction.commit)
    }
    // Nothing new would have to be judged for an ancestor of the introduction: it would pass.
    guard descends else {
      throw GitError(
        .untrusted, "authenticate",
        "commit \(commit) is refused: it does not descend from the introduction "
          + introduction.commit)
    }
    let known = authenticated?.commits(under: introduction) ?? []
    // Nothing is known under an introduction that was not judged itself.
    if known.isEmpty || commit == introduction.commit {
      let proof = try await authenticateItself(introduction, times: times?.withoutAnchor)
      if commit == introduction.commit { return proof }
    }
    let new = try reading { repository throws(GitError) in
      try CommitHistory(repository: repository).commits(
        reachableFrom: commit, butNotFrom: known + [introduction.commit])
    }
    guard new.count <= Self.commitLimit else {
      throw GitError(
        .limit, "authenticate",
        "\(new.count) commits lead to \(commit), more than \(Self.commitLimit) to be judged at once;"
          + " set a later introduction")
    }
    for (index, ancestor) in new.enumerated() where ancestor != commit {
      do throws(GitError) {
        _ = try await authenticate(onParents: ancestor, times: times?.withoutAnchor)
      } catch {
        throw error.onTheWay(to: commit)
      }
      // Parents come first, so all that it stands on has been judged: what is done stays done.
      if index % 100 == 99 { try authenticated?.add(ancestor, under: introduction) }
    }
    // The commit itself also where it is known: its date and its signer are asked for.
    let proof = try await authenticate(onParents: commit, times: times)
    try authenticated?.add(commit, under: introduction)
    return proof
  }

  /// The introduction is signed by exactly the key that its owner named.
  private func authenticateItself(
    _ introduction: Introduction, times: CommitTimeBounds?
  ) async throws(GitError) -> Authentication {
    let commit = introduction.commit
    let (signed, hasSigners) = try reading { repository throws(GitError) in
      (
        try SignedCommit(commit, in: repository),
        try CommitHistory(repository: repository).signers(in: commit) != nil
      )
    }
    let signature = try signed.sshSignature()
    guard signature.fingerprint == introduction.signer else {
      throw signed.untrusted(
        "it is the introduction, and is signed by another key than repository.trust.introduction "
          + "says: key \(signature.fingerprint), not \(introduction.signer)")
    }
    guard hasSigners else {
      throw signed.untrusted(
        "it is the introduction, and has no \(Introduction.signersFile): nobody could follow it")
    }
    let only = SignersList(onlyKey: signature.publicKey, name: "introduction")
    return try await verify(commit, by: SignatureVerifier(only), times: times)
  }

  /// One commit, by what each of its parents allows.
  private func authenticate(
    onParents commit: String, times: CommitTimeBounds?
  ) async throws(GitError) -> Authentication {
    let (signed, lists) = try reading { repository throws(GitError) in
      let signed = try SignedCommit(commit, in: repository)
      let history = CommitHistory(repository: repository)
      let parents = try history.info(commit).parents
      guard !parents.isEmpty else {
        throw signed.untrusted("it has no parent and is not the introduction: nobody allowed it")
      }
      var lists: [SignersList] = []
      for parent in parents {
        guard let list = try history.signers(in: parent) else {
          throw signed.untrusted(
            "its parent \(parent) has no \(Introduction.signersFile): nobody may follow it")
        }
        if !lists.contains(where: { $0.text == list.text }) { lists.append(list) }
      }
      guard try history.signers(in: commit) != nil else {
        throw signed.untrusted("it takes \(Introduction.signersFile) away, or empties it")
      }
      return (signed, lists)
    }
    var proof: Authentication?
    for list in lists {
      let found = try await verify(commit, by: SignatureVerifier(list), times: times)
      proof = proof ?? found
    }
    guard let proof else { throw signed.untrusted("nobody allowed it") }
    return proof
  }
}

extension CommitHistory {
  /// Who may sign what follows the commit; nil if it does not say.
  ///
  /// - Throws: `.untrusted` if the file is there and cannot be one.
  fileprivate func signers(in commit: String) throws(GitError) -> SignersList? {
    let name = Introduction.signersFile
    do throws(GitError) {
      guard let text = try file(name, in: commit, limit: Introduction.signersLimit) else {
        return nil
      }
      let list = SignersList(text: text, name: "\(name) of \(commit)")
      return list.isEmpty ? nil : list
    } catch {
      guard error.code == .badTree else { throw error }
      throw GitError(.untrusted, "authenticate", "commit \(commit) is refused: \(error.message)")
    }
  }
}
