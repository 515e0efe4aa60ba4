import Foundation
import GitSource
import Journaling
import OnionModel
import Testing

@testable import Keeping

/// product.md §4: what a repository can be besides a branch that grows.
struct SourceStateTests {
  /// A repository without a commit yet is no empty set of definitions; its first commit is taken.
  @Test func theFirstCommitOfAnEmptyBranch() async throws {
    let host = try House()
    try host.setUp()
    for _ in 1...2 {
      let report = try await host.pass()
      #expect(report.desired.revision == nil)
      #expect(report.sourceTrouble?.contains("no branch yet") == true)
    }
    let first = try host.commit()
    #expect(try await host.pass().desired.revision == first)
  }

  /// Deleted by a slip or by a stranger: away, not empty. Made anew by another history: refused.
  @Test func aBranchThatVanishes() async throws {
    let host = try House()
    try host.setUp()
    let first = try host.commit()
    _ = try await host.pass()
    try host.git("checkout", "-q", "--detach")
    try host.git("branch", "-q", "other")
    try host.git("branch", "-q", "-D", "main")
    let report = try await host.pass()
    #expect(report.desired.revision == first)
    #expect(report.desired.services.map(\.name.text) == ["blog"])
    #expect(report.sourceTrouble?.contains("has branches, but no 'main'") == true)
    #expect(try await host.agent { try await $0.journal.kinds() }.last == .sourceUnreachable)
    // Each pass here is another process: it knows of no answer, and says since when it acts on what it has.
    let told = try await host.agent { try await $0.journal.latestEvents(limit: 1) }.last?.event
    #expect(told?.data.message?.contains("the accepted revision is of 20") == true)
    try host.git("checkout", "-q", "--orphan", "main")
    try host.commit("anew")
    let anew = try await host.pass()
    #expect(anew.desired.revision == first)
    #expect(anew.sourceTrouble?.contains("does not descend") == true)
  }

  /// A revoked token looks like a repository that is gone: when it last answered tells them apart.
  @Test func whatIsAwayLastAnsweredAt() async throws {
    let host = try House()
    try host.setUp()
    try host.commit()
    try await host.agent { house in
      _ = try await house.keeper.pass(trigger: "test", patience: nil)
      try FileManager.default.moveItem(
        atPath: "\(host.path)/repository", toPath: "\(host.path)/away")
      _ = try await house.keeper.pass(trigger: "test", patience: nil)
      let told = try await house.journal.latestEvents(limit: 1).last?.event
      #expect(told?.kind == .sourceUnreachable)
      #expect(told?.data.message?.contains("it last answered at 20") == true)
    }
  }

  @Test func tagsAreNotBranches() async throws {
    let host = try House()
    try host.setUp()
    let first = try host.commit()
    try host.git("checkout", "-q", "--detach")
    try host.commit("tagged")
    try host.git("tag", "main")
    try host.git("tag", "-a", "-m", "x", "v1")
    #expect(try await host.pass().desired.revision == first)
  }

  /// Case 47: the stored commit is gone from the remote and from the mirror. It wedges nothing: what is in force stays,
  /// is told once, and a person's waiver leads on; the deletion guard knows of no announcement then.
  @Test func theStoredCommitIsGone() async throws {
    let host = try House()
    try host.setUp()
    let first = try host.commit()
    _ = try await host.pass()
    try host.git("checkout", "-q", "--orphan", "rewritten")
    let head = try host.commit("rewritten\n\nOnionkeeper-Remove: 1")
    try host.git("branch", "-q", "-M", "rewritten", "main")
    try host.git("reflog", "expire", "--expire=now", "--all")
    try host.git("gc", "-q", "--prune=now")
    try FileManager.default.removeItem(atPath: "\(host.path)/state/mirror.git")
    for _ in 1...2 {
      let report = try await host.pass()
      #expect(report.desired.revision == first)
      #expect(report.sourceTrouble?.contains("approve \(head) --rewind") == true)
    }
    let kinds = try await host.agent { try await $0.journal.kinds() }
    #expect(kinds.filter { $0 == .revisionRejected }.count == 1)
    _ = try await Approver(try host.configuration()).approve(head, [.rewind], uid: 0)
    let report = try await host.pass()
    #expect(report.desired.revision == head)
    #expect(!report.desired.removalsAnnounced)
  }

  @Test func whatWasAcceptedOutlivesTheMirror() async throws {
    let host = try House()
    try host.setUp()
    let first = try host.commit()
    _ = try await host.pass()
    try FileManager.default.removeItem(atPath: "\(host.path)/repository")
    try FileManager.default.removeItem(atPath: "\(host.path)/state/mirror.git")
    let report = try await host.pass()
    #expect(report.desired.revision == first)
    #expect(report.desired.services.map(\.name.text) == ["blog"])
  }

  /// A removal is announced by the commit that removes, though another one came before the next look.
  @Test(arguments: [(1, true), (2, false), (0, false)])
  func anAnnouncementIsNotLostBehindTheNextCommit(number: Int, counts: Bool) async throws {
    let host = try House()
    try host.setUp()
    try host.commit()
    _ = try await host.pass()
    try FileManager.default.removeItem(atPath: "\(host.path)/repository/\(House.file)")
    try host.commit(number == 0 ? "remove" : "remove\n\nOnionkeeper-Remove: \(number)")
    let next = try host.commit("another")
    let report = try await host.pass()
    #expect(report.desired.revision == next)
    #expect(report.desired.removalsAnnounced == counts)
  }

  /// More commits within the soak time than are remembered: something still ripens.
  @Test func aBusyBranchRipens() async throws {
    let host = try House()
    let source = RevisionSource(
      mirrorPath: "\(host.path)/mirror.git", source: try host.configuration().repository,
      trust: .transport)
    var commits: [CommitID] = []
    for number in 0..<130 {
      commits.append(try host.commit("\(number)"))
      let look = try await source.look(
        .init(
          anchors: [], rewinds: [], soak: 1_250, now: Timestamp(seconds: 1_000 + Int64(number) * 10)
        )
      ) { _ in nil }
      switch look {
      case .soaking: #expect(number < 125, "\(number)")
      case .candidate(let candidate):
        // Whichever is remembered, it has been there for long enough, and not for much longer.
        let index = try #require(commits.firstIndex(of: candidate.commit))
        #expect(number - index >= 125 && number - index < 130)
      default: Issue.record("\(look)")
      }
    }
  }

  /// What a person did not name is not waived: a rewind allows no removal, and an approval none of another revision.
  @Test func anApprovalWaivesOnlyWhatItNames() async throws {
    let host = try House()
    try host.setUp()
    let first = try host.commit()
    let second = try host.commit()
    _ = try await host.pass()
    let approver = Approver(try host.configuration())
    await #expect(throws: KeepingError.self) {
      try await approver.approve(first, [.rewind, .removals], uid: 0)
    }
    try host.git("reset", "-q", "--hard", first.text)
    #expect(try await host.pass().desired.revision == second)
    _ = try await approver.approve(second, [.rewind], uid: 0)
    let report = try await host.pass()
    #expect(report.desired.revision == second)
    #expect(report.sourceTrouble?.contains("does not descend") == true)
  }
}
