import GRDB
public import OnionModel

/// A condition and since when it has its status.
public struct RecordedCondition: Hashable, Sendable, Codable {
  public var condition: Condition
  public var since: Timestamp
}

/// A condition that got another status.
public struct ConditionTransition: Hashable, Sendable, Codable {
  public var service: ServiceName
  public var condition: Condition
  /// `nil`: it had none before.
  public var from: Condition.Status?
  /// How long it had the former status, in seconds.
  public var lasted: Double?
}

extension Journal {
  /// Replaces the conditions of all services by these; those of services that are not named go.
  /// Writes nothing where nothing moved.
  /// - Returns: what got another status (not merely another reason), ordered by service and name.
  @discardableResult
  public func setConditions(
    _ conditions: [ServiceName: [Condition]], at time: Timestamp, events: [Event] = []
  ) async throws(JournalError) -> [ConditionTransition] {
    try await write("set conditions") { database in
      let before = try self.conditions(database)
      var transitions: [ConditionTransition] = []
      for (service, wanted) in conditions {
        let known = Dictionary(
          (before[service] ?? []).map { ($0.condition.name, $0) }, uniquingKeysWith: { $1 })
        for condition in wanted where known[condition.name]?.condition != condition {
          let former = known[condition.name]
          let moved = former?.condition.status != condition.status
          if moved {
            transitions.append(
              ConditionTransition(
                service: service, condition: condition, from: former?.condition.status,
                lasted: former.map { time.since($0.since) }))
          }
          try database.execute(
            sql: "INSERT OR REPLACE INTO condition VALUES (?, ?, ?, ?, ?)",
            arguments: [
              service.text, condition.name.rawValue, condition.status.rawValue, condition.reason,
              (moved ? time : former?.since ?? time).milliseconds,
            ])
        }
        for name in known.keys where !wanted.contains(where: { $0.name == name }) {
          try database.execute(
            sql: "DELETE FROM condition WHERE service = ? AND name = ?",
            arguments: [service.text, name.rawValue])
        }
      }
      for service in before.keys where conditions[service] == nil {
        try database.execute(
          sql: "DELETE FROM condition WHERE service = ?", arguments: [service.text])
      }
      try self.record(database, events)
      return transitions.sorted {
        ($0.service.text, $0.condition.name.rawValue)
          < ($1.service.text, $1.condition.name.rawValue)
      }
    }
  }

  /// The conditions of all services, each list in the order of `Condition.Name`.
  public func conditions() async throws(JournalError) -> [ServiceName: [RecordedCondition]] {
    try await read("read conditions") { try self.conditions($0) }
  }

  private func conditions(_ database: Database) throws -> [ServiceName: [RecordedCondition]] {
    var found: [ServiceName: [RecordedCondition]] = [:]
    for row in try Row.fetchAll(database, sql: "SELECT * FROM condition") {
      let service = try parsed(ServiceName(row["service"]), place: "condition")
      found[service, default: []].append(
        RecordedCondition(
          condition: Condition(
            try parsed(Condition.Name(rawValue: row["name"]), place: "condition of \(service)"),
            try parsed(Condition.Status(rawValue: row["status"]), place: "condition of \(service)"),
            reason: row["reason"]),
          since: Timestamp(milliseconds: row["since"])))
    }
    let order = Condition.Name.allCases
    return found.mapValues { list in
      order.compactMap { name in list.first { $0.condition.name == name } }
    }
  }
}
