import OnionModel

extension SimulatedHost {
  /// The truth, as far as it can be seen now.
  func observed(_ desired: Desired, _ memory: Memory, now: Timestamp) -> Observed {
    let instances = Set(desired.services.map(\.instance)).union(memory.instances.keys)
      .union(memory.services.values)
    var look = Observed(
      now: now, keyRoot: rootObservation(trouble.keyRootUnmounted, foreign: trouble.keyRootForeign),
      stateRoot: rootObservation(trouble.stateRootUnmounted, foreign: false),
      engine: trouble.engineSilent ? .unknown("timed out") : .present(engine),
      containers: observedContainers(instances),
      image: observedImage(desired.recipe.reference), pins: observedPins, retired: observedRetired)
    look.keys = observedKeys(desired, memory)
    look.backups =
      areKeysAway || trouble.backupsUnreadable ? .unknown("input/output error") : .present(backups)
    guard !trouble.engineSilent else { return look }
    look.images = Set(images.keys)
    for name in wantedNetworks(instances) { look.networks[name] = observedNetwork(name) }
    for container in containers.values where container.agent != agent && container.isRunning {
      look.keyUsers[container.instance, default: []].append(container.name)
    }
    for instance in instances {
      look.folders[instance] = observedFolder(instance)
      look.tors[instance] = observedTor(instance)
    }
    let targets = desired.targets(knowing: memory)
    for directory in Set(targets.compactMap(\.socket?.directory)) {
      look.socketDirectories[directory] = .present(true)
    }
    for name in targets.compactMap(\.containerName) {
      look.targetContainers[name] = observedTarget(name)
    }
    return look
  }

  private func rootObservation(_ isUnmounted: Bool, foreign: Bool) -> Observation<AgentID> {
    if isUnmounted { return .absent }
    return foreign
      ? AgentID(String(repeating: "f", count: 32)).map { .present($0) } ?? .absent
      : .present(agent)
  }

  private func observedContainers(_ instances: Set<InstanceName>) -> Observation<
    [ContainerObservation]
  > {
    if trouble.engineSilent || trouble.listFails { return .unknown("list timed out") }
    let names = Set(instances.map(layout.containerName))
    return .present(
      containers.values.filter { $0.agent == agent || names.contains($0.name) }
        .sorted { $0.id < $1.id }.map(\.observed))
  }

  private func observedImage(_ reference: String) -> Observation<ImageObservation> {
    if trouble.engineSilent || trouble.imageUnknown { return .unknown("timed out") }
    return images[reference].map { .present(ImageObservation(id: $0, reference: reference)) }
      ?? .absent
  }

  private func observedKeys(
    _ desired: Desired, _ memory: Memory
  ) -> [KeyPlace: Observation<KeyDirectory>] {
    let defined =
      desired.services.map { KeyPlace(instance: $0.instance, service: $0.name) }
      + memory.services.map { KeyPlace(instance: $0.value, service: $0.key) }
    var look: [KeyPlace: Observation<KeyDirectory>] = [:]
    for place in Set(keys.keys).union(defined) {
      look[place] =
        areKeysAway
        ? .unknown("not mounted") : keys[place]?.observed(owner: TorLayout.user) ?? .absent
    }
    return look
  }

  private var areKeysAway: Bool { trouble.keyRootUnmounted || trouble.keyRootForeign }

  private var observedPins: Observation<[ServiceName: OnionAddress]> {
    areKeysAway || trouble.pinsUnreadable ? .unknown("input/output error") : .present(pins)
  }

  private var observedRetired: Observation<[RetiredKey]> {
    if areKeysAway || trouble.retiredUnreadable { return .unknown("input/output error") }
    return .present(
      retired.sorted { $0.key < $1.key }.compactMap { id, key in
        key.directory.address.map { RetiredKey(id: id, service: key.service, address: $0) }
      })
  }

  private func wantedNetworks(_ instances: Set<InstanceName>) -> Set<String> {
    switch engine.kind {
    case .docker: [layout.prefix]
    case .podman: Set(instances.map(layout.containerName))
    }
  }

  private func observedNetwork(_ name: String) -> Observation<NetworkObservation> {
    if trouble.networksUnknown { return .unknown("timed out") }
    return networks[name].map {
      .present(NetworkObservation(name: name, gateway: $0.gateway, isOurs: $0.isOurs))
    } ?? .absent
  }

  private func observedTarget(_ name: String) -> Observation<TargetContainer> {
    if trouble.targetsUnknown { return .unknown("inspect timed out") }
    guard let target = targets[name], target.isRunning else { return .absent }
    return .present(TargetContainer(address: target.address, network: target.network))
  }

  private func observedFolder(_ instance: InstanceName) -> Observation<InstanceFolder> {
    if trouble.stateRootUnmounted { return .unknown("not mounted") }
    return folders[instance].map { folder in
      .present(
        InstanceFolder(digests: folder.files.mapValues { sha256($0) }, flaws: folder.flaws))
    } ?? .absent
  }

  private func observedTor(_ instance: InstanceName) -> Observation<TorObservation> {
    guard let tor = ours(instance).first(where: \.isRunning)?.tor else { return .absent }
    if trouble.controlSilent.contains(instance) { return .unknown("no answer") }
    return .present(
      TorObservation(
        version: "0.4.8.16", bootstrap: 100, bootstrapSummary: "Done", serviceOptions: tor.options,
        introductions: Dictionary(
          uniqueKeysWithValues: Set(tor.served.values.map(\.address.identifier)).map { ($0, 3) })))
  }
}
