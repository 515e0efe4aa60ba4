import OnionModel
import Planning

/// The shipped planner, broken on purpose in seven ways: the properties must notice each.
enum BrokenPlanner: String, CaseIterable, Sendable {
  case forgetsRemovals
  case takesUnknownForAbsent
  case startsWithoutClients
  case forgetsPruneHolds
  /// A key moves before the tor that has it lets go.
  case takesBeforeLettingGo
  /// One held member keeps the others of its group down.
  case holdsWholeGroups
  /// Members come and go by a restart.
  case restartsToReload

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
    case .takesBeforeLettingGo:
      { desired, observed, memory in
        var plan = plan(desired, from: observed, knowing: memory)
        for index in plan.groups.indices { plan.groups[index].after = [] }
        let (first, last) = plan.groups.reduce(into: ([StepGroup](), [StepGroup]())) {
          if $1.movesKey || $1.subject == .host { $0.0.append($1) } else { $0.1.append($1) }
        }
        plan.groups = first + last
        return plan
      }
    case .holdsWholeGroups:
      { desired, observed, memory in
        var plan = plan(desired, from: observed, knowing: memory)
        let held = Set(plan.waiting.filter { $0.service != nil }.compactMap(\.instance))
        plan.groups.removeAll { group in
          held.contains { group.subject == .instance($0) }
        }
        return plan
      }
    case .restartsToReload:
      { desired, observed, memory in
        var plan = plan(desired, from: observed, knowing: memory)
        for index in plan.groups.indices {
          plan.groups[index].steps = plan.groups[index].steps.flatMap(\.restarting)
        }
        return plan
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
    case .takesBeforeLettingGo: ["key.shared"]
    case .holdsWholeGroups: ["diverged"]
    case .restartsToReload: ["untouched.interrupted"]
    }
  }
}

extension StepGroup {
  fileprivate var movesKey: Bool {
    steps.contains { if case .moveKey = $0.action { true } else { false } }
  }
}

extension Step {
  /// Itself, and a restart behind each reload.
  fileprivate var restarting: [Step] {
    guard case .reload(let configuration, _) = action else { return [self] }
    return [
      self,
      Step(
        .restartContainer(configuration.instance, name: "onionkeeper-\(configuration.instance)"),
        cause: cause),
    ]
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
