public import OnionModel
import Synchronization

/// Wall time that passes only when told to.
public final class SimulatedClock: Sendable {
  private let time: Mutex<Int64>

  public init(_ start: Timestamp) { time = Mutex(start.milliseconds) }

  public var now: Timestamp { Timestamp(milliseconds: time.withLock { $0 }) }

  public func advance(seconds: Double) {
    time.withLock { $0 += Int64(seconds * 1000) }
  }
}
