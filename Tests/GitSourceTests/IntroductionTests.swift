import Foundation
import GitSource
import Testing

/// Signers in the repository, by the rules of guix: authority is what every parent's file allows.
@Suite struct IntroductionTests {
  /// Alice introduces herself.
  private func introduced(
    _ setting: SignedRepository, allowing names: [String] = ["alice"]
  ) async throws -> (commit: String, policy: TrustPolicy) {
    var files = Repository.onions
    files["allowed_signers"] = try names.map { "\($0) \(try setting.publicKey($0))\n" }.joined()
    let commit = try await setting.commit(
      by: "alice", tree: try await setting.repository.tree(of: files))
    return (
      commit,
      .introduction(
        Introduction(commit: commit, signer: try await setting.fingerprint("alice")))
    )
  }

  private func refused(
    _ setting: SignedRepository, _ commit: String, _ policy: TrustPolicy, _ says: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) async {
    let error = await expectError(.untrusted, sourceLocation: sourceLocation) {
      try await setting.mirror.authenticate(commit, by: policy)
    }
    #expect(error.message.contains(says), "\(error)", sourceLocation: sourceLocation)
  }

  @Test func theIntroductionIsSignedByExactlyThatKey() async throws {
    let setting = try await SignedRepository()
    let (commit, policy) = try await introduced(setting, allowing: ["alice", "mallory"])
    let print = try await setting.fingerprint("alice")
    #expect(
      try await setting.mirror.authenticate(commit, by: policy)
        == .signature(principal: "introduction", fingerprint: print))
    let other = TrustPolicy.introduction(
      Introduction(commit: commit, signer: try await setting.fingerprint("mallory")))
    await refused(setting, commit, other, print)
    // Whoever follows an introduction that does not hold is refused with it.
    let tree = try await setting.tree(allowing: "alice", "mallory")
    let next = try await setting.commit(by: "mallory", tree: tree)
    await refused(setting, next, other, "is the introduction")
    _ = try await setting.mirror.authenticate(next, by: policy)
  }

  @Test func anIntroductionWithoutSignersOrSignatureIsNone() async throws {
    let setting = try await SignedRepository()
    let print = try await setting.fingerprint("alice")
    for tree in [
      setting.tree, try await setting.repository.tree(of: ["allowed_signers": "# us\n"]),
    ] {
      let bare = try await setting.commit(by: "alice", tree: tree)
      await refused(
        setting, bare, .introduction(Introduction(commit: bare, signer: print)),
        "nobody could follow")
    }
    let unsigned = try await setting.commit(tree: try await setting.tree(allowing: "alice"))
    await refused(
      setting, unsigned, .introduction(Introduction(commit: unsigned, signer: print)), "not signed")
  }

  @Test func keysRotateFromTheNextCommitOn() async throws {
    let setting = try await SignedRepository(keys: ["alice", "bob"])
    let (_, policy) = try await introduced(setting)
    let both = try await setting.tree(allowing: "alice", "bob")
    let onlyBob = try await setting.tree(allowing: "bob")
    // Bob may not let himself in.
    let intruding = try await setting.commit(by: "bob", tree: both)
    await refused(setting, intruding, policy, "not in allowed_signers of")
    try await setting.repository.git("update-ref", "refs/heads/main", intruding + "^")
    let letIn = try await setting.commit(by: "alice", tree: both)
    _ = try await setting.mirror.authenticate(letIn, by: policy)
    // Bob, who is in now, puts Alice out: that commit is still judged by the list before it.
    let putOut = try await setting.commit(by: "alice", tree: onlyBob)
    _ = try await setting.mirror.authenticate(putOut, by: policy)
    let late = try await setting.commit(by: "alice", tree: onlyBob)
    await refused(setting, late, policy, "not in allowed_signers of \(putOut)")
    // And nothing can stand on it.
    let onTop = try await setting.commit(by: "bob", tree: onlyBob)
    await refused(setting, onTop, policy, "on the way to \(onTop)")
  }

  @Test func theSignersFileStays() async throws {
    let setting = try await SignedRepository()
    let (start, policy) = try await introduced(setting)
    let blob = try await setting.repository.blob("elsewhere")
    let trees = [
      setting.tree, try await setting.repository.tree(of: ["allowed_signers": "\n# nobody\n"]),
      try await setting.repository.tree(["120000 blob \(blob)\tallowed_signers"]),
      try await setting.repository.tree(of: ["allowed_signers/x": "folder"]),
    ]
    for tree in trees {
      let commit = try await setting.commit(by: "alice", tree: tree, parents: [start])
      await refused(setting, commit, policy, "allowed_signers")
      // Not even with the file back.
      let mended = try await setting.commit(
        by: "alice", tree: try await setting.tree(allowing: "alice"))
      await refused(setting, mended, policy, "on the way to \(mended)")
    }
  }

  @Test func aMergeNeedsTheConsentOfEveryParent() async throws {
    let setting = try await SignedRepository(keys: ["alice", "bob"])
    let (start, policy) = try await introduced(setting)
    let alone = try await setting.tree(allowing: "alice")
    let both = try await setting.tree(allowing: "alice", "bob")
    let left = try await setting.commit(by: "alice", tree: alone, parents: [start])
    let right = try await setting.commit(by: "alice", tree: both, parents: [start])
    // Bob is allowed by one of the parents only: a merge must not widen rights.
    for parents in [[left, right], [right, left]] {
      let merge = try await setting.commit(by: "bob", tree: both, parents: parents)
      await refused(setting, merge, policy, "not in allowed_signers of \(left)")
    }
    let merge = try await setting.commit(by: "alice", tree: both, parents: [left, right])
    _ = try await setting.mirror.authenticate(merge, by: policy)
    let after = try await setting.commit(by: "bob", tree: both)
    _ = try await setting.mirror.authenticate(after, by: policy)
  }

  /// What is merged is judged like everything else: an unsigned commit, another history.
  @Test func nothingIsSmuggledInByAMerge() async throws {
    let setting = try await SignedRepository()
    let (start, policy) = try await introduced(setting)
    let tree = try await setting.tree(allowing: "alice")
    let unsigned = try await setting.commit(tree: tree, parents: [start])
    let merged = try await setting.commit(by: "alice", tree: tree, parents: [start, unsigned])
    await refused(setting, merged, policy, unsigned)
    // Of another date, or it would be the introduction itself.
    let foreign = try await setting.commit(
      by: "alice", date: "1700000000 +0000", tree: tree, parents: [])
    let joined = try await setting.commit(by: "alice", tree: tree, parents: [start, foreign])
    await refused(setting, joined, policy, "has no parent")
  }

  /// Of what lies before the introduction nothing is new, so it would pass.
  @Test func anAncestorOfTheIntroductionDoesNotPass() async throws {
    let setting = try await SignedRepository()
    let before = try await setting.commit(by: "alice", date: "1700000000 +0000")
    let (start, policy) = try await introduced(setting)
    _ = try await setting.mirror.authenticate(start, by: policy)
    await refused(setting, before, policy, "does not descend from the introduction")
    let beside = try await setting.commit(
      by: "alice", date: "1700000001 +0000", tree: try await setting.tree(allowing: "alice"),
      parents: [before])
    await refused(setting, beside, policy, "does not descend from the introduction")
    let absent = TrustPolicy.introduction(
      Introduction(
        commit: String(repeating: "a", count: 40), signer: try await setting.fingerprint("alice")))
    await refused(setting, start, absent, "does not descend from the introduction")
  }

  @Test func timesAreBounded() async throws {
    let setting = try await SignedRepository()
    let (_, policy) = try await introduced(setting)
    let tree = try await setting.tree(allowing: "alice")
    let future = try await setting.commit(by: "alice", date: "4000000000 +0000", tree: tree)
    let tip = try await setting.commit(by: "alice", date: "1700000000 +0000", tree: tree)
    let error = await expectError(.early) {
      try await setting.mirror.authenticate(
        tip, by: policy, times: CommitTimeBounds(notBefore: 1_600_000_000, now: 1_800_000_000))
    }
    #expect(error.message.contains(future), "\(error)")
    let early = await expectError(.untrusted) {
      try await setting.mirror.authenticate(
        tip, by: policy, times: CommitTimeBounds(notBefore: 1_700_000_001, now: 4_000_000_000))
    }
    #expect(early.message.contains("before the anchor's"), "\(early)")
  }

  // MARK: - what is remembered

  /// A judged commit stands for its ancestors: with the memory damaged or another's, all is judged again.
  @Test(arguments: ["kept", "readable", "garbage", "another introduction"])
  func whatWasJudgedIsRemembered(state: String) async throws {
    let setting = try await SignedRepository()
    let (start, policy) = try await introduced(setting)
    let unsigned = try await setting.commit(tree: try await setting.tree(allowing: "alice"))
    let tip = try await setting.commit(
      by: "alice", tree: try await setting.tree(allowing: "alice"))
    let file = setting.repository.folder.path + "/authenticated"
    let print = try await setting.fingerprint("alice")
    // As if `unsigned` had been judged good: whether the tip passes tells if the file is believed.
    let of = state == "another introduction" ? unsigned : start
    try setting.repository.folder.write(
      "authenticated",
      state == "garbage"
        ? "onionkeeper-authenticated 1 \(start) \(print)\n\(unsigned)\nx\n"
        : "onionkeeper-authenticated 1 \(of) \(print)\n\(unsigned)\n",
      mode: state == "readable" ? 0o644 : 0o600)
    guard state == "kept" else { return await refused(setting, tip, policy, unsigned) }
    _ = try await setting.mirror.authenticate(tip, by: policy)
    let kept = try String(contentsOfFile: file, encoding: .utf8)
    #expect(kept.hasSuffix("\(unsigned)\n\(tip)\n"))
    #expect(
      try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int == 0o600)
  }

  @Test func aFailureIsNotRemembered() async throws {
    let setting = try await SignedRepository()
    let (_, policy) = try await introduced(setting)
    let tree = try await setting.tree(allowing: "alice")
    let unsigned = try await setting.commit(tree: tree)
    for _ in 1...2 { await refused(setting, unsigned, policy, "not signed") }
  }
}
