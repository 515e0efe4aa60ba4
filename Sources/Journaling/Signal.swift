import Synchronization

/// Wakes whoever listens; a signal that comes while a listener is busy waits for it, many are one.
final class Signal: Sendable {
  private let listeners = Mutex<[Int: AsyncStream<Void>.Continuation]>([:])
  private let next = Atomic<Int>(0)

  func raise() {
    for listener in listeners.withLock({ Array($0.values) }) { listener.yield() }
  }

  func listen() -> AsyncStream<Void> {
    let (stream, continuation) = AsyncStream.makeStream(
      of: Void.self, bufferingPolicy: .bufferingNewest(1))
    let id = next.wrappingAdd(1, ordering: .relaxed).oldValue
    listeners.withLock { $0[id] = continuation }
    continuation.onTermination = { [weak self] _ in
      self?.listeners.withLock { $0[id] = nil }
    }
    return stream
  }
}
