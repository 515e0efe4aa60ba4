import GRDB
public import OnionModel

/// An approval as somebody gave it.
public struct RecordedApproval: Hashable, Sendable, Codable {
  public var approval: Approval
  /// Who gave it.
  public var uid: Int
  public var at: Timestamp
  /// When it did its work; `nil` while it still can, or if it expired without.
  public var used: Timestamp?
}

extension Journal {
  /// Notes an approval, with the events that tell of it. The same one again extends it.
  public func approve(_ approval: Approval, uid: Int, at time: Timestamp, events: [Event] = [])
    async throws(JournalError)
  {
    try await write("approve") { database in
      try RecordedApproval.use(database, approval.kind, approval.revision, time)
      try database.execute(
        sql: "INSERT INTO approval (kind, revision, expires, uid, at) VALUES (?, ?, ?, ?, ?)",
        arguments: [
          approval.kind.rawValue, approval.revision.text, approval.expires.milliseconds, uid,
          time.milliseconds,
        ])
      try self.record(database, events)
    }
  }

  /// Uses an approval up.
  /// - Returns: false if there was none that could still be used.
  public func useApproval(_ kind: Approval.Kind, _ revision: CommitID, at time: Timestamp)
    async throws(JournalError) -> Bool
  {
    try await write("use approval") { database in
      let valid = try RecordedApproval.fetch(database).contains {
        $0.approval.kind == kind && $0.approval.revision == revision && $0.used == nil
          && $0.approval.expires > time
      }
      guard valid else { return false }
      try RecordedApproval.use(database, kind, revision, time)
      return true
    }
  }

  /// All that were ever given and are still kept, the newest first.
  public func approvals() async throws(JournalError) -> [RecordedApproval] {
    try await read("read approvals") { try RecordedApproval.fetch($0) }
  }
}

extension RecordedApproval {
  /// A person gives them by hand; a thousand are years.
  private static let limit = 1_000

  static func fetch(_ database: Database) throws -> [RecordedApproval] {
    try Row.fetchAll(database, sql: "SELECT * FROM approval ORDER BY id DESC LIMIT \(limit)").map {
      row in
      RecordedApproval(
        approval: Approval(
          kind: try parsed(Approval.Kind(rawValue: row["kind"]), place: "approval"),
          revision: try parsed(CommitID(row["revision"]), place: "approval"),
          expires: Timestamp(milliseconds: row["expires"])),
        uid: row["uid"], at: Timestamp(milliseconds: row["at"]),
        used: (row["used"] as Int64?).map { Timestamp(milliseconds: $0) })
    }
  }

  static func use(
    _ database: Database, _ kind: Approval.Kind, _ revision: CommitID, _ time: Timestamp
  ) throws {
    try database.execute(
      sql: "UPDATE approval SET used = ? WHERE kind = ? AND revision = ? AND used IS NULL",
      arguments: [time.milliseconds, kind.rawValue, revision.text])
  }
}
