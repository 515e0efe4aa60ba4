import Definitions
import Engine
import Executing
import GitSource
import Journaling
import KeyStore
public import OnionModel
import Planning
import Synchronization

/// What one pass saw and did.
public struct PassReport: Sendable {
  public var desired: Desired
  public var observed: Observed?
  /// What was still to do, or waited for, at the end.
  public var plan: Plan
  public var outcomes: [Outcome]
  /// Why the source could not be used or its commit may not act; the last accepted revision is kept true meanwhile.
  public var sourceTrouble: String?
  public var diagnostics: [Diagnostic]

  /// Something was tried and failed.
  public var hasFailed: Bool { outcomes.contains(where: \.hasFailed) }
}

/// Runs passes, one at a time: fetch, authenticate, read, accept, observe, plan, audit, execute, prove, report.
public actor Keeper {
  /// One pass plans again after it has acted, since image and network may have been missing. More rounds than this
  /// mean that something moves under our hands; the next pass goes on.
  static let rounds = 4

  private(set) var configuration: HostConfiguration
  let journal: Journal
  let agent: AgentID
  let world: LiveWorld
  let keys: KeyRoot
  private let mirrorPath: String
  private var source: RevisionSource
  let notices: Notices
  let log: @Sendable (String) -> Void
  private let stopping = Mutex(false)
  private let longWork = Mutex<Task<Void, Never>?>(nil)
  private var reader = RevisionReader()

  init(
    configuration: HostConfiguration, journal: Journal, agent: AgentID, world: LiveWorld,
    keys: KeyRoot, mirrorPath: String? = nil, log: @escaping @Sendable (String) -> Void
  ) {
    self.mirrorPath = mirrorPath ?? "\(configuration.layout.state)/mirror.git"
    self.configuration = configuration
    self.journal = journal
    self.agent = agent
    self.world = world
    self.keys = keys
    self.log = log
    notices = Notices(journal: journal, host: configuration.host)
    source = RevisionSource(
      mirrorPath: self.mirrorPath, source: configuration.repository, trust: configuration.trust)
  }

  var redactsAddresses: Bool { configuration.redactsAddresses }

  /// Seconds between passes.
  var interval: Double { configuration.interval }

  /// Takes over a host file that moved. Folders, engine and the agent's name stay until the agent starts again.
  /// - Returns: whether it moved.
  func adopt(_ moved: HostConfiguration) -> Bool {
    guard moved.fingerprint != configuration.fingerprint else { return false }
    if moved.layout != configuration.layout || moved.engine != configuration.engine {
      log("directories, engine and agent.name of the host file apply when the agent starts again")
    }
    var moved = moved
    moved.layout = configuration.layout
    moved.engine = configuration.engine
    configuration = moved
    source = RevisionSource(
      mirrorPath: mirrorPath, source: moved.repository, trust: moved.trust)
    reader.forget()
    return true
  }

  /// No step begins after this; a running fetch is cancelled.
  nonisolated func stop() {
    stopping.withLock { $0 = true }
    longWork.withLock { $0?.cancel() }
  }

  private nonisolated var isStopping: Bool { stopping.withLock { $0 } }

  /// One pass.
  /// - Parameter trigger: `start`, `interval`, `signal`, `event`, `apply`.
  /// - Throws: `JournalError`: without a journal nothing is done.
  public func pass(trigger: String) async throws -> PassReport {
    let trouble = try await followSource()
    let (desired, diagnostics) = try await desiredState()
    var report = PassReport(
      desired: desired, observed: nil, plan: Plan(revision: desired.revision), outcomes: [],
      sourceTrouble: trouble, diagnostics: diagnostics)
    var pass: Int64?
    for round in 1...Self.rounds {
      var memory = try await journal.memory(agent: agent, now: wallTime())
      let observed = await world.observe(desired, memory)
      try await applyApprovals(&memory, desired, observed)
      report.observed = observed
      report.plan = plan(desired, from: observed, knowing: memory)
      let findings = audit(report.plan, desired: desired, observed: observed, memory: memory)
      guard findings.isEmpty else {
        try await refuse(findings, desired)
        break
      }
      if report.plan.isEmpty || isStopping || round == Self.rounds { break }
      if pass == nil {
        pass = try await journal.beginPass(
          trigger: trigger, revision: desired.revision, at: wallTime())
      }
      let executor = Executor(
        world: world, journal: journal, host: configuration.host, clock: wallTime)
      let execution = await executor.execute(
        report.plan, pass: pass ?? 0, memory: memory, shouldStop: { self.isStopping })
      report.outcomes += execution.outcomes
      if let error = execution.journalError { throw error }
      if !execution.outcomes.contains(where: {
        if case .succeeded = $0.result { true } else { false }
      }) {
        break
      }
    }
    try await settle(report)
    if let pass { try await journal.endPass(pass, summary(of: report), at: wallTime()) }
    return report
  }

  /// After the steps: approvals that were used, the set that the next removal is judged against, conditions.
  private func settle(_ report: PassReport) async throws(JournalError) {
    let now = wallTime()
    guard let observed = report.observed else { return }
    var memory = try await journal.memory(agent: agent, now: now)
    let retired = report.outcomes.contains {
      if case .retireKey = $0.step.action, !$0.hasFailed { true } else { false }
    }
    if retired, let revision = report.desired.revision,
      memory.approvals.contains(where: { $0.kind == .removals && $0.revision == revision })
    {
      _ = try await journal.useApproval(.removals, revision, at: now)
      memory.approvals.removeAll { $0.kind == .removals && $0.revision == revision }
    }
    if report.plan.settlesIdentity, report.plan.isEmpty,
      memory.identity != report.desired.identity
        || memory.previouslyDefined != report.desired.defined
    {
      memory.identity = report.desired.identity
      memory.previouslyDefined = report.desired.defined
      try await journal.store(memory, at: now)
    }
    try await notices.report(report.plan.waiting, desired: report.desired, at: now)
    let judged = conditions(report.desired, observed, memory, plan: report.plan)
    let transitions = try await journal.setConditions(judged, at: now)
    try await notices.report(
      transitions, addresses: observed.pins.value ?? [:], revision: report.desired.revision, at: now
    )
  }

  private func refuse(_ findings: [Finding], _ desired: Desired) async throws(JournalError) {
    let text = findings.map(\.description).joined(separator: "; ")
    log("the plan breaks a promise and is not executed: \(text)")
    try await journal.raise(
      key: "audit", fingerprint: sha256(text),
      event: Event(
        kind: .actionFailed, subject: "host", time: wallTime(),
        data: EventData(
          host: configuration.host, revision: desired.revision, action: "plan", outcome: "failed",
          error: "audit: \(text)")))
  }

  /// What a person allowed, where it is not the planner's to use: a new engine, the host's new identity, new keys.
  private func applyApprovals(
    _ memory: inout Memory, _ desired: Desired, _ observed: Observed
  ) async throws(JournalError) {
    guard let revision = desired.revision else { return }
    let now = wallTime()
    for approval in memory.approvals where approval.revision == revision {
      switch approval.kind {
      case .engine:
        guard let engine = observed.engine.value else { continue }
        memory.engine = engine
      case .host: memory.identity = desired.identity
      case .newKeys: memory.isRebuilt = false
      case .removals, .rewind: continue
      }
      memory.approvals.removeAll { $0 == approval }
      try await journal.store(memory, at: now)
      _ = try await journal.useApproval(approval.kind, revision, at: now)
    }
  }

  private func summary(of report: PassReport) -> PassSummary {
    var summary = PassSummary(waiting: report.plan.waiting.count)
    for outcome in report.outcomes {
      switch outcome.result {
      case .succeeded: summary.succeeded += 1
      case .failed: summary.failed += 1
      case .skipped: summary.skipped += 1
      }
    }
    summary.message =
      "\(summary.succeeded) steps done, \(summary.failed) failed, \(summary.waiting) waiting"
    return summary
  }

  // MARK: The source

  /// Looks at the repository and accepts what may act. Trouble is told, and never stops the pass.
  private func followSource() async throws -> String? {
    let now = wallTime()
    let accepted = try await journal.acceptedRevision()
    let memory = try await journal.memory(agent: agent, now: now)
    do {
      let question = try await question(accepted, memory, now)
      let look = try await cancellable {
        try await self.ask(question)
      }
      try await notices.reportSource(nil, at: now)
      return try await judge(look, accepted, memory, now)
    } catch let error as GitError {
      if error.code == .cancelled { return "the fetch was cancelled" }
      try await notices.reportSource((error.code.rawValue, error.description), at: now)
      log("source: \(error)")
      return error.description
    } catch let refusal as RevisionRefusal {
      try await notices.reportSource(nil, at: now)
      try await refuse(refusal, at: now)
      return refusal.reason
    } catch let error as KeyStoreError {
      log("anchor: \(error)")
      return "no revision is accepted while the anchor cannot be read: \(error)"
    }
  }

  private func question(
    _ accepted: AcceptedRevision?, _ memory: Memory, _ now: Timestamp
  ) async throws -> RevisionSource.Question {
    var anchors: Set<CommitID> = []
    if let accepted { anchors.insert(accepted.commit) }
    if let anchor = try await keyAnchor() { anchors.insert(anchor) }
    return RevisionSource.Question(
      accepted: accepted?.commit, anchors: anchors,
      rewind: memory.approvals.first { $0.kind == .rewind }?.revision, soak: configuration.soak,
      now: now)
  }

  private func ask(_ question: RevisionSource.Question) async throws -> RevisionSource.Look {
    try await source.look(question) { try await self.journal.refused($0) }
  }

  /// Asks the source without accepting, refusing or telling anything.
  func lookOnly() async -> (RevisionSource.Look?, trouble: String?) {
    do {
      let now = wallTime()
      let memory = try await journal.memory(agent: agent, now: now)
      let look = try await ask(question(try await journal.acceptedRevision(), memory, now))
      switch look {
      case .refused(let refusal): return (look, refusal.reason)
      case .soaking(let commit): return (look, "\(commit.short) waits for its soak time")
      case .unchanged, .candidate: return (look, nil)
      }
    } catch let refusal as RevisionRefusal {
      return (nil, refusal.reason)
    } catch {
      return (nil, "\(error)")
    }
  }

  /// What a candidate would come to; `nil` if it is refused as a whole.
  func candidateState(
    _ candidate: RevisionSource.Candidate
  ) async throws(JournalError) -> (Desired, [Diagnostic])? {
    let files = RepositoryFiles(candidate.listing)
    guard reader.refusal(of: files) == nil else { return nil }
    let result = reader.read(
      revision(candidate, try await journal.acceptedRevision()?.commit, wallTime()), files,
      lastGood: try await journal.lastGood(), configuration)
    return (result.desired, result.diagnostics)
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

  /// The anchor beside the keys, if it belongs to this source.
  private func keyAnchor() async throws -> CommitID? {
    guard case .present(let anchor) = await keys.anchor() else {
      if let reason = await keys.anchor().unknownReason {
        throw KeyStoreError(.io, "read anchor", reason)
      }
      return nil
    }
    return anchor.commit
  }

  private func cancellable<Value: Sendable>(
    _ body: @escaping @Sendable () async throws -> Value
  ) async throws -> Value {
    let work = Task { try await body() }
    longWork.withLock {
      $0 = Task {
        await withTaskCancellationHandler {
          _ = await work.result
        } onCancel: {
          work.cancel()
        }
      }
    }
    defer { longWork.withLock { $0 = nil } }
    return try await work.value
  }

  private func judge(
    _ look: RevisionSource.Look, _ accepted: AcceptedRevision?, _ memory: Memory, _ now: Timestamp
  ) async throws -> String? {
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
      try await accept(candidate, files, accepted, memory, now)
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
    _ candidate: RevisionSource.Candidate, _ files: RepositoryFiles,
    _ accepted: AcceptedRevision?, _ memory: Memory, _ now: Timestamp
  ) async throws {
    try await keys.writeAnchor(Anchor(commit: candidate.commit, source: configuration.sourceDigest))
    let revision = revision(candidate, accepted?.commit, now)
    try await journal.accept(
      revision, files: files.accepted,
      events: [
        Event(
          kind: .revisionAccepted, subject: "host", time: now,
          data: EventData(
            host: configuration.host, revision: candidate.commit, outcome: "accepted",
            message: describe(candidate.authentication)))
      ])
    if memory.approvals.contains(where: { $0.kind == .rewind && $0.revision == candidate.commit }) {
      _ = try await journal.useApproval(.rewind, candidate.commit, at: now)
    }
    log("revision \(candidate.commit.short) is accepted")
  }

  private func describe(_ authentication: Authentication) -> String {
    switch authentication {
    case .transport: "trusted by transport"
    case .signature(let principal, let fingerprint): "signed by \(principal) (\(fingerprint))"
    }
  }

  /// What the accepted revision wants of this host; from the journal alone, so that no repository is needed.
  func desiredState(isReadOnly: Bool = false) async throws(JournalError) -> (Desired, [Diagnostic])
  {
    guard let revision = try await journal.acceptedRevision() else {
      return (reader.nothing(configuration), [])
    }
    var result: RevisionReader.Result
    if let known = reader.known(revision.commit) {
      result = known
    } else {
      guard let (revision, files) = try await journal.accepted() else {
        return (reader.nothing(configuration), [])
      }
      let before = try await journal.lastGood()
      result = reader.read(revision, RepositoryFiles(files), lastGood: before, configuration)
      if isReadOnly { return (result.desired, result.diagnostics) }
      if let good = result.lastGood, good != before {
        try await journal.setLastGood(good)
        try await journal.forgetLastGood(before.keys.filter { good[$0] == nil })
      }
      try await notices.report(result.rejections, revision: revision.commit, at: wallTime())
      for diagnostic in result.diagnostics { log(diagnostic.description) }
      reader.remember(result, of: revision.commit)
    }
    return (result.desired, result.diagnostics)
  }
}
