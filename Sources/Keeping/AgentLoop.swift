import Engine
import Journaling
import OnionModel
import Reporting
import UnixSignals

/// `onionkeeper run`: passes with waits between them, until SIGTERM.
///
/// Level, not edge: timer, SIGHUP and engine events only shorten the wait; what is decided depends on what is seen.
public struct AgentLoop: Sendable {
  /// A service that was just started is looked at often, so that its readiness is reported when it comes.
  static let settlingPause: Duration = .seconds(2)
  static let settlingLimit: Duration = .seconds(120)
  /// After SIGTERM the running step has this long.
  static let stopLimit: Duration = .seconds(10)
  static let heartbeatSeconds = 3600.0

  private let house: AgentHouse
  private let log: @Sendable (String) -> Void
  private let doorbell = Doorbell()
  private let stopping = Flag()
  private let reports: Reports
  private let hostFile: HostFile

  public init(_ house: AgentHouse, log: @escaping @Sendable (String) -> Void) {
    self.house = house
    self.log = log
    hostFile = HostFile(path: house.configuration.file)
    reports = Reports(house, log: log)
  }

  /// Runs until SIGTERM or SIGINT.
  /// - Throws: `JournalError` if the journal cannot be used: without it nothing may be done.
  public func run() async throws {
    try await reports.start(house.configuration.webhooks)
    let doorbell = doorbell
    await house.keeper.tell { doorbell.ring("source") }
    try await tell(.agentStarted, "agent \(house.agent) started")
    let passes = Task { try await passLoop() }
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { await followEvents() }
      group.addTask { await followSignals() }
      group.addTask {
        await stopping.wait()
        do { try await Task.sleep(for: Self.stopLimit) } catch { return }
        passes.cancel()
      }
      defer { group.cancelAll() }
      try await withTaskCancellationHandler {
        try await passes.value
      } onCancel: {
        passes.cancel()
      }
    }
    try await tell(.agentStopped, "agent \(house.agent) stopped")
    await reports.finish()
    try await house.journal.close()
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
      doorbell.ring("stop")
      return
    }
  }

  private func passLoop() async throws {
    var trigger = "start"
    var settlingUntil = ContinuousClock.now.advanced(by: Self.settlingLimit)
    var heartbeat = wallTime()
    while !stopping.isRaised {
      await rereadHostFile()
      let report = try await house.keeper.pass(trigger: trigger)
      if stopping.isRaised { return }
      if !report.outcomes.isEmpty {
        settlingUntil = ContinuousClock.now.advanced(by: Self.settlingLimit)
      }
      let now = wallTime()
      if now.since(heartbeat) >= Self.heartbeatSeconds {
        heartbeat = now
        try await tell(.agentHeartbeat, "\(report.desired.services.count) services kept")
      }
      let pause = try await pause(after: report, settlingUntil: settlingUntil)
      trigger = await doorbell.wait(upTo: pause).first ?? "interval"
    }
  }

  /// The interval with its jitter; shorter while something is on its way or is tried again.
  private func pause(
    after report: PassReport, settlingUntil: ContinuousClock.Instant
  ) async throws -> Duration {
    let interval = await house.keeper.interval * Double.random(in: 0.9...1.1)
    var seconds = interval
    if ContinuousClock.now < settlingUntil, try await isSettling() {
      seconds = min(seconds, 2)
    }
    if report.plan.waiting.contains(where: { $0.kind == .backoff }) || report.hasFailed {
      seconds = min(seconds, 5)
    }
    return .seconds(seconds)
  }

  private func isSettling() async throws -> Bool {
    try await house.journal.conditions().values.contains { list in
      list.contains {
        ($0.condition.name == .bootstrapped || $0.condition.name == .published)
          && $0.condition.status != .yes
      }
    }
  }

  /// An engine event ends the wait at once. The stream's end means only that it must be opened again.
  private func followEvents() async {
    while !Task.isCancelled {
      do {
        let engine = try await house.world.engine()
        for try await event in try await engine.events(of: house.agent) where event.isWorthAPass {
          await house.world.look.distrust(event.containerID)
          doorbell.ring("event")
        }
      } catch {
        await house.world.forgetEngine()
      }
      do { try await Task.sleep(for: .seconds(1)) } catch { return }
    }
  }

  /// The host file is read again if it moved; an invalid one leaves the last good one in force.
  private func rereadHostFile() async {
    let moved: HostConfiguration
    do throws(HostFileError) {
      moved = try hostFile.read()
    } catch {
      await note(error)
      return
    }
    await note(nil)
    do {
      if await house.keeper.adopt(moved) { try await reports.start(moved.webhooks) }
    } catch {
      log("webhooks: \(error)")
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
            host: house.configuration.host, error: String(text.prefix(2000)),
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
        data: EventData(host: house.configuration.host, message: message))
    ])
  }
}

extension EngineEvent {
  /// Something may have moved that the next pass should see at once.
  var isWorthAPass: Bool {
    switch action {
    case .die, .stop, .kill, .pause, .unpause, .rename, .update, .outOfMemory, .remove, .create,
      .start, .restart:
      true
    case .other: false
    }
  }
}
