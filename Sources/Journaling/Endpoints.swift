import GRDB
public import OnionModel

/// A receiver of events, as the host file names it. The journal holds no URL and no secret.
public struct EndpointSpecification: Hashable, Sendable {
  public var name: String
  /// Moves when the receiver is another: what had been disabled is tried again.
  public var digest: String
  public var patterns: [EventPattern]

  public init(name: String, digest: String, patterns: [EventPattern]) {
    self.name = name
    self.digest = digest
    self.patterns = patterns
  }
}

/// How an endpoint does.
public struct EndpointState: Hashable, Sendable, Codable {
  public var name: String
  public var patterns: [EventPattern]
  /// Why it gets nothing any more.
  public var disabled: String?
  /// Since when nothing could be delivered.
  public var failingSince: Timestamp?
  public var lastError: String?
  public var delivered: Int
  public var lastDelivered: Timestamp?
  public var waiting: Int
  public var dead: Int
}

extension Journal {
  /// Makes the endpoints those of the host file. What waited for one that is gone becomes dead letters.
  public func syncEndpoints(_ endpoints: [EndpointSpecification], at time: Timestamp)
    async throws(JournalError)
  {
    try await write("sync endpoints") { database in
      let before = Dictionary(
        try EndpointRow.fetch(database).map { ($0.name, $0) }, uniquingKeysWith: { $1 })
      for endpoint in endpoints {
        let known = before[endpoint.name]
        guard known?.digest != endpoint.digest || known?.patterns != endpoint.patterns else {
          continue
        }
        try database.execute(
          sql: """
            INSERT INTO endpoint (name, digest, patterns) VALUES (?, ?, ?)
            ON CONFLICT (name) DO UPDATE SET digest = excluded.digest, patterns = excluded.patterns
            """,
          arguments: [endpoint.name, endpoint.digest, try JSON.text(endpoint.patterns)])
        if known?.digest != endpoint.digest {
          try database.execute(
            sql: """
              UPDATE endpoint SET disabled = NULL, failing = NULL, last_error = NULL WHERE name = ?
              """, arguments: [endpoint.name])
        }
      }
      for name in before.keys where !endpoints.contains(where: { $0.name == name }) {
        try self.bury(database, endpoint: name, reason: "the host file names it no more")
        try database.execute(sql: "DELETE FROM endpoint WHERE name = ?", arguments: [name])
      }
    }
  }

  /// All endpoints with their health, by name.
  public func endpoints() async throws(JournalError) -> [EndpointState] {
    try await read("read endpoints") { database in
      try EndpointRow.fetch(database).map { row in
        func count(_ state: String) throws -> Int {
          try Int.fetchOne(
            database, sql: "SELECT COUNT(*) FROM delivery WHERE state = ? AND endpoint = ?",
            arguments: [state, row.name]) ?? 0
        }
        return EndpointState(
          name: row.name, patterns: row.patterns, disabled: row.disabled,
          failingSince: row.failing, lastError: row.lastError, delivered: row.delivered,
          lastDelivered: row.lastDelivered, waiting: try count("due"), dead: try count("dead"))
      }
    }
  }

  /// Sends nothing more to an endpoint until its digest moves: what waits becomes dead letters, and `events` tell the others.
  public func disable(
    endpoint: String, reason: String, at time: Timestamp, events: [Event] = []
  ) async throws(JournalError) {
    try await write("disable endpoint") { database in
      try database.execute(
        sql: "UPDATE endpoint SET disabled = ?, last_error = ? WHERE name = ?",
        arguments: [reason, reason, endpoint])
      guard database.changesCount == 1 else {
        throw JournalError(.unknown, "disable endpoint", "there is no endpoint \(endpoint)")
      }
      try self.bury(database, endpoint: endpoint, reason: reason)
      try self.record(database, events)
    }
  }

  /// Turns all that waits for an endpoint into dead letters.
  func bury(_ database: Database, endpoint: String, reason: String) throws {
    try database.execute(
      sql: "UPDATE delivery SET state = 'dead', error = ? WHERE state = 'due' AND endpoint = ?",
      arguments: [reason, endpoint])
    try trimDeadLetters(database)
  }
}

struct EndpointRow {
  var name: String
  var digest: String
  var patterns: [EventPattern]
  var disabled: String?
  var failing: Timestamp?
  var delivered: Int
  var lastDelivered: Timestamp?
  var lastError: String?

  static func fetch(_ database: Database) throws -> [EndpointRow] {
    try Row.fetchAll(database, sql: "SELECT * FROM endpoint ORDER BY name").map { row in
      EndpointRow(
        name: row["name"], digest: row["digest"],
        patterns: try JSON.value(row["patterns"], place: "endpoint"), disabled: row["disabled"],
        failing: (row["failing"] as Int64?).map { Timestamp(milliseconds: $0) },
        delivered: row["delivered"],
        lastDelivered: (row["last_delivered"] as Int64?).map { Timestamp(milliseconds: $0) },
        lastError: row["last_error"])
    }
  }
}
