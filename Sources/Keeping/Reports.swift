import Journaling
import OnionModel
import Reporting

/// Holds the running reporter, and replaces it when the host file's webhooks move.
actor Reports {
  /// After the last event the receivers have this long to take it; what is left is sent at the next start.
  static let finishLimit: Duration = .seconds(2)

  private let house: AgentHouse
  private let log: @Sendable (String) -> Void
  private var running: (endpoints: [EventReceiver], redacts: Bool, task: Task<Void, Never>)?

  init(_ house: AgentHouse, log: @escaping @Sendable (String) -> Void) {
    self.house = house
    self.log = log
  }

  func start(_ endpoints: [EventReceiver]) async throws(JournalError) {
    let redacts = await house.keeper.redactsAddresses
    if let running, running.endpoints == endpoints, running.redacts == redacts { return }
    running?.task.cancel()
    await running?.task.value
    var options = ReporterOptions(now: wallTime)
    // What is still to be told from before knows whose addresses are not.
    _ = try await house.keeper.desiredState(isReadOnly: true)
    let guarded = house.keeper.guardedServices
    options.shortensAddresses = { event in
      redacts || event.data.service.map { guarded.contains($0) } ?? false
    }
    options.report = { [log] in log("webhook: \($0)") }
    let reporter = Reporter(
      journal: house.journal, client: house.http, endpoints: endpoints, options: options)
    try await reporter.prepare()
    running = (endpoints, redacts, Task { await reporter.run() })
  }

  /// Waits a moment for what is due, then ends.
  func finish() async {
    let end = ContinuousClock.now.advanced(by: Self.finishLimit)
    do {
      while ContinuousClock.now < end {
        let states = try await house.journal.endpoints()
        // A receiver that fails is not waited for.
        if states.allSatisfy({ $0.waiting == 0 || $0.failingSince != nil || $0.disabled != nil }) {
          break
        }
        try await Task.sleep(for: .milliseconds(50))
      }
    } catch {
      log("webhooks: \(error)")
    }
    running?.task.cancel()
    await running?.task.value
  }
}
