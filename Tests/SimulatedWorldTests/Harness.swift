import Executing
import Journaling
import OnionModel
import Planning
import SimulatedWorld
import Testing

/// One seeded life of a host: commits, faults, failures and deaths of the agent; then quiet, in which the world must
/// become what is desired.
struct Harness {
  typealias Planner = @Sendable (Desired, Observed, Memory) -> Plan
  typealias Auditor = @Sendable (Plan, Desired, Observed, Memory) -> [Finding]

  /// The planner that ships.
  static let shipped: Planner = { plan($0, from: $1, knowing: $2) }
  static let audited: Auditor = { audit($0, desired: $1, observed: $2, memory: $3) }

  struct Life: Sendable {
    var violations: [Violation]
    var log: [String]
    var passes: Int
    var steps: Int
  }

  /// Plans after which a commit must have taken effect, as in one pass of the agent.
  static let calmRounds = 4

  /// Quiet passes within which everything must have settled; each is two hours after the last, past every backoff.
  static let quietPasses = 14

  let world: SimulatedWorld
  let journal: Journal
  let planner: Planner
  let auditor: Auditor?
  let concurrency: Int
  let agent: AgentID
  var commits: CommitGenerator
  var random: SplitMix64
  /// What the journal held when the agent died.
  let atDeath = Box<Memory?>(nil)
  var passes = 0
  var steps = 0

  /// - Parameter auditor: `nil` lets a broken planner's plans through, so that the world itself must notice.
  static func run(
    seed: UInt64, concurrency: Int = 1, planner: @escaping Planner = shipped,
    auditor: Auditor? = audited
  ) async throws -> Life {
    var harness = try await Harness(seed, concurrency, planner, auditor)
    try await harness.live()
    try await harness.settle()
    return Life(
      violations: await harness.world.violations, log: await harness.world.log,
      passes: harness.passes, steps: harness.steps)
  }

  init(
    _ seed: UInt64, _ concurrency: Int, _ planner: @escaping Planner, _ auditor: Auditor?
  ) async throws {
    let layout = AgentLayout(prefix: "onionkeeper", keys: "/keys", state: "/state")
    agent = try #require(AgentID(String(repeating: "a", count: 32)))
    random = SplitMix64(seed: seed)
    let kind: EngineIdentity.Kind = random.chance(50) ? .docker : .podman
    world = SimulatedWorld(
      SimulatedHost(
        agent: agent, layout: layout,
        engine: EngineIdentity(kind: kind, version: "1", id: "engine"), seed: seed),
      clock: SimulatedClock(Timestamp(seconds: 1_800_000_000)), seed: seed ^ 0x5eed)
    journal = try await Journal.inMemory()
    commits = try #require(CommitGenerator(layout: layout, seed: seed ^ 0xc0ffee))
    self.planner = planner
    self.auditor = auditor
    self.concurrency = concurrency
  }

  private mutating func live() async throws {
    let tame = Fault.allCases.filter { !$0.takesKey }
    for round in 0..<9 {
      if round == 0 || random.chance(60) { try await commit() }
      if random.chance(60) {
        let faults = random.chance(75) ? tame : Fault.allCases
        await world.suffer(try #require(random.pick(faults)))
      }
      let isRough = random.chance(50)
      let atDeath = atDeath
      let journal = journal
      let clock = world.clock
      let agent = agent
      await world.arm(
        mishaps: isRough ? 12 : 0, disturbances: isRough ? tame : [], chance: isRough ? 8 : 0,
        onDeath: {
          do { atDeath.set(try await journal.memory(agent: agent, now: clock.now)) } catch {
            Issue.record("the journal cannot be read at the agent's death: \(error)")
          }
        })
      try await pass(isCalm: !isRough)
      await world.advance(seconds: random.pick([1, 60, 400, 4000]) ?? 1)
      if random.chance(40) { await world.recover() }
      if random.chance(10) { await world.bringBack(commits.desired) }
    }
  }

  mutating func commit() async throws {
    let before = commits.desired
    commits.commit()
    await world.note("commit \(commits.desired.services) stopped \(commits.desired.stopped)")
    var memory = try await journal.memory(agent: agent, now: world.clock.now)
    memory.previouslyDefined = before.defined
    try await journal.store(memory, at: world.clock.now)
  }

  /// The faults have ceased. Half the lives get back what was taken from them.
  private mutating func settle() async throws {
    await world.disarm()
    await world.recover()
    await world.clearCopies(commits.desired)
    if random.chance(70) { await world.bringBack(commits.desired) }
    for _ in 0..<Self.quietPasses {
      await world.advance(seconds: 7200)
      if try await pass(isCalm: true, isApproved: true).isEmpty { break }
    }
    let plan = try await pass(isCalm: true, isApproved: true)
    if !plan.isEmpty {
      await world.report(Violation("restless", "\(plan.steps.map(\.action))"))
    }
    let memory = try await journal.memory(agent: agent, now: world.clock.now)
    for difference in await world.host.differences(from: commits.desired, memory) {
      await world.report(
        Violation(
          difference.kind, difference.message + "; waiting: \(plan.waiting.map(\.message))"))
    }
    try await loseTargets()
  }

  /// Containers of targets go and come back elsewhere: no tor ends for it, and each follows by a reload.
  private mutating func loseTargets() async throws {
    let pids = await world.host.pids
    await world.stopTargets()
    let blind = try await pass(isCalm: true, isApproved: true)
    if !blind.isEmpty {
      await world.report(Violation("target.acted", "\(blind.steps.map(\.action))"))
    }
    await world.moveTargets()
    try await pass(isCalm: true, isApproved: true)
    if await world.host.pids != pids {
      await world.report(Violation("target.interrupted", "a tor ended with its target"))
    }
    let plan = try await pass(isCalm: true, isApproved: true)
    if !plan.isEmpty {
      await world.report(Violation("restless", "moved targets: \(plan.steps.map(\.action))"))
    }
    let memory = try await journal.memory(agent: agent, now: world.clock.now)
    for difference in await world.host.differences(from: commits.desired, memory) {
      await world.report(Violation(difference.kind, "moved targets: \(difference.message)"))
    }
  }

  @discardableResult
  mutating func pass(isCalm: Bool, isApproved: Bool = false) async throws -> Plan {
    passes += 1
    let desired = commits.desired
    let before = try await journal.memory(agent: agent, now: world.clock.now)
    var memory = before.knowing(desired)
    if memory != before { try await journal.store(memory, at: world.clock.now) }
    if isApproved, let revision = desired.revision {
      memory.approvals = [.removals, .newKeys].map {
        Approval(kind: $0, revision: revision, expires: world.clock.now.adding(seconds: 60))
      }
    }
    let observed = await world.observe(desired, memory)
    let plan = planner(desired, observed, memory)
    await world.note("pass \(passes): \(plan.waiting.map { "\($0.kind) \($0.message)" })")
    await check(plan, desired, observed, memory)
    guard !plan.isEmpty else {
      try await settleIdentity(plan, desired, &memory)
      if isCalm { await reportExposures(plan, desired) }
      return plan
    }
    let number = try await journal.beginPass(
      trigger: "test", revision: desired.revision, at: world.clock.now)
    let clock = world.clock
    let executor = Executor(
      world: world, journal: journal, host: desired.host, clock: { clock.now },
      concurrency: concurrency)
    let report = await executor.execute(plan, pass: number, memory: memory)
    steps += report.outcomes.count
    if let error = report.journalError { throw error }
    memory = report.memory
    if await world.isDead {
      memory = try #require(atDeath.value)
      try await journal.store(memory, at: world.clock.now)
      await world.revive()
    } else {
      if !report.hasFailed { try await settleIdentity(plan, desired, &memory) }
      if isCalm, !report.hasFailed { await reportExposures(plan, desired) }
    }
    return plan
  }

  private func settleIdentity(
    _ plan: Plan, _ desired: Desired, _ memory: inout Memory
  ) async throws {
    guard plan.settlesIdentity, memory.identity != desired.identity else { return }
    memory.identity = desired.identity
    try await journal.store(memory, at: world.clock.now)
  }

  private func check(
    _ plan: Plan, _ desired: Desired, _ observed: Observed, _ memory: Memory
  ) async {
    for finding in auditor?(plan, desired, observed, memory) ?? [] {
      await world.report(Violation("audit", finding.description))
    }
    if observed.engine.value == nil || observed.containers.value == nil
      || observed.pins.value == nil || observed.keyRoot.value != agent, !plan.isEmpty
    {
      await world.report(Violation("unknown.acted", "\(plan.steps.map(\.action))"))
    }
    for step in plan.steps {
      if let place = step.action.keyPlace, observed.keys[place]?.unknownReason != nil {
        await world.report(Violation("unknown.acted", "\(step.action)"))
      }
    }
  }

  private func reportExposures(_ plan: Plan, _ desired: Desired) async {
    for exposure in await world.host.exposures(desired, waiting: plan.waiting) {
      await world.report(exposure)
    }
  }
}

extension Action {
  fileprivate var keyPlace: KeyPlace? {
    switch self {
    case .generateKey(let place, _, _, _), .unsealKey(let place, _, _, _, _, _, _),
      .backUpKey(let place, _, _), .pin(_, _, let place), .repairKeys(let place, _),
      .retireKey(let place, _), .restoreKey(_, let place, _), .moveKey(let place, _, _):
      place
    default: nil
    }
  }
}
