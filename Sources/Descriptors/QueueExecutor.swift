import Dispatch

/// Runs an actor's jobs one after another on a queue of its own, so that disk calls never hold a thread of Swift's pool.
///
/// An actor keeps one and returns `asUnownedSerialExecutor()` of it as its `unownedExecutor`; several actors may share one.
public final class QueueExecutor: SerialExecutor {
  private let queue: DispatchQueue

  /// - Parameter label: what debuggers show.
  public init(label: String) { queue = DispatchQueue(label: label) }

  public func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    let executor = asUnownedSerialExecutor()
    queue.async { job.runSynchronously(on: executor) }
  }
}
