public import Journaling
public import OnionModel

/// What became of a plan.
public struct ExecutionReport: Hashable, Sendable {
  /// Every step that the plan or a fallback named, in order of its group; steps that were not begun are `.skipped`.
  public var outcomes: [Outcome]
  /// The newest memory, also where the journal could not take it.
  public var memory: Memory
  /// The first write that the journal refused.
  public var journalError: JournalError?
  /// Steps were left because the agent was told to stop.
  public var wasStopped: Bool

  public var hasFailed: Bool { journalError != nil || outcomes.contains(where: \.hasFailed) }

  public init(
    outcomes: [Outcome] = [], memory: Memory, journalError: JournalError? = nil,
    wasStopped: Bool = false
  ) {
    self.outcomes = outcomes
    self.memory = memory
    self.journalError = journalError
    self.wasStopped = wasStopped
  }
}

/// Carries a plan out, step by step, each journaled before and after. It decides nothing: see README.md.
public struct Executor: Sendable {
  /// Instances that are worked on at once: enough to hide an engine's waiting, few enough for a small machine.
  public static let standardConcurrency = 4

  let world: any World
  let journal: Journal
  let host: HostName
  let clock: @Sendable () -> Timestamp
  let concurrency: Int

  /// - Parameter clock: wall time, for the journal and for `retryAt`.
  public init(
    world: any World, journal: Journal, host: HostName,
    clock: @escaping @Sendable () -> Timestamp, concurrency: Int = standardConcurrency
  ) {
    self.world = world
    self.journal = journal
    self.host = host
    self.clock = clock
    self.concurrency = max(1, concurrency)
  }

  /// Host groups first, one after the other; then instance groups, a few at once, each after those that it waits for;
  /// inside a group strictly in order. If one that is waited for fails or is stopped, who waits is skipped.
  ///
  /// - Parameters:
  ///   - pass: its number in the journal.
  ///   - shouldStop: once true, no new step begins; the running ones end and are journaled.
  public func execute(
    _ plan: Plan, pass: Int64, memory: Memory,
    shouldStop: @escaping @Sendable () -> Bool = { false }
  ) async -> ExecutionReport {
    let ledger = Ledger(memory: memory, journal: journal, pass: pass)
    var runs: [(Int, GroupRun)] = []
    let numbered = Array(plan.groups.enumerated())
    for (index, group) in numbered where group.subject == .host {
      runs.append((index, await run(group, plan, pass, ledger, shouldStop)))
    }
    runs += await runInstances(
      numbered.filter { $0.element.subject != .host }.map { ($0.offset, $0.element) }, plan, pass,
      ledger, shouldStop)
    var report = ExecutionReport(memory: await ledger.memory)
    for (_, run) in runs.sorted(by: { $0.0 < $1.0 }) {
      report.outcomes += run.outcomes
      report.journalError = report.journalError ?? run.journalError
      report.wasStopped = report.wasStopped || run.wasStopped
    }
    return report
  }

  private func runInstances(
    _ groups: [(Int, StepGroup)], _ plan: Plan, _ pass: Int64, _ ledger: Ledger,
    _ shouldStop: @escaping @Sendable () -> Bool
  ) async -> [(Int, GroupRun)] {
    // Not a tuple: Swift 6.3.1 miscompiles task groups of tuples with optimisation.
    await withTaskGroup(of: Finished.self) { tasks in
      var queue = GroupQueue(groups.map { GroupQueue.Entry(index: $0.0, group: $0.1) })
      var runs: [(Int, GroupRun)] = []
      var running = 0
      func startNext() {
        while running < concurrency, let next = queue.next() {
          running += 1
          tasks.addTask {
            let run = await run(next.group, plan, pass, ledger, shouldStop)
            return Finished(index: next.index, run: run)
          }
        }
      }
      startNext()
      for await finished in tasks {
        running -= 1
        runs.append((finished.index, finished.run))
        queue.note(finished.run.context.group.subject, isDone: finished.run.isDone)
        startNext()
      }
      // What they wait for has failed, or waits for them.
      for left in queue.waiting {
        runs.append((left.index, skipped(left.group, plan, pass, ledger, shouldStop)))
      }
      return runs
    }
  }

  private struct Finished: Sendable {
    var index: Int
    var run: GroupRun
  }

  private func run(
    _ group: StepGroup, _ plan: Plan, _ pass: Int64, _ ledger: Ledger,
    _ shouldStop: @escaping @Sendable () -> Bool
  ) async -> GroupRun {
    var run = groupRun(group, plan, pass, ledger, shouldStop)
    await run.run()
    return run
  }

  private func skipped(
    _ group: StepGroup, _ plan: Plan, _ pass: Int64, _ ledger: Ledger,
    _ shouldStop: @escaping @Sendable () -> Bool
  ) -> GroupRun {
    var run = groupRun(group, plan, pass, ledger, shouldStop)
    run.skipAll()
    return run
  }

  private func groupRun(
    _ group: StepGroup, _ plan: Plan, _ pass: Int64, _ ledger: Ledger,
    _ shouldStop: @escaping @Sendable () -> Bool
  ) -> GroupRun {
    GroupRun(
      world: world, ledger: ledger, clock: clock, shouldStop: shouldStop,
      context: EventContext(host: host, revision: plan.revision, pass: pass, group: group))
  }
}
