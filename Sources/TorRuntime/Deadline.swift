/// When a session must be over, on the boot-time clock: a suspended machine counts.
struct Deadline: Sendable {
  private let end: ContinuousClock.Instant

  init(in limit: Duration) { end = ContinuousClock.now + limit }

  /// What is left, for poll(2): rounded up to whole milliseconds, 0 when it is over.
  var milliseconds: Int32 {
    let left = end - ContinuousClock.now
    guard left > .zero else { return 0 }
    let (seconds, attoseconds) = left.components
    return Int32(clamping: seconds * 1000 + attoseconds / 1_000_000_000_000_000 + 1)
  }
}
