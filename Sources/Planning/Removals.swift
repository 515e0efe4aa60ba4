import OnionModel

/// Services that this host was given and is no longer: what to put away, or why not yet.
struct Removals {
  /// In order of name, with the instance that carries it.
  var services: [(name: ServiceName, instance: InstanceName)] = []
  var addresses: [ServiceName: OnionAddress?] = [:]
  /// Nothing is put away before a person says so.
  var areHeld = false
  /// The removed names, if the same revision also wants a new key: for the message of both.
  var probableRenames: String?
  var newServices: Set<ServiceName> = []
  /// Their last definitions said `prune: hold`, and nobody has approved it.
  var pruneHeld: Set<ServiceName> = []

  /// Whether its removal waits for a person.
  func waits(_ service: ServiceName) -> Bool { areHeld || pruneHeld.contains(service) }

  func isProbablyRenamed(_ service: ServiceName) -> Bool { newServices.contains(service) }
}

extension Planner {
  /// Judged on what this host has, whatever moved: revision, host name, labels, branch, url.
  mutating func decideRemovals(_ sight: Sight) -> Removals {
    var removals = Removals()
    let wanted = Set(desired.services.map(\.name)).union(desired.unsettled).union(
      desired.stopped.keys)
    let renamed = Set(desired.services.compactMap(\.formerly))
    for (name, instance) in memory.services.sorted(by: { $0.key < $1.key })
    where !wanted.contains(name) && !renamed.contains(name) {
      removals.services.append((name, instance))
      removals.addresses[name] = sight.pins[name]
    }
    guard !removals.services.isEmpty else { return removals }
    let isApproved = approves(.removals)
    if !isApproved { holdPruning(&removals) }
    // Those that wait by their own definition's word are counted neither among the removed nor among the rest, so
    // that they neither hold the removal of others nor make it look small.
    let going = removals.services.map(\.name).filter { !removals.pruneHeld.contains($0) }
    let names = removals.services.map(\.name.text).joined(separator: ", ")
    let gone = going.count
    let all = memory.services.count - removals.pruneHeld.count
    let identityMoved = memory.identity.map { $0 != desired.identity } ?? false
    let isBroad = gone == all || (gone * 2 > all && gone >= 3)
    if !isApproved, gone > 0, identityMoved || (isBroad && !desired.removalsAnnounced) {
      removals.areHeld = true
      wait(
        .removals,
        "\(gone) of \(all) services would be removed (\(going.map(\.text).joined(separator: ", ")))"
          + (identityMoved ? " after the host's own name, labels or source changed" : "")
          + ": `onionkeeper approve \(desired.revision?.text ?? "REVISION") --removals` lists and allows them"
      )
    }
    let vanished = removals.services.filter {
      memory.previouslyDefined.contains($0.name) && !desired.defined.contains($0.name)
    }
    let fresh = desired.services.filter { service in
      !memory.previouslyDefined.contains(service.name) && service.key.isGenerated
        && service.address == nil && service.formerly == nil && sight.pins[service.name] == nil
        && memory.services[service.name] == nil
    }
    if !isApproved, !vanished.isEmpty, !fresh.isEmpty {
      removals.areHeld = true
      removals.probableRenames = vanished.map(\.name.text).joined(separator: ", ")
      removals.newServices = Set(fresh.map(\.name))
      wait(
        .probableRename,
        "this revision removes \(names) and wants a new key for"
          + " \(fresh.map(\.name.text).joined(separator: ", ")): probably a rename, so both wait")
    }
    return removals
  }

  /// Each by itself: it runs on, and holds up nothing else.
  private mutating func holdPruning(_ removals: inout Removals) {
    for (name, instance) in removals.services where memory.heldFromPruning.contains(name) {
      removals.pruneHeld.insert(name)
      wait(
        .pruneHeld, service: name, instance: instance,
        "\(name) is no longer defined, and its definition said `prune: hold`, so it runs on:"
          + " `onionkeeper approve \(desired.revision?.text ?? "REVISION") --removals` puts it away")
    }
  }

  /// Members of a shared tor whose removal waits, as that tor last read them: what its other members need must not
  /// end them.
  func staying(in instance: InstanceName, _ removals: Removals) -> [OnionService] {
    let configured = memory.instances[instance]?.configured ?? []
    return removals.services.filter { $0.instance == instance && removals.waits($0.name) }
      .compactMap { removal in configured.first { $0.name == removal.name } }
      .filter { $0.address != nil }
      .map { read in
        OnionService(
          name: read.name, instance: instance, address: read.address, key: .existing,
          access: read.access, ports: read.ports, tor: read.tor,
          // The limits of its container are those of the members that are defined.
          limits: ContainerLimits(memory: 0, milliCPUs: 0, pids: 0), prune: .hold)
      }
  }

  mutating func planRemovals(_ removals: Removals, sight: Sight) {
    guard !removals.areHeld else { return }
    for (name, instance) in removals.services where !removals.pruneHeld.contains(name) {
      if memory.paused.contains(name) {
        wait(
          .paused, service: name, instance: instance,
          "its definition is gone, but it is paused by hand")
        continue
      }
      planRemoval(name, instance, sight)
    }
  }

  private mutating func planRemoval(
    _ name: ServiceName, _ instance: InstanceName, _ sight: Sight
  ) {
    let deviation = Deviation("service \(name)", expected: "not on this host", observed: "here")
    let sharesInstance = instances.contains { $0.0 == instance }
    if sharesInstance, !leaves(name, instance) {
      wait(
        .unknown, service: name, instance: instance,
        "its tor still serves it and cannot be told otherwise yet, so its key is not put away")
      return
    }
    var steps: [Step] = []
    if !sharesInstance {
      steps += containers(of: instance, in: sight).map { container in
        Step(
          .removeContainer(instance, id: container.id), cause: .change, service: name,
          deviations: [deviation], interrupts: container.state == .running)
      }
    }
    guard let places = places(of: name, instance, sight) else { return }
    steps += places.map { place in
      Step(
        .retireKey(place, observed.keys[place]?.value?.address), cause: .change, service: name,
        deviations: [deviation])
    }
    if !sharesInstance {
      steps.append(
        Step(.forgetInstance(instance), cause: .change, service: name, deviations: [deviation]))
      // Last: a stranger in it may keep it here, and that must not keep the service in our memory.
      let network = networkName(instance, engine: sight.engine)
      if sight.engine.kind == .podman, observed.networks[network]?.value?.isOurs == true {
        steps.append(Step(.removeNetwork(name: network), cause: .change, service: name))
      }
    }
    add(StepGroup(subject: .instance(instance), steps: steps))
  }

  /// Whether a shared tor does not serve it (any more): it never read of it, or this plan tells it.
  private func leaves(_ name: ServiceName, _ instance: InstanceName) -> Bool {
    if memory.instances[instance]?.applied?.services[name] == nil { return true }
    return groups.first { $0.subject == .instance(instance) }?.steps.contains {
      switch $0.action {
      case .reload, .restartContainer, .createContainer, .removeContainer: true
      default: false
      }
    } ?? false
  }

  /// Its directory, also where a move that nobody could note has put it. `nil`: something could not be seen.
  private mutating func places(
    of name: ServiceName, _ instance: InstanceName, _ sight: Sight
  ) -> [KeyPlace]? {
    let own = KeyPlace(instance: instance, service: name)
    let candidates = Set(observed.keys.keys.filter { $0.service == name }).union([own])
    var found: [KeyPlace] = []
    for place in candidates.sorted() {
      switch observed.keys[place] ?? .unknown("it was not looked at") {
      case .unknown(let reason):
        wait(
          .unknown, service: name, instance: instance,
          "key directory \(place) cannot be read, so it is not put away: \(reason)")
        return nil
      case .absent: continue
      case .present(let directory):
        // Elsewhere, only what is provably its own.
        if place == own || directory.address.map({ $0 == sight.pins[name] }) == true {
          found.append(place)
        }
      }
    }
    return found
  }

  /// Containers that we remember making, of instances that nothing wants and no removal covers.
  mutating func planLeftovers(_ removals: Removals, sight: Sight) {
    let covered = Set(groups.map(\.subject))
    let kept = Set(instances.map(\.0)).union(memory.services.values)
    for instance in memory.instances.keys.sorted()
    where !kept.contains(instance) && !covered.contains(.instance(instance)) {
      let steps = containers(of: instance, in: sight).map { container in
        Step(
          .removeContainer(instance, id: container.id), cause: .change,
          deviations: [Deviation("container", expected: "absent", observed: container.name)])
      }
      guard !steps.isEmpty else { continue }
      add(
        StepGroup(
          subject: .instance(instance),
          steps: steps + [Step(.forgetInstance(instance), cause: .change)]))
    }
  }
}
