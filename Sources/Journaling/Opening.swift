import GRDB
import Glibc

/// An opened database that is known to be a journal of ours, of this version.
struct Opening: Sendable {
  var queue: DatabaseQueue
  var epoch: String
  var wasMade: Bool
  var path: String

  /// "ONKP" in the file's header (SQLite's `application_id`): tells a journal from any other SQLite file.
  static let applicationID = 0x4F4E_4B50
  /// Another process (a reading command, `approve` without an agent) holds the file for milliseconds at most.
  static let busyTimeout = 5.0
  /// The log is cut back to this after a checkpoint: 16 MiB.
  static let logLimit = 16 << 20

  static func write(_ path: String, limits: JournalLimits) throws -> Opening {
    let file = try JournalFile(preparing: path)
    if !file.isEmpty { try refuse(path, checkingPages: true) }
    let queue = try DatabaseQueue(path: path, configuration: configuration(limits))
    // GRDB sets NORMAL with WAL, which may lose the last transactions in a power cut; an intent must not be lost.
    try queue.inDatabase { try $0.execute(sql: "PRAGMA synchronous = FULL") }
    try Schema.bringUpToDate(queue, path: path)
    let epoch = try queue.write { database in
      try settleEpoch(database, identity: file.identity)
    }
    return Opening(queue: queue, epoch: epoch, wasMade: file.wasMade, path: path)
  }

  static func inMemory(limits: JournalLimits) throws -> Opening {
    var configuration = configuration(limits)
    configuration.journalMode = .default
    let queue = try DatabaseQueue(configuration: configuration)
    try Schema.migrator.migrate(queue)
    let epoch = try queue.write { try settleEpoch($0, identity: "memory") }
    return Opening(queue: queue, epoch: epoch, wasMade: true, path: ":memory:")
  }

  static func read(_ path: String) throws -> Opening {
    try JournalFile.requireRegular(path)
    let queue = try refuse(path, checkingPages: false)
    let epoch = try queue.inDatabase { database in
      guard try database.tableExists("meta"), let epoch = try Meta.epoch.read(database) else {
        throw JournalError(
          .notAJournal, "open", "\(path) has not been set up yet: start the agent once")
      }
      return epoch
    }
    return Opening(queue: queue, epoch: epoch, wasMade: false, path: path)
  }

  private static func configuration(_ limits: JournalLimits) -> Configuration {
    var configuration = Configuration()
    configuration.label = "onionkeeper.journal"
    configuration.journalMode = .wal
    configuration.busyMode = .timeout(busyTimeout)
    let pages = limits.pages
    configuration.prepareDatabase { database in
      try database.execute(sql: "PRAGMA journal_size_limit = \(logLimit)")
      if let pages { try database.execute(sql: "PRAGMA max_page_count = \(pages)") }
    }
    return configuration
  }

  /// Refuses what is no sound journal of this version, by a connection that cannot change the file.
  @discardableResult
  private static func refuse(_ path: String, checkingPages: Bool) throws -> DatabaseQueue {
    var configuration = Configuration()
    configuration.label = "onionkeeper.journal.reader"
    configuration.readonly = true
    configuration.busyMode = .timeout(busyTimeout)
    let queue = try DatabaseQueue(path: path, configuration: configuration)
    try queue.inDatabase { database in
      try refuseForeign(database, path)
      if checkingPages { try refuseDamaged(database, path) }
      try refuseNewer(database, path)
    }
    return queue
  }

  private static func refuseForeign(_ database: Database, _ path: String) throws {
    let id = try Int.fetchOne(database, sql: "PRAGMA application_id") ?? 0
    let tables = try Int.fetchOne(database, sql: "SELECT COUNT(*) FROM sqlite_master") ?? 0
    guard id == applicationID || (id == 0 && tables == 0) else {
      throw JournalError(
        .notAJournal, "open",
        "\(path) is an SQLite file, but not a journal of onionkeeper; it was left as it is: move it away"
      )
    }
  }

  private static func refuseDamaged(_ database: Database, _ path: String) throws {
    let finding = try String.fetchOne(database, sql: "PRAGMA quick_check(1)") ?? "no answer"
    guard finding == "ok" else {
      throw JournalError(
        .corrupt, "open",
        "\(path) is damaged (\(finding)); it was left as it is: put a copy back, or move it away and run"
          + " `onionkeeper setup` (pins and anchor come back from the key folder)")
    }
  }

  private static func refuseNewer(_ database: Database, _ path: String) throws {
    let unknown = try Schema.migrator.appliedIdentifiers(database)
      .subtracting(Schema.migrator.migrations)
    guard let newest = unknown.max() else { return }
    throw JournalError(
      .newerSchema, "open",
      "\(path) was written by a newer onionkeeper (schema \(newest); this one knows up to"
        + " \(Schema.migrator.migrations.last ?? "none")): install the newer version again")
  }

  /// A copy that was put back counts on from numbers that receivers may have seen already: it gets a new epoch.
  private static func settleEpoch(_ database: Database, identity: String) throws -> String {
    if let epoch = try Meta.epoch.read(database), try Meta.file.read(database) == identity {
      return epoch
    }
    var random = SystemRandomNumberGenerator()
    let epoch = (0..<4).map { _ in
      let word = String(random.next() as UInt32, radix: 16)
      return String(repeating: "0", count: 8 - word.utf8.count) + word
    }.joined()
    try Meta.epoch.write(database, epoch)
    try Meta.file.write(database, identity)
    return epoch
  }
}

/// The file before SQLite has it: ours alone, regular, and recognisable again.
struct JournalFile {
  var wasMade: Bool
  /// Made now, or by a start that died before it wrote anything.
  var isEmpty: Bool
  /// Inode and its generation: another after a copy was put back, the same over reboots.
  var identity: String

  /// Makes the file 0600 where none is. Must run before SQLite opens it: closing a descriptor of a file drops the
  /// process's POSIX locks on it.
  init(preparing path: String) throws {
    let made = Glibc.open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
    wasMade = made >= 0
    if made < 0 && errno != EEXIST { throw Self.failure(path, "make") }
    if made >= 0 { Glibc.close(made) }
    try Self.requireRegular(path)
    let descriptor = Glibc.open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)
    guard descriptor >= 0 else { throw Self.failure(path, "open") }
    defer { Glibc.close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw Self.failure(path, "look at") }
    isEmpty = status.st_size == 0
    if status.st_mode & 0o777 != 0o600, fchmod(descriptor, 0o600) != 0 {
      throw Self.failure(path, "make private")
    }
    if wasMade { try Self.syncFolder(of: path) }
    // FS_IOC_GETVERSION (linux/fs.h): a file system that has none (tmpfs) answers ENOTTY; the inode is left alone then.
    var generation: CLong = 0
    let answer = ioctl(descriptor, 0x8008_7601, &generation)
    identity = "\(status.st_ino):\(answer == 0 ? generation : 0)"
  }

  static func requireRegular(_ path: String) throws {
    var status = stat()
    guard lstat(path, &status) == 0 else { throw failure(path, "look at") }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw JournalError(
        .notThere, "open", "\(path) is a link, a folder or a device, not a file: move it away")
    }
  }

  private static func syncFolder(of path: String) throws {
    let folder = path.split(separator: "/", omittingEmptySubsequences: false).dropLast()
      .joined(separator: "/")
    let name = folder.isEmpty ? (path.hasPrefix("/") ? "/" : ".") : folder
    let descriptor = Glibc.open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw failure(name, "open") }
    defer { Glibc.close(descriptor) }
    guard fsync(descriptor) == 0 else { throw failure(name, "sync") }
  }

  private static func failure(_ path: String, _ verb: String) -> JournalError {
    let number = errno
    let code: JournalError.Code =
      switch number {
      case ENOENT, ENOTDIR, ELOOP: .notThere
      case ENOSPC, EDQUOT: .full
      default: .failed
      }
    return JournalError(
      code, "open",
      "\(path): cannot \(verb) it: \(String(cString: strerror(number))); is the state folder set up and mounted?"
    )
  }
}
