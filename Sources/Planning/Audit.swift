public import OnionModel

/// A promise of product.md §1 that a plan would break. A plan with findings is never executed.
public struct Finding: Hashable, Sendable, CustomStringConvertible {
  /// The number of the promise.
  public var promise: Int
  public var message: String

  public var description: String { "promise \(promise): \(message)" }
}

/// A second pair of eyes: re-derives the promises from plan and observation, by other code than the planner's.
public func audit(
  _ plan: Plan, desired: Desired, observed: Observed, memory: Memory
) -> [Finding] {
  var auditor = Auditor(desired: desired, observed: observed, memory: memory)
  var subjects: Set<StepGroup.Subject> = []
  for group in plan.groups {
    if !subjects.insert(group.subject).inserted {
      auditor.find(6, "two groups of steps for \(group.subject)")
    }
    auditor.check(group.steps)
    auditor.check(group.fallback)
  }
  auditor.checkRemovals(plan)
  for message in AuditOfTwins(plan, observed: observed, memory: memory).messages {
    auditor.find(1, message)
  }
  return auditor.findings
}

struct Auditor {
  let desired: Desired
  let observed: Observed
  let memory: Memory
  var findings: [Finding] = []

  mutating func find(_ promise: Int, _ message: String) {
    findings.append(Finding(promise: promise, message: message))
  }

  mutating func check(_ steps: [Step]) {
    if !steps.isEmpty { checkSight() }
    /// Places that earlier steps of this group have emptied.
    var emptied: Set<KeyPlace> = []
    /// Places that they have filled, and the addresses, where they are known before.
    var filled: [KeyPlace: OnionAddress?] = [:]
    /// Where they put keys back: what was seen there is in `retired/` by then.
    var restored: [KeyPlace: OnionAddress] = [:]
    for (index, step) in steps.enumerated() {
      if desired.isDistrusted, step.isNews {
        find(
          3,
          "\(step.service.map { "something new for \($0)" } ?? "news") of a revision that is no longer trusted"
        )
      }
      switch step.action {
      case .generateKey(let place, _, _, _):
        checkEmpty(place, emptied)
        checkMayGenerate(place)
        filled[place] = .some(nil)
      case .unsealKey(let place, let sealed, let identity, let address, _, let companions, _):
        checkEmpty(place, emptied)
        checkMayUnseal(place, sealed, identity, address)
        checkClients(place.service, companions.access)
        filled[place] = .some(address)
      case .unsealAside(let place, let sealed, let identity, let address, _):
        checkMayUnseal(place, sealed, identity, address)
        if desired.services.first(where: { $0.name == place.service })?.address != address {
          find(1, "\(sealed) would be put aside, and no definition asks for \(address)")
        }
      case .restoreKey(_, let place, let address):
        checkEmpty(place, emptied)
        restored[place] = address
      case .moveKey(let old, let place, let address):
        checkEmpty(place, emptied)
        checkWhole(old, address)
        emptied.insert(old)
      case .backUpKey(let place, let address, let recipients):
        checkBackUp(place, address, recipients, made: filled[place])
      case .pin(_, let address, let place): checkWhole(place, address)
      case .repairKeys(let place, let wish):
        if restored[place] != wish.address, observed.keys[place]?.value != nil {
          checkWhole(place, wish.address)
        }
        checkClients(place.service, Set(wish.clientFiles.keys))
      case .retireKey(let place, let address):
        if let successor = successor(at: place, in: steps[(index + 1)...]) {
          checkSuccession(place, address, successor)
          emptied.insert(place)
        } else {
          checkRetire(place)
        }
      case .removeContainer(let instance, let id), .takeDown(let instance, let id),
        .unpauseContainer(let instance, let id), .renameContainer(let instance, let id, _):
        checkOwned(instance, id)
      case .writeFiles(let configuration, _, _, _), .reload(let configuration, _),
        .prove(_, let configuration, _), .adoptContainer(_, let configuration, _, _):
        checkConfiguration(configuration)
      case .createContainer(let specification): checkSpecification(specification)
      case .updateLimits(let specification, let id): checkOwned(specification.instance, id)
      case .joinNetwork(let instance, let name, let network):
        checkOwned(instance, name)
        checkJoin(instance, network)
      case .leaveNetwork(let instance, let name, let network):
        checkOwned(instance, name)
        if network == ownNetwork(instance) {
          find(6, "\(name) would be taken out of its own network \(network)")
        }
      case .forgetInstance(let instance): checkForget(step.service, of: instance)
      case .forgetService(let service): checkForget(service, of: memory.services[service])
      case .buildImage, .ensureNetwork, .removeNetwork, .labelPrivate, .verifyConfiguration,
        .startContainer,
        .restartContainer:
        break
      }
    }
  }

  /// Promise 5: no step at all while the ground is not known.
  private mutating func checkSight() {
    if observed.keyRoot.value != memory.agent || observed.stateRoot.value != memory.agent {
      find(5, "steps although the key or state folder is not known to be ours")
    }
    if observed.engine.value == nil || observed.containers.value == nil {
      find(5, "steps although the engine was not seen")
    }
  }

  /// Promise 4: a tor's container joins what the engine said a target is in, and nothing else.
  private mutating func checkJoin(_ instance: InstanceName, _ network: String) {
    if network == "host" || network == "none" || network.hasPrefix("container:") {
      find(4, "a container of \(instance) would join \(network)")
    }
    let served = memory.instances[instance]?.configured ?? []
    let ports =
      desired.services.filter { $0.instance == instance }.flatMap(\.ports)
      + served.flatMap(\.ports)
    let networks = ports.compactMap(\.target.containerName).compactMap {
      observed.targetContainers[$0]?.value?.network
    }
    if !networks.contains(network) {
      find(4, "a container of \(instance) would join \(network), where no target of it is")
    }
  }

  private func ownNetwork(_ instance: InstanceName) -> String? {
    switch observed.engine.value?.kind {
    case .docker?: desired.layout.prefix
    case .podman?: desired.layout.containerName(instance)
    case nil: nil
    }
  }

  private mutating func checkForget(_ service: ServiceName?, of instance: InstanceName?) {
    guard let service, memory.services[service] == instance,
      !desired.services.contains(where: { $0.name == service || $0.formerly == service })
    else { return }
    checkPruning(service)
  }

  /// A removal that its definition holds has a person's word.
  mutating func checkPruning(_ service: ServiceName) {
    if memory.heldFromPruning.contains(service), !isApproved {
      find(1, "\(service) would be put away although its definition said `prune: hold`")
    }
  }

  private var isApproved: Bool {
    memory.approvals.contains {
      $0.kind == .removals && $0.revision == desired.revision && observed.now < $0.expires
    }
  }

  /// Promise 2: a service that asks for clients is written with at least one, and the decoy.
  private mutating func checkClients(_ service: ServiceName, _ files: Set<String>) {
    guard let wanted = desired.services.first(where: { $0.name == service }) else { return }
    if wanted.access.asksForClients, files.subtracting([KeyFiles.decoy]).isEmpty {
      find(2, "\(service) asks for clients and would have none")
    }
  }

  private mutating func checkClients(_ service: ServiceName, _ access: Access) {
    guard let wanted = desired.services.first(where: { $0.name == service }) else { return }
    if wanted.access != access {
      find(2, "\(service) would get a key with another access than defined")
    }
  }

  private mutating func checkConfiguration(_ configuration: InstanceConfiguration) {
    if configuration.isSingleHop, configuration.services.count > 1 {
      find(4, "\(configuration.instance) would serve others beside a single-hop service")
    }
    let read = memory.instances[configuration.instance]?.configured ?? []
    for service in configuration.services {
      if read.contains(service), mayBeKept(service.name, in: configuration.instance) {
        checkKept(service)
        continue
      }
      guard let wanted = desired.services.first(where: { $0.name == service.name }) else {
        find(3, "\(service.name) would be configured without a definition")
        continue
      }
      if wanted.access != service.access
        || (wanted.access.asksForClients && service.access.clients.isEmpty)
      {
        find(2, "\(service.name) would be configured with another access than defined")
      }
      if desired.stopped[service.name] != nil {
        find(2, "\(service.name) would be configured although it must be stopped")
      }
      if let pin = observed.pins.value?[service.name], let address = service.address,
        pin != address,
        wanted.address != address
      {
        find(1, "\(service.name) would run under \(address), pinned is \(pin)")
      }
    }
  }

  /// It has left the instance, or was removed from it, and is served on there as before until it can go.
  private func mayBeKept(_ name: ServiceName, in instance: InstanceName) -> Bool {
    guard let service = desired.services.first(where: { $0.name == name }) else {
      return memory.services[name] == instance
    }
    return service.instance != instance
  }

  private mutating func checkKept(_ service: ConfiguredService) {
    let wanted = desired.services.first { $0.name == service.name || $0.formerly == service.name }
    if desired.stopped[service.name] != nil {
      find(2, "\(service.name) would be served on although it must be stopped")
    }
    if service.access == .open, wanted?.access.asksForClients == true {
      find(2, "\(service.name) would be served on open, and asks for clients now")
    }
  }

  /// Promise 4: no privileged user, keys read-only, the guard as command.
  private mutating func checkSpecification(_ specification: ContainerSpecification) {
    if specification.user != TorLayout.user {
      find(4, "\(specification.name) would run as user \(specification.user)")
    }
    if specification.entrypoint != ["/bin/sh", TorLayout.guardPath] {
      find(2, "\(specification.name) would start without its guard")
    }
    if specification.mounts.contains(where: { $0.destination == TorLayout.keys && !$0.isReadOnly })
    {
      find(1, "\(specification.name) would mount its keys writable")
    }
    if observed.hasSELinux, specification.label == nil {
      find(4, "\(specification.name) would run without a label of its own")
    }
    if observed.keyUsers[specification.instance]?.isEmpty == false {
      find(1, "\(specification.name) would run beside a foreign container with the same keys")
    }
  }

  /// Only what bears our label is touched; a name of ours may be given where a step of the same group makes it.
  private mutating func checkOwned(_ instance: InstanceName, _ id: String) {
    guard let containers = observed.containers.value else { return }
    if let container = containers.first(where: { $0.id == id || $0.name == id }) {
      if container.agent != memory.agent {
        find(5, "\(container.name) is not ours and would be touched")
      }
      if container.instance != instance,
        memory.instances[instance]?.containerIDs.contains(container.id) != true
      {
        find(6, "\(container.name) belongs to another instance than \(instance)")
      }
    } else if id != desired.layout.containerName(instance) {
      find(5, "container \(id) would be touched without having been seen")
    }
  }

  /// Broad removals, and any after the host's identity moved, have a waiver.
  mutating func checkRemovals(_ plan: Plan) {
    // Where another key takes its place, no service goes.
    let succeeded = Set(
      plan.steps.compactMap { step in
        if case .restoreKey(_, let place, _) = step.action { place } else { nil }
      })
    let gone = Set(
      plan.steps.compactMap { step in
        if case .retireKey(let place, _) = step.action, !succeeded.contains(place) {
          place.service
        } else {
          nil
        }
      })
    guard !gone.isEmpty else { return }
    let had = memory.services.count
    let isBroad = gone.count >= had || (2 * gone.count > had && gone.count >= 3)
    let moved = memory.identity != nil && memory.identity != desired.identity
    if !isApproved, (isBroad && !desired.removalsAnnounced) || moved {
      find(1, "\(gone.count) of \(had) services would be put away without anybody's approval")
    }
  }
}
