import OnionModel
import Planning

/// The shipped planner, broken on purpose in four ways: the properties must notice each.
enum BrokenPlanner: String, CaseIterable, Sendable {
  case forgetsRemovals
  case takesUnknownForAbsent
  case startsWithoutClients
  case forgetsPruneHolds

  var planner: Harness.Planner {
    switch self {
    case .forgetsRemovals:
      { desired, observed, memory in
        var desired = desired
        desired.unsettled.formUnion(memory.services.keys)
        desired.unsettled.subtract(desired.services.map(\.name))
        return plan(desired, from: observed, knowing: memory)
      }
    case .takesUnknownForAbsent:
      { desired, observed, memory in
        plan(desired, from: observed.blinded, knowing: memory)
      }
    case .startsWithoutClients:
      { desired, observed, memory in
        var desired = desired
        for index in desired.services.indices { desired.services[index].access = .open }
        return plan(desired, from: observed, knowing: memory)
      }
    case .forgetsPruneHolds:
      { desired, observed, memory in
        var memory = memory
        memory.heldFromPruning = []
        return plan(desired, from: observed, knowing: memory)
      }
    }
  }

  /// What the world must have seen go wrong, whatever an audit says.
  var symptoms: Set<String> {
    switch self {
    case .forgetsRemovals: ["leftover.container", "leftover.key"]
    case .takesUnknownForAbsent: ["unknown.acted", "key.overwritten", "key.lost"]
    case .startsWithoutClients: ["access.open", "access.left"]
    case .forgetsPruneHolds: ["prune.broken"]
    }
  }
}

extension Observation {
  fileprivate var blinded: Self { if case .unknown = self { .absent } else { self } }

  fileprivate func blinded(as nothing: Value) -> Self {
    if case .unknown = self { .present(nothing) } else { self }
  }
}

extension Observed {
  /// Whatever could not be seen is taken not to be there.
  fileprivate var blinded: Observed {
    var observed = self
    observed.containers = containers.blinded(as: [])
    observed.pins = pins.blinded(as: [:])
    observed.retired = retired.blinded(as: [])
    observed.image = image.blinded
    observed.keys = keys.mapValues(\.blinded)
    observed.networks = networks.mapValues(\.blinded)
    observed.folders = folders.mapValues(\.blinded)
    observed.targetContainers = targetContainers.mapValues(\.blinded)
    observed.backups = backups.blinded(as: [])
    return observed
  }
}
