import GRDB
public import OnionModel

extension Journal {
  /// Deletes one batch of what is over the bounds of `JournalLimits`; each `endPass` does it too.
  /// - Returns: how many rows went; 0 when all is within bounds.
  public func prune(now: Timestamp) async throws(JournalError) -> Int {
    try await write("prune") { try self.prune($0, now: now) }
  }

  /// Ids are counted without gaps worth mentioning, so "the newest N" is a comparison, not a count.
  func prune(_ database: Database, now: Timestamp) throws -> Int {
    let old = now.adding(seconds: -Double(limits.historyDays) * 86_400).milliseconds
    var deleted = 0
    for (table, key, time, guards) in [
      ("attempt", "id", "started", "outcome <> 'open'"),
      (
        "event", "position", "time",
        """
        NOT EXISTS (SELECT 1 FROM delivery WHERE delivery.position = event.position)
        AND position < (SELECT MAX(position) FROM event)
        """
      ),
      ("pass", "id", "started", "NOT EXISTS (SELECT 1 FROM attempt WHERE attempt.pass = pass.id)"),
    ] {
      try database.execute(
        sql: """
          DELETE FROM \(table) WHERE \(key) IN (
            SELECT \(key) FROM \(table)
            WHERE (\(key) <= (SELECT MAX(\(key)) FROM \(table)) - ? OR \(time) < ?) AND \(guards)
            ORDER BY \(key) LIMIT ?)
          """,
        arguments: [limits.history, old, limits.pruneBatch])
      deleted += database.changesCount
    }
    return deleted
  }
}
