import OnionModel
import Synchronization

/// A set of names that one writes and others ask.
final class ServiceNames: Sendable {
  private let names = Mutex<Set<ServiceName>>([])

  func set(_ moved: [ServiceName]) { names.withLock { $0 = Set(moved) } }

  func contains(_ name: ServiceName) -> Bool { names.withLock { $0.contains(name) } }
}
