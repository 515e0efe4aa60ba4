import GRDB
public import OnionModel

/// What a pass brought, in numbers and one sentence.
public struct PassSummary: Hashable, Sendable, Codable {
  public var succeeded: Int
  public var failed: Int
  public var skipped: Int
  public var waiting: Int
  /// One readable sentence.
  public var message: String

  public init(
    succeeded: Int = 0, failed: Int = 0, skipped: Int = 0, waiting: Int = 0, message: String = ""
  ) {
    self.succeeded = succeeded
    self.failed = failed
    self.skipped = skipped
    self.waiting = waiting
    self.message = message
  }
}

/// An intent without an outcome: the agent died in its midst. Nothing recovers it: the next pass observes anew.
public struct OpenAttempt: Hashable, Sendable, Codable {
  public var id: Int64
  public var pass: Int64
  public var instance: InstanceName?
  public var service: ServiceName?
  public var action: String
  public var cause: Cause
  public var started: Timestamp
}

extension Journal {
  /// Notes that a pass begins. Only for a pass that has something to do: one without costs no write.
  /// - Parameter trigger: `interval`, `signal`, `event`, `start`, `apply`.
  /// - Returns: the pass's number.
  public func beginPass(trigger: String, revision: CommitID?, at time: Timestamp)
    async throws(JournalError) -> Int64
  {
    try await write("begin pass") { database in
      try database.execute(
        sql: "INSERT INTO pass (trigger, revision, started) VALUES (?, ?, ?)",
        arguments: [trigger, revision?.text, time.milliseconds])
      return database.lastInsertedRowID
    }
  }

  /// Notes the end of a pass, and deletes one batch of what is over the bounds.
  public func endPass(_ pass: Int64, _ summary: PassSummary, at time: Timestamp)
    async throws(JournalError)
  {
    try await write("end pass") { database in
      try database.execute(
        sql: "UPDATE pass SET ended = ?, summary = ? WHERE id = ? AND ended IS NULL",
        arguments: [time.milliseconds, try JSON.text(summary), pass])
      guard database.changesCount == 1 else {
        throw JournalError(.unknown, "end pass", "there is no pass \(pass) that has not ended")
      }
      _ = try self.prune(database, now: time)
    }
  }

  /// Makes the intent durable, with what the memory must know before the action begins. The action may begin when this
  /// has returned, and not before.
  /// - Returns: the attempt's number, for `conclude`.
  public func intend(
    pass: Int64, subject: StepGroup.Subject, step: Step, at time: Timestamp,
    memory: Memory? = nil, events: [Event] = []
  ) async throws(JournalError) -> Int64 {
    try await write("intend") { database in
      if let memory { try self.store(database, memory, time) }
      var instance: String?
      if case .instance(let name) = subject { instance = name.text }
      try database.execute(
        sql: """
          INSERT INTO attempt (pass, instance, service, action, cause, drift, started, outcome)
          VALUES (?, ?, ?, ?, ?, ?, ?, 'open')
          """,
        arguments: [
          pass, instance, step.service?.text, step.action.name, step.cause.rawValue,
          try JSON.text(step.deviations), time.milliseconds,
        ])
      let attempt = database.lastInsertedRowID
      try self.record(database, events)
      return attempt
    }
  }

  /// The outcome, the memory that it changed and the events that tell of it: all of them or none.
  public func conclude(
    attempt: Int64, outcome: Outcome, memory: Memory, events: [Event]
  ) async throws(JournalError) {
    try await write("conclude") { database in
      var word: String
      var failure: StepFailure?
      switch outcome.result {
      case .succeeded: word = "succeeded"
      case .skipped: word = "skipped"
      case .failed(let reason):
        word = "failed"
        failure = reason
      }
      try self.end(
        database, attempt, word, code: failure?.code, error: failure?.message, outcome.ended)
      try self.store(database, memory, outcome.ended)
      try self.record(database, events)
    }
  }

  /// Intents without an outcome, the oldest first: what the agent was doing when it died.
  public func openAttempts() async throws(JournalError) -> [OpenAttempt] {
    let limit = limits.page
    return try await read("read attempts") { database in
      try Row.fetchAll(
        database, sql: "SELECT * FROM attempt WHERE outcome = 'open' ORDER BY id LIMIT ?",
        arguments: [limit]
      ).map { row in
        let place = "attempt \(row["id"] as Int64)"
        return OpenAttempt(
          id: row["id"], pass: row["pass"],
          instance: try (row["instance"] as String?).map {
            try parsed(InstanceName($0), place: place)
          },
          service: try (row["service"] as String?).map {
            try parsed(ServiceName($0), place: place)
          },
          action: row["action"], cause: try parsed(Cause(rawValue: row["cause"]), place: place),
          started: Timestamp(milliseconds: row["started"]))
      }
    }
  }

  /// Marks an open attempt as interrupted.
  public func abandon(
    attempt: Int64, reason: String, at time: Timestamp, events: [Event] = []
  ) async throws(JournalError) {
    try await write("abandon") { database in
      try self.end(database, attempt, "interrupted", code: "interrupted", error: reason, time)
      try self.record(database, events)
    }
  }

  private func end(
    _ database: Database, _ attempt: Int64, _ outcome: String, code: String?, error: String?,
    _ time: Timestamp
  ) throws {
    try database.execute(
      sql: """
        UPDATE attempt SET outcome = ?, code = ?, error = ?, ended = ?
        WHERE id = ? AND outcome = 'open'
        """,
      arguments: [outcome, code, error, time.milliseconds, attempt])
    guard database.changesCount == 1 else {
      throw JournalError(.unknown, "conclude", "there is no open attempt \(attempt)")
    }
  }
}
