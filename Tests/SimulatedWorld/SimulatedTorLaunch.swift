import OnionModel

extension SimulatedHost {
  /// The container's command runs: the start guard, then tor, which reads its files.
  ///
  /// Docker restarts a command that ended, again and again; Podman does not, here.
  mutating func launch(_ id: String, by launcher: Launcher) {
    guard var container = containers[id] else { return }
    container.tor = nil
    if let tor = guardedTor(container) {
      container.state = .running
      container.tor = tor
      container.facts.exitCode = 0
      container.facts.pid = Int(number() % 100_000)
      containers[id] = container
      read(container, tor, by: launcher)
    } else {
      container.state = engine.kind == .docker ? .restarting : .exited
      container.facts.restartCount += 1
      container.facts.exitCode = 78
      containers[id] = container
    }
  }

  /// Notes what a tor has read.
  mutating func read(_ container: SimulatedContainer, _ tor: SimulatedTor, by launcher: Launcher) {
    for (service, served) in tor.served {
      let before = [lastServed, written].compactMap { $0[container.instance]?[service] }
      readings.append(
        Reading(
          launcher: launcher, instance: container.instance, service: service, served: served,
          before: before))
      lastServed[container.instance, default: [:]][service] = served.access
    }
  }

  /// What `etc/start` and then tor make of the files; `nil` if either refuses.
  private func guardedTor(_ container: SimulatedContainer) -> SimulatedTor? {
    guard let folder = folders[container.instance], passesGuard(folder, container.instance),
      let torrc = folder.files["torrc"]
    else { return nil }
    return loadedTor(torrc, container.instance, before: nil)
  }

  private func passesGuard(_ folder: Folder, _ instance: InstanceName) -> Bool {
    guard let script = folder.files["start"], let sums = folder.files["sums"],
      folder.files["defaults"] != nil, !sums.isEmpty
    else { return false }
    for line in sums.split(separator: "\n") {
      let parts = line.split(separator: " ", omittingEmptySubsequences: true)
      guard parts.count == 2, let slash = parts[1].firstIndex(of: "/"),
        let service = ServiceName(String(parts[1][..<slash])),
        let directory = keys[KeyPlace(instance: instance, service: service)],
        let content = directory.content(String(parts[1][parts[1].index(after: slash)...])),
        sha256(content) == parts[0]
      else { return false }
    }
    for line in script.split(separator: "\n") where line.hasPrefix("count ") {
      let parts = line.split(separator: " ")
      guard parts.count == 3, let service = ServiceName(String(parts[1])),
        let directory = keys[KeyPlace(instance: instance, service: service)],
        directory.clientFiles.count == Int(parts[2])
      else { return false }
    }
    return true
  }

  /// tor reads a torrc and the directories that it names. `before`: what it served, at a reload.
  func loadedTor(
    _ torrc: String, _ instance: InstanceName, before: SimulatedTor?
  ) -> SimulatedTor? {
    let options = torrc.split(separator: "\n").map(String.init)
      .filter { $0.hasPrefix("HiddenService") }
    guard !torrc.contains("NoSuchOption"), hasBalanceFiles(options, instance) else { return nil }
    var served: [ServiceName: SimulatedTor.Served] = [:]
    for line in options where line.hasPrefix("HiddenServiceDir ") {
      guard let text = line.split(separator: "/").last, let name = ServiceName(String(text)),
        let directory = keys[KeyPlace(instance: instance, service: name)],
        let address = directory.address, directory.publicKey == address,
        directory.owner == TorLayout.user, !directory.isUnreadable
      else { return nil }
      var access = directory.access
      // Under another name it is the same to tor: it goes by the key.
      if let old = before?.served.values.first(where: { $0.address == address }) {
        // Who holds a descriptor comes in until tor restarts: a reload never takes anybody's way in.
        access = access.joined(old.access)
      }
      // Without the option, tor does not look at `ob_config`.
      let section = options.drop { $0 != line }.dropFirst()
        .prefix { !$0.hasPrefix("HiddenServiceDir ") }
      let isInstance = section.contains("HiddenServiceOnionBalanceInstance 1")
      served[name] = SimulatedTor.Served(
        address: address, access: access,
        onionBalance: isInstance ? directory.onionBalance : nil)
    }
    return SimulatedTor(options: options, served: served)
  }

  /// tor refuses an Onionbalance instance without its `ob_config`.
  private func hasBalanceFiles(_ options: [String], _ instance: InstanceName) -> Bool {
    var directory: SimulatedKeyDirectory?
    for line in options {
      if line.hasPrefix("HiddenServiceDir "), let text = line.split(separator: "/").last {
        directory = ServiceName(String(text)).flatMap {
          keys[KeyPlace(instance: instance, service: $0)]
        }
      }
      if line == "HiddenServiceOnionBalanceInstance 1", directory?.onionBalance == nil {
        return false
      }
    }
    return true
  }

  /// The process or the engine's own attempts go on while nobody looks.
  mutating func tick() {
    guard !trouble.engineSilent else { return }
    for id in containers.keys.sorted() where containers[id]?.state == .restarting {
      launch(id, by: .engine)
    }
  }

  mutating func end(_ id: String, as state: ContainerState) {
    containers[id]?.state = state
    containers[id]?.tor = nil
    containers[id]?.facts.pid = 0
  }
}
