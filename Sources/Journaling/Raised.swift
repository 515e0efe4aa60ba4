import GRDB
public import OnionModel

/// A trouble that lasts: told when it comes, when it becomes another, and when it goes; not each pass.
public struct RaisedFact: Hashable, Sendable, Codable {
  /// `engine`, `source`, `key/blog`: what the trouble is with.
  public var key: String
  /// What it is, in a form that moves only if the news does.
  public var fingerprint: String
  public var since: Timestamp
  /// When its fingerprint last moved.
  public var moved: Timestamp
  /// The event that told of it.
  public var event: Event

  /// How the revision in force does is remembered here too, so that it is told once: that is no trouble, and what of it
  /// is one is raised by itself.
  public var isTrouble: Bool { event.kind != .revisionApplied }
}

extension Journal {
  /// Records `event` unless the same trouble was raised already.
  /// - Returns: whether it was news.
  @discardableResult
  public func raise(key: String, fingerprint: String, event: Event) async throws(JournalError)
    -> Bool
  {
    // The common case by far, each pass: no write.
    let known = try await read("read raised facts") { database in
      try String.fetchOne(
        database, sql: "SELECT fingerprint FROM raised WHERE key = ?", arguments: [key])
    }
    if known == fingerprint { return false }
    return try await write("raise") { database in
      let now = event.time.milliseconds
      try database.execute(
        sql: """
          INSERT INTO raised VALUES (?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE
          SET fingerprint = excluded.fingerprint, moved = excluded.moved, event = excluded.event
          WHERE fingerprint <> excluded.fingerprint
          """,
        arguments: [key, fingerprint, now, now, try JSON.text(event)])
      guard database.changesCount > 0 else { return false }
      try self.record(database, [event])
      return true
    }
  }

  /// Ends a trouble, and records `event` if it had been raised.
  /// - Returns: whether it had been.
  @discardableResult
  public func clear(key: String, event: Event? = nil) async throws(JournalError) -> Bool {
    let isKnown = try await read("read raised facts") { database in
      try String.fetchOne(database, sql: "SELECT key FROM raised WHERE key = ?", arguments: [key])
    }
    guard isKnown != nil else { return false }
    return try await write("clear") { database in
      try database.execute(sql: "DELETE FROM raised WHERE key = ?", arguments: [key])
      guard database.changesCount > 0 else { return false }
      if let event { try self.record(database, [event]) }
      return true
    }
  }

  /// What is raised now, by key.
  public func raised() async throws(JournalError) -> [RaisedFact] {
    let limit = limits.page
    return try await read("read raised facts") { database in
      try Row.fetchAll(
        database, sql: "SELECT * FROM raised ORDER BY key LIMIT ?", arguments: [limit]
      ).map { row in
        RaisedFact(
          key: row["key"], fingerprint: row["fingerprint"],
          since: Timestamp(milliseconds: row["since"]),
          moved: Timestamp(milliseconds: row["moved"]),
          event: try JSON.value(row["event"], place: "raised"))
      }
    }
  }
}
