import GRDB

/// The journal could not be opened, read or written. Never carries a row's content.
public struct JournalError: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Code: String, Sendable {
    /// No journal at the path, or the path is no regular file of ours.
    case notThere
    /// SQLite, but not a journal of ours; or no SQLite at all.
    case notAJournal
    /// Damaged.
    case corrupt
    /// Written by a newer version.
    case newerSchema
    /// Disk or quota is full. What was there is still there.
    case full
    /// Another process held it for longer than the busy timeout.
    case busy
    /// A write on a journal that was opened for reading.
    case readOnly
    /// A row that this version cannot read.
    case badRow
    /// A call that names something that is not there: a pass, an attempt, a delivery.
    case unknown
    /// Anything else that SQLite or the file system reports.
    case failed
  }

  public var code: Code
  /// What was being done: `open`, `conclude`, `due`.
  public var operation: String
  /// What happened, where, and what to do next.
  public var message: String

  public init(_ code: Code, _ operation: String, _ message: String) {
    self.code = code
    self.operation = operation
    self.message = message
  }

  public var description: String { "journal: \(operation): \(message)" }

  /// Any error of GRDB or of our own decoding as one of ours. `DatabaseError.message` is SQLite's own text; its
  /// arguments, which may be content, are left out.
  init(_ error: any Error, operation: String, path: String) {
    if let error = error as? JournalError {
      self = error
      return
    }
    guard let error = error as? DatabaseError else {
      self.init(.badRow, operation, "\(path): \(type(of: error)): a row could not be read")
      return
    }
    let reason = error.message ?? "SQLite result \(error.resultCode.rawValue)"
    switch error.resultCode {
    case .SQLITE_FULL:
      self.init(
        .full, operation,
        "\(path): no space is left (\(reason)); nothing of this was written and nothing lost: make room on that disk"
      )
    case .SQLITE_NOTADB:
      self.init(
        .notAJournal, operation,
        "\(path) is not an SQLite file (\(reason)); it was left as it is: move it away, then run `onionkeeper setup`"
      )
    case .SQLITE_CORRUPT:
      self.init(
        .corrupt, operation,
        "\(path) is damaged (\(reason)); it was left as it is: put a copy back, or move it away and run"
          + " `onionkeeper setup` (pins and anchor come back from the key folder)")
    case .SQLITE_BUSY, .SQLITE_LOCKED:
      self.init(.busy, operation, "\(path): another process is writing (\(reason)); try again")
    case .SQLITE_READONLY:
      self.init(.readOnly, operation, "\(path) was opened for reading only (\(reason))")
    case .SQLITE_CANTOPEN:
      self.init(
        .notThere, operation, "\(path) cannot be opened (\(reason)); has `onionkeeper setup` run?")
    case .SQLITE_IOERR where Self.isShortOfSpace(error.extendedResultCode):
      self.init(
        .full, operation,
        "\(path): the disk did not take the write (\(reason)); nothing of this was written: make room on that disk"
      )
    default:
      self.init(
        .failed, operation, "\(path): \(reason) (SQLite \(error.extendedResultCode.rawValue))")
    }
  }

  /// SQLite reports a full disk as an I/O error where it grows the shared memory file or the log.
  private static func isShortOfSpace(_ code: ResultCode) -> Bool {
    [.SQLITE_IOERR_SHMSIZE, .SQLITE_IOERR_SHMMAP, .SQLITE_IOERR_WRITE].contains(code)
  }
}
