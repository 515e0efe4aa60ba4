import OnionModel

/// What nobody desired: people at the keyboard, failing parts.
public enum Fault: String, CaseIterable, Sendable {
  // Passes by itself.
  case engineSilent, listFails, keyRootUnmounted, keyRootForeign, stateRootUnmounted
  case pinsUnreadable, retiredUnreadable, keyDirectoryUnreadable, diskFull, buildFails
  case imageUnknown, networksUnknown, inspectFails, controlSilent, socketDirectoriesGone
  case ageMissing, backupsUnreadable, targetsUnknown, targetStopped
  // Done by hand or by the engine.
  case kill, stop, pause, remove, rename, recreateUncontained, recreateForeign, duplicate
  case loosenLimits, torCrash, engineRestart, imageRemoved, networkRemoved
  case foreignKeyUser, torrcEdited, sumsDeleted, folderDeleted, folderChowned, optionsChanged
  case chown, publicKeyDeleted, hostnameDeleted, clientFilesDeleted, clientFileAdded, foreignFile
  case undefinedDirectory, targetMoved, networkJoined, backupsDeleted, balanceEdited
  // Takes a key away.
  case secretDeleted, secretDamaged, secretSwapped, directoryDeleted

  /// The service's key is not what it was: it is held until somebody brings the key back.
  public var takesKey: Bool {
    switch self {
    case .secretDeleted, .secretDamaged, .secretSwapped, .directoryDeleted: true
    default: false
    }
  }

  /// Stays in the way until a person removes it.
  public var isForeign: Bool { self == .recreateForeign || self == .foreignKeyUser }
}

extension SimulatedHost {
  /// Lets a fault happen, to something of ours where it needs a victim; nothing happens where there is none.
  public mutating func suffer(_ fault: Fault, _ random: inout SplitMix64) {
    switch fault {
    case .engineSilent: trouble.engineSilent = true
    case .listFails: trouble.listFails = true
    case .keyRootUnmounted: trouble.keyRootUnmounted = true
    case .keyRootForeign: trouble.keyRootForeign = true
    case .stateRootUnmounted: trouble.stateRootUnmounted = true
    case .pinsUnreadable: trouble.pinsUnreadable = true
    case .retiredUnreadable: trouble.retiredUnreadable = true
    case .diskFull: trouble.diskFull = true
    case .buildFails: trouble.buildFails = true
    case .imageUnknown: trouble.imageUnknown = true
    case .networksUnknown: trouble.networksUnknown = true
    case .socketDirectoriesGone: trouble.socketDirectoriesGone = true
    case .ageMissing: trouble.ageMissing = true
    case .backupsUnreadable: trouble.backupsUnreadable = true
    case .backupsDeleted: backups = []
    case .targetsUnknown: trouble.targetsUnknown = true
    case .targetStopped:
      if let name = random.pick(targets.keys.sorted()) { targets[name]?.isRunning = false }
    case .targetMoved:
      if let name = random.pick(targets.keys.sorted()) { moveTarget(name, &random) }
    case .controlSilent:
      if let instance = random.pick(folders.keys.sorted()) {
        trouble.controlSilent.insert(instance)
      }
    case .imageRemoved:
      if let image = random.pick(images.keys.sorted()) { images[image] = nil }
    case .networkRemoved:
      for (name, network) in networks
      where network.isOurs
        && !containers.values.contains(where: { $0.facts.networks.contains(name) })
      {
        networks[name] = nil
      }
    case .engineRestart: restartEngine()
    case .undefinedDirectory:
      guard let name = ServiceName("stray"), keys.keys.allSatisfy({ $0.service != name }) else {
        return
      }
      let place = KeyPlace(instance: InstanceName(name), service: name)
      keys[place] = SimulatedKeyDirectory(newAddress(), owner: 0, clientFiles: [:])
      unowned.insert(place)
    case .kill, .stop, .pause, .remove, .rename, .recreateUncontained, .recreateForeign, .duplicate,
      .loosenLimits, .torCrash, .foreignKeyUser, .optionsChanged, .inspectFails, .networkJoined:
      let victims = containers.values.filter { $0.agent == agent }.map(\.id).sorted()
      if let id = random.pick(victims) { sufferInEngine(fault, id) }
    case .torrcEdited, .sumsDeleted, .folderDeleted, .folderChowned:
      if let instance = random.pick(folders.keys.sorted()) { sufferInFolder(fault, instance) }
    case .chown, .publicKeyDeleted, .hostnameDeleted, .clientFilesDeleted, .clientFileAdded,
      .foreignFile, .balanceEdited, .secretDeleted, .secretDamaged, .secretSwapped,
      .directoryDeleted,
      .keyDirectoryUnreadable:
      let victims = keys.keys.filter { !unowned.contains($0) }.sorted()
      if let place = random.pick(victims) { sufferInKeys(fault, place) }
    }
  }

  /// Everything that passes by itself has passed.
  public mutating func recover() {
    trouble = Trouble()
    for place in keys.keys { keys[place]?.isUnreadable = false }
    for id in containers.keys { containers[id]?.isOpaque = false }
    for name in targets.keys { targets[name]?.isRunning = true }
  }

  /// It was made anew: another address, and half the time in another network.
  mutating func moveTarget(_ name: String, _ random: inout SplitMix64) {
    let address = "10.9.\(number() % 250).\(number() % 250)"
    targets[name]?.address = address
    if random.chance(50), let network = random.pick(Self.targetNetworks) {
      targets[name]?.network = network
    }
  }

  mutating func stopTargets() { for name in targets.keys { targets[name]?.isRunning = false } }

  /// A person brings back what was taken, to where it is wanted now; and clears foreign things out of the way.
  mutating func bringBack(_ desired: Desired) {
    for (place, address) in stolen.sorted(by: { $0.key < $1.key })
    where !wholeSecrets.contains(address) {
      let directory = SimulatedKeyDirectory(address, owner: 0, clientFiles: [:])
      if keys[place] != nil {
        keys[place]?.secret = .whole(address)
      } else if desired.services.contains(where: {
        $0.formerly == place.service
          && keys[KeyPlace(instance: $0.instance, service: $0.name)] == nil
      }) {
        keys[place] = directory
      } else if let service = desired.services.first(where: { $0.name == place.service }) {
        keys[KeyPlace(instance: service.instance, service: service.name)] = directory
      } else {
        retired["\(place.service)-\(number())"] = SimulatedRetiredKey(
          service: place.service, directory: directory)
      }
    }
    stolen = [:]
    for container in containers.values where container.agent != agent {
      containers[container.id] = nil
    }
  }

  /// A person removes copies of ours, and what is foreign under the name of an instance that nothing wants any more.
  mutating func clearCopies(_ desired: Desired) {
    let wanted = Set(desired.services.map(\.instance))
    for (id, container) in containers {
      if copies.contains(id) || container.agent != agent && !wanted.contains(container.instance) {
        containers[id] = nil
      }
    }
    copies = []
  }

  private mutating func restartEngine() {
    for id in containers.keys.sorted() {
      guard let container = containers[id],
        [.running, .paused, .restarting].contains(container.state)
      else { continue }
      end(id, as: .exited)
      if engine.kind == .docker, container.agent == agent { launch(id, by: .engine) }
      if container.agent != agent { containers[id]?.state = .running }
    }
  }

  private mutating func sufferInEngine(_ fault: Fault, _ id: String) {
    guard var container = containers[id] else { return }
    switch fault {
    case .kill:
      end(id, as: .exited)
      containers[id]?.facts.exitCode = 137
    case .stop: end(id, as: .exited)
    case .pause: if container.isRunning { containers[id]?.state = .paused }
    case .remove: containers[id] = nil
    case .rename:
      let name = "renamed-\(number())"
      containers[id]?.name = name
    case .loosenLimits:
      containers[id]?.facts.memory = 0
      containers[id]?.facts.restartPolicy = "no"
    case .torCrash:
      guard container.isRunning else { return }
      if engine.kind == .docker { launch(id, by: .engine) } else { end(id, as: .exited) }
    case .inspectFails: containers[id]?.isOpaque = true
    case .networkJoined:
      guard !container.facts.networks.contains("other-net") else { return }
      containers[id]?.facts.networks.append("other-net")
      containers[id]?.facts.networks.sort()
    case .optionsChanged: containers[id]?.tor?.options.append("HiddenServicePort 9 192.0.2.9:9")
    case .recreateUncontained:
      containers[id] = nil
      container = copy(of: container, name: container.name)
      container.capabilities = 0xa804_25fb
      containers[container.id] = container
      if copies.contains(id) { copies.insert(container.id) }
      launch(container.id, by: .engine)
    case .duplicate:
      let other = copy(of: container, name: "copy-\(number())")
      containers[other.id] = other
      copies.insert(other.id)
    case .recreateForeign:
      containers[id] = nil
      var foreign = copy(of: container, name: container.name)
      foreign.labels = [:]
      foreign.state = .created
      containers[foreign.id] = foreign
    case .foreignKeyUser:
      var foreign = copy(of: container, name: "foreign-\(number())")
      foreign.labels = [:]
      foreign.state = .running
      containers[foreign.id] = foreign
    default: break
    }
  }

  private mutating func copy(of container: SimulatedContainer, name: String) -> SimulatedContainer {
    var copy = SimulatedContainer(
      id: "c\(number())", name: name, labels: container.labels, state: .created,
      facts: container.facts, instance: container.instance)
    copy.facts.restartCount = 0
    return copy
  }

  private mutating func sufferInFolder(_ fault: Fault, _ instance: InstanceName) {
    switch fault {
    case .torrcEdited:
      folders[instance]?.files["torrc"]?.append("HiddenServicePort 8 192.0.2.8:8\n")
    case .sumsDeleted: folders[instance]?.files["sums"] = nil
    case .folderDeleted: folders[instance] = nil
    case .folderChowned:
      folders[instance]?.flaws = [Deviation("etc/ owner", expected: "0", observed: "1000")]
    default: break
    }
  }

  private mutating func sufferInKeys(_ fault: Fault, _ place: KeyPlace) {
    if fault.takesKey, let address = keys[place]?.address, stolen[place] == nil {
      stolen[place] = address
    }
    switch fault {
    case .chown: keys[place]?.owner = 0
    case .publicKeyDeleted: keys[place]?.publicKey = nil
    case .hostnameDeleted: keys[place]?.hostname = nil
    case .clientFilesDeleted: keys[place]?.clientFiles = [:]
    case .clientFileAdded: keys[place]?.clientFiles["mallory.auth"] = "descriptor:x25519:MALLORY\n"
    case .balanceEdited:
      let text = "MasterOnionAddress \(newAddress())\n"
      keys[place]?.onionBalance = text
    case .foreignFile: keys[place]?.foreign.append("notes.txt")
    case .keyDirectoryUnreadable: keys[place]?.isUnreadable = true
    case .secretDeleted: keys[place]?.secret = .missing
    case .secretDamaged: keys[place]?.secret = .damaged
    case .secretSwapped:
      let other = newAddress()
      keys[place]?.secret = .whole(other)
    case .directoryDeleted: keys[place] = nil
    default: break
    }
  }
}
