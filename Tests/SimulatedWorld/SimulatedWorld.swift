public import Executing
public import OnionModel

/// A promise that the world saw broken.
public struct Violation: Hashable, Sendable, CustomStringConvertible {
  /// A word: `key.lost`, `access.open`, `foreign.touched`.
  public var kind: String
  public var message: String

  public init(_ kind: String, _ message: String) {
    self.kind = kind
    self.message = message
  }

  public var description: String { "\(kind): \(message)" }
}

/// What goes wrong with one step.
public enum Mishap: Hashable, Sendable, CaseIterable {
  /// It fails before, in the midst of, or after its effect.
  case failsBefore, failsMidway, failsAfter
  /// The agent dies before, in the midst of, or after its effect.
  case diesBefore, diesMidway, diesAfter
}

/// A `World` in which everything can fail, and which judges what is done to it.
public actor SimulatedWorld: World {
  public private(set) var host: SimulatedHost
  public private(set) var violations: [Violation] = []
  /// The agent has died: nothing more is done until `revive`.
  public private(set) var isDead = false
  /// What was performed, for the message of a failed seed.
  public private(set) var log: [String] = []
  public nonisolated let clock: SimulatedClock

  private var desired: Desired?
  /// What the last definition of each service said of its removal, and whether a person allows removals now.
  private var prunes: [ServiceName: Prune] = [:]
  private var areRemovalsApproved = false
  /// The truth when the agent last looked.
  private var seen: SimulatedHost
  /// How often in a hundred a step has a mishap.
  private var mishapChance = 0
  /// How often in a hundred a fault strikes between two steps.
  private var disturbanceChance = 0
  private var disturbances: [Fault] = []
  private var random: SplitMix64
  private var onDeath: @Sendable () async -> Void = {}
  private var refuses: @Sendable (Action) -> Bool = { _ in false }

  public init(_ host: SimulatedHost, clock: SimulatedClock, seed: UInt64) {
    self.host = host
    seen = host
    self.clock = clock
    random = SplitMix64(seed: seed)
  }

  // MARK: What the agent sees and does

  public func observe(_ desired: Desired, _ memory: Memory) async -> Observed {
    self.desired = desired
    for service in desired.services { prunes[service.name] = service.prune }
    areRemovalsApproved = memory.approvals.contains { $0.kind == .removals }
    seen = host
    return host.observed(desired, memory, now: clock.now)
  }

  public func perform(_ step: Step) async throws(StepFailure) -> StepEffect {
    guard !isDead else { throw Self.death }
    clock.advance(seconds: 0.01)
    if random.chance(disturbanceChance), let fault = random.pick(disturbances) { suffer(fault) }
    let mishap = random.chance(mishapChance) ? random.pick(Mishap.allCases) : nil
    if refuses(step.action) { throw Self.failure }
    switch mishap {
    case .failsBefore: throw Self.failure
    case .diesBefore:
      await die()
      throw Self.death
    default: break
    }
    let isHalf = mishap == .failsMidway || mishap == .diesMidway
    let before = host
    log.append("\(step.cause) \(words(step.action))")
    var result: Result<StepEffect, StepFailure>
    do throws(StepFailure) {
      result = .success(try host.perform(step.action, isHalf ? .half : .whole))
    } catch {
      result = .failure(error)
      log.append("  failed: \(error)")
    }
    judge(step, before: before)
    switch mishap {
    case .diesMidway, .diesAfter:
      await die()
      throw Self.death
    case .failsMidway, .failsAfter: throw Self.failure
    default: return try result.get()
    }
  }

  // MARK: What the test does

  /// Mishaps of steps from now on, and what may strike between them.
  public func arm(
    mishaps: Int, disturbances faults: [Fault], chance: Int,
    onDeath: @escaping @Sendable () async -> Void
  ) {
    mishapChance = mishaps
    disturbances = faults
    disturbanceChance = chance
    self.onDeath = onDeath
  }

  /// Steps that fail, each time, before they take effect.
  public func refuse(where matches: @escaping @Sendable (Action) -> Bool) { refuses = matches }

  public func disarm() {
    mishapChance = 0
    disturbanceChance = 0
  }

  public func suffer(_ fault: Fault) {
    log.append("fault \(fault)")
    host.suffer(fault, &random)
    judgeReadings()
  }

  public func recover() {
    log.append("recovered")
    host.recover()
  }

  public func bringBack(_ desired: Desired) {
    log.append("brought back")
    host.bringBack(desired)
  }

  /// The containers of all targets are gone.
  public func stopTargets() {
    log.append("targets stop")
    host.stopTargets()
  }

  /// They are back, each elsewhere.
  public func moveTargets() {
    log.append("targets move")
    host.recover()
    for name in host.targets.keys.sorted() { host.moveTarget(name, &random) }
  }

  public func clearCopies(_ desired: Desired) { host.clearCopies(desired) }

  /// Time passes; what restarts by itself does so.
  public func advance(seconds: Double) {
    clock.advance(seconds: seconds)
    host.tick()
    judgeReadings()
  }

  /// The agent is started again.
  public func revive() { isDead = false }

  public func note(_ line: String) { log.append(line) }

  public func report(_ violation: Violation) {
    violations.append(violation)
    log.append("VIOLATION \(violation)")
  }

  private static let failure = StepFailure(code: "simulated", message: "a part failed")
  private static let death = StepFailure(code: "simulated.death", message: "the agent died")

  private func die() async {
    isDead = true
    log.append("the agent dies")
    await onDeath()
  }

  // MARK: Judging

  private func judge(_ step: Step, before: SimulatedHost) {
    for violation in StepJudge(
      before: before, after: host, seen: seen, desired: desired, step: step,
      heldFromPruning: areRemovalsApproved
        ? [] : Set(prunes.filter { $0.value == .hold }.keys)
    )
    .violations { report(violation) }
    judgeReadings()
  }

  private func judgeReadings() {
    for reading in host.takeReadings() {
      if let violation = reading.violation(desired) { report(violation) }
    }
  }
}

/// An action for the log. Dictionaries print in no fixed order, and equal lives are to have equal logs.
private func words(_ action: Action) -> String {
  guard case .repairKeys(let place, let wish) = action else { return "\(action)" }
  let clients = wish.clientFiles.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
  return "repairKeys(\(place), \(wish.address), \(clients), \(wish.onionBalance ?? "none"))"
}
