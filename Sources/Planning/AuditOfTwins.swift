import OnionModel

/// Never two tors with one key, re-derived from plan and observation: a key leaves an instance, and another serves it, only
/// after a step that makes the tor which has it let go.
struct AuditOfTwins {
  let plan: Plan
  /// What live containers have read, by instance. `nil`: under which address is not known.
  private let holders: [InstanceName: [ServiceName: OnionAddress?]]

  init(_ plan: Plan, observed: Observed, memory: Memory) {
    self.plan = plan
    var holders: [InstanceName: [ServiceName: OnionAddress?]] = [:]
    for container in observed.containers.value ?? []
    where container.agent == memory.agent && container.state != .created
      && container.state != .exited && container.state != .dead
    {
      guard let instance = container.instance else { continue }
      if let applied = memory.instances[instance]?.applied, applied.containerID == container.id {
        for (name, service) in applied.services {
          holders[instance, default: [:]].updateValue(service.address, forKey: name)
        }
      } else {
        // Nobody remembers what it has read: what it says itself, or else whatever it can have been.
        let said = observed.tors[instance]?.value?.serviceOptions
        for (name, place) in memory.services
        where place == instance && holders[instance]?[name] == nil
          && said?.contains("HiddenServiceDir \(TorLayout.keys)/\(name)") != false
        {
          holders[instance, default: [:]].updateValue(nil, forKey: name)
        }
      }
    }
    self.holders = holders
  }

  var messages: [String] {
    var found: [String] = twice
    for group in plan.groups {
      guard case .instance(let instance) = group.subject else { continue }
      guard var earlier = stepsBefore(group) else {
        found.append("the group of \(instance) waits for itself")
        continue
      }
      for (index, step) in group.steps.enumerated() {
        if !isSucceeded(step, by: group.steps[(index + 1)...]),
          let message = objection(to: step, after: earlier)
        {
          found.append(message)
        }
        earlier.append(step)
      }
    }
    return found
  }

  /// Another key takes its place in the same tor: the one that is put away there is nobody's until that tor is started
  /// anew, since what a tor has read is remembered.
  private func isSucceeded(_ step: Step, by later: ArraySlice<Step>) -> Bool {
    guard case .retireKey(let place, _) = step.action else { return false }
    return later.contains { if case .restoreKey(_, place, _) = $0.action { true } else { false } }
  }

  /// Keys that two tors would have read once the plan is done.
  private var twice: [String] {
    var read: [InstanceName: InstanceConfiguration] = [:]
    for step in plan.steps {
      switch step.action {
      case .reload(let configuration, _), .prove(_, let configuration, _),
        .adoptContainer(_, let configuration, _, _):
        read[configuration.instance] = configuration
      default: break
      }
    }
    var homes: [OnionAddress: String] = [:]
    var found: [String] = []
    for configuration in read.values.sorted(by: { $0.instance < $1.instance }) {
      for service in configuration.services {
        guard let address = service.address else { continue }
        let place = "\(configuration.instance)/\(service.name)"
        if let other = homes.updateValue(place, forKey: address) {
          found.append("\(other) and \(place) would be served with one key")
        }
      }
    }
    return found
  }

  /// The steps of all groups that it waits for; `nil` if it waits for itself.
  private func stepsBefore(_ group: StepGroup) -> [Step]? {
    var open = group.after
    var seen: Set<InstanceName> = []
    var steps: [Step] = []
    while let instance = open.popFirst() {
      if group.subject == .instance(instance) { return nil }
      guard seen.insert(instance).inserted else { continue }
      for other in plan.groups where other.subject == .instance(instance) {
        steps += other.steps
        open.formUnion(other.after)
      }
    }
    return steps
  }

  private func objection(to step: Step, after earlier: [Step]) -> String? {
    switch step.action {
    case .moveKey(let old, let place, _) where old.instance != place.instance:
      return objection(taking: old, after: earlier)
    case .retireKey(let place, _): return objection(taking: place, after: earlier)
    case .reload(let read, _), .prove(_, let read, _), .adoptContainer(_, let read, _, _):
      for service in read.services where holders[read.instance]?[service.name] == nil {
        for (other, names) in holders where other != read.instance {
          guard let address = names[service.name] ?? service.address,
            address == service.address, names[service.name] != nil,
            !isDropped(service.name, by: other, earlier)
          else { continue }
          return "\(read.instance) would serve \(service.name), which \(other) still serves"
        }
      }
      return nil
    default: return nil
    }
  }

  private func objection(taking place: KeyPlace, after earlier: [Step]) -> String? {
    guard holders[place.instance]?[place.service] != nil,
      !isDropped(place.service, by: place.instance, earlier)
    else { return nil }
    return "\(place) would be taken away from a tor that still serves it"
  }

  private func isDropped(
    _ service: ServiceName, by instance: InstanceName, _ earlier: [Step]
  ) -> Bool {
    earlier.contains { step in
      switch step.action {
      case .removeContainer(instance, _), .takeDown(instance, _): true
      case .reload(let read, _), .prove(_, let read, _), .adoptContainer(_, let read, _, _):
        read.instance == instance && !read.services.contains { $0.name == service }
      default: false
      }
    }
  }
}
