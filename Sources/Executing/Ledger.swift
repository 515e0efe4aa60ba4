import Journaling
import OnionModel

/// The memory that concurrent groups share, and the journal that holds it. Writes go in turn, each with the newest
/// memory: an older one can never overwrite a newer.
actor Ledger {
  private(set) var memory: Memory
  private let journal: Journal
  private let pass: Int64
  /// The end of the queue of writes.
  private var last: Task<Void, Never>?

  init(memory: Memory, journal: Journal, pass: Int64) {
    self.memory = memory
    self.journal = journal
    self.pass = pass
  }

  /// Makes durable that the step is about to begin, and what must be remembered even if nobody lives to conclude it.
  /// - Returns: the attempt's number.
  func intend(_ step: Step, of group: StepGroup, at time: Timestamp, events: [Event])
    async -> Result<Int64, JournalError>
  {
    await inTurn { ledger in await ledger.writeIntent(step, group, time, events) }
  }

  /// Outcome, memory and events in one transaction.
  func conclude(
    _ attempt: Int64, _ outcome: Outcome, of group: StepGroup, at position: StepPosition,
    events: [Event]
  ) async -> JournalError? {
    await inTurn { ledger in
      await ledger.writeOutcome(attempt, outcome, group, position, events)
    }
  }

  private func writeIntent(
    _ step: Step, _ group: StepGroup, _ time: Timestamp, _ events: [Event]
  ) async -> Result<Int64, JournalError> {
    let foreseen = memory.foreseeing(step, of: group)
    do throws(JournalError) {
      if foreseen != memory {
        try await journal.store(foreseen, at: time)
        memory = foreseen
      }
      return .success(
        try await journal.intend(
          pass: pass, subject: group.subject, step: step, at: time, events: events))
    } catch {
      return .failure(error)
    }
  }

  private func writeOutcome(
    _ attempt: Int64, _ outcome: Outcome, _ group: StepGroup, _ position: StepPosition,
    _ events: [Event]
  ) async -> JournalError? {
    // Kept also where the journal fails: the step was done, and the next write brings the whole memory along.
    memory = memory.noting(outcome, of: group, at: position)
    do throws(JournalError) {
      try await journal.conclude(
        attempt: attempt, outcome: outcome, memory: memory, events: events)
      return nil
    } catch {
      return error
    }
  }

  private func inTurn<Value: Sendable>(
    _ body: @escaping @Sendable (isolated Ledger) async -> Value
  ) async -> Value {
    let previous = last
    let turn = Task {
      await previous?.value
      return await body(self)
    }
    last = Task { _ = await turn.value }
    return await turn.value
  }
}
