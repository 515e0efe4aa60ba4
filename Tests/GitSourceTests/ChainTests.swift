import Foundation
import GitSource
import Testing

/// `chain: true`: every commit on the first-parent line since the anchor (product.md §3).
@Suite struct ChainTests {
  private func policy(_ setting: SignedRepository, chain: Bool = true) throws -> TrustPolicy {
    guard case .signers(let file, _) = try setting.signers("alice \(setting.publicKey("alice"))")
    else { throw CommandFailed(description: "no signers") }
    return .signers(file: file, chain: chain)
  }

  @Test func everyCommitOfTheLineMustBeSigned() async throws {
    let setting = try await SignedRepository()
    let root = try await setting.commit()
    let anchor = try await setting.commit(by: "alice")
    let good = try await setting.commit(by: "alice")
    let strict = try policy(setting)
    _ = try await setting.mirror.authenticate(good, by: strict, since: [anchor])
    // What the anchor holds is not judged again; without an anchor all of it is, the unsigned root too.
    let error = await expectError(.untrusted) {
      try await setting.mirror.authenticate(good, by: strict)
    }
    #expect(error.message.contains(root) && error.message.contains("not signed"), "\(error)")
    #expect(error.message.contains("on the way to \(good)"), "\(error)")

    let gap = try await setting.commit()
    let tip = try await setting.commit(by: "alice")
    let refused = await expectError(.untrusted) {
      try await setting.mirror.authenticate(tip, by: strict, since: [anchor])
    }
    #expect(refused.message.contains(gap), "\(refused)")
    // The tip's signature alone is enough where the chain is not asked for.
    _ = try await setting.mirror.authenticate(tip, by: try policy(setting, chain: false))
    // A floor after the gap is the way out.
    _ = try await setting.mirror.authenticate(tip, by: strict, since: [gap])
  }

  /// A forge merges by its own key or none; what it merged is not on the first-parent line, itself it is.
  @Test func aMergeCountsAndWhatItMergesDoesNot() async throws {
    let setting = try await SignedRepository()
    let anchor = try await setting.commit(by: "alice")
    let topic = try await setting.commit(parents: [anchor])
    let merge = try await setting.commit(by: "alice", parents: [anchor, topic])
    let strict = try policy(setting)
    _ = try await setting.mirror.authenticate(merge, by: strict, since: [anchor])
    let forge = try await setting.commit(parents: [merge, topic])
    let next = try await setting.commit(by: "alice")
    let error = await expectError(.untrusted) {
      try await setting.mirror.authenticate(next, by: strict, since: [anchor])
    }
    #expect(error.message.contains(forge), "\(error)")
  }

  /// The anchor as second parent: the line leads past it, through what was never judged.
  @Test func theAnchorBesideTheLineEndsItWhereTheyFork() async throws {
    let setting = try await SignedRepository()
    let root = try await setting.commit(by: "alice")
    let anchor = try await setting.commit(by: "alice")
    let stray = try await setting.commit(parents: [root])
    let foxtrot = try await setting.commit(by: "alice", parents: [stray, anchor])
    let error = await expectError(.untrusted) {
      try await setting.mirror.authenticate(foxtrot, by: try policy(setting), since: [anchor])
    }
    #expect(error.message.contains(stray), "\(error)")
  }

  /// An ancestor of the anchor (a rewind) is still judged itself.
  @Test func theTipIsAlwaysJudged() async throws {
    let setting = try await SignedRepository()
    let first = try await setting.commit()
    let anchor = try await setting.commit(by: "alice")
    for commit in [first, try await setting.commit(parents: [first])] {
      await expectError(.untrusted) {
        try await setting.mirror.authenticate(commit, by: try policy(setting), since: [anchor])
      }
    }
    let alone = try await setting.commit(by: "alice", parents: [])
    _ = try await setting.mirror.authenticate(
      alone, by: try policy(setting), since: [String(repeating: "a", count: 40)])
  }

  @Test func datesOfTheLineAreBounded() async throws {
    let setting = try await SignedRepository()
    let anchor = try await setting.commit(by: "alice", date: "1700000000 +0000")
    let early = try await setting.commit(by: "alice", date: "1699999999 +0000")
    let tip = try await setting.commit(by: "alice", date: "1700000100 +0000")
    let bounds = CommitTimeBounds(notBefore: 1_700_000_000, now: 1_700_000_100)
    let error = await expectError(.untrusted) {
      try await setting.mirror.authenticate(
        tip, by: try policy(setting), times: bounds, since: [anchor])
    }
    #expect(error.message.contains(early), "\(error)")
  }
}
