import FoundationEssentials
import GRDB
public import OnionModel

/// The revision that the agent acts on: the anchor of the next.
public struct AcceptedRevision: Hashable, Sendable, Codable {
  public var commit: CommitID
  /// The accepted revision before it.
  public var previous: CommitID?
  public var acceptedAt: Timestamp
  /// When its committer says that it was made; `nil` where an older version accepted it.
  public var committedAt: Timestamp?
  /// `Onionkeeper-Remove: N` fitted.
  public var removalsAnnounced: Bool
  /// `Desired.identity` when it was accepted.
  public var identity: String

  public init(
    commit: CommitID, previous: CommitID?, acceptedAt: Timestamp, committedAt: Timestamp? = nil,
    removalsAnnounced: Bool, identity: String
  ) {
    self.commit = commit
    self.previous = previous
    self.acceptedAt = acceptedAt
    self.committedAt = committedAt
    self.removalsAnnounced = removalsAnnounced
    self.identity = identity
  }
}

/// One file of a revision.
public struct AcceptedFile: Hashable, Sendable {
  /// Git's object name.
  public var blob: String
  public var bytes: [UInt8]

  public init(blob: String, bytes: [UInt8]) {
    self.blob = blob
    self.bytes = bytes
  }
}

/// The last definition of a service that was whole.
public struct LastGood: Hashable, Sendable {
  public var blob: String
  public var text: String
  public var revision: CommitID

  public init(blob: String, text: String, revision: CommitID) {
    self.blob = blob
    self.text = text
    self.revision = revision
  }
}

/// When a tip of the branch was first seen: what `soak` counts from.
public struct SeenTip: Hashable, Sendable, Codable {
  public var commit: CommitID
  public var at: Timestamp

  public init(commit: CommitID, at: Timestamp) {
    self.commit = commit
    self.at = at
  }
}

extension Journal {
  /// The tips that wait for their soak time, the oldest first: a restart is no reason to wait anew.
  public func seenTips() async throws(JournalError) -> [SeenTip] {
    try await read("read the tips that were seen") { database in
      try Meta.seen.read(database).map { try JSON.value($0, place: "meta seen") } ?? []
    }
  }

  public func setSeenTips(_ tips: [SeenTip]) async throws(JournalError) {
    try await write("note the tips that were seen") { database in
      let text = tips.isEmpty ? nil : try JSON.text(tips)
      if try Meta.seen.read(database) != text { try Meta.seen.write(database, text) }
    }
  }

  /// Makes `revision` the accepted one, with all its files by path, the memory and the events that go with it:
  /// all of it or nothing. From now on drift is repaired towards it without any repository.
  public func accept(
    _ revision: AcceptedRevision, files: [String: AcceptedFile], memory: Memory? = nil,
    events: [Event] = []
  ) async throws(JournalError) {
    try await write("accept") { database in
      try database.execute(
        sql: "INSERT OR REPLACE INTO accepted VALUES (1, ?)",
        arguments: [try JSON.text(revision)])
      let known = Dictionary(
        try Row.fetchAll(database, sql: "SELECT path, blob FROM accepted_file").map {
          ($0["path"] as String, $0["blob"] as String)
        }, uniquingKeysWith: { $1 })
      for (path, file) in files where known[path] != file.blob {
        try database.execute(
          sql: "INSERT OR REPLACE INTO accepted_file VALUES (?, ?, ?)",
          arguments: [path, file.blob, Data(file.bytes)])
      }
      for path in known.keys where files[path] == nil {
        try database.execute(sql: "DELETE FROM accepted_file WHERE path = ?", arguments: [path])
      }
      if let memory { try self.store(database, memory, revision.acceptedAt) }
      try self.record(database, events)
    }
  }

  /// The accepted revision and its files; `nil` before the first.
  public func accepted() async throws(JournalError) -> (
    revision: AcceptedRevision, files: [String: AcceptedFile]
  )? {
    try await read("read the accepted revision") {
      database -> (revision: AcceptedRevision, files: [String: AcceptedFile])? in
      guard let text = try String.fetchOne(database, sql: "SELECT revision FROM accepted") else {
        return nil
      }
      var files: [String: AcceptedFile] = [:]
      for row in try Row.fetchAll(database, sql: "SELECT path, blob, bytes FROM accepted_file") {
        files[row["path"]] = AcceptedFile(blob: row["blob"], bytes: Array(row["bytes"] as Data))
      }
      return (try JSON.value(text, place: "accepted"), files)
    }
  }

  /// The accepted revision alone.
  public func acceptedRevision() async throws(JournalError) -> AcceptedRevision? {
    try await read("read the accepted revision") { database in
      try String.fetchOne(database, sql: "SELECT revision FROM accepted")
        .map { try JSON.value($0, place: "accepted") }
    }
  }

  public func lastGood() async throws(JournalError) -> [ServiceName: LastGood] {
    try await read("read last good definitions") { try self.lastGood($0) }
  }

  /// Sets those that are named, leaves the others. Writes only what moved.
  public func setLastGood(_ definitions: [ServiceName: LastGood]) async throws(JournalError) {
    try await write("set last good definitions") { database in
      let before = try self.lastGood(database)
      for (service, good) in definitions where before[service] != good {
        try database.execute(
          sql: "INSERT OR REPLACE INTO last_good VALUES (?, ?, ?, ?)",
          arguments: [service.text, good.blob, good.text, good.revision.text])
      }
    }
  }

  public func forgetLastGood(_ services: some Sequence<ServiceName>) async throws(JournalError) {
    let names = services.map(\.text)
    try await write("forget last good definitions") { database in
      for name in names {
        try database.execute(sql: "DELETE FROM last_good WHERE service = ?", arguments: [name])
      }
    }
  }

  /// Remembers that a revision was refused, so that it is neither read nor reported again.
  public func refuse(
    _ commit: CommitID, reason: String, at time: Timestamp, events: [Event] = []
  ) async throws(JournalError) {
    try await write("refuse") { database in
      try database.execute(
        sql: """
          INSERT INTO refused (revision, reason, at) VALUES (?, ?, ?)
          ON CONFLICT (revision) DO UPDATE SET reason = excluded.reason, at = excluded.at
          """,
        arguments: [commit.text, reason, time.milliseconds])
      try database.execute(
        sql: "DELETE FROM refused WHERE id <= (SELECT MAX(id) FROM refused) - ?",
        arguments: [self.limits.refused])
      try self.record(database, events)
    }
  }

  /// Why `commit` was refused; `nil` if it was not.
  public func refused(_ commit: CommitID) async throws(JournalError) -> String? {
    try await read("read refused revisions") { database in
      try String.fetchOne(
        database, sql: "SELECT reason FROM refused WHERE revision = ?", arguments: [commit.text])
    }
  }

  /// Forgets all refusals: signers or trust moved, or an approval was given, and they are to be judged again.
  public func forgetRefusals() async throws(JournalError) {
    try await write("forget refused revisions") { try $0.execute(sql: "DELETE FROM refused") }
  }

  private func lastGood(_ database: Database) throws -> [ServiceName: LastGood] {
    var found: [ServiceName: LastGood] = [:]
    for row in try Row.fetchAll(database, sql: "SELECT * FROM last_good") {
      found[try parsed(ServiceName(row["service"]), place: "last_good")] = LastGood(
        blob: row["blob"], text: row["text"],
        revision: try parsed(CommitID(row["revision"]), place: "last_good"))
    }
    return found
  }
}
