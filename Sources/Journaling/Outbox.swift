import GRDB
public import OnionModel

/// An event that an endpoint is to get.
public struct Delivery: Hashable, Sendable {
  public var id: Int64
  public var endpoint: String
  public var event: RecordedEvent
  /// How often it was tried.
  public var attempts: Int
  /// When it was first tried.
  public var first: Timestamp?
  /// Whether more wait behind it.
  public var isLast: Bool
}

/// What could not be delivered.
public struct DeadLetter: Hashable, Sendable {
  public var delivery: Delivery
  public var error: String
}

extension Journal {
  /// No wait is longer, whatever a wall clock that jumped makes of it: 25 h, over the longest step of the schedule.
  public static let longestWait = 25.0 * 3600

  /// Ticks after each commit that recorded events; many are one.
  public func outboxChanges() -> AsyncStream<Void> { outboxSignal.listen() }

  /// What is to be sent to `endpoint` now, in order; empty while its first waits for another try. From here on the
  /// events' content is settled: repetitions are told by a later event.
  public func due(endpoint: String, now: Timestamp, limit: Int = 1) async throws(JournalError)
    -> [Delivery]
  {
    try await write("read the outbox") { database in
      try self.flushRepetitions(database, now: now)
      let rows = try Row.fetchAll(
        database, sql: Delivery.query(state: "due") + " LIMIT ?",
        arguments: [endpoint, limit + 1])
      var due: [Delivery] = []
      for row in rows.prefix(limit) {
        guard Self.isDue(row["next"], now: now) else { break }
        var delivery = try Delivery(row: row)
        delivery.isLast = due.count == rows.count - 1
        due.append(delivery)
        if row["claimed"] as Int == 0 {
          try database.execute(
            sql: "UPDATE event SET claimed = 1 WHERE position = ?",
            arguments: [delivery.event.position])
        }
      }
      return due
    }
  }

  /// When `endpoint` has something to send, or repetitions are to be told; `nil`: when `outboxChanges` ticks.
  public func nextDue(endpoint: String) async throws(JournalError) -> Timestamp? {
    try await read("read the outbox") { database in
      let head = try Int64.fetchOne(
        database,
        sql: "SELECT next FROM delivery WHERE state = 'due' AND endpoint = ? ORDER BY id LIMIT 1",
        arguments: [endpoint])
      let minute = try Int64.fetchOne(
        database, sql: "SELECT MIN(first) FROM recent WHERE pending > 0"
      ).map { $0 + Int64(Self.countingWindow * 1000) }
      return [head, minute].compactMap { $0 }.min().map { Timestamp(milliseconds: $0) }
    }
  }

  /// The receiver has it.
  public func delivered(_ delivery: Int64, at time: Timestamp) async throws(JournalError) {
    try await write("delivered") { database in
      let endpoint = try self.endpoint(database, of: delivery)
      try database.execute(sql: "DELETE FROM delivery WHERE id = ?", arguments: [delivery])
      try database.execute(
        sql: """
          UPDATE endpoint SET delivered = delivered + 1, last_delivered = ?, failing = NULL,
            last_error = NULL WHERE name = ?
          """, arguments: [time.milliseconds, endpoint])
    }
  }

  /// The receiver may not have it; it is tried again at `nextAt`, and what is behind it waits.
  public func failed(_ delivery: Int64, error: String, at time: Timestamp, nextAt: Timestamp)
    async throws(JournalError)
  {
    try await write("failed delivery") { database in
      let endpoint = try self.endpoint(database, of: delivery)
      try database.execute(
        sql: """
          UPDATE delivery SET attempts = attempts + 1, first = COALESCE(first, ?), next = ?,
            error = ? WHERE id = ?
          """, arguments: [time.milliseconds, nextAt.milliseconds, error, delivery])
      try self.noteFailure(database, endpoint: endpoint, error: error, time)
    }
  }

  /// Given up: a dead letter, which `redeliver` can send.
  public func dead(
    _ delivery: Int64, error: String, at time: Timestamp, events: [Event] = []
  ) async throws(JournalError) {
    try await write("dead letter") { database in
      let endpoint = try self.endpoint(database, of: delivery)
      try database.execute(
        sql: """
          UPDATE delivery SET state = 'dead', attempts = attempts + 1, first = COALESCE(first, ?),
            error = ? WHERE id = ?
          """, arguments: [time.milliseconds, error, delivery])
      try self.noteFailure(database, endpoint: endpoint, error: error, time)
      try self.trimDeadLetters(database)
      try self.record(database, events)
    }
  }

  /// Dead letters of one endpoint, the oldest first.
  public func deadLetters(endpoint: String, limit: Int) async throws(JournalError) -> [DeadLetter] {
    let limit = min(limit, limits.page)
    return try await read("read dead letters") { database in
      try Row.fetchAll(
        database, sql: Delivery.query(state: "dead") + " LIMIT ?", arguments: [endpoint, limit]
      ).map { DeadLetter(delivery: try Delivery(row: $0), error: $0["error"] ?? "") }
    }
  }

  /// Puts the dead letters of an endpoint back into its outbox, in their old order.
  /// - Returns: how many.
  /// - Throws: `unknown` if the host file does not name it, or it is disabled.
  public func redeliver(endpoint: String) async throws(JournalError) -> Int {
    try await write("redeliver") { database in
      guard
        try EndpointRow.fetch(database).contains(where: {
          $0.name == endpoint && $0.disabled == nil
        })
      else {
        throw JournalError(
          .unknown, "redeliver", "there is no endpoint \(endpoint) that takes events")
      }
      try database.execute(
        sql: """
          UPDATE delivery SET state = 'due', attempts = 0, first = NULL, next = 0, error = NULL
          WHERE state = 'dead' AND endpoint = ?
          """, arguments: [endpoint])
      let count = database.changesCount
      database.afterNextTransaction { _ in self.outboxSignal.raise() }
      return count
    }
  }

  /// Full: the oldest of the endpoints that get nothing (the longest failing first), then the oldest of all, become
  /// dead letters, a hundredth at a time; an event tells the others.
  func boundOutbox(_ database: Database, host: HostName, now: Timestamp) throws {
    let waiting =
      try Int.fetchOne(database, sql: "SELECT COUNT(*) FROM delivery WHERE state = 'due'") ?? 0
    guard waiting > limits.deliveries else { return }
    let batch = max(waiting - limits.deliveries, limits.deliveries / 100, 1)
    let victims = try Row.fetchAll(
      database,
      sql: """
        SELECT delivery.id, delivery.endpoint FROM delivery
        LEFT JOIN endpoint ON endpoint.name = delivery.endpoint WHERE state = 'due'
        ORDER BY failing IS NULL, failing, delivery.id LIMIT ?
        """, arguments: [batch])
    for row in victims {
      try database.execute(
        sql: "UPDATE delivery SET state = 'dead', error = 'the outbox was full' WHERE id = ?",
        arguments: [row["id"] as Int64])
    }
    try trimDeadLetters(database)
    let names = Set(victims.map { $0["endpoint"] as String }).sorted().joined(separator: ", ")
    let message =
      "the outbox held more than \(limits.deliveries) events: \(victims.count) for \(names) became dead letters"
    try record(
      database,
      Event(
        kind: .webhookDropped, subject: "host", time: now,
        data: EventData(host: host, error: "outbox full: \(names)", message: message)))
  }

  func trimDeadLetters(_ database: Database) throws {
    try database.execute(
      sql: """
        DELETE FROM delivery WHERE id IN (
          SELECT id FROM delivery WHERE state = 'dead' ORDER BY id DESC LIMIT -1 OFFSET ?)
        """, arguments: [limits.deadLetters])
  }

  private static func isDue(_ next: Int64, now: Timestamp) -> Bool {
    let wait = Timestamp(milliseconds: next).since(now)
    return wait <= 0 || wait > longestWait
  }

  private func endpoint(_ database: Database, of delivery: Int64) throws -> String {
    let name = try String.fetchOne(
      database, sql: "SELECT endpoint FROM delivery WHERE id = ?", arguments: [delivery])
    guard let name else {
      throw JournalError(.unknown, "delivery", "there is no delivery \(delivery)")
    }
    return name
  }

  private func noteFailure(
    _ database: Database, endpoint: String, error: String, _ time: Timestamp
  ) throws {
    try database.execute(
      sql: "UPDATE endpoint SET failing = COALESCE(failing, ?), last_error = ? WHERE name = ?",
      arguments: [time.milliseconds, error, endpoint])
  }
}

extension Delivery {
  static func query(state: String) -> String {
    """
    SELECT delivery.id, delivery.endpoint, delivery.attempts, delivery.first, delivery.next,
      delivery.error, event.*
    FROM delivery JOIN event ON event.position = delivery.position
    WHERE delivery.state = '\(state)' AND delivery.endpoint = ? ORDER BY delivery.id
    """
  }

  init(row: Row) throws {
    self.init(
      id: row["id"], endpoint: row["endpoint"], event: try RecordedEvent(row: row),
      attempts: row["attempts"],
      first: (row["first"] as Int64?).map { Timestamp(milliseconds: $0) }, isLast: false)
  }
}
