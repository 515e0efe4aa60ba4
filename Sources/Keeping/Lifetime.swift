import Journaling
import OnionModel

/// Tells that the agent started and stopped; once, and no more, if it does so again and again: a service manager that
/// restarts a failing agent every few seconds, or a watchdog every two minutes, would fill every inbox.
struct Lifetime: Sendable {
  /// Seconds in which more than `usual` starts are too many, and after which it is taken to run steadily.
  static let window = 600.0
  /// An operator who sets it up restarts it as often.
  static let usual = 3
  static let key = "restarting"

  let journal: Journal
  let host: HostName
  let agent: AgentID
  let log: @Sendable (String) -> Void
  private let began = ContinuousClock.now

  init(
    journal: Journal, host: HostName, agent: AgentID, log: @escaping @Sendable (String) -> Void
  ) {
    self.journal = journal
    self.host = host
    self.agent = agent
    self.log = log
  }

  func begin(at now: Timestamp) async throws(JournalError) {
    let starts = try await journal.noteStart(at: now, window: Self.window)
    guard starts.count > Self.usual else {
      // What was raised before is over: its starts are out of the window.
      _ = try await journal.clear(key: Self.key)
      try await journal.record([event(.agentStarted, "agent \(agent) started", now)])
      return
    }
    let message =
      "agent \(agent) restarts again and again: \(starts.count) starts within \(Int(Self.window / 60)) minutes. Its log says"
      + " why; no further start or stop is told before it has run that long"
    let isNew = try await journal.raise(
      key: Self.key, fingerprint: Self.key, event: event(.agentStarted, message, now))
    if isNew { log(message) }
  }

  /// Called with each pass.
  func goOn(at now: Timestamp) async throws(JournalError) {
    guard began.duration(to: .now) >= .seconds(Self.window) else { return }
    let message =
      "agent \(agent) has run for \(Int(Self.window / 60)) minutes: it no longer restarts"
    try await journal.clear(key: Self.key, event: event(.agentStarted, message, now))
  }

  func end(at now: Timestamp) async throws(JournalError) {
    guard try await !journal.raised().contains(where: { $0.key == Self.key }) else { return }
    try await journal.record([event(.agentStopped, "agent \(agent) stopped", now)])
  }

  private func event(_ kind: EventKind, _ message: String, _ now: Timestamp) -> Event {
    Event(kind: kind, subject: "host", time: now, data: EventData(host: host, message: message))
  }
}
