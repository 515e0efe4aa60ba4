import OnionModel

/// What is known of a container that a target names.
enum ResolvedTarget: Hashable {
  case there(TargetContainer)
  /// It cannot be resolved now: the address that its tor last had for it stays.
  case lastKnown(address: String, why: String)
  case nowhere(why: String, isUnknown: Bool)
}

extension Observed {
  /// What this look, or else the memory of the instance, says of a target's container.
  func resolve(_ container: String, for memory: InstanceMemory?) -> ResolvedTarget {
    let why: String
    var isUnknown = false
    switch targetContainers[container] ?? .unknown("it was not looked at") {
    case .present(let target) where target.hasJoinableNetwork: return .there(target)
    case .present(let target):
      why =
        "container \(container) has no network that a tor can join (\(target.network)): give it one,"
        + " or write its address as a target"
    case .absent: why = "container \(container) is not there or does not run: start it"
    case .unknown(let reason):
      why = "container \(container) cannot be looked up: \(reason)"
      isUnknown = true
    }
    if let address = memory?.containers?[container] {
      return .lastKnown(address: address, why: why)
    }
    return .nowhere(why: why, isUnknown: isUnknown)
  }
}

extension TargetContainer {
  /// The host's own network, none, and another container's are no networks of the engine that others can join.
  var hasJoinableNetwork: Bool {
    !network.isEmpty && network != "host" && network != "none"
      && !network.hasPrefix("container:")
  }
}

extension ConfiguredService {
  /// Containers that its targets name.
  var targetContainers: Set<String> { Set(ports.compactMap(\.target.containerName)) }
}

extension Planner {
  /// Why a service's targets cannot be written into a torrc: a name that was never resolved, on which tor would not
  /// start. One that was keeps its address: tor dials in vain, which it survives.
  func containerTrouble(_ service: OnionService) -> (kind: Waiting.Kind, message: String)? {
    for name in service.ports.compactMap(\.target.containerName) {
      if case .nowhere(let why, let isUnknown) = observed.resolve(
        name, for: memory.instances[service.instance])
      {
        return (isUnknown ? .unknown : .targetMissing, why)
      }
    }
    return nil
  }

  /// The addresses of containers that targets name, as far as they are known.
  func addresses(
    of services: [ConfiguredService], in instance: InstanceName
  ) -> [String: String] {
    var addresses: [String: String] = [:]
    for name in services.flatMap(\.targetContainers) {
      switch observed.resolve(name, for: memory.instances[instance]) {
      case .there(let target): addresses[name] = target.address
      case .lastKnown(let address, _): addresses[name] = address
      case .nowhere: continue
      }
    }
    return addresses
  }

  /// Targets whose containers moved, where nothing else of the configuration did: drift, and no change.
  func movedTargets(_ sheet: InstanceSheet) -> [Deviation] {
    let now = sheet.configuration.containers
    guard let applied = sheet.memory.applied, let before = sheet.memory.containers, before != now,
      applied.services == appliedServices(sheet)
    else { return [] }
    var configuration = sheet.configuration
    configuration.containers = before
    let gateway = observed.networks[sheet.specification.network]?.value?.gateway
    guard let files = configuration.files(gateway: gateway), sha256(files.torrc) == applied.torrc
    else { return [] }
    return now.keys.sorted().filter { now[$0] != before[$0] }.map {
      Deviation(
        "address of container \($0)", expected: now[$0] ?? "none", observed: before[$0] ?? "none")
    }
  }

  /// A new target's network is joined before tor is told of the target, an old one's left afterwards.
  mutating func planNetworked(
    _ container: ContainerObservation, _ facts: ContainerFacts, _ sheet: InstanceSheet,
    into group: inout StepGroup
  ) {
    let keySteps = group.steps.count
    planRunning(container, facts, sheet, into: &group)
    let cause = fileCause(sheet)
    group.steps.insert(
      contentsOf: joiningNetworks(of: facts, sheet, cause: cause),
      at: min(keySteps, group.steps.count))
    group.steps += leavingNetworks(of: facts, sheet, cause: cause)
  }

  /// Joins of a container that is about to be made.
  func joiningNetworks(_ sheet: InstanceSheet, cause: Cause) -> [Step] {
    targetNetworks(sheet).sorted().map { join($0, sheet, cause: cause) }
  }

  /// Joins that a container of ours lacks.
  func joiningNetworks(of facts: ContainerFacts, _ sheet: InstanceSheet, cause: Cause) -> [Step] {
    targetNetworks(sheet).subtracting(facts.networks).sorted().map {
      join($0, sheet, cause: cause)
    }
  }

  /// What takes a container of ours out of networks that nothing needs: a target's of before, or one that somebody
  /// joined it to. Leaving ends that way out as surely as a new container would, and interrupts no visitor.
  func leavingNetworks(of facts: ContainerFacts, _ sheet: InstanceSheet, cause: Cause) -> [Step] {
    // Which of them a target is in that cannot be resolved now is not known, and it may be back in a moment. One that
    // never was resolved is in none of them.
    let isCertain = (sheet.members.flatMap(\.ports) + sheet.configuration.services.flatMap(\.ports))
      .compactMap(\.target.containerName).allSatisfy {
        if case .lastKnown = observed.resolve($0, for: sheet.memory) { false } else { true }
      }
    guard isCertain else { return [] }
    return Set(facts.networks).subtracting(targetNetworks(sheet))
      .subtracting([sheet.specification.network]).sorted().map { network in
        Step(
          .leaveNetwork(sheet.instance, container: sheet.specification.name, network: network),
          cause: cause, service: sheet.service,
          deviations: [Deviation("network \(network)", expected: "left", observed: "joined")])
      }
  }

  /// The networks of the targets' containers, which are not our own: engines keep bridges apart.
  private func targetNetworks(_ sheet: InstanceSheet) -> Set<String> {
    var networks: Set<String> = []
    for name in sheet.configuration.services.flatMap(\.targetContainers) {
      if case .there(let target) = observed.resolve(name, for: sheet.memory) {
        networks.insert(target.network)
      }
    }
    return networks.subtracting([sheet.specification.network])
  }

  private func join(_ network: String, _ sheet: InstanceSheet, cause: Cause) -> Step {
    Step(
      .joinNetwork(sheet.instance, container: sheet.specification.name, network: network),
      cause: cause, service: sheet.service,
      deviations: [Deviation("network \(network)", expected: "joined", observed: "not joined")])
  }
}
