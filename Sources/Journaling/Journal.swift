import Dispatch
import GRDB
import OnionModel
import Synchronization

/// The agent's durable memory: one SQLite file, one serial queue. See README.md for what it promises.
///
/// Every call returns when what it wrote is on the disk, throws `JournalError`, and is not cut short by cancellation.
/// Times are arguments; the journal reads no clock.
public final class Journal: Sendable {
  /// File name inside the state folder.
  public static let fileName = "journal.db"

  /// Random, 32 hexadecimal digits; new when the file is made or was restored from a copy. `sequence` counts from 1
  /// without gaps within it.
  public let epoch: String
  /// True if this call made the file.
  public let wasMade: Bool
  /// For messages.
  public let path: String
  let limits: JournalLimits
  let queue: DatabaseQueue
  /// The memory as the file has it, so that `store` writes only what moved; set only on `queue`.
  let known = Mutex<Memory?>(nil)
  let outboxSignal = Signal()

  /// Opens the journal for the agent; makes it (0600) where none is, and brings an older one up to date after copying it.
  ///
  /// - Throws: `notAJournal`, `corrupt`, `newerSchema`, `full`, `notThere`; the file is left as it is.
  public convenience init(path: String, limits: JournalLimits = JournalLimits())
    async throws(JournalError)
  {
    try await self.init(
      Self.onThread(operation: "open", path: path) { try Opening.write(path, limits: limits) },
      limits: limits)
  }

  /// A journal in memory, for tests and for `plan` of a host that was never set up.
  public static func inMemory(limits: JournalLimits = JournalLimits()) async throws(JournalError)
    -> Journal
  {
    try await Journal(
      onThread(operation: "open", path: ":memory:") { try Opening.inMemory(limits: limits) },
      limits: limits)
  }

  /// Opens an existing journal for reading, beside a running agent or without one. Writing calls throw `readOnly`.
  public static func open(readOnly path: String) async throws(JournalError) -> Journal {
    try await Journal(
      onThread(operation: "open", path: path) { try Opening.read(path) }, limits: JournalLimits())
  }

  private init(_ opened: Opening, limits: JournalLimits) {
    queue = opened.queue
    epoch = opened.epoch
    wasMade = opened.wasMade
    path = opened.path
    self.limits = limits
  }

  /// Folds the log into the file and closes it. Later calls throw. Not needed before exit.
  public func close() async throws(JournalError) {
    let queue = queue
    try await Self.onThread(operation: "close", path: path) { try queue.close() }
  }

  /// One reading transaction on the journal's queue.
  func read<Value: Sendable>(
    _ operation: String, _ body: @escaping @Sendable (Database) throws -> Value
  ) async throws(JournalError) -> Value {
    try await transaction(.deferred, operation, body)
  }

  /// One writing transaction: all of it or nothing.
  func write<Value: Sendable>(
    _ operation: String, _ body: @escaping @Sendable (Database) throws -> Value
  ) async throws(JournalError) -> Value {
    try await transaction(.immediate, operation, body)
  }

  /// Not GRDB's own `async` calls: those roll back when the calling task is cancelled, and the outcome of an action that
  /// was done just before SIGTERM would be lost.
  private func transaction<Value: Sendable>(
    _ kind: Database.TransactionKind, _ operation: String,
    _ body: @escaping @Sendable (Database) throws -> Value
  ) async throws(JournalError) -> Value {
    let path = path
    let result: Result<Value, JournalError> = await withCheckedContinuation { continuation in
      queue.asyncWriteWithoutTransaction { database in
        continuation.resume(
          returning: Self.result(operation, path) {
            var value: Value?
            try database.inTransaction(kind) {
              value = try body(database)
              return .commit
            }
            guard let value else {
              throw JournalError(
                .failed, operation, "\(path): the transaction ended without a value")
            }
            return value
          })
      }
    }
    return try result.get()
  }

  /// Opening and closing block; they run on a thread of Dispatch, not on Swift's pool.
  private static func onThread<Value: Sendable>(
    operation: String, path: String, _ body: @escaping @Sendable () throws -> Value
  ) async throws(JournalError) -> Value {
    let result: Result<Value, JournalError> = await withCheckedContinuation { continuation in
      DispatchQueue.global().async {
        continuation.resume(returning: Self.result(operation, path, body))
      }
    }
    return try result.get()
  }

  private static func result<Value>(
    _ operation: String, _ path: String, _ body: () throws -> Value
  ) -> Result<Value, JournalError> {
    do {
      return .success(try body())
    } catch {
      return .failure(JournalError(error, operation: operation, path: path))
    }
  }
}
