import OnionModel

extension SimulatedHost {
  /// Does what the step says, as the live world would: refuses before it harms. `half`: dies in its midst.
  mutating func perform(_ action: Action, _ extent: Extent) throws(StepFailure) -> StepEffect {
    switch action {
    case .generateKey(let place, let owner, let companions, _):
      return try generateKey(place, owner: owner, companions, extent)
    case .unsealKey(let place, let sealed, _, let address, let owner, let companions, _):
      return try unsealKey(place, sealed, address, owner: owner, companions, extent)
    case .backUpKey(let place, let address, let recipients):
      try backUpKey(place, address, recipients)
    case .pin(let service, let address, let place): try pin(service, address, place)
    case .repairKeys(let place, let wish): try repairKeys(place, wish, extent)
    case .retireKey(let place, let address): return try retireKey(place, address)
    case .restoreKey(let id, let place, let address): try restoreKey(id, place, address, extent)
    case .moveKey(let old, let place, let address): try moveKey(old, place, address, extent)
    case .writeFiles(let configuration, let network, _, _):
      try writeFiles(configuration, network, extent)
    case .forgetInstance(let instance): try forget(instance)
    case .forgetService, .labelPrivate: break
    default:
      if trouble.engineSilent {
        throw StepFailure(code: "engine.unreachable", message: "the engine does not answer")
      }
      return try performInEngine(action, extent)
    }
    return .none
  }

  private mutating func performInEngine(_ action: Action, _ extent: Extent) throws(StepFailure)
    -> StepEffect
  {
    switch action {
    case .buildImage(let recipe): return try build(recipe)
    case .ensureNetwork(let name): try ensureNetwork(name)
    case .removeNetwork(let name): try removeNetwork(name)
    case .verifyConfiguration(let specification): try verify(specification)
    case .createContainer(let specification): return try create(specification)
    case .joinNetwork(_, let name, let network): try join(name, network)
    case .leaveNetwork(_, let name, let network): try leave(name, network)
    case .startContainer(_, let name): try start(name)
    case .restartContainer(_, let name): launch(try requireOurs(name).id, by: .agent)
    case .unpauseContainer(_, let id): try unpause(id)
    case .renameContainer(_, let id, let name): try rename(id, to: name)
    case .removeContainer(_, let id), .takeDown(_, let id): try remove(id, extent)
    case .updateLimits(let specification, let id): try updateLimits(specification, id)
    case .reload(let configuration, let network): return try reload(configuration, network)
    case .prove(let specification, let configuration, let network):
      return try prove(specification.name, configuration, network)
    case .adoptContainer(_, let configuration, let network, let id):
      return try prove(id, configuration, network)
    default: throw StepFailure(code: "step.unknown", message: "not a step of the engine")
    }
    return .none
  }

  private mutating func writeFiles(
    _ configuration: InstanceConfiguration, _ network: String, _ extent: Extent
  ) throws(StepFailure) {
    if trouble.stateRootUnmounted {
      throw StepFailure(code: "state.unmounted", message: "the state folder is not mounted")
    }
    try requireSpace()
    guard let files = configuration.files(gateway: networks[network]?.gateway) else {
      throw StepFailure(code: "gateway.unknown", message: "network \(network) is not there")
    }
    var folder = folders[configuration.instance] ?? Folder(files: [:])
    for (name, text) in files.contents where extent == .whole || name != "torrc" {
      folder.files[name] = text
    }
    for name in folder.files.keys where !files.contents.contains(where: { $0.name == name }) {
      folder.files[name] = nil
    }
    folder.flaws = []
    written[configuration.instance] = Dictionary(
      uniqueKeysWithValues: configuration.services.map { ($0.name, $0.access) })
    folders[configuration.instance] = folder
  }

  private mutating func forget(_ instance: InstanceName) throws(StepFailure) {
    if let container = ours(instance).first {
      throw StepFailure(code: "container.there", message: "\(container.name) still stands on it")
    }
    folders[instance] = nil
  }

  private mutating func build(_ recipe: ImageRecipe) throws(StepFailure) -> StepEffect {
    if trouble.buildFails { throw StepFailure(code: "build.failed", message: "no base image") }
    let id = "sha256:\(number())"
    images[recipe.reference] = id
    return .built(imageID: id)
  }

  private mutating func ensureNetwork(_ name: String) throws(StepFailure) {
    if let network = networks[name] {
      if network.isOurs { return }
      throw StepFailure(code: "name.taken", message: "network \(name) is not ours")
    }
    networks[name] = Network(gateway: "172.\(20 + Int(number() % 12)).0.1", isOurs: true)
  }

  private mutating func removeNetwork(_ name: String) throws(StepFailure) {
    guard let network = networks[name] else { return }
    guard network.isOurs, !containers.values.contains(where: { $0.facts.networks.contains(name) })
    else {
      throw StepFailure(code: "network.used", message: "\(name) is in use or not ours")
    }
    networks[name] = nil
  }

  private func verify(_ specification: ContainerSpecification) throws(StepFailure) {
    guard images[specification.image] != nil else {
      throw StepFailure(code: "image.missing", message: "\(specification.image) is not here")
    }
    guard let torrc = folders[specification.instance]?.files["torrc"],
      !torrc.contains("NoSuchOption")
    else { throw StepFailure(code: "configuration.refused", message: "tor refuses the torrc") }
  }

  private mutating func create(_ specification: ContainerSpecification) throws(StepFailure)
    -> StepEffect
  {
    guard let image = images[specification.image] else {
      throw StepFailure(code: "image.missing", message: "\(specification.image) is not here")
    }
    guard networks[specification.network] != nil else {
      throw StepFailure(code: "network.missing", message: "\(specification.network) is not here")
    }
    guard container(specification.name) == nil else {
      throw StepFailure(code: "name.taken", message: "\(specification.name) is there already")
    }
    try requireSockets(specification.mounts)
    let id = "c\(number())"
    containers[id] = SimulatedContainer(
      id: id, name: specification.name, labels: specification.labels(agent: agent),
      state: .created, facts: specification.facts(imageID: image),
      instance: specification.instance)
    return .created(containerID: id)
  }

  private mutating func join(_ name: String, _ network: String) throws(StepFailure) {
    let container = try requireOurs(name)
    guard networks[network] != nil else {
      throw StepFailure(code: "network.missing", message: "\(network) is not here")
    }
    guard !container.facts.networks.contains(network) else { return }
    containers[container.id]?.facts.networks.append(network)
    containers[container.id]?.facts.networks.sort()
  }

  private mutating func leave(_ name: String, _ network: String) throws(StepFailure) {
    let container = try requireOurs(name)
    containers[container.id]?.facts.networks.removeAll { $0 == network }
  }

  func requireOurs(_ idOrName: String) throws(StepFailure) -> SimulatedContainer {
    guard let container = container(idOrName) else {
      throw StepFailure(code: "container.missing", message: "no container \(idOrName)")
    }
    guard container.agent == agent else {
      throw StepFailure(code: "name.taken", message: "\(idOrName) is not ours")
    }
    return container
  }

  /// An engine starts nothing that mounts what is not there.
  private func requireSockets(_ mounts: [Mount]) throws(StepFailure) {
    let ofTargets = mounts.filter { $0.destination == TorLayout.target(directory: $0.source) }
    if trouble.socketDirectoriesGone, let mount = ofTargets.first {
      throw StepFailure(code: "mount.missing", message: "\(mount.source) is not there")
    }
  }

  private mutating func start(_ name: String) throws(StepFailure) {
    let container = try requireOurs(name)
    if container.isRunning { return }
    try requireSockets(container.facts.mounts)
    if container.state == .paused {
      throw StepFailure(code: "container.paused", message: "\(name) is paused")
    }
    launch(container.id, by: .agent)
  }

  private mutating func unpause(_ id: String) throws(StepFailure) {
    let container = try requireOurs(id)
    guard container.state == .paused, let tor = container.tor else { return }
    containers[container.id]?.state = .running
    read(container, tor, by: .agent)
  }

  private mutating func rename(_ id: String, to name: String) throws(StepFailure) {
    let container = try requireOurs(id)
    if let other = self.container(name), other.id != container.id {
      throw StepFailure(code: "name.taken", message: "\(name) is another container's")
    }
    containers[container.id]?.name = name
  }

  private mutating func remove(_ id: String, _ extent: Extent) throws(StepFailure) {
    guard container(id) != nil else { return }
    let container = try requireOurs(id)
    end(container.id, as: .exited)
    if extent == .whole { containers[container.id] = nil }
  }

  private mutating func updateLimits(
    _ specification: ContainerSpecification, _ id: String
  ) throws(StepFailure) {
    let container = try requireOurs(id)
    containers[container.id]?.facts.memory = specification.limits.memory
    containers[container.id]?.facts.milliCPUs = specification.limits.milliCPUs
    containers[container.id]?.facts.pids = specification.limits.pids
    containers[container.id]?.facts.restartPolicy = "always"
  }

  private mutating func reload(_ configuration: InstanceConfiguration, _ network: String)
    throws(StepFailure) -> StepEffect
  {
    try requireConfigured(configuration)
    guard let torrc = folders[configuration.instance]?.files["torrc"],
      let container = ours(configuration.instance).first(where: \.isRunning),
      let before = container.tor, !trouble.controlSilent.contains(configuration.instance)
    else { throw StepFailure(code: "control.silent", message: "no tor answers") }
    guard let tor = loadedTor(torrc, configuration.instance, before: before) else {
      throw StepFailure(code: "configuration.refused", message: "tor refuses the torrc")
    }
    containers[container.id]?.tor = tor
    read(container, tor, by: .agent)
    return .reloaded(torrc: sha256(torrc))
  }

  /// The directories that a reload makes tor read are as configured: it would open a service without client files.
  private func requireConfigured(_ configuration: InstanceConfiguration) throws(StepFailure) {
    try requireKeys()
    for service in configuration.services {
      let place = KeyPlace(instance: configuration.instance, service: service.name)
      guard let address = service.address, let directory = keys[place],
        directory.clientFiles == service.companions.clientFiles(of: address),
        directory.onionBalance == service.companions.onionBalanceText
      else {
        throw StepFailure(code: "keys.changed", message: "\(place) is not as configured")
      }
      try requireWhole(place, address)
    }
  }

  private func prove(
    _ idOrName: String, _ configuration: InstanceConfiguration, _ network: String
  ) throws(StepFailure) -> StepEffect {
    let container = try requireOurs(idOrName)
    guard container.isRunning, container.tor != nil,
      !trouble.controlSilent.contains(configuration.instance)
    else {
      throw StepFailure(
        code: "proof.failed", message: "\(container.name) is \(container.state) and tor is silent")
    }
    let breaches = container.proof.breaches(user: TorLayout.user, label: nil)
    if let breach = breaches.first {
      throw StepFailure(code: "proof.failed", message: "\(container.name): \(breach)")
    }
    guard let torrc = folders[configuration.instance]?.files["torrc"] else {
      throw StepFailure(code: "proof.failed", message: "etc/torrc is gone")
    }
    return .proven(container.proof, containerID: container.id, torrc: sha256(torrc))
  }
}
