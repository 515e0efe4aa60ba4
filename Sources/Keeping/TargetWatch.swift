import Engine
import Synchronization

/// The containers that targets name, by name and identifier: what happens to them ends the wait at once.
final class TargetWatch: Sendable {
  private struct Watched {
    var names: Set<String> = []
    var ids: Set<String> = []
  }

  private let watched = Mutex(Watched())

  func follow(_ names: Set<String>, among containers: [ContainerSummary]) {
    let ids = names.isEmpty ? [] : containers.filter { names.contains($0.name) }.map(\.id)
    watched.withLock { $0 = Watched(names: names, ids: Set(ids)) }
  }

  /// Whether it happened to one of them, or to one that takes or gives up such a name.
  func concerns(_ event: EngineEvent) -> Bool {
    watched.withLock { watched in
      watched.ids.contains(event.containerID) || watched.names.contains(event.name)
        || event.oldName.map(watched.names.contains) == true
    }
  }
}
