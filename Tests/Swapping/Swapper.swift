import CLinux
import Glibc
import Synchronization

/// Exchanges two names of a folder on a thread of its own until told to stop.
public final class Swapper: Sendable {
  private let state = Mutex((isRunning: true, thread: pthread_t()))
  private let path: String
  private let left: String
  private let right: String

  public init(_ path: String, _ left: String, _ right: String) {
    self.path = path
    self.left = left
    self.right = right
    var thread = pthread_t()
    let context = Unmanaged.passRetained(self).toOpaque()
    pthread_create(
      &thread, nil,
      { context in
        if let context { Unmanaged<Swapper>.fromOpaque(context).takeRetainedValue().run() }
        return nil
      }, context)
    state.withLock { $0.thread = thread }
  }

  private func run() {
    let folder = open(path, O_RDONLY | O_DIRECTORY)
    while state.withLock({ $0.isRunning }) {
      _ = clinux_rename_exchange(folder, left, folder, right)
    }
    close(folder)
  }

  public func stop() {
    let thread = state.withLock { state in
      state.isRunning = false
      return state.thread
    }
    pthread_join(thread, nil)
  }
}
