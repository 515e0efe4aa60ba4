/// How much a journal keeps. Other values than the defaults are for tests.
public struct JournalLimits: Hashable, Sendable {
  /// Attempts, passes and events each: at ~1 kB a row about 100 MB at the very most.
  public var history = 100_000
  /// A year and a month, so that "the same week last year" can be asked.
  public var historyDays = 400
  /// Events that wait for delivery, over all endpoints (product.md §8).
  public var deliveries = 100_000
  /// Dead letters that are kept for `events redeliver`; the oldest go first.
  public var deadLetters = 100_000
  /// Rows that one clean-up deletes: a pass must not stall on a year's worth.
  public var pruneBatch = 500
  /// Refused revisions that are remembered; a branch rarely has more than a handful.
  public var refused = 1_000
  /// Rows that one reading call returns at most.
  public var page = 10_000
  /// SQLite's `max_page_count` (4 KiB each); `nil`: as large as the disk.
  public var pages: Int?

  public init() {}
}
