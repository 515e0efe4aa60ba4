public import OnionModel

extension SimulatedHost {
  /// Where the world is not as desired, for every service whose key is whole and that nothing foreign stands in the way of.
  ///
  /// - Parameter memory: which instance carried a service that waits.
  public func differences(from desired: Desired, _ memory: Memory) -> [Violation] {
    let active = desired.services.filter { desired.stopped[$0.name] == nil }
    let instances = Dictionary(grouping: active, by: \.instance)
    var found: [Violation] = []
    for (instance, members) in instances.sorted(by: { $0.key < $1.key })
    where !isFrozen(instance, desired) {
      let others = members.filter { !isHeld($0) }
      if !others.isEmpty { found += differences(instance, others, of: members, desired) }
    }
    let wanted = Set(desired.services.map(\.name)).union(desired.unsettled)
      .union(desired.stopped.keys)
    let formers = Set(desired.services.compactMap(\.formerly))
    for container in containers.values.sorted(by: { $0.id < $1.id })
    where container.agent == agent && instances[container.instance] == nil {
      // Of a service that is held, or whose key has still to move on to a name or instance that is held.
      let waits = { (service: ServiceName) in
        wanted.contains(service) && desired.stopped[service] == nil || formers.contains(service)
      }
      let isKept =
        keys.keys.contains { $0.instance == container.instance && waits($0.service) }
        || memory.services.contains { $0.value == container.instance && waits($0.key) }
      if !isKept {
        found.append(Violation("leftover.container", "\(container.name) of \(container.instance)"))
      }
    }
    for place in keys.keys.sorted()
    where !unowned.contains(place) && !wanted.contains(place.service)
      && keys[place]?.address.map({ everPinned.contains($0) && isPinned($0, place.service) })
        ?? true
      && !formers.contains(place.service)
      && !isFrozen(place.instance, desired)
    {
      found.append(Violation("leftover.key", "\(place) is no longer defined"))
    }
    return found
  }

  /// What must hold after each pass that went well, whatever else waits: promises 2 and 4.
  public func exposures(_ desired: Desired, waiting: [Waiting]) -> [Violation] {
    let grounds: Set<Waiting.Kind> = [.notMounted, .engineUnreachable, .engineForeign]
    if waiting.contains(where: {
      grounds.contains($0.kind) || ($0.kind == .unknown && $0.instance == nil)
    }) {
      return []
    }
    var found: [Violation] = []
    for container in containers.values.sorted(by: { $0.id < $1.id })
    where container.agent == agent && container.isRunning && !container.isOpaque
      && !copies.contains(container.id)
    {
      if container.capabilities != 0 {
        found.append(Violation("contained", "\(container.name) runs with capabilities"))
      }
      for (name, served) in container.tor?.served ?? [:] {
        guard let service = desired.services.first(where: { $0.name == name }) else { continue }
        let isWaiting =
          service.isPaused
          || waiting.contains {
            $0.service == name || $0.instance == service.instance
              || $0.instance == container.instance
          }
        let isExposed =
          served.access == .open && service.access.asksForClients
          || !isWaiting && !served.access.isWithin(service.access)
        if isExposed {
          found.append(
            Violation(
              "access.left", "\(name) is served to \(served.access), desired \(service.access)"))
        }
      }
    }
    return found
  }

  /// Its key is not whole, or another than is wanted, or its target is nowhere.
  private func isHeld(_ service: OnionService) -> Bool {
    let place = KeyPlace(instance: service.instance, service: service.name)
    guard let address = keys[place]?.address,
      (service.address ?? pins[service.name] ?? address) == address
    else { return true }
    if service.ports.compactMap(\.target.containerName).contains(where: { targets[$0] == nil }) {
      return true
    }
    // Two places with one key: one of them is held, and which is not judged here.
    return keys.contains { $0.key != place && $0.value.address == address }
  }

  /// Nothing of an instance may be touched: somebody pauses it, something foreign is in the way, or its tor runs with a
  /// service that is held, wherever that is defined to be by now.
  private func isFrozen(_ instance: InstanceName, _ desired: Desired) -> Bool {
    let isPaused = desired.services.contains {
      $0.instance == instance && desired.stopped[$0.name] == nil && $0.isPaused
    }
    let isTaken = containers.values.contains {
      $0.agent != agent && ($0.instance == instance || $0.name == layout.containerName(instance))
    }
    if isPaused || isTaken { return true }
    return ours(instance).contains { container in
      guard let served = container.tor?.served, container.isRunning else { return false }
      return served.keys.contains { isWaiting($0, desired) }
    }
  }

  /// A key that its service has given up for another stays where it is: nobody defines it any more.
  private func isPinned(_ address: OnionAddress, _ service: ServiceName) -> Bool {
    pins[service].map { $0 == address } ?? true
  }

  /// What a tor serves and must not be told about.
  private func isWaiting(_ name: ServiceName, _ desired: Desired) -> Bool {
    let bearer =
      desired.services.first { $0.name == name } ?? desired.services.first { $0.formerly == name }
    guard let bearer else { return desired.unsettled.contains(name) }
    return isHeld(bearer) && desired.stopped[bearer.name] == nil
  }

  private func differences(
    _ instance: InstanceName, _ members: [OnionService], of all: [OnionService], _ desired: Desired
  ) -> [Violation] {
    var found: [Violation] = []
    func differ(_ message: String) {
      found.append(Violation("diverged", "\(instance): \(message)"))
    }
    let ours = ours(instance)
    guard ours.count == 1, let container = ours.first else {
      differ("\(ours.count) containers")
      return found
    }
    if container.name != layout.containerName(instance) { differ("is called \(container.name)") }
    if container.capabilities != 0 { differ("has capabilities") }
    if container.facts.restartPolicy != "always" { differ("restart policy") }
    guard container.isRunning, let tor = container.tor else {
      differ("container is \(container.state)")
      return found
    }
    // Nobody knows how an unsettled one is to be, so it stays as it was.
    let guests = Set(tor.served.keys).intersection(desired.unsettled)
    if guests.isEmpty, container.facts.memory != all.map(\.limits.memory).max() {
      differ("memory limit")
    }
    if Set(tor.served.keys).subtracting(guests) != Set(members.map(\.name)) {
      differ("serves \(tor.served.keys)")
    }
    for member in members {
      let place = KeyPlace(instance: instance, service: member.name)
      let address = keys[place]?.address
      if let served = tor.served[member.name] {
        if served.address != address { differ("\(member.name) under another address") }
        if !served.access.admitsTheSame(as: member.access) {
          differ("\(member.name) is served to \(served.access), desired \(member.access)")
        }
      }
      if tor.served[member.name]?.onionBalance != member.companions.onionBalanceText {
        differ("\(member.name) has read another ob_config")
      }
      if let address, !desired.backupRecipients.isEmpty,
        !backups.contains(
          KeyBackup.fileName(of: member.name, address, recipients: desired.backupRecipients))
      {
        differ("\(member.name) is not backed up")
      }
      if pins[member.name] != address { differ("\(member.name) is not pinned") }
      if let flaw = flaw(of: place, member) { differ(flaw) }
    }
    let configuration = InstanceConfiguration(
      instance: instance,
      services: members.map {
        ConfiguredService(
          name: $0.name, address: nil, ports: $0.ports, access: $0.access, tor: $0.tor)
      }, network: desired.network, containers: targets.mapValues(\.address))
    guard guests.isEmpty else { return found }
    let own = ownNetwork(instance)
    let names = Set(members.flatMap(\.ports).compactMap(\.target.containerName))
    let joined = Set(names.compactMap { targets[$0]?.network }).union([own])
    let isCertain = all.flatMap(\.ports).compactMap(\.target.containerName)
      .allSatisfy { targets[$0]?.isRunning == true }
    if isCertain, Set(container.facts.networks) != joined {
      differ("is in networks \(container.facts.networks) instead of \(joined.sorted())")
    }
    let gateway = networks[own]?.gateway
    if tor.options != configuration.serviceOptions(gateway: gateway) {
      differ("options \(tor.options)")
    }
    return found
  }

  private func flaw(of place: KeyPlace, _ service: OnionService) -> String? {
    guard let directory = keys[place], let address = directory.address,
      let seen = directory.observed(owner: TorLayout.user).value
    else { return nil }
    if let flaw = seen.flaws.first { return "\(place): \(flaw)" }
    if !seen.foreign.isEmpty { return "\(place): foreign files" }
    if seen.onionBalance != service.companions.onionBalanceText { return "\(place): ob_config" }
    let wanted = service.companions.clientFiles(of: address)
    return seen.clientFiles == wanted ? nil : "\(place): client files"
  }
}
