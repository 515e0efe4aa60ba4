import Synchronization

/// What only shortens a sleep: timer, signal, engine event. An event may say what to look at first, never what to decide.
public final class Doorbell: Sendable {
  private struct State {
    var reasons: [String] = []
    var waiter: CheckedContinuation<Void, Never>?
  }

  private let state = Mutex(State())

  public init() {}

  /// Ends the present wait, or the next one at once. Rings while nobody waits are one ring.
  public func ring(_ reason: String) {
    let waiter = state.withLock { state in
      if !state.reasons.contains(reason) { state.reasons.append(reason) }
      let waiter = state.waiter
      state.waiter = nil
      return waiter
    }
    waiter?.resume()
  }

  /// Sleeps on the boot-time clock until a ring, the end of `limit`, or cancellation.
  /// - Returns: why it ended, first reason first.
  public func wait(upTo limit: Duration) async -> [String] {
    let timer = Task {
      do { try await Task.sleep(for: limit, clock: .continuous) } catch { return }
      ring("interval")
    }
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isRung = state.withLock { state in
          if state.reasons.isEmpty { state.waiter = continuation }
          return !state.reasons.isEmpty
        }
        if isRung { continuation.resume() }
      }
    } onCancel: {
      ring("cancelled")
    }
    timer.cancel()
    return state.withLock { state in
      let reasons = state.reasons
      state.reasons = []
      return reasons
    }
  }
}
