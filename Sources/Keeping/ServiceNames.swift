import OnionModel
import Synchronization

/// A set of names that one adds to and others ask. Nothing leaves it: an event may be told long after it happened.
final class ServiceNames: Sendable {
  private let names = Mutex<Set<ServiceName>>([])

  func add(_ more: [ServiceName]) { names.withLock { $0.formUnion(more) } }

  func contains(_ name: ServiceName) -> Bool { names.withLock { $0.contains(name) } }
}
