import Definitions
import GitSource
import Journaling
import KeyStore
import OnionModel

/// A question to the repository that outlives the patience of one pass.
final class SourceInquiry: Sendable {
  enum Answer: Sendable {
    case look(RevisionSource.Look)
    case refusal(RevisionRefusal)
    case trouble(GitError)
    case failed(String)
  }

  private let bell = Doorbell()
  private let work: Task<Answer, Never>

  init(_ ask: @escaping @Sendable () async -> Answer, onAnswer: @escaping @Sendable () -> Void) {
    let bell = bell
    work = Task {
      let answer = await ask()
      bell.ring("answer")
      onAnswer()
      return answer
    }
  }

  func cancel() { work.cancel() }

  /// The answer, or `nil` if it has not come in time.
  func answer(within limit: Duration?) async -> Answer? {
    guard let limit else { return await work.value }
    guard await bell.wait(upTo: limit).contains("answer") else { return nil }
    // The next call must find it, too.
    bell.ring("answer")
    return await work.value
  }
}

extension Keeper {
  /// Looks at the repository and accepts what may act. Trouble is told, and never stops the pass.
  /// - Returns: why nothing newer acts, for people; `nil` if all is well.
  func followSource(asks: Bool, patience: Duration?) async throws -> String? {
    if inquiry == nil {
      guard asks else { return nil }
      let now = wallTime()
      let memory = try await journal.memory(agent: agent, now: now)
      do {
        let question = try await question(try await journal.acceptedRevision(), memory, now)
        set(inquiry: SourceInquiry({ [self] in await answer(question) }, onAnswer: onAnswer))
      } catch let error as KeyStoreError {
        log("anchor: \(error)")
        return "no revision is accepted while the anchor cannot be read: \(error)"
      }
    }
    guard let answer = await inquiry?.answer(within: patience) else {
      return "the repository has not answered yet"
    }
    set(inquiry: nil)
    return try await take(answer)
  }

  private func answer(_ question: RevisionSource.Question) async -> SourceInquiry.Answer {
    do {
      return .look(try await ask(question))
    } catch let refusal as RevisionRefusal {
      return .refusal(refusal)
    } catch let error as GitError {
      return .trouble(error)
    } catch {
      return .failed("\(error)")
    }
  }

  private func take(_ answer: SourceInquiry.Answer) async throws -> String? {
    let now = wallTime()
    switch answer {
    case .trouble(let error):
      if error.code == .cancelled { return "the fetch was cancelled" }
      if try await notices.reportSource((error.code.rawValue, error.description), at: now) {
        log("source: \(error)")
      }
      return error.description
    case .failed(let message):
      log("source: \(message)")
      return message
    case .refusal(let refusal):
      _ = try await notices.reportSource(nil, at: now)
      try await refuse(refusal, at: now)
      return refusal.reason
    case .look(let look):
      _ = try await notices.reportSource(nil, at: now)
      return try await judge(look, now)
    }
  }

  private func judge(_ look: RevisionSource.Look, _ now: Timestamp) async throws -> String? {
    switch look {
    case .unchanged: return nil
    case .soaking(let commit): return "\(commit.short) waits for its soak time"
    case .refused(let refusal): return refusal.reason
    case .candidate(let candidate):
      let files = RepositoryFiles(candidate.listing)
      if let reason = reader.refusal(of: files) {
        try await refuse(RevisionRefusal(commit: candidate.commit, reason: reason), at: now)
        return reason
      }
      do {
        try await accept(candidate, files, now)
      } catch let error as KeyStoreError {
        log("anchor: \(error)")
        return
          "\(candidate.commit.short) is not accepted, since its anchor cannot be kept: \(error)"
      }
      return nil
    }
  }

  private func refuse(_ refusal: RevisionRefusal, at now: Timestamp) async throws(JournalError) {
    if try await journal.refused(refusal.commit) != nil { return }
    log("revision \(refusal.commit.short) is refused: \(refusal.reason)")
    try await journal.refuse(
      refusal.commit, reason: refusal.reason, at: now,
      events: [
        Event(
          kind: .revisionRejected, subject: "host", time: now,
          data: EventData(
            host: configuration.host, revision: refusal.commit, outcome: "rejected",
            error: String(refusal.reason.prefix(2000))))
      ])
  }

  /// The anchor beside the keys first, durably: nothing acts on a revision that a lost state folder could forget.
  private func accept(
    _ candidate: RevisionSource.Candidate, _ files: RepositoryFiles, _ now: Timestamp
  ) async throws {
    try await keys.writeAnchor(
      Anchor(commit: candidate.commit, source: configuration.sourceDigest))
    let revision = revision(candidate, try await journal.acceptedRevision()?.commit, now)
    try await journal.accept(
      revision, files: files.accepted,
      events: [
        Event(
          kind: .revisionAccepted, subject: "host", time: now,
          data: EventData(
            host: configuration.host, revision: candidate.commit, outcome: "accepted",
            message: describe(candidate.authentication)))
      ])
    let memory = try await journal.memory(agent: agent, now: now)
    if memory.approvals.contains(where: {
      $0.kind == .rewind && $0.revision == candidate.commit
    }) {
      _ = try await journal.useApproval(.rewind, candidate.commit, at: now)
    }
    log("revision \(candidate.commit.short) is accepted: \(describe(candidate.authentication))")
  }

  private func describe(_ authentication: Authentication) -> String {
    switch authentication {
    case .transport: "trusted by transport"
    case .signature(let principal, let fingerprint): "signed by \(principal) (\(fingerprint))"
    }
  }

  private func question(
    _ accepted: AcceptedRevision?, _ memory: Memory, _ now: Timestamp
  ) async throws -> RevisionSource.Question {
    var anchors: Set<CommitID> = []
    if let accepted { anchors.insert(accepted.commit) }
    switch await keys.anchor() {
    case .present(let anchor): anchors.insert(anchor.commit)
    case .absent: break
    case .unknown(let reason): throw KeyStoreError(.io, "read the anchor", reason)
    }
    return RevisionSource.Question(
      accepted: accepted?.commit, anchors: anchors,
      rewind: memory.approvals.first { $0.kind == .rewind }?.revision, soak: configuration.soak,
      now: now)
  }

  private func ask(_ question: RevisionSource.Question) async throws -> RevisionSource.Look {
    try await source.look(question) { try await self.journal.refused($0) }
  }

  private func revision(
    _ candidate: RevisionSource.Candidate, _ previous: CommitID?, _ now: Timestamp
  ) -> AcceptedRevision {
    let announced = candidate.announcedRemovals
    return AcceptedRevision(
      commit: candidate.commit, previous: previous, acceptedAt: now,
      removalsAnnounced: announced != nil && announced == candidate.deletedDefinitions,
      identity: configuration.identity)
  }

  /// What the accepted revision wants of this host; from the journal alone, so that no repository is needed.
  func desiredState(isReadOnly: Bool = false) async throws(JournalError) -> (Desired, [Diagnostic])
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

  /// What the next pass would want: the accepted revision, or a trusted descendant that it would accept.
  /// Accepts, refuses and tells nothing.
  func preview(isOffline: Bool) async throws -> (Desired, [Diagnostic], String?, Bool) {
    let (accepted, diagnostics) = try await desiredState(isReadOnly: true)
    if isOffline { return (accepted, diagnostics, nil, false) }
    let now = wallTime()
    let memory = try await journal.memory(agent: agent, now: now)
    let question = try await question(try await journal.acceptedRevision(), memory, now)
    switch await answer(question) {
    case .look(.unchanged): return (accepted, diagnostics, nil, false)
    case .look(.soaking(let commit)):
      return (accepted, diagnostics, "\(commit.short) waits for its soak time", false)
    case .look(.refused(let refusal)), .refusal(let refusal):
      return (accepted, diagnostics, refusal.reason, false)
    case .trouble(let error): return (accepted, diagnostics, error.description, false)
    case .failed(let message): return (accepted, diagnostics, message, false)
    case .look(.candidate(let candidate)):
      let files = RepositoryFiles(candidate.listing)
      if let reason = reader.refusal(of: files) { return (accepted, diagnostics, reason, false) }
      let revision = revision(candidate, try await journal.acceptedRevision()?.commit, now)
      let result = reader.read(
        revision, files, lastGood: try await journal.lastGood(), configuration)
      return (result.desired, result.diagnostics, nil, true)
    }
  }
}
