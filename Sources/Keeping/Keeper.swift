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
  /// A slow repository does not keep drift from being repaired: after this the pass goes on with what is accepted,
  /// and the answer is taken up by the next one.
  public static let patience: Duration = .seconds(2)

  private(set) var configuration: HostConfiguration
  let journal: Journal
  let agent: AgentID
  let world: LiveWorld
  let keys: KeyRoot
  let notices: Notices
  let log: @Sendable (String) -> Void
  let mirrorPath: String
  var source: RevisionSource
  var reader = RevisionReader()
  var inquiry: SourceInquiry?
  /// Told when the repository has answered after the pass went on without it.
  var onAnswer: @Sendable () -> Void = {}
  /// Services with client authorization: their addresses are shortened wherever they are told.
  nonisolated let guardedServices = ServiceNames()
  private let stopping = Mutex(false)
  private let running = Mutex<SourceInquiry?>(nil)

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

  func tell(onAnswer: @escaping @Sendable () -> Void) { self.onAnswer = onAnswer }

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
    set(inquiry: nil)
    source = RevisionSource(
      mirrorPath: mirrorPath, source: moved.repository, trust: moved.trust)
    reader.forget()
    return true
  }

  func set(inquiry moved: SourceInquiry?) {
    if inquiry !== moved { inquiry?.cancel() }
    inquiry = moved
    running.withLock { $0 = moved }
  }

  /// No step begins after this; a running fetch is cancelled.
  nonisolated func stop() {
    stopping.withLock { $0 = true }
    running.withLock { $0?.cancel() }
  }

  private nonisolated var isStopping: Bool { stopping.withLock { $0 } }

  /// One pass.
  /// - Parameters:
  ///   - trigger: `start`, `interval`, `signal`, `event`, `apply`. An engine's event asks no repository.
  ///   - patience: how long to wait for the repository; `nil`: until it answers or its own deadlines pass.
  /// - Throws: `JournalError`: without a journal nothing is done.
  public func pass(trigger: String, patience: Duration? = Keeper.patience) async throws
    -> PassReport
  {
    let trouble = try await followSource(asks: trigger != "event", patience: patience)
    let (desired, diagnostics) = try await desiredState()
    guardedServices.set(desired.services.filter { $0.access.asksForClients }.map(\.name))
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
      if !execution.outcomes.contains(where: \.hasSucceeded) { break }
    }
    try await settle(report)
    if let pass { try await journal.endPass(pass, report.summary, at: wallTime()) }
    return report
  }

  /// After the steps: approvals that were used, the set that the next removal is judged against, conditions.
  private func settle(_ report: PassReport) async throws(JournalError) {
    let now = wallTime()
    guard let observed = report.observed else { return }
    var memory = try await journal.memory(agent: agent, now: now)
    let retired = report.outcomes.contains {
      if case .retireKey = $0.step.action { $0.hasSucceeded } else { false }
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
      transitions, addresses: observed.pins.value ?? [:], revision: report.desired.revision,
      at: now)
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
}

extension PassReport {
  var summary: PassSummary {
    var summary = PassSummary(waiting: plan.waiting.count)
    for outcome in outcomes {
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
}

extension Outcome {
  var hasSucceeded: Bool { if case .succeeded = result { true } else { false } }
}
