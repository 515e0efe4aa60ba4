import Journaling
import OnionModel
import Transport

/// Brings the outbox of one endpoint to its receiver, in order, each event at least once.
struct DeliveryWorker: Sendable {
  var endpoint: EventReceiver
  var journal: Journal
  var client: HTTPClient
  var options: ReporterOptions

  /// How long to wait after the journal failed, doubled each time up to the second number: a full disk lasts, and an event
  /// that was sent but could not be ticked off is sent again.
  private static let journalPause = (first: 5.0, longest: 600.0)
  /// A worker never turns faster than this, whatever a clock does.
  private static let shortestWait = 0.01

  /// Runs until its task is cancelled.
  func run() async {
    let alarm = Alarm(journal.outboxChanges())
    var failures = 0
    var pause = Self.journalPause.first
    while !Task.isCancelled {
      let next: Timestamp?
      do {
        if let delivery = try await journal.due(endpoint: endpoint.name, now: options.now()).first {
          failures = try await attempt(delivery, failuresBefore: failures)
          pause = Self.journalPause.first
          continue
        }
        next = try await journal.nextDue(endpoint: endpoint.name)
      } catch {
        options.report(
          ReportingError(.journal, "webhook \(endpoint.name)", error.message))
        await alarm.sleep(seconds: pause)
        pause = min(pause * 2, Self.journalPause.longest)
        continue
      }
      await alarm.wait(seconds: next.map { max($0.since(options.now()), Self.shortestWait) })
    }
  }

  /// - Returns: the failures in a row after it.
  private func attempt(_ delivery: Delivery, failuresBefore: Int) async throws(JournalError) -> Int
  {
    let verdict = await endpoint.send(delivery.event, by: client, options: options)
    // Cut short: whether the receiver has it is not known; the next start sends it again.
    if Task.isCancelled && verdict != .delivered { return failuresBefore }
    let now = options.now()
    // After a restart the row remembers how often it was tried.
    let failures = max(failuresBefore, delivery.attempts) + 1
    switch verdict {
    case .delivered:
      try await journal.delivered(delivery.id, at: now)
      return 0
    case .gone:
      try await journal.disable(
        endpoint: endpoint.name, reason: "answered 410 Gone: it wants no more events", at: now,
        events: [
          dropped(
            "it answered 410 and is disabled until its entry in the host file changes", delivery,
            now)
        ])
      return 0
    case .refused(let reason) where delivery.attempts + 1 >= options.schedule.triesIfRefused:
      try await give(up: delivery, reason, now)
      return 0
    case .again(let reason, let pause):
      try await put(
        off: delivery, reason, delay(failures, delivery, retryAfter: pause), now)
    case .refused(let reason):
      try await put(off: delivery, reason, delay(failures, delivery), now)
    case .notSent(let reason):
      let delay = min(delay(failures, delivery), options.schedule.longestWhileNotSent)
      try await put(off: delivery, reason, delay, now)
    }
    return failures
  }

  private func delay(_ failures: Int, _ delivery: Delivery, retryAfter: Double? = nil) -> Double {
    options.schedule.delay(
      failures: failures, othersWait: !delivery.isLast, retryAfter: retryAfter,
      unit: Double.random(in: 0...1))
  }

  private func put(off delivery: Delivery, _ reason: String, _ delay: Double, _ now: Timestamp)
    async throws(JournalError)
  {
    let age = now.since(delivery.event.event.time)
    guard
      age < options.schedule.lifetime || delivery.attempts + 1 < options.schedule.fewestTries
    else { return try await give(up: delivery, reason, now) }
    try await journal.failed(
      delivery.id, error: reason, at: now, nextAt: now.adding(seconds: delay))
  }

  private func give(up delivery: Delivery, _ reason: String, _ now: Timestamp)
    async throws(JournalError)
  {
    // A lost report of a loss is not reported: two dead endpoints would go on telling each other for ever.
    let isReport = delivery.event.event.kind == .webhookDropped
    try await journal.dead(
      delivery.id, error: reason, at: now,
      events: isReport ? [] : [dropped("an event was given up: \(reason)", delivery, now)])
  }

  private func dropped(_ reason: String, _ delivery: Delivery, _ now: Timestamp) -> Event {
    Event(
      kind: .webhookDropped, subject: "host", time: now,
      data: EventData(
        host: delivery.event.event.data.host, error: "webhook \(endpoint.name): \(reason)",
        message:
          "The webhook \(endpoint.name) missed events: `onionkeeper events redeliver` sends them."))
  }
}

/// Waits for a tick or for a time, whichever is first.
private struct Alarm {
  private let ticks: AsyncStream<Void>
  private let ring: AsyncStream<Void>.Continuation
  private let forwarder: Forwarder

  init(_ changes: AsyncStream<Void>) {
    (ticks, ring) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    forwarder = Forwarder(
      Task { [ring] in
        for await _ in changes { ring.yield() }
      })
  }

  /// Returns at a tick, after `seconds` (`nil`: only at a tick), or when the task is cancelled.
  func wait(seconds: Double?) async {
    let timer = seconds.map { seconds in
      Task { [ring] in
        if await sleep(seconds: seconds) { ring.yield() }
      }
    }
    defer { timer?.cancel() }
    for await _ in ticks { return }
  }

  /// Whatever ticks.
  /// - Returns: false if the task was cancelled before.
  @discardableResult
  func sleep(seconds: Double) async -> Bool {
    do {
      try await Task.sleep(for: .seconds(seconds), clock: .continuous)
      return true
    } catch {
      return false
    }
  }
}

/// Ends the forwarding task with its alarm.
private final class Forwarder: Sendable {
  private let task: Task<Void, Never>

  init(_ task: Task<Void, Never>) { self.task = task }

  deinit { task.cancel() }
}
