import GRDB
public import OnionModel

extension Journal {
  /// Equal events within this many seconds of the first are counted, not repeated (product.md §8).
  public static let countingWindow = 60.0

  /// Records events with their deliveries. An event that only repeats the last of its kind is counted: on that one if
  /// no delivery of it has begun, else in one event at the end of the minute.
  public func record(_ events: [Event]) async throws(JournalError) {
    guard !events.isEmpty else { return }
    try await write("record events") { try self.record($0, events) }
  }

  /// Events after `position` (`RecordedEvent.position`, 0 for the first), in order, over all epochs.
  public func events(after position: Int64 = 0, limit: Int) async throws(JournalError)
    -> [RecordedEvent]
  {
    let limit = min(limit, limits.page)
    return try await read("read events") { database in
      try Row.fetchAll(
        database, sql: "SELECT * FROM event WHERE position > ? ORDER BY position LIMIT ?",
        arguments: [position, limit]
      ).map(RecordedEvent.init(row:))
    }
  }

  /// The newest events, in order.
  public func latestEvents(limit: Int) async throws(JournalError) -> [RecordedEvent] {
    let limit = min(limit, limits.page)
    return try await read("read events") { database in
      try Row.fetchAll(
        database, sql: "SELECT * FROM event ORDER BY position DESC LIMIT ?", arguments: [limit]
      ).reversed().map(RecordedEvent.init(row:))
    }
  }

  /// The part of a transaction that records events.
  func record(_ database: Database, _ events: [Event]) throws {
    guard let last = events.last else { return }
    for event in events { try record(database, event) }
    try boundOutbox(database, host: last.data.host, now: last.time)
    database.afterNextTransaction { _ in self.outboxSignal.raise() }
  }

  func record(_ database: Database, _ event: Event) throws {
    let fingerprint = try event.fingerprint
    if var recent = try Recent(database, family: event.family) {
      if recent.fingerprint == fingerprint, recent.isOpen(at: event.time) {
        return try count(database, event, onto: &recent)
      }
      try flush(database, &recent, now: event.time)
    }
    let position = try append(database, event)
    try Recent(
      family: event.family, fingerprint: fingerprint, position: position, first: event.time,
      pending: 0, event: nil
    ).save(database)
  }

  /// A row that no worker has taken yet takes the count; one that may be on its way stays as it was sent.
  private func count(_ database: Database, _ event: Event, onto recent: inout Recent) throws {
    let row = try Row.fetchOne(
      database, sql: "SELECT * FROM event WHERE position = ? AND claimed = 0",
      arguments: [recent.position])
    guard let row else {
      recent.pending += 1
      recent.event = event
      return try recent.save(database)
    }
    var data = try RecordedEvent(row: row).event.data
    data.count = (data.count ?? 1) + 1
    try database.execute(
      sql: "UPDATE event SET data = ? WHERE position = ?",
      arguments: [try JSON.text(data), recent.position])
  }

  /// Writes the event that tells of the repetitions that were held back.
  private func flush(_ database: Database, _ recent: inout Recent, now: Timestamp) throws {
    guard recent.pending > 0, var event = recent.event else { return }
    if recent.pending > 1 { event.data.count = recent.pending }
    recent.position = try append(database, event)
    recent.first = now
    recent.pending = 0
    recent.event = nil
    try recent.save(database)
  }

  /// Ends the minutes that are over: tells of repetitions, forgets the rest.
  func flushRepetitions(_ database: Database, now: Timestamp) throws {
    for var recent in try Recent.fetch(database) where !recent.isOpen(at: now) {
      if recent.pending > 0 {
        try flush(database, &recent, now: now)
      } else {
        try database.execute(
          sql: "DELETE FROM recent WHERE family = ?", arguments: [recent.family])
      }
    }
  }

  /// The next number of the epoch, the row, a delivery for every endpoint that wants it.
  private func append(_ database: Database, _ event: Event) throws -> Int64 {
    try database.execute(
      sql: """
        INSERT INTO event (epoch, sequence, kind, subject, time, data)
        VALUES (?1, 1 + (SELECT COALESCE(MAX(sequence), 0) FROM event WHERE epoch = ?1),
          ?2, ?3, ?4, ?5)
        """,
      arguments: [
        epoch, event.kind.rawValue, event.subject, event.time.milliseconds,
        try JSON.text(event.data),
      ])
    let position = database.lastInsertedRowID
    for endpoint in try EndpointRow.fetch(database)
    where endpoint.disabled == nil && endpoint.patterns.contains(where: { $0.matches(event.kind) })
    {
      try database.execute(
        sql: "INSERT INTO delivery (endpoint, position, state) VALUES (?, ?, 'due')",
        arguments: [endpoint.name, position])
    }
    return position
  }
}

/// The last event of a family, and what repeats it.
struct Recent {
  var family: String
  var fingerprint: String
  var position: Int64
  /// Of the minute.
  var first: Timestamp
  /// Repetitions that wait for the end of the minute, and the last of them.
  var pending: Int
  var event: Event?

  /// A clock that was put back ends the minute too.
  func isOpen(at time: Timestamp) -> Bool {
    let age = time.since(first)
    return age >= 0 && age < Journal.countingWindow
  }

  func save(_ database: Database) throws {
    try database.execute(
      sql: "INSERT OR REPLACE INTO recent VALUES (?, ?, ?, ?, ?, ?)",
      arguments: [
        family, fingerprint, position, first.milliseconds, pending,
        try event.map { try JSON.text($0) },
      ])
  }

  static func fetch(_ database: Database) throws -> [Recent] {
    try Row.fetchAll(database, sql: "SELECT * FROM recent ORDER BY position").map(Recent.init(row:))
  }
}

extension Recent {
  init?(_ database: Database, family: String) throws {
    let row = try Row.fetchOne(
      database, sql: "SELECT * FROM recent WHERE family = ?", arguments: [family])
    guard let row else { return nil }
    try self.init(row: row)
  }

  init(row: Row) throws {
    self.init(
      family: row["family"], fingerprint: row["fingerprint"], position: row["position"],
      first: Timestamp(milliseconds: row["first"]), pending: row["pending"],
      event: try (row["event"] as String?).map { try JSON.value($0, place: "recent") })
  }
}
