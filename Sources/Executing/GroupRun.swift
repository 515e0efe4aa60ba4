import Journaling
import OnionModel

/// One group's way through its steps.
struct GroupRun: Sendable {
  let world: any World
  let ledger: Ledger
  let clock: @Sendable () -> Timestamp
  let shouldStop: @Sendable () -> Bool
  /// Its group gains the addresses of the keys that its own steps make.
  var context: EventContext
  var outcomes: [Outcome] = []
  var journalError: JournalError?
  var wasStopped = false
  private var started: Timestamp?

  init(
    world: any World, ledger: Ledger, clock: @escaping @Sendable () -> Timestamp,
    shouldStop: @escaping @Sendable () -> Bool, context: EventContext
  ) {
    self.world = world
    self.ledger = ledger
    self.clock = clock
    self.shouldStop = shouldStop
    self.context = context
  }

  /// The main steps; and the fallback, if one failed that it is for (`StepGroup.fallback`).
  mutating func run() async {
    guard let failed = await run(.main), !wasStopped, journalError == nil,
      context.group.needsFallback(afterFailing: failed)
    else { return }
    _ = await run(.fallback)
  }

  /// - Returns: the index of the step that failed or was not begun; `nil` if all were done.
  private mutating func run(_ position: StepPosition) async -> Int? {
    let count = steps(position).count
    for index in 0..<count {
      if shouldStop() {
        wasStopped = true
        skip(from: index, position)
        return index
      }
      guard await perform(index, position) else {
        skip(from: index + 1, position)
        return index
      }
    }
    return nil
  }

  /// Every main step was done.
  var isDone: Bool {
    journalError == nil && !wasStopped
      && outcomes.allSatisfy { if case .succeeded = $0.result { true } else { false } }
  }

  /// Nothing is begun: what it waits for was not done.
  mutating func skipAll() { skip(from: 0, .main) }

  private func steps(_ position: StepPosition) -> [Step] {
    position == .main ? context.group.steps : context.group.fallback
  }

  /// - Returns: whether the step was done and the journal has it.
  private mutating func perform(_ index: Int, _ position: StepPosition) async -> Bool {
    let step = steps(position)[index]
    let begin = clock()
    let isFirst = started == nil
    let groupStart = started ?? begin
    started = groupStart
    let attempt: Int64
    switch await ledger.intend(
      step, of: context.group, at: begin, events: isFirst ? context.beginning(at: begin) : [])
    {
    case .success(let number): attempt = number
    case .failure(let error):
      note(error, step, begin)
      return false
    }
    let result: Outcome.Result
    do throws(StepFailure) {
      result = .succeeded(try await world.perform(step))
    } catch {
      result = .failed(error)
    }
    let outcome = Outcome(
      subject: context.group.subject, step: step, result: result, started: begin, ended: clock())
    outcomes.append(outcome)
    resolve(outcome)
    let left = steps(position).count - index - 1
    let events = context.ending(
      outcome, left: left, isLast: left == 0, started: groupStart, position: position)
    if let error = await ledger.conclude(
      attempt, outcome, of: context.group, at: position, events: events)
    {
      journalError = journalError ?? error
      return false
    }
    return !outcome.hasFailed
  }

  /// Later steps learn the address of a key that this one has made, and the fallback which container it made: somebody may
  /// rename that one before it is removed.
  private mutating func resolve(_ outcome: Outcome) {
    if case .createContainer(let specification) = outcome.step.action,
      case .succeeded(.created(let id)) = outcome.result
    {
      context.group.fallback = context.group.fallback.map { step in
        var step = step
        if case .removeContainer(specification.instance, id: specification.name) = step.action {
          step.action = .removeContainer(specification.instance, id: id)
        }
        return step
      }
    }
    let place: KeyPlace
    switch outcome.step.action {
    case .generateKey(let made, _, _, _), .unsealKey(let made, _, _, _, _, _, _): place = made
    default: return
    }
    guard case .succeeded(.generated(let address)) = outcome.result else { return }
    context.group.steps = context.group.steps.map { $0.resolving(place.service, to: address) }
    context.group.fallback = context.group.fallback.map { $0.resolving(place.service, to: address) }
  }

  /// A step whose intent could not be written is not performed.
  private mutating func note(_ error: JournalError, _ step: Step, _ time: Timestamp) {
    journalError = journalError ?? error
    let failure = StepFailure(
      code: "journal.\(error.code.rawValue)",
      message: "not begun, because its intent could not be journaled: \(error.message)")
    outcomes.append(
      Outcome(
        subject: context.group.subject, step: step, result: .failed(failure), started: time,
        ended: time))
  }

  private mutating func skip(from index: Int, _ position: StepPosition) {
    let now = clock()
    for step in steps(position)[index...] {
      outcomes.append(
        Outcome(
          subject: context.group.subject, step: step, result: .skipped, started: now, ended: now))
    }
  }
}
