import GRDB
public import OnionModel

/// One action that was begun, as `history` shows it.
public struct HistoryEntry: Hashable, Sendable, Encodable {
  public var attempt: Int64
  /// When it began.
  public var time: Timestamp
  public var pass: Int64
  /// What the pass worked towards.
  public var revision: CommitID?
  /// Why the pass came: `interval`, `signal`, …
  public var trigger: String
  /// `nil` for the host's own: images and networks.
  public var instance: InstanceName?
  public var service: ServiceName?
  public var action: String
  public var cause: Cause
  public var drift: [Deviation]
  /// `open`, `succeeded`, `failed`, `skipped`, `interrupted`.
  public var outcome: String
  public var code: String?
  public var error: String?
  /// Seconds; `nil` while it is open.
  public var duration: Double?

  enum CodingKeys: CodingKey {
    case attempt, time, pass, revision, trigger, instance, service, action, cause, drift, outcome,
      code, error, duration
  }

  /// As `Codable` would, but with the time in RFC 3339 for people and their tools.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(attempt, forKey: .attempt)
    try container.encode(time.description, forKey: .time)
    try container.encode(pass, forKey: .pass)
    try container.encodeIfPresent(revision, forKey: .revision)
    try container.encode(trigger, forKey: .trigger)
    try container.encodeIfPresent(instance, forKey: .instance)
    try container.encodeIfPresent(service, forKey: .service)
    try container.encode(action, forKey: .action)
    try container.encode(cause, forKey: .cause)
    try container.encode(drift, forKey: .drift)
    try container.encode(outcome, forKey: .outcome)
    try container.encodeIfPresent(code, forKey: .code)
    try container.encodeIfPresent(error, forKey: .error)
    try container.encodeIfPresent(duration, forKey: .duration)
  }
}

/// Which actions are asked for; all that is `nil` matches everything.
public struct HistoryFilter: Hashable, Sendable {
  public var service: ServiceName?
  public var instance: InstanceName?
  public var since: Timestamp?
  public var pass: Int64?

  public init(
    service: ServiceName? = nil, instance: InstanceName? = nil, since: Timestamp? = nil,
    pass: Int64? = nil
  ) {
    self.service = service
    self.instance = instance
    self.since = since
    self.pass = pass
  }
}

extension Journal {
  /// What was done, the newest first, `limit` of it at most.
  public func history(_ filter: HistoryFilter = HistoryFilter(), limit: Int)
    async throws(JournalError) -> [HistoryEntry]
  {
    let limit = min(limit, limits.page)
    return try await read("read history") { database in
      var conditions: [String] = []
      var arguments = StatementArguments()
      if let service = filter.service {
        conditions.append("attempt.service = ?")
        arguments += [service.text]
      }
      if let instance = filter.instance {
        conditions.append("attempt.instance = ?")
        arguments += [instance.text]
      }
      if let since = filter.since {
        conditions.append("attempt.started >= ?")
        arguments += [since.milliseconds]
      }
      if let pass = filter.pass {
        conditions.append("attempt.pass = ?")
        arguments += [pass]
      }
      arguments += [limit]
      let wanted = conditions.isEmpty ? "" : "WHERE " + conditions.joined(separator: " AND ")
      return try Row.fetchAll(
        database,
        sql: """
          SELECT attempt.*, pass.revision, pass.trigger FROM attempt
          JOIN pass ON pass.id = attempt.pass \(wanted) ORDER BY attempt.id DESC LIMIT ?
          """,
        arguments: arguments
      ).map(HistoryEntry.init(row:))
    }
  }
}

extension HistoryEntry {
  init(row: Row) throws {
    let attempt: Int64 = row["id"]
    let place = "attempt \(attempt)"
    let time = Timestamp(milliseconds: row["started"])
    self.init(
      attempt: attempt, time: time, pass: row["pass"],
      revision: try (row["revision"] as String?).map { try parsed(CommitID($0), place: place) },
      trigger: row["trigger"],
      instance: try (row["instance"] as String?).map { try parsed(InstanceName($0), place: place) },
      service: try (row["service"] as String?).map { try parsed(ServiceName($0), place: place) },
      action: row["action"], cause: try parsed(Cause(rawValue: row["cause"]), place: place),
      drift: try JSON.value(row["drift"], place: place), outcome: row["outcome"],
      code: row["code"], error: row["error"],
      duration: (row["ended"] as Int64?).map { Timestamp(milliseconds: $0).since(time) })
  }
}
