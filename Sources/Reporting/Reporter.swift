public import Journaling
public import OnionModel
public import Transport

/// What a reporter needs beside its endpoints.
public struct ReporterOptions: Sendable {
  /// The wall clock.
  public var now: @Sendable () -> Timestamp
  public var schedule = RetrySchedule()
  /// Of one try, from the connection to the last byte.
  public var timeout = WebhookRequest.totalLimit
  /// Whether an event's onion addresses are shortened: `redactAddresses`, or a service with `access: clients`.
  public var shortensAddresses: @Sendable (Event) -> Bool = { _ in false }
  /// Told when the journal does not answer; failed tries are in the journal (`Journal.endpoints()`).
  public var report: @Sendable (ReportingError) -> Void = { _ in }

  public init(now: @escaping @Sendable () -> Timestamp) { self.now = now }
}

/// Runs one worker an endpoint. When the host file's webhooks move, cancel its task and start another.
public struct Reporter: Sendable {
  private let journal: Journal
  private let client: HTTPClient
  private let endpoints: [EventReceiver]
  private let options: ReporterOptions

  /// - Parameter endpoints: with names of their own; of two with one name the first counts.
  public init(
    journal: Journal, client: HTTPClient, endpoints: [EventReceiver], options: ReporterOptions
  ) {
    self.journal = journal
    self.client = client
    var names: Set<String> = []
    self.endpoints = endpoints.filter { names.insert($0.name).inserted }
    self.options = options
  }

  /// Makes the endpoints known to the journal: from here on their events are kept for them. `run` needs it first.
  public func prepare() async throws(JournalError) {
    try await journal.syncEndpoints(endpoints.map(\.specification), at: options.now())
  }

  /// Delivers until the task is cancelled; ends within a second of that, even in the midst of a request.
  public func run() async {
    await withDiscardingTaskGroup { group in
      for endpoint in endpoints {
        group.addTask {
          await DeliveryWorker(
            endpoint: endpoint, journal: journal, client: client, options: options
          ).run()
        }
      }
    }
  }
}
