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
  /// Whose steps failed, and were not done in a later round.
  var failing: Set<StepGroup.Subject> = []
  /// Why the source could not be used or its commit may not act; the last accepted revision is kept true meanwhile.
  public var sourceTrouble: String?
  /// What of the source is waited for without trouble: its answer, or a soak time.
  public var sourceNote: String?
  public var diagnostics: [Diagnostic]
  /// The promises that the plan would have broken: nothing of it was executed.
  public var refusal: String?

  /// Something was tried and failed, or refused.
  public var hasFailed: Bool { refusal != nil || !failing.isEmpty }
}

/// Runs passes, one at a time: fetch, authenticate, read, accept, observe, plan, audit, execute, prove, report.
public actor Keeper {
  /// One pass plans again after it has acted, since image and network may have been missing. More rounds than this
  /// mean that something moves under our hands; the next pass goes on.
  static let rounds = 4
  /// A slow repository does not keep drift from being repaired: after this the pass goes on with what is accepted,
  /// and the answer, when it comes, starts the next one. Drift is to be seen within a second.
  public static let patience: Duration = .milliseconds(700)

  private(set) var configuration: HostConfiguration
  let journal: Journal
  let agent: AgentID
  let world: LiveWorld
  let keys: KeyRoot
  let log: @Sendable (String) -> Void
  let mirrorPath: String
  var source: RevisionSource
  var reader = RevisionReader()
  var inquiry: SourceInquiry?
  /// When the source last answered, since this start.
  var lastAnswer: Timestamp?
  /// Somebody asked while an older question was open.
  var mustAskAgain = false
  /// Told when the repository has answered after the pass went on without it.
  var onLateAnswer: @Sendable () -> Void = {}
  /// Rows of the journal that the wall clock is held against at the start.
  static let rowsForClock = 20
  let clock = WallClock()
  var latestRow: Timestamp?
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
    source = RevisionSource(
      mirrorPath: self.mirrorPath, source: configuration.repository, trust: configuration.trust,
      authenticated: self.mirrorPath + Self.authenticated)
  }

  /// After the mirror's path: what was judged under an introduction.
  private static let authenticated = ".authenticated"

  var notices: Notices { Notices(journal: journal, host: configuration.host) }

  var redactsAddresses: Bool { configuration.redactsAddresses }

  /// Seconds between passes.
  var interval: Double { configuration.interval }

  func tell(onLateAnswer: @escaping @Sendable () -> Void) { self.onLateAnswer = onLateAnswer }

  /// Takes over a host file that moved. Folders, engine and the agent's name stay until the agent starts again.
  func adopt(_ moved: HostConfiguration) async throws(JournalError) {
    guard moved.fingerprint != configuration.fingerprint else { return }
    // What was refused under another trust, or in another folder of the repository, is judged again.
    try await journal.forgetRefusals()
    if moved.layout != configuration.layout || moved.engine != configuration.engine {
      log("directories, engine and agent.name of the host file apply when the agent starts again")
    }
    var moved = moved
    moved.layout = configuration.layout
    moved.engine = configuration.engine
    configuration = moved
    set(inquiry: nil)
    source = RevisionSource(
      mirrorPath: mirrorPath, source: moved.repository, trust: moved.trust,
      authenticated: mirrorPath + Self.authenticated)
    reader.forget()
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

  nonisolated var isStopping: Bool { stopping.withLock { $0 } }

  /// One pass.
  /// - Parameters:
  ///   - trigger: `start`, `interval`, `signal`, `push`, `event`, `disk`, `source`, `apply`: for the journal.
  ///   - asks: whether the repository is asked anew. Drift alone is no reason to.
  ///   - patience: how long to wait for the repository; `nil`: until it answers or its own deadlines pass.
  ///   - bundle: a git bundle that is taken instead of asking the repository.
  /// - Throws: `JournalError`: without a journal nothing is done.
  public func pass(
    trigger: String, asks: Bool = true, patience: Duration? = Keeper.patience,
    bundle: String? = nil
  ) async throws -> PassReport {
    try await judgeStanding()
    let note: SourceNote?
    if let bundle {
      note = try await followBundle(bundle)
    } else {
      note = try await followSource(
        asks: asks, isUrgent: trigger == "signal" || trigger == "push",
        patience: asks ? patience : patience.map { _ in .zero })
    }
    try await tellFreshness(at: wallTime())
    let (desired, diagnostics) = try await desiredState()
    var report = PassReport(
      desired: desired, observed: nil, plan: Plan(revision: desired.revision), outcomes: [],
      diagnostics: diagnostics)
    if let note {
      if note.isTrouble {
        report.sourceTrouble = note.message
      } else {
        report.sourceNote = note.message
      }
    }
    var pass: Int64?
    for round in 1...Self.rounds where !isStopping {
      var memory = try await journal.memory(agent: agent, now: wallTime())
      let known = memory.knowing(desired)
      if known != memory { try await journal.store(known, at: wallTime()) }
      memory = known
      let observed = await world.observe(desired, memory)
      try await applyApprovals(&memory, desired, observed)
      report.observed = observed
      report.plan = plan(desired, from: observed, knowing: memory)
      let findings = audit(report.plan, desired: desired, observed: observed, memory: memory)
      report.refusal = try await tell(findings, desired)
      if report.refusal != nil || report.plan.isEmpty || isStopping || round == Self.rounds {
        break
      }
      if pass == nil {
        pass = try await journal.beginPass(
          trigger: trigger, revision: desired.revision, at: wallTime())
      }
      let executor = Executor(
        world: world, journal: journal, host: configuration.host, clock: wallTime)
      let execution = await executor.execute(
        report.plan, pass: pass ?? 0, memory: memory, shouldStop: { self.isStopping })
      report.outcomes += execution.outcomes
      report.failing = execution.outcomes.failing(before: report.failing)
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
    let desired = report.desired
    var memory = try await journal.memory(agent: agent, now: now)
    // Used up once all is put away: a removal that failed half-way needs no second approval.
    if report.hasRemoved, report.plan.removals.isEmpty, let revision = desired.revision {
      _ = try await journal.useApproval(.removals, revision, at: now)
    }
    let before = memory
    if report.plan.settlesIdentity, report.plan.openRemovals.isEmpty {
      memory.identity = desired.identity
      memory.previouslyDefined = desired.defined
    } else {
      // What has its key already is no new service, whatever else waits; its removal must look like one.
      memory.previouslyDefined.formUnion(desired.defined.intersection(memory.services.keys))
    }
    if memory != before { try await journal.store(memory, at: now) }
    try await notices.report(report.plan.waiting, desired: desired, at: now)
    if !isStopping { try await notices.report(report, at: now) }
    let judged = conditions(desired, observed, memory, plan: report.plan)
    let transitions = try await journal.setConditions(judged, at: now)
    try await notices.report(
      transitions, addresses: observed.pins.value ?? [:], revision: desired.revision, at: now)
  }

  /// A plan that would break a promise is told once, and executed never.
  /// - Returns: what was found, for people; `nil` if nothing.
  private func tell(_ findings: [Finding], _ desired: Desired) async throws(JournalError) -> String?
  {
    guard !findings.isEmpty else {
      try await journal.clear(key: "audit")
      return nil
    }
    let text = findings.map(\.description).joined(separator: "; ")
    log("the plan breaks a promise and is not executed: \(text)")
    try await journal.raise(
      key: "audit", fingerprint: sha256(text),
      event: Event(
        kind: .actionFailed, subject: "host", time: wallTime(),
        data: EventData(
          host: configuration.host, revision: desired.revision, action: "plan", outcome: "failed",
          error: "audit: \(text)")))
    return text
  }

  /// What a person allowed, where it is not the planner's to use: a new engine, the host's new identity, new keys.
  /// Used first, then applied: after a crash in between it must be given again, and never works twice.
  private func applyApprovals(
    _ memory: inout Memory, _ desired: Desired, _ observed: Observed
  ) async throws(JournalError) {
    let now = wallTime()
    for approval in memory.approvals {
      var moved = memory
      guard moved.apply(approval, desired, observed),
        try await journal.useApproval(approval.kind, approval.revision, at: now)
      else { continue }
      memory = moved
      try await journal.store(memory, at: now)
    }
  }
}

extension Memory {
  /// Applies an approval that the planner does not use itself.
  /// - Returns: whether it changed anything.
  mutating func apply(_ approval: Approval, _ desired: Desired, _ observed: Observed) -> Bool {
    guard approval.revision == desired.revision else { return false }
    switch approval.kind {
    case .engine:
      guard let engine = observed.engine.value else { return false }
      if let pinned = self.engine, pinned.id == engine.id, pinned.kind == engine.kind {
        return false
      }
      self.engine = engine
    case .host:
      guard identity != desired.identity else { return false }
      identity = desired.identity
    case .newKeys:
      guard isRebuilt else { return false }
      isRebuilt = false
    case .removals, .rewind: return false
    }
    approvals.removeAll { $0 == approval }
    return true
  }
}

extension PassReport {
  /// A service was put away.
  fileprivate var hasRemoved: Bool {
    outcomes.contains { outcome in
      switch outcome.step.action {
      case .retireKey, .forgetInstance, .forgetService: outcome.hasSucceeded
      default: false
      }
    }
  }

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

extension [Outcome] {
  /// Whose last round failed, after one more round of a pass. A pass plans again after it has acted: what failed at first
  /// (a reload of a tor that its start guard had just ended) and was then done another way is no failure. What was
  /// rolled back is one: its way back belongs to the same round.
  func failing(before: Set<StepGroup.Subject>) -> Set<StepGroup.Subject> {
    let failed = Set(filter(\.hasFailed).map(\.subject))
    let done = Set(filter(\.hasSucceeded).map(\.subject))
    return before.subtracting(done).union(failed)
  }
}

extension Outcome {
  var hasSucceeded: Bool { if case .succeeded = result { true } else { false } }
}
