import GRDB
import Glibc

/// Named migrations, only ever appended; a released one is never edited.
enum Schema {
  static let migrator: DatabaseMigrator = {
    var migrator = DatabaseMigrator()
    migrator.registerMigration("0001 journal") { try $0.execute(sql: first) }
    return migrator
  }()

  /// Runs what is missing. A file that already holds something is copied to `PATH.before-NNNN` first.
  static func bringUpToDate(
    _ queue: DatabaseQueue, path: String, with migrator: DatabaseMigrator = migrator
  ) throws {
    let applied = try queue.inDatabase { try migrator.appliedIdentifiers($0) }
    guard let next = migrator.migrations.first(where: { !applied.contains($0) }) else { return }
    if !applied.isEmpty { try copy(queue, to: "\(path).before-\(next.prefix(4))") }
    try migrator.migrate(queue)
  }

  /// `VACUUM INTO` writes one consistent file. An older copy of the same step (a migration that failed) gives way.
  private static func copy(_ queue: DatabaseQueue, to copy: String) throws {
    guard unlink(copy) == 0 || errno == ENOENT else {
      throw JournalError(.failed, "migrate", "\(copy): an older copy cannot be removed")
    }
    let descriptor = Glibc.open(copy, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else {
      throw JournalError(
        .failed, "migrate", "\(copy): cannot be made: \(String(cString: strerror(errno)))")
    }
    Glibc.close(descriptor)
    try queue.inDatabase { try $0.execute(sql: "VACUUM INTO ?", arguments: [copy]) }
  }

  private static let first = """
    PRAGMA application_id = \(Opening.applicationID);

    CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

    CREATE TABLE instance (name TEXT PRIMARY KEY, memory TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE service (name TEXT PRIMARY KEY, instance TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE previously_defined (name TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
    CREATE TABLE paused (name TEXT PRIMARY KEY, uid INTEGER, at INTEGER) STRICT, WITHOUT ROWID;
    CREATE TABLE approval (
      id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, revision TEXT NOT NULL,
      expires INTEGER NOT NULL, uid INTEGER NOT NULL, at INTEGER NOT NULL, used INTEGER) STRICT;

    CREATE TABLE pass (
      id INTEGER PRIMARY KEY AUTOINCREMENT, trigger TEXT NOT NULL, revision TEXT,
      started INTEGER NOT NULL, ended INTEGER, summary TEXT) STRICT;
    CREATE TABLE attempt (
      id INTEGER PRIMARY KEY AUTOINCREMENT, pass INTEGER NOT NULL REFERENCES pass (id),
      instance TEXT, service TEXT, action TEXT NOT NULL, cause TEXT NOT NULL, drift TEXT NOT NULL,
      started INTEGER NOT NULL, ended INTEGER, outcome TEXT NOT NULL, code TEXT, error TEXT) STRICT;
    CREATE INDEX attempt_pass ON attempt (pass);
    CREATE INDEX attempt_service ON attempt (service, id);
    CREATE INDEX attempt_instance ON attempt (instance, id);
    CREATE INDEX attempt_open ON attempt (id) WHERE outcome = 'open';

    CREATE TABLE event (
      position INTEGER PRIMARY KEY AUTOINCREMENT, epoch TEXT NOT NULL, sequence INTEGER NOT NULL,
      kind TEXT NOT NULL, subject TEXT NOT NULL, time INTEGER NOT NULL, data TEXT NOT NULL,
      claimed INTEGER NOT NULL DEFAULT 0, UNIQUE (epoch, sequence)) STRICT;
    CREATE TABLE recent (
      family TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, position INTEGER NOT NULL,
      first INTEGER NOT NULL, pending INTEGER NOT NULL, event TEXT) STRICT, WITHOUT ROWID;
    CREATE TABLE raised (
      key TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, since INTEGER NOT NULL,
      moved INTEGER NOT NULL, event TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE condition (
      service TEXT NOT NULL, name TEXT NOT NULL, status TEXT NOT NULL, reason TEXT NOT NULL,
      since INTEGER NOT NULL, PRIMARY KEY (service, name)) STRICT, WITHOUT ROWID;

    CREATE TABLE endpoint (
      name TEXT PRIMARY KEY, digest TEXT NOT NULL, patterns TEXT NOT NULL, disabled TEXT,
      failing INTEGER, delivered INTEGER NOT NULL DEFAULT 0, last_delivered INTEGER,
      last_error TEXT) STRICT, WITHOUT ROWID;
    CREATE TABLE delivery (
      id INTEGER PRIMARY KEY AUTOINCREMENT, endpoint TEXT NOT NULL,
      position INTEGER NOT NULL REFERENCES event (position), state TEXT NOT NULL,
      attempts INTEGER NOT NULL DEFAULT 0, first INTEGER, next INTEGER NOT NULL DEFAULT 0,
      error TEXT) STRICT;
    CREATE INDEX delivery_order ON delivery (state, endpoint, id);
    CREATE INDEX delivery_event ON delivery (position);

    CREATE TABLE accepted (
      id INTEGER PRIMARY KEY CHECK (id = 1), revision TEXT NOT NULL) STRICT;
    CREATE TABLE accepted_file (
      path TEXT PRIMARY KEY, blob TEXT NOT NULL, bytes BLOB NOT NULL) STRICT;
    CREATE TABLE last_good (
      service TEXT PRIMARY KEY, blob TEXT NOT NULL, text TEXT NOT NULL,
      revision TEXT NOT NULL) STRICT;
    CREATE TABLE refused (
      id INTEGER PRIMARY KEY AUTOINCREMENT, revision TEXT NOT NULL UNIQUE, reason TEXT NOT NULL,
      at INTEGER NOT NULL) STRICT;
    """
}

/// Single values of the journal.
enum Meta: String {
  case epoch, file, identity, engine, rebuilt, settled
  /// `Memory.heldFromPruning`, a JSON list of names.
  case held
  /// Tips of the branch and when each was first seen, a JSON list of `SeenTip`, the oldest first.
  case seen
  /// When the agent was started lately, a JSON list of times, the oldest first.
  case starts

  func read(_ database: Database) throws -> String? {
    try String.fetchOne(
      database, sql: "SELECT value FROM meta WHERE key = ?", arguments: [rawValue])
  }

  func write(_ database: Database, _ value: String?) throws {
    if let value {
      try database.execute(
        sql:
          "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        arguments: [rawValue, value])
    } else {
      try database.execute(sql: "DELETE FROM meta WHERE key = ?", arguments: [rawValue])
    }
  }
}
