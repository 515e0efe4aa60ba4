import Descriptors
import Engine
import Journaling
import OnionModel
import Reporting
import UnixSignals

/// `onionkeeper run`: passes with waits between them, until SIGTERM.
///
/// Level, not edge: timer, SIGHUP, engine events and moves on the disk only shorten the wait; what is decided depends on
/// what is seen.
public struct AgentLoop: Sendable {
  /// A service that was just started is looked at often, so that its readiness is reported when it comes.
  static let settlingPause: Duration = .seconds(2)
  static let settlingLimit: Duration = .seconds(120)
  /// After SIGTERM the running step has this long.
  static let stopLimit: Duration = .seconds(10)
  static let heartbeatSeconds = 3600.0
  /// Between passes while something failed or is backed off.
  static let retryPause: Duration = .seconds(5)

  /// While the journal cannot be written (a full disk), this long between tries.
  static let journalPause: Duration = .seconds(15)

  private let house: AgentHouse
  private let log: @Sendable (String) -> Void
  private let doorbell = Doorbell()
  private let stopping = Flag()
  private let reports: Reports
  private let hostFile: HostFileReader
  private let disk: DiskWatch
  private let push: PushDoor
  private let lifetime: Lifetime

  public init(_ house: AgentHouse, log: @escaping @Sendable (String) -> Void) {
    self.house = house
    self.log = log
    hostFile = HostFileReader(HostFile(path: house.configuration.file))
    disk = DiskWatch(
      layout: house.configuration.layout, hostFile: house.configuration.file, log: log)
    reports = Reports(house, log: log)
    lifetime = Lifetime(
      journal: house.journal, host: house.configuration.host, agent: house.agent, log: log)
    push = PushDoor(log: log) { [doorbell] in doorbell.ring("push") }
  }

  /// Runs until SIGTERM or SIGINT.
  /// - Throws: `JournalError` if the journal is damaged or gone: without it nothing may be done. A full or busy disk is
  ///   waited for.
  public func run() async throws {
    try await reports.start(house.configuration.receivers)
    await push.open(house.configuration.push)
    let doorbell = doorbell
    await house.keeper.tell { doorbell.ring("source") }
    await house.world.heed(disk)
    try await lifetime.begin(at: wallTime())
    let passes = Task { try await passLoop() }
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await followEvents() }
      group.addTask { await followSignals() }
      group.addTask { await disk.follow { doorbell.ring("disk") } }
      group.addTask {
        await stopping.wait()
        do { try await Task.sleep(for: Self.stopLimit) } catch { return }
        passes.cancel()
      }
      await withTaskCancellationHandler {
        _ = await passes.result
      } onCancel: {
        passes.cancel()
      }
      group.cancelAll()
    }
    await push.close()
    // The last words, even if the journal takes no more: then why it does not is what is thrown.
    let end = await passes.result
    var failure: (any Error)?
    if case .failure(let error) = end { failure = error }
    do {
      try await lifetime.end(at: wallTime())
    } catch {
      failure = failure ?? error
    }
    await reports.finish()
    do {
      try await house.journal.close()
    } catch {
      failure = failure ?? error
    }
    if let failure { throw failure }
  }

  private func followSignals() async {
    for await signal in await UnixSignalsSequence(trapping: .sigterm, .sigint, .sighup) {
      guard signal != .sighup else {
        doorbell.ring("signal")
        continue
      }
      log("\(signal): no new step begins")
      stopping.raise()
      house.keeper.stop()
      house.world.stop()
      doorbell.ring("stop")
      return
    }
  }

  private func passLoop() async throws {
    var agenda = Agenda(interval: .seconds(await house.keeper.interval))
    var settlingUntil = ContinuousClock.now.advanced(by: Self.settlingLimit)
    var heartbeat = wallTime()
    var reasons = ["start"]
    var trouble: JournalError?
    var failures = 0
    while !stopping.isRaised, !Task.isCancelled {
      await rereadHostFile()
      var pause = Self.journalPause
      do {
        agenda.interval = .seconds(await house.keeper.interval)
        let report = try await house.keeper.pass(
          trigger: agenda.trigger(of: reasons), asks: agenda.asks(reasons, at: .now))
        if trouble != nil { log("the journal can be written again") }
        trouble = nil
        if stopping.isRaised { return }
        failures = report.hasFailed ? failures + 1 : 0
        if !report.outcomes.isEmpty {
          settlingUntil = ContinuousClock.now.advanced(by: Self.settlingLimit)
        }
        let now = wallTime()
        try await lifetime.goOn(at: now)
        if now.since(heartbeat) >= Self.heartbeatSeconds {
          heartbeat = now
          try await tell(.agentHeartbeat, "\(report.desired.services.count) services kept")
        }
        pause = try await shortened(
          agenda.pause(at: .now), after: report, failures: failures, settlingUntil: settlingUntil)
      } catch let error as JournalError where error.mayPass {
        if trouble != error { log("nothing is done until this is mended: \(error)") }
        trouble = error
      }
      reasons = await doorbell.wait(upTo: pause)
    }
  }

  /// Shorter while something is on its way or is tried again. The repository is asked no more often for it.
  private func shortened(
    _ pause: Duration, after report: PassReport, failures: Int,
    settlingUntil: ContinuousClock.Instant
  ) async throws -> Duration {
    var pause = pause
    if ContinuousClock.now < settlingUntil, try await isSettling() {
      pause = min(pause, Self.settlingPause)
    }
    if report.plan.waiting.contains(where: { $0.kind == .backoff }) || report.hasFailed {
      // What fails again and again (an image that cannot be built) is tried less and less often.
      pause = min(pause, Self.retryPause * (1 << min(max(failures - 1, 0), 10)))
    }
    return pause
  }

  private func isSettling() async throws -> Bool {
    try await house.journal.conditions().values.contains { list in
      list.contains {
        ($0.condition.name == .bootstrapped || $0.condition.name == .published)
          && $0.condition.status != .yes
      }
    }
  }

  /// An engine event ends the wait at once. The stream's end means that the engine was away: another one may answer now.
  private func followEvents() async {
    while !Task.isCancelled {
      do {
        let engine = try await house.world.engine()
        for try await event in try await engine.events() where event.isWorthAPass {
          let isOurs = event.agent == house.agent
          if isOurs { await house.world.look.distrust(event.containerID) }
          if isOurs || house.world.targets.concerns(event) { doorbell.ring("event") }
        }
        doorbell.ring("event")
      } catch {
        // The next pass says what is wrong with it.
      }
      await house.world.forgetEngine()
      do { try await Task.sleep(for: .seconds(1)) } catch { return }
    }
  }

  /// The host file is read again if it moved; an invalid one leaves the last good one in force.
  private func rereadHostFile() async {
    let moved: HostConfiguration
    do throws(HostFileError) {
      moved = try await hostFile.read()
    } catch {
      await note(error)
      return
    }
    await note(nil)
    do {
      try await house.keeper.adopt(moved)
      try await reports.start(moved.receivers)
      await push.open(moved.push)
    } catch {
      log("\(error)")
    }
  }

  private func note(_ error: HostFileError?) async {
    do {
      guard let error else {
        try await house.journal.clear(key: "config")
        return
      }
      let text = error.description
      let isNew = try await house.journal.raise(
        key: "config", fingerprint: sha256(text),
        event: Event(
          kind: .configInvalid, subject: "host", time: wallTime(),
          data: EventData(
            host: await house.keeper.configuration.host, error: String(text.prefix(2000)),
            message: "the host file is invalid; the last good one stays in force")))
      if isNew { log("the host file is invalid, the last good one stays in force:\n\(text)") }
    } catch {
      log("\(error)")
    }
  }

  private func tell(_ kind: EventKind, _ message: String) async throws(JournalError) {
    try await house.journal.record([
      Event(
        kind: kind, subject: "host", time: wallTime(),
        data: EventData(host: await house.keeper.configuration.host, message: message))
    ])
  }
}

/// When the repository is asked: once an interval, or at once where somebody says so. Passes for drift come more often.
struct Agenda: Sendable {
  var interval: Duration
  private var nextQuestion: ContinuousClock.Instant?

  init(interval: Duration) { self.interval = interval }

  /// For the journal: what a person did comes first, then what moved, then the time.
  func trigger(of reasons: [String]) -> String {
    ["start", "signal", "push", "event", "disk", "source"].first(where: reasons.contains)
      ?? "interval"
  }

  /// Whether this pass asks; the next question is then due an interval later, give or take a tenth.
  mutating func asks(_ reasons: [String], at now: ContinuousClock.Instant) -> Bool {
    let isDue = nextQuestion.map { $0 <= now } ?? true
    guard isDue || ["signal", "push", "start"].contains(where: reasons.contains) else {
      return false
    }
    nextQuestion = now.advanced(by: interval * Double.random(in: 0.9...1.1))
    return true
  }

  /// Until the next question; an interval that was shortened meanwhile counts at once.
  func pause(at now: ContinuousClock.Instant) -> Duration {
    guard let nextQuestion else { return .zero }
    return min(max(.zero, now.duration(to: nextQuestion)), interval * 1.1)
  }
}

/// Reads the host file on a queue of its own: its disk may be slow.
private actor HostFileReader {
  private let file: HostFile
  private let executor = QueueExecutor(label: "onionkeeper.hostfile")
  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  init(_ file: HostFile) { self.file = file }

  func read() throws(HostFileError) -> HostConfiguration { try file.read() }
}

extension JournalError {
  /// It may be mended while the agent waits: room made on a disk, a mount made writable again.
  var mayPass: Bool {
    switch code {
    case .full, .busy, .readOnly, .failed: true
    case .notThere, .notAJournal, .corrupt, .newerSchema, .badRow, .unknown: false
    }
  }
}

extension EngineEvent {
  /// Something may have moved that the next pass should see at once.
  var isWorthAPass: Bool {
    switch action {
    case .die, .stop, .kill, .pause, .unpause, .rename, .update, .outOfMemory, .remove, .create,
      .start, .restart, .connect, .disconnect:
      true
    case .other: false
    }
  }
}
