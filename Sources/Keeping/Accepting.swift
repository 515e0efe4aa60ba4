import Definitions
import GitSource
import Journaling
import KeyStore
import OnionModel

/// What a look at the repository came to, where it brought nothing that acts.
struct SourceNote: Sendable {
  /// For people.
  var message: String
  /// The source cannot be used, or its commit may not act. Otherwise it is only waited for.
  var isTrouble: Bool

  static func waiting(_ message: String) -> SourceNote {
    SourceNote(message: message, isTrouble: false)
  }
  static func trouble(_ message: String) -> SourceNote {
    SourceNote(message: message, isTrouble: true)
  }
}

extension Keeper {
  /// Looks at the repository and accepts what may act. Trouble is told, and never stops the pass.
  /// - Parameters:
  ///   - asks: whether a new question is put; one that is still open is followed anyway.
  ///   - isUrgent: somebody has just said that there is news: an answer to an older question does not do.
  ///   - patience: how long to wait for the answer; `nil`: until it comes.
  /// - Returns: why nothing newer acts; `nil` if all is well, or nobody asked.
  func followSource(asks: Bool, isUrgent: Bool, patience: Duration?) async throws -> SourceNote? {
    if let wrong = try await clockComplaint() { return .trouble(wrong) }
    if inquiry != nil, isUrgent { mustAskAgain = true }
    if inquiry == nil {
      guard asks, !isStopping else { return nil }
      mustAskAgain = false
      do {
        let question = try await question(wallTime())
        set(
          inquiry: SourceInquiry({ [self] in await answer(question) }, onLateAnswer: onLateAnswer))
      } catch let error as KeyStoreError {
        log("anchor: \(error)")
        return .trouble("no revision is accepted while the anchor cannot be read: \(error)")
      }
    }
    guard let answer = await inquiry?.answer(within: patience) else {
      return .waiting("the repository has not answered yet")
    }
    set(inquiry: nil)
    let note = try await take(answer)
    guard mustAskAgain else { return note }
    return try await followSource(asks: true, isUrgent: false, patience: patience)
  }

  /// A clock that cannot be believed judges no signature: said once, and nothing is accepted meanwhile.
  private func clockComplaint() async throws(JournalError) -> String? {
    let now = wallTime()
    if latestRow == nil {
      let times = try await journal.latestEvents(limit: Self.rowsForClock).map(\.event.time)
      latestRow = (times + [try await journal.acceptedRevision()?.acceptedAt].compactMap { $0 })
        .max { $0.milliseconds < $1.milliseconds }
    }
    guard let complaint = clock.complaint(now, latest: latestRow) else {
      latestRow = now
      try await journal.clear(key: "clock")
      return nil
    }
    let isNew = try await journal.raise(
      key: "clock", fingerprint: "wrong",
      event: Event(
        kind: .clockWrong, subject: "host", time: now,
        data: EventData(host: configuration.host, error: complaint, message: complaint)))
    if isNew { log(complaint) }
    return complaint
  }

  /// The tip of a bundle that somebody brought: judged and accepted like one that was fetched, and told like it.
  func followBundle(_ path: String) async throws -> SourceNote? {
    if let wrong = try await clockComplaint() { return .trouble(wrong) }
    let question: RevisionSource.Question
    do {
      question = try await self.question(wallTime())
    } catch let error as KeyStoreError {
      return .trouble("no revision is accepted while the anchor cannot be read: \(error)")
    }
    let finding = await finding { [self] in try await source.look(bundle: path, question) }
    switch finding {
    case .trouble(let error): return .trouble(error.description)
    case .failed(let message): return .trouble(message)
    case .refusal(let refusal):
      try await refuse(refusal, at: wallTime())
      return .trouble(refusal.reason)
    case .look(let look): return try await judge(look, wallTime())
    }
  }

  private func answer(_ question: RevisionSource.Question) async -> SourceInquiry.Answer {
    let finding = await finding { [self] in
      let look = try await ask(question)
      if question.soak > 0 { try await journal.setSeenTips(await source.seen) }
      return look
    }
    var answer = SourceInquiry.Answer(finding: finding)
    if let accepted = question.accepted {
      answer.standing = await source.standing(of: accepted, now: question.now)
    }
    return answer
  }

  func finding(
    _ look: @Sendable () async throws -> RevisionSource.Look
  ) async -> SourceInquiry.Finding {
    do {
      return .look(try await look())
    } catch let refusal as RevisionRefusal {
      return .refusal(refusal)
    } catch let error as GitError {
      return .trouble(error)
    } catch {
      return .failed("\(error)")
    }
  }

  private func take(_ answer: SourceInquiry.Answer) async throws -> SourceNote? {
    let now = wallTime()
    try await tell(answer.standing, at: now)
    switch answer.finding {
    case .trouble(let error):
      if error.code == .cancelled { return .waiting("the fetch was cancelled") }
      let good = try await lastGoodAnswer()
      if try await notices.reportSource(
        (error.code.rawValue, error.description), good: good, at: now)
      {
        log("source: \(error)\(good.map { " (\($0))" } ?? "")")
      }
      return .trouble(error.description)
    case .failed(let message):
      log("source: \(message)")
      return .trouble(message)
    case .refusal(let refusal):
      lastAnswer = now
      _ = try await notices.reportSource(nil, at: now)
      try await refuse(refusal, at: now)
      return .trouble(refusal.reason)
    case .look(let look):
      lastAnswer = now
      _ = try await notices.reportSource(nil, at: now)
      return try await judge(look, now)
    }
  }

  private func lastGoodAnswer() async throws(JournalError) -> String? {
    if let lastAnswer { return "it last answered at \(lastAnswer)" }
    return try await journal.acceptedRevision().map {
      "it has not answered since this start; the accepted revision is of \($0.acceptedAt)"
    }
  }

  private func judge(_ look: RevisionSource.Look, _ now: Timestamp) async throws -> SourceNote? {
    switch look {
    case .unchanged:
      // What was refused has been taken back.
      try await journal.clear(key: "revision")
      return nil
    case .soaking(let commit): return .waiting("\(commit.short) waits for its soak time")
    case .refused(let refusal): return .trouble(refusal.reason)
    case .candidate(let candidate):
      let files = RepositoryFiles(candidate.listing)
      if let reason = reader.refusal(of: files) {
        try await refuse(RevisionRefusal(commit: candidate.commit, reason: reason), at: now)
        return .trouble(reason)
      }
      do {
        try await accept(candidate, files, now)
      } catch let error as KeyStoreError {
        log("anchor: \(error)")
        return .trouble(
          "\(candidate.commit.short) is not accepted, since its anchor cannot be kept: \(error)")
      }
      return nil
    }
  }

  private func refuse(_ refusal: RevisionRefusal, at now: Timestamp) async throws(JournalError) {
    if !refusal.isForNow {
      if try await journal.refused(refusal.commit) != nil { return }
      try await journal.refuse(refusal.commit, reason: refusal.reason, at: now)
    }
    // Told once, whatever is judged again after a start or a moved trust; a moving text is no news.
    let reason = refusal.isForNow ? "early" : sha256(refusal.reason)
    let isNew = try await journal.raise(
      key: "revision", fingerprint: "\(refusal.commit) \(reason)",
      event: rejection(of: refusal, nil, at: now))
    if isNew { log("revision \(refusal.commit.short) is refused: \(refusal.reason)") }
  }

  /// The accepted revision that nobody trusted would sign any more: what is in force stays in force, and people are told.
  private func tell(
    _ standing: RevisionSource.Standing?, at now: Timestamp
  ) async throws(JournalError) {
    switch standing {
    case .unknown?, nil: return
    case .trusted?:
      if try await journal.clear(key: Self.distrust) {
        log("the accepted revision is trusted again")
      }
    case .refused(let refusal)?:
      let message =
        "it was accepted, and is no longer trusted; what is in force stays, and nothing new acts before a trusted"
        + " descendant"
      let isNew = try await journal.raise(
        key: Self.distrust, fingerprint: "\(refusal.commit) \(sha256(refusal.reason))",
        event: rejection(of: refusal, message, at: now))
      if isNew { log("revision \(refusal.commit.short): \(message): \(refusal.reason)") }
    }
  }

  /// Before anything acts, and before the repository is asked: whether signers that moved still trust the accepted
  /// revision. From the mirror alone, and once; where it cannot be told, what was told last stays.
  func judgeStanding() async throws {
    guard inquiry == nil, let accepted = try await journal.acceptedRevision() else { return }
    let now = wallTime()
    let standing = await source.standing(of: accepted.commit, now: now, mayFetch: false)
    try await tell(standing, at: now)
  }

  /// What the accepted revision's loss of trust is raised under.
  static let distrust = "trust"

  private func rejection(
    of refusal: RevisionRefusal, _ message: String?, at now: Timestamp
  ) -> Event {
    Event(
      kind: .revisionRejected, subject: "host", time: now,
      data: EventData(
        host: configuration.host, revision: refusal.commit, outcome: "rejected",
        error: String(refusal.reason.prefix(2000)), message: message))
  }

  /// A source that stands still: nobody may have committed, or somebody keeps the newest commits back.
  func tellFreshness(at now: Timestamp) async throws(JournalError) {
    guard let limit = configuration.freshness,
      let accepted = try await journal.acceptedRevision(), let committed = accepted.committedAt,
      now.since(committed) > limit
    else {
      try await journal.clear(key: "freshness")
      return
    }
    let message =
      "the newest accepted commit is of \(committed), more than repository.trust.freshness ago: commit something, or"
      + " see who keeps newer commits back"
    let isNew = try await journal.raise(
      key: "freshness", fingerprint: accepted.commit.text,
      event: Event(
        kind: .sourceStale, subject: "host", time: now,
        data: EventData(host: configuration.host, revision: accepted.commit, message: message)))
    if isNew { log(message) }
  }

  /// The anchor beside the keys first, durably: nothing acts on a revision that a lost state folder could forget.
  private func accept(
    _ candidate: RevisionSource.Candidate, _ files: RepositoryFiles, _ now: Timestamp
  ) async throws {
    // A crash may have kept the last revision's definitions from being noted as good; after this one it is too late.
    _ = try await desiredState()
    try await keys.writeAnchor(
      Anchor(commit: candidate.commit, source: configuration.sourceDigest))
    let before = try await journal.acceptedRevision()
    // Only the anchor was behind (a restored key folder): nothing new acts, and what was announced stays announced.
    if before?.commit == candidate.commit { return }
    try await journal.accept(
      revision(candidate, before?.commit, now), files: files.accepted,
      events: [
        Event(
          kind: .revisionAccepted, subject: "host", time: now,
          data: EventData(
            host: configuration.host, revision: candidate.commit, outcome: "accepted",
            message: describe(candidate.authentication)))
      ])
    try await journal.clear(key: "revision")
    try await journal.clear(key: Self.distrust)
    _ = try await journal.useApproval(.rewind, candidate.commit, at: now)
    log("revision \(candidate.commit.short) is accepted: \(describe(candidate.authentication))")
  }

  private func describe(_ authentication: Authentication) -> String {
    switch authentication {
    case .transport: "trusted by transport"
    case .signature(let principal, let fingerprint): "signed by \(principal) (\(fingerprint))"
    }
  }

  func question(_ now: Timestamp) async throws -> RevisionSource.Question {
    let accepted = try await journal.acceptedRevision()
    let memory = try await journal.memory(agent: agent, now: now)
    var anchors: Set<CommitID> = []
    if let accepted { anchors.insert(accepted.commit) }
    switch await keys.anchor() {
    case .present(let anchor): anchors.insert(anchor.commit)
    case .absent: break
    case .unknown(let reason): throw KeyStoreError(.io, "read the anchor", reason)
    }
    return RevisionSource.Question(
      accepted: accepted?.commit, anchors: anchors, floor: configuration.floor,
      rewinds: Set(memory.approvals.filter { $0.kind == .rewind }.map(\.revision)),
      soak: configuration.soak, now: now)
  }

  func ask(_ question: RevisionSource.Question) async throws -> RevisionSource.Look {
    if question.soak > 0 { await source.recall(try await journal.seenTips()) }
    return try await source.look(question) { try await self.journal.refused($0) }
  }

  func revision(
    _ candidate: RevisionSource.Candidate, _ previous: CommitID?, _ now: Timestamp
  ) -> AcceptedRevision {
    let announced = candidate.announcedRemovals
    return AcceptedRevision(
      commit: candidate.commit, previous: previous, acceptedAt: now,
      committedAt: candidate.committed,
      removalsAnnounced: announced != nil && announced == candidate.deletedDefinitions,
      identity: configuration.identity)
  }

  /// What the accepted revision wants of this host; from the journal alone, so that no repository is needed.
  func desiredState(isReadOnly: Bool = false) async throws(JournalError) -> (Desired, [Diagnostic])
  {
    var (desired, diagnostics) = try await readAccepted(isReadOnly: isReadOnly)
    desired.isDistrusted = try await journal.raised().contains { $0.key == Self.distrust }
    return (desired, diagnostics)
  }

  private func readAccepted(isReadOnly: Bool) async throws(JournalError) -> (Desired, [Diagnostic])
  {
    guard let latest = try await journal.acceptedRevision() else {
      return (reader.nothing(configuration), [])
    }
    if let known = reader.known(latest.commit) { return (known.desired, known.diagnostics) }
    guard let (revision, files) = try await journal.accepted() else {
      return (reader.nothing(configuration), [])
    }
    let before = try await journal.lastGood()
    let result = reader.read(revision, RepositoryFiles(files), lastGood: before, configuration)
    guardedServices.add(
      result.desired.services.filter { $0.access.asksForClients }.map(\.name))
    if isReadOnly { return (result.desired, result.diagnostics) }
    if let good = result.lastGood, good != before {
      try await journal.setLastGood(good)
      try await journal.forgetLastGood(before.keys.filter { good[$0] == nil })
    }
    try await notices.report(result.rejections, revision: revision.commit, at: wallTime())
    for diagnostic in result.diagnostics { log(diagnostic.description) }
    reader.remember(result, of: revision.commit)
    return (result.desired, result.diagnostics)
  }
}
