import OnionModel

/// What one instance's containers may serve: as remembered of what their tor has read, and by its own word.
struct Serving {
  var names: Set<ServiceName> = []
  var addresses: Set<OnionAddress> = []
  /// One of them has read nobody remembers what.
  var isUnknown = false
}

/// What is served where, or may be. Only containers of ours: others are `keyUsers`.
struct Tors {
  /// By containers that run or are paused.
  var live: [InstanceName: Serving] = [:]
  /// By all, since an engine may start what does not run.
  var all: [InstanceName: Serving] = [:]
  var byName: [ServiceName: Set<InstanceName>] = [:]
  var byAddress: [OnionAddress: Set<InstanceName>] = [:]
}

extension ContainerObservation {
  /// It holds a tor in memory.
  var isLive: Bool { state == .running || state == .paused }

  /// It stands still until somebody starts it, and then reads its files anew.
  var isDormant: Bool { state == .created || state == .exited || state == .dead }
}

extension Planner {
  func observeTors(_ sight: Sight) -> Tors {
    var tors = Tors()
    for (instance, containers) in sight.ours {
      let said = saidToServe(instance)
      let isAlone = containers.count(where: \.isLive) == 1
      var live = Serving()
      var all = Serving()
      for container in containers {
        var serving = Serving()
        if let applied = memory.instances[instance]?.applied, applied.containerID == container.id {
          serving.names = Set(applied.services.keys)
          serving.addresses = Set(applied.services.values.map(\.address))
        } else if container.state != .created, !(container.isLive && isAlone && said != nil) {
          serving.isUnknown = true
        }
        if container.isLive {
          serving.names.formUnion(said ?? [])
          live.add(serving)
        }
        all.add(serving)
      }
      tors.live[instance] = live
      tors.all[instance] = all
      for name in all.names { tors.byName[name, default: []].insert(instance) }
      for address in all.addresses { tors.byAddress[address, default: []].insert(instance) }
      guard all.isUnknown else { continue }
      for name in related(to: instance) { tors.byName[name, default: []].insert(instance) }
    }
    return tors
  }

  /// The services that the running tor names. It is not to be believed where it names one that it never had: another
  /// instance would wait for it.
  private func saidToServe(_ instance: InstanceName) -> Set<ServiceName>? {
    guard let tor = observed.tors[instance]?.value else { return nil }
    let prefix = "HiddenServiceDir \(TorLayout.keys)/"
    let known = memory.instances[instance]?.applied?.services ?? [:]
    return Set(
      tor.serviceOptions.filter { $0.hasPrefix(prefix) }
        .compactMap { ServiceName(String($0.dropFirst(prefix.count))) }
        .filter { name in
          known[name] != nil || memory.services[name] == instance
            || observed.keys[KeyPlace(instance: instance, service: name)]?.mayBeThere == true
        })
  }

  /// The services that a tor of this instance can have read: their keys are or were in its folder.
  func related(to instance: InstanceName) -> Set<ServiceName> {
    var names = Set(memory.services.filter { $0.value == instance }.keys)
    for (place, directory) in observed.keys
    where place.instance == instance && directory.mayBeThere { names.insert(place.service) }
    return names
  }

  /// The services that the running tor of an instance may serve.
  func liveNames(_ instance: InstanceName) -> Set<ServiceName> {
    guard let live = tors.live[instance] else { return [] }
    return live.isUnknown ? live.names.union(related(to: instance)) : live.names
  }

  /// The services that any container of an instance may serve, once started.
  func allNames(_ instance: InstanceName) -> Set<ServiceName> {
    guard let all = tors.all[instance] else { return [] }
    return all.isUnknown ? all.names.union(related(to: instance)) : all.names
  }

  /// Whether this plan makes an instance's tor forget services, or it never had them. Its own group must be planned.
  func hasLetGo(
    _ instance: InstanceName, of names: Set<ServiceName>, _ address: OnionAddress?, _ sight: Sight
  ) -> Bool {
    let steps = groups.first { $0.subject == .instance(instance) }?.steps ?? []
    let removed = Set(steps.compactMap(\.removedID))
    let isTold = steps.contains { step in
      guard let read = step.readConfiguration else { return false }
      return read.instance == instance && read.lacks(names, address)
    }
    let hasNever = tors.live[instance]?.lacks(names, address) ?? true
    let remembered = memory.instances[instance]?.applied?.containerID
    return (sight.ours[instance] ?? []).allSatisfy { container in
      removed.contains(container.id) || isTold
        || container.isLive && container.id == remembered && hasNever
        || container.isDormant && written[instance]?.lacks(names, address) == true
    }
  }
}

extension Serving {
  /// Known to have read none of them.
  fileprivate func lacks(_ names: Set<ServiceName>, _ address: OnionAddress?) -> Bool {
    !isUnknown && self.names.isDisjoint(with: names)
      && address.map { !addresses.contains($0) } ?? true
  }

  fileprivate mutating func add(_ other: Serving) {
    names.formUnion(other.names)
    addresses.formUnion(other.addresses)
    isUnknown = isUnknown || other.isUnknown
  }
}

extension Observation {
  fileprivate var mayBeThere: Bool { if case .absent = self { false } else { true } }
}

extension InstanceConfiguration {
  func lacks(_ names: Set<ServiceName>, _ address: OnionAddress?) -> Bool {
    !services.contains { names.contains($0.name) || address != nil && $0.address == address }
  }
}

extension Step {
  /// The container that it ends.
  var removedID: String? {
    switch action {
    case .removeContainer(_, let id), .takeDown(_, let id): id
    default: nil
    }
  }

  /// What a tor is known to have read, and nothing else, once the step is done.
  var readConfiguration: InstanceConfiguration? {
    switch action {
    case .reload(let configuration, _), .prove(_, let configuration, _),
      .adoptContainer(_, let configuration, _, _):
      configuration
    default: nil
    }
  }
}
