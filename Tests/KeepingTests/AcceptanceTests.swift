import Foundation
import GitSource
import Journaling
import KeyStore
import OnionModel
import Spawning
import Testing

@testable import Keeping

/// product.md §1.3, §1.5 and §4: which commit acts, on a real repository, with the engine away.
struct AcceptanceTests {
  @Test func theFirstCommitIsAcceptedAndTheEngineWaitedFor() async throws {
    let host = try House()
    try host.setUp()
    let first = try host.commit()
    let report = try await host.pass()
    #expect(report.desired.revision == first)
    #expect(report.sourceTrouble == nil)
    #expect(report.plan.isEmpty)
    #expect(report.plan.waiting.map(\.kind) == [.engineUnreachable])
    #expect(PlanReport(report).isBlind)
    #expect(try await host.anchor() == first)
  }

  @Test func aDescendantFollowsAndARollBackDoesNot() async throws {
    let host = try House()
    try host.setUp()
    let first = try host.commit()
    _ = try await host.pass()
    let second = try host.commit()
    #expect(try await host.pass().desired.revision == second)
    try host.git("reset", "-q", "--hard", first.text)
    let report = try await host.pass()
    #expect(report.desired.revision == second)
    #expect(report.sourceTrouble?.contains("does not descend") == true)
    #expect(try await host.anchor() == second)
  }

  /// A crash between the anchor and the journal: the next start takes it up.
  @Test func theAnchorMayBeAheadOfTheJournal() async throws {
    let host = try House()
    try host.setUp()
    let first = try host.commit()
    _ = try await host.pass()
    let second = try host.commit()
    try await host.writeAnchor(second)
    try host.git("reset", "-q", "--hard", first.text)
    let rolled = try await host.pass()
    #expect(rolled.sourceTrouble?.contains("does not descend") == true)
    try host.git("reset", "-q", "--hard", second.text)
    #expect(try await host.pass().desired.revision == second)
  }

  @Test func aLostStateFolderPermitsNoRollBack() async throws {
    let host = try House()
    try host.setUp()
    let first = try host.commit()
    let second = try host.commit()
    _ = try await host.pass()
    try host.loseState()
    try host.git("reset", "-q", "--hard", first.text)
    let report = try await host.pass()
    #expect(report.desired.revision == nil)
    #expect(report.sourceTrouble?.contains("does not descend from \(second.short)") == true)
  }

  /// A restored key folder has an older anchor: it is brought up, and nothing is accepted anew.
  @Test func anAnchorThatIsBehindIsBroughtUp() async throws {
    let host = try House()
    try host.setUp()
    let first = try host.commit()
    _ = try await host.pass()
    try FileManager.default.removeItem(atPath: "\(host.path)/repository/\(House.file)")
    let second = try host.commit("remove\n\nOnionkeeper-Remove: 1")
    _ = try await host.pass()
    try await host.writeAnchor(first)
    let accepted = try await host.agent { house in
      let before = try await house.journal.acceptedRevision()
      let report = try await house.keeper.pass(trigger: "test", patience: nil)
      #expect(report.desired.removalsAnnounced)
      #expect(try await house.journal.acceptedRevision() == before)
      return before
    }
    #expect(accepted?.commit == second)
    #expect(try await host.anchor() == second)
  }

  @Test func aDamagedAnchorAcceptsNothing() async throws {
    let host = try House()
    try host.setUp()
    let first = try host.commit()
    _ = try await host.pass()
    try host.commit()
    try host.write("keys/.onionkeeper/anchor", "nonsense\n")
    let report = try await host.pass()
    #expect(report.desired.revision == first)
    #expect(report.sourceTrouble?.contains("anchor") == true)
  }

  @Test(arguments: [false, true]) func everyRewindThatWasAllowedWorksOnce(isFirst: Bool)
    async throws
  {
    let host = try House()
    try host.setUp()
    let first = try host.commit()
    let second = try host.commit()
    _ = try await host.pass()
    // Another one that was allowed, before or after, takes nothing from it.
    let wanted = isFirst ? [first, second] : [second, first]
    for commit in wanted {
      _ = try await Approver(try host.configuration()).approve(commit, [.rewind], uid: 0)
    }
    try host.git("reset", "-q", "--hard", first.text)
    #expect(try await host.pass().desired.revision == first)
    #expect(try await host.anchor() == first)
    let third = try host.commit()
    #expect(try await host.pass().desired.revision == third)
    try host.git("reset", "-q", "--hard", first.text)
    #expect(try await host.pass().desired.revision == third)
  }

  /// What was refused is judged again when the host file says otherwise: here, where the definitions are.
  @Test func aRefusalEndsWithItsReason() async throws {
    let host = try House()
    try host.setUp()
    try host.git("rm", "-q", "--cached", "--ignore-unmatch", "onionkeeper.yaml")
    try FileManager.default.createDirectory(
      atPath: "\(host.path)/repository/hosts", withIntermediateDirectories: true)
    try FileManager.default.moveItem(
      atPath: "\(host.path)/repository/onionkeeper.yaml",
      toPath: "\(host.path)/repository/hosts/onionkeeper.yaml")
    let commit = try host.commit()
    try await host.agent { house in
      let refused = try await house.keeper.pass(trigger: "test", patience: nil)
      #expect(refused.sourceTrouble?.contains("not an Onionkeeper repository") == true)
      #expect(refused.desired.revision == nil)
      // Told once.
      _ = try await house.keeper.pass(trigger: "test", patience: nil)
      #expect(try await house.journal.kinds().filter { $0 == .revisionRejected }.count == 1)
      var moved = try host.configuration()
      moved.repository = .init(
        url: moved.repository.url, branch: "main", path: "hosts")
      moved.fingerprint = "another"
      try await house.keeper.adopt(moved)
      let accepted = try await house.keeper.pass(trigger: "test", patience: nil)
      #expect(accepted.desired.revision == commit)
    }
  }

  /// Folders and engine are pinned at set-up: a host file that moves them does nothing before the agent starts again.
  @Test func aMovedHostFileReachesTheNextPassButForWhatIsPinned() async throws {
    let host = try House()
    try host.setUp()
    _ = try host.commit()
    try await host.agent { house in
      let before = try await house.keeper.pass(trigger: "test", patience: nil)
      #expect(before.desired.ageIdentity == nil && before.desired.backupRecipients.isEmpty)
      var moved = try host.configuration()
      moved.fingerprint = "another"
      moved.engine = .path("/srv/other.sock")
      moved.layout.keys = "/srv/other-keys"
      moved.ageIdentity = "/srv/identity"
      moved.backupRecipients = ["age1x"]
      try await house.keeper.adopt(moved)
      let after = try await house.keeper.pass(trigger: "test", patience: nil)
      #expect(after.desired.layout == before.desired.layout)
      #expect(await house.keeper.configuration.engine == .path("\(host.path)/none.sock"))
      #expect(after.desired.ageIdentity == "/srv/identity")
      #expect(after.desired.backupRecipients == ["age1x"])
    }
  }

  @Test func theRepositoryAwayChangesNothing() async throws {
    let host = try House()
    try host.setUp()
    let first = try host.commit()
    _ = try await host.pass()
    try FileManager.default.moveItem(
      atPath: "\(host.path)/repository", toPath: "\(host.path)/away")
    try await host.agent { house in
      let report = try await house.keeper.pass(trigger: "test", patience: nil)
      #expect(report.desired.revision == first)
      #expect(report.desired.services.map(\.name.text) == ["blog"])
      #expect(report.sourceTrouble?.isEmpty == false)
      _ = try await house.keeper.pass(trigger: "test", patience: nil)
      #expect(try await house.journal.kinds().filter { $0 == .sourceUnreachable }.count == 1)
      try FileManager.default.moveItem(
        atPath: "\(host.path)/away", toPath: "\(host.path)/repository")
      #expect(
        try await house.keeper.pass(trigger: "test", patience: nil).sourceTrouble == nil)
      #expect(try await house.journal.kinds().last == .sourceReachable)
    }
  }

  @Test func lastGoodDefinitionsOutliveRestarts() async throws {
    let host = try House()
    try host.setUp()
    try host.commit()
    _ = try await host.pass()
    try host.write("repository/\(House.file)", House.blog + "access: public\nnonsense: 1\n")
    let bad = try host.commit()
    for _ in 1...2 {
      let report = try await host.pass()
      #expect(report.desired.revision == bad)
      #expect(report.desired.services.map(\.name.text) == ["blog"])
      #expect(report.diagnostics.contains { $0.severity == .error })
    }
    let kinds = try await host.agent { try await $0.journal.kinds() }
    #expect(kinds.filter { $0 == .definitionInvalid }.count == 1)
  }

  @Test func soakWaitsWithoutTrouble() async throws {
    let host = try House()
    try host.setUp()
    try host.writeHostFile("soak: 1h")
    try host.commit()
    let report = try await host.pass()
    #expect(report.desired.revision == nil)
    #expect(report.sourceTrouble == nil)
    #expect(report.sourceNote?.contains("soak") == true)
  }

  /// An agent that is restarted more often than commits soak would never accept one.
  @Test func aRestartDoesNotBeginTheSoakTimeAnew() async throws {
    let host = try House()
    try host.setUp()
    try host.writeHostFile("soak: 1h")
    let commit = try host.commit()
    _ = try await host.pass()
    let seen = try await host.agent { try await $0.journal.seenTips() }
    #expect(seen.map(\.commit) == [commit])
    _ = try await host.pass()
    try await host.agent { house in
      #expect(try await house.journal.seenTips() == seen)
      try await house.journal.setSeenTips(
        seen.map { SeenTip(commit: $0.commit, at: $0.at.adding(seconds: -3600)) })
    }
    let report = try await host.pass()
    #expect(report.desired.revision == commit)
  }

  /// A commit that was pushed and taken back within the soak time must not ripen.
  @Test func whatWasWithdrawnDoesNotRipen() async throws {
    let host = try House()
    let good = try host.commit()
    let source = RevisionSource(
      mirrorPath: "\(host.path)/mirror.git", source: try host.configuration().repository,
      trust: .transport)
    func look(at seconds: Int64) async throws -> RevisionSource.Look {
      try await source.look(
        .init(
          accepted: good, anchors: [good], rewinds: [], soak: 100, now: Timestamp(seconds: seconds))
      ) { _ in nil }
    }
    func isUnchanged(_ look: RevisionSource.Look) -> Bool {
      if case .unchanged = look { true } else { false }
    }
    #expect(isUnchanged(try await look(at: 1_000)))
    try host.commit("bad")
    #expect(isUnchanged(try await look(at: 1_150)))
    try host.git("reset", "-q", "--hard", good.text)
    let mended = try host.commit("good")
    #expect(isUnchanged(try await look(at: 1_240)))
    #expect(isUnchanged(try await look(at: 1_300)))
    guard case .candidate(let candidate) = try await look(at: 1_341) else {
      Issue.record("nothing ripened")
      return
    }
    #expect(candidate.commit == mended)
  }

  /// A date ahead of our clock is refused for now, and not for ever.
  @Test func aDateInTheFutureIsJudgedAgain() async throws {
    let host = try House()
    try host.write("signers", "")
    let made = try spawn(
      ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "a", "-f", "\(host.path)/key"])
    #expect(made.code == 0)
    let line = try String(contentsOfFile: "\(host.path)/key.pub", encoding: .utf8)
    try host.write("signers", "a@example.org namespaces=\"git\" \(line)")
    let now = wallTime()
    try host.git("add", "-A")
    try host.git(
      "-c", "gpg.format=ssh", "-c", "user.signingkey=\(host.path)/key", "commit", "-q", "-S", "-m",
      "early", date: now.adding(seconds: 3600))
    let source = RevisionSource(
      mirrorPath: "\(host.path)/mirror.git", source: try host.configuration().repository,
      trust: .signers(file: "\(host.path)/signers"))
    func look(at now: Timestamp) async throws -> RevisionSource.Look {
      try await source.look(.init(anchors: [], rewinds: [], soak: 0, now: now)) { _ in nil }
    }
    let refusal = await #expect(throws: RevisionRefusal.self) { try await look(at: now) }
    #expect(refusal?.isForNow == true)
    guard case .candidate = try await look(at: now.adding(seconds: 3600)) else {
      Issue.record("is refused for ever")
      return
    }
  }

  @Test func aClockThatWasSetBackAcceptsNothing() async throws {
    let host = try House()
    try host.setUp()
    let first = try host.commit()
    _ = try await host.pass()
    try host.commit()
    try await host.agent { house in
      let future = wallTime().adding(seconds: 7200)
      try await house.journal.record([
        Event(
          kind: .agentHeartbeat, subject: "host", time: future,
          data: EventData(host: try host.configuration().host))
      ])
      for _ in 1...2 {
        let report = try await house.keeper.pass(trigger: "test", patience: nil)
        #expect(report.desired.revision == first)
        #expect(report.sourceTrouble?.contains("the clock says") == true)
        // Drift repair goes on.
        #expect(report.plan.waiting.map(\.kind) == [.engineUnreachable])
      }
      #expect(try await house.journal.kinds().filter { $0 == .clockWrong }.count == 1)
    }
  }
}
