import Foundation
import GitSource
import Journaling
import OnionModel
import Spawning
import Testing

@testable import Keeping

/// product.md §3 and §4 with signatures: what is accepted, what stays in force, what is told.
struct TrustKeepingTests {
  /// A house whose commits can be signed by `alice` and `bob`.
  private func signing(_ trust: String, allowed: [String] = ["alice"]) throws -> House {
    let host = try House()
    try host.setUp()
    for name in ["alice", "bob"] {
      let made = try spawn(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", "\(host.path)/\(name)"])
      #expect(made.code == 0)
    }
    try allow(allowed, on: host)
    try writeTrust(trust, on: host)
    return host
  }

  private func allow(_ names: [String], on host: House, options: String = "") throws {
    let lines = try names.map { "\($0) \(options)\(try publicKey($0, of: host))" }
    try host.write("signers", lines.joined(separator: "\n") + "\n")
  }

  private func publicKey(_ name: String, of host: House) throws -> String {
    try String(contentsOfFile: "\(host.path)/\(name).pub", encoding: .utf8)
      .split(separator: " ").prefix(2).joined(separator: " ")
  }

  /// - Parameter trust: `SIGNERS` stands for the signers file.
  private func writeTrust(_ trust: String, on host: House) throws {
    try host.writeHostFile()
    let file = "\(host.path)/host.yaml"
    let text = try String(contentsOfFile: file, encoding: .utf8)
    try host.write(
      "host.yaml",
      text.replacing(
        "{transport: true}", with: trust.replacing("SIGNERS", with: "\(host.path)/signers")))
  }

  @discardableResult
  private func commit(
    _ host: House, by name: String?, _ message: String = "change", date: Timestamp? = nil
  ) throws -> CommitID {
    try host.git("add", "-A")
    let signature =
      name.map { ["-c", "gpg.format=ssh", "-c", "user.signingkey=\(host.path)/\($0)"] } ?? []
    let flag = name == nil ? [] : ["-S"]
    try host.git(
      signature + ["commit", "-q", "--allow-empty", "-m", message] + flag, date: date)
    return try #require(CommitID(try host.git("rev-parse", "HEAD")))
  }

  private func isRaised(_ key: String, on host: House) async throws -> Bool {
    let raised = try await host.agent { try await $0.journal.raised() }
    return raised.contains { $0.key == key }
  }

  @Test func onlySignedDescendantsFollow() async throws {
    let host = try signing("{signers: SIGNERS}")
    let first = try commit(host, by: "alice")
    #expect(try await host.pass().desired.revision == first)
    try commit(host, by: "bob")
    let report = try await host.pass()
    #expect(report.desired.revision == first)
    #expect(report.sourceTrouble?.contains("key is not in") == true)
    #expect(try await isRaised("revision", on: host))
    // Taken back, it is no trouble any more.
    let bad = try host.git("rev-parse", "HEAD")
    try host.git("reset", "-q", "--hard", first.text)
    #expect(try await host.pass().sourceTrouble == nil)
    #expect(try await !isRaised("revision", on: host))
    try host.git("reset", "-q", "--hard", bad)
    // The tip's signature covers what it stands on.
    let healed = try commit(host, by: "alice")
    #expect(try await host.pass().desired.revision == healed)
  }

  @Test func theChainIsJudgedFromTheAnchorOn() async throws {
    let host = try signing("{signers: SIGNERS, chain: true}")
    let first = try commit(host, by: "alice")
    #expect(try await host.pass().desired.revision == first)
    let gap = try commit(host, by: nil)
    try commit(host, by: "alice")
    let report = try await host.pass()
    #expect(report.desired.revision == first)
    #expect(report.sourceTrouble?.contains(gap.text) == true)
  }

  @Test func theFirstRevisionDescendsFromTheFloor() async throws {
    let host = try signing("{signers: SIGNERS, chain: true}")
    try commit(host, by: nil)
    let old = try commit(host, by: "alice")
    let floor = try commit(host, by: nil)
    try writeTrust("{signers: SIGNERS, chain: true, since: \(floor)}", on: host)
    try host.git("checkout", "-q", "-B", "later")
    let tip = try commit(host, by: "alice")
    try host.git("checkout", "-q", "-B", "main", old.text)
    // An old commit, well signed, of the same history: what a server that holds back would show.
    let report = try await host.pass()
    #expect(report.desired.revision == nil)
    #expect(report.sourceTrouble?.contains("repository.trust.since") == true)
    try host.git("checkout", "-q", "-B", "main", tip.text)
    #expect(try await host.pass().desired.revision == tip)
    // Only the first: now the anchor counts.
    try writeTrust(
      "{signers: SIGNERS, chain: true, since: \(String(repeating: "a", count: 40))}", on: host)
    let next = try commit(host, by: "alice")
    #expect(try await host.pass().desired.revision == next)
  }

  /// A waiver of the ancestry is none of the signature, and of nothing else.
  @Test func aRewindStillNeedsASignature() async throws {
    let host = try signing("{signers: SIGNERS}")
    let now = wallTime()
    let unsigned = try commit(host, by: nil, date: now.adding(seconds: -300))
    let first = try commit(host, by: "alice", date: now.adding(seconds: -200))
    let second = try commit(host, by: "alice", date: now.adding(seconds: -100))
    #expect(try await host.pass().desired.revision == second)
    for commit in [unsigned, first] {
      try host.git("reset", "-q", "--hard", commit.text)
      #expect(try await host.pass().desired.revision == second)
      _ = try await Approver(try host.configuration()).approve(commit, [.rewind], uid: 0)
    }
    // Older than the anchor it is by nature.
    #expect(try await host.pass().desired.revision == first)
    try host.git("reset", "-q", "--hard", unsigned.text)
    let report = try await host.pass()
    #expect(report.desired.revision == first)
    #expect(report.sourceTrouble?.contains("not signed") == true)
  }

  /// With signers in the repository there is no host file to change: each commit is judged by its parents.
  @Test func anIntroductionIsFollowed() async throws {
    let host = try signing("{signers: SIGNERS}")
    try host.write("repository/allowed_signers", "alice \(try publicKey("alice", of: host))\n")
    let start = try commit(host, by: "alice")
    let printed = try spawn(["ssh-keygen", "-l", "-f", "\(host.path)/alice.pub"])
    let signer = try #require(
      String(decoding: printed.output, as: UTF8.self).split(separator: " ").dropFirst().first)
    try writeTrust("{introduction: {commit: \(start), signer: \"\(signer)\"}}", on: host)
    #expect(try await host.pass().desired.revision == start)
    try host.write("repository/allowed_signers", "bob \(try publicKey("bob", of: host))\n")
    let handed = try commit(host, by: "alice")
    #expect(try await host.pass().desired.revision == handed)
    let next = try commit(host, by: "bob")
    #expect(try await host.pass().desired.revision == next)
    try commit(host, by: "alice")
    #expect(try await host.pass().desired.revision == next)
    // Remembered beside the mirror, and worth nothing but time.
    try FileManager.default.removeItem(atPath: "\(host.path)/state/mirror.git.authenticated")
    try host.git("reset", "-q", "--hard", next.text)
    let last = try commit(host, by: "bob")
    #expect(try await host.pass().desired.revision == last)
  }

  // MARK: the accepted revision again

  @Test func whoMayNoLongerSignIsToldAndNothingStops() async throws {
    let host = try signing("{signers: SIGNERS}")
    let first = try commit(host, by: "alice")
    #expect(try await host.pass().desired.revision == first)
    try allow(["bob"], on: host)
    for _ in 1...2 {
      let report = try await host.pass()
      #expect(report.desired.revision == first)
      #expect(report.desired.services.map(\.name.text) == ["blog"])
      #expect(report.desired.isDistrusted)
    }
    try commit(host, by: "alice")
    #expect(try await host.pass().desired.revision == first)
    try await host.agent { house in
      let rejected = try await house.journal.latestEvents(limit: 100).map(\.event)
        .filter { $0.kind == .revisionRejected && $0.data.revision == first }
      #expect(rejected.count == 1)
      #expect(rejected.first?.data.message?.contains("no longer trusted") == true)
    }
    #expect(try await isRaised(Keeper.distrust, on: host))
    let trusted = try commit(host, by: "bob")
    let report = try await host.pass()
    #expect(report.desired.revision == trusted)
    #expect(!report.desired.isDistrusted)
    #expect(try await !isRaised(Keeper.distrust, on: host))
  }

  /// The first pass after the signers moved knows it before it acts, also while the repository is away.
  @Test func distrustIsKnownBeforeAnythingActs() async throws {
    let host = try signing("{signers: SIGNERS}")
    let first = try commit(host, by: "alice")
    #expect(try await !host.pass().desired.isDistrusted)
    try FileManager.default.moveItem(
      atPath: "\(host.path)/repository", toPath: "\(host.path)/away")
    try allow(["bob"], on: host)
    let report = try await host.pass()
    #expect(report.desired.revision == first)
    #expect(report.desired.isDistrusted)
    try allow(["alice"], on: host)
    #expect(try await !host.pass().desired.isDistrusted)
  }

  /// A key that expires is good for what was signed before.
  @Test func anExpiredKeyLeavesWhatItSigned() async throws {
    let host = try signing("{signers: SIGNERS}")
    let first = try commit(host, by: "alice", date: Timestamp(seconds: 1_700_000_000))
    #expect(try await host.pass().desired.revision == first)
    try allow(["alice"], on: host, options: #"valid-before="20240101Z" "#)
    #expect(try await host.pass().desired.revision == first)
    #expect(try await !isRaised(Keeper.distrust, on: host))
    try commit(host, by: "alice")
    let report = try await host.pass()
    #expect(report.desired.revision == first)
    #expect(report.sourceTrouble?.contains("no longer valid") == true)
  }

  @Test func aRefusalIsToldOnceAcrossStartsAndAgainWhenItsReasonMoves() async throws {
    let host = try signing("{signers: SIGNERS}")
    try commit(host, by: "alice")
    _ = try await host.pass()
    let refused = try commit(host, by: "bob")
    func told() async throws -> Int {
      try await host.agent { house in
        try await house.journal.latestEvents(limit: 100).map(\.event)
          .filter { $0.kind == .revisionRejected && $0.data.revision == refused }.count
      }
    }
    for _ in 1...3 { _ = try await host.pass() }
    #expect(try await told() == 1)
    try allow(["alice", "bob"], on: host, options: #"valid-before="20200101Z" "#)
    for _ in 1...2 { _ = try await host.pass() }
    #expect(try await told() == 2)
    try allow(["alice", "bob"], on: host)
    #expect(try await host.pass().desired.revision == refused)
  }

  // MARK: a source that stands still

  @Test func anOldSourceIsTold() async throws {
    let host = try signing("{signers: SIGNERS, freshness: 1h}")
    let old = try commit(host, by: "alice", date: wallTime().adding(seconds: -7200))
    for _ in 1...2 { #expect(try await host.pass().desired.revision == old) }
    let kinds = try await host.agent { try await $0.journal.kinds() }
    #expect(kinds.filter { $0 == .sourceStale }.count == 1)
    try commit(host, by: "alice")
    _ = try await host.pass()
    #expect(try await !isRaised("freshness", on: host))
  }

  // MARK: bundles

  @Test func aBundleIsJudgedLikeAFetch() async throws {
    let host = try signing("{signers: SIGNERS}")
    let first = try commit(host, by: "alice")
    func bundle(_ name: String) throws -> String {
      try host.git("bundle", "create", "-q", "\(host.path)/\(name)", "main")
      return "\(host.path)/\(name)"
    }
    func apply(_ bundle: String) async throws -> PassReport {
      try await host.agent {
        try await $0.keeper.pass(trigger: "test", patience: nil, bundle: bundle)
      }
    }
    let one = try bundle("one")
    let second = try commit(host, by: "alice")
    let two = try bundle("two")
    try commit(host, by: "bob")
    let forged = try bundle("forged")
    // Nobody answers, and nobody is asked.
    try FileManager.default.moveItem(
      atPath: "\(host.path)/repository", toPath: "\(host.path)/away")
    #expect(try await apply(one).desired.revision == first)
    #expect(try await apply(two).desired.revision == second)
    #expect(try await host.anchor() == second)
    let rolled = try await apply(one)
    #expect(rolled.desired.revision == second)
    #expect(rolled.sourceTrouble?.contains("does not descend") == true)
    let refused = try await apply(forged)
    #expect(refused.desired.revision == second)
    #expect(refused.sourceTrouble?.contains("key is not in") == true)
    #expect(try await apply("\(host.path)/none").sourceTrouble?.contains("No such file") == true)
    // It says nothing of whether the repository can be reached.
    let kinds = try await host.agent { try await $0.journal.kinds() }
    #expect(!kinds.contains(.sourceUnreachable) && !kinds.contains(.sourceReachable))
  }

  @Test func whoeverMayPushHasPushedNoBundle() async throws {
    let host = try House()
    try host.setUp()
    try host.commit()
    try host.git("bundle", "create", "-q", "\(host.path)/b", "main")
    let report = try await host.agent {
      try await $0.keeper.pass(trigger: "test", patience: nil, bundle: "\(host.path)/b")
    }
    #expect(report.desired.revision == nil)
    #expect(report.sourceTrouble?.contains("needs signers") == true)
  }

  // MARK: no roll-back

  enum Loss: CaseIterable { case mirror, oldMirror, state, oldState, oldKeys, restart }

  /// A roll-back stays refused whatever is lost or restored, so long as one of the two anchors knows better.
  @Test(arguments: Loss.allCases) func noLossPermitsARollBack(loss: Loss) async throws {
    let host = try signing("{signers: SIGNERS}")
    let files = FileManager.default
    let first = try commit(host, by: "alice", date: wallTime().adding(seconds: -60))
    _ = try await host.pass()
    try files.copyItem(atPath: "\(host.path)/state", toPath: "\(host.path)/state.old")
    try files.copyItem(atPath: "\(host.path)/keys", toPath: "\(host.path)/keys.old")
    let second = try commit(host, by: "alice")
    #expect(try await host.pass().desired.revision == second)
    try host.git("reset", "-q", "--hard", first.text)
    func restore(_ name: String) throws {
      try files.removeItem(atPath: "\(host.path)/\(name)")
      let folder = name.split(separator: "/")[0]
      try files.copyItem(
        atPath: "\(host.path)/\(folder).old" + name.dropFirst(folder.count),
        toPath: "\(host.path)/\(name)")
    }
    switch loss {
    case .mirror: try files.removeItem(atPath: "\(host.path)/state/mirror.git")
    case .oldMirror: try restore("state/mirror.git")
    case .state: try host.loseState()
    case .oldState: try restore("state")
    case .oldKeys: try restore("keys")
    case .restart: break
    }
    let accepted = try await host.agent { try await $0.journal.kinds() }
      .filter { $0 == .revisionAccepted }.count
    for _ in 1...2 {
      let report = try await host.pass()
      #expect(report.sourceTrouble?.contains("does not descend") == true)
      // A restored state folder has the old revision and keeps it true; nothing is accepted.
      let kinds = try await host.agent { try await $0.journal.kinds() }
      #expect(kinds.filter { $0 == .revisionAccepted }.count == accepted)
    }
    if loss != .oldKeys { #expect(try await host.anchor() == second) }
    // The way forward is open.
    try host.git("reset", "-q", "--hard", second.text)
    #expect(try await host.pass().desired.revision == second)
  }
}
