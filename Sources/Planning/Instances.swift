import OnionModel

extension Planner {
  /// One tor process: its members' keys, its files, its container.
  mutating func planInstance(
    _ instance: InstanceName, members: [OnionService], removals: Removals, sight: Sight
  ) {
    var keySteps: [Step] = []
    var configured: [ConfiguredService] = []
    var holds: [Waiting] = []
    var targets: [String: String] = [:]
    for member in members {
      switch decideKey(member, removals: removals, sight: sight) {
      case .held(let waiting): holds.append(waiting)
      case .opening(let steps): keySteps += steps
      case .ready(let address, let steps):
        switch decideTargets(member) {
        case .held(let waiting):
          holds.append(waiting)
          continue
        case .resolved(let addresses): targets.merge(addresses) { $1 }
        }
        keySteps += steps
        configured.append(
          ConfiguredService(
            name: member.name, address: address, ports: member.ports, access: member.access,
            tor: member.tor))
      }
    }
    let ours = containers(of: instance, in: sight)
    guard holds.isEmpty else {
      waiting += holds
      protect(instance, members: members, containers: ours)
      return
    }
    let sheet = sheet(
      instance, members: members, configured: configured, targets: targets, containers: ours,
      engine: sight.engine)
    var group = StepGroup(subject: .instance(instance), steps: keySteps)
    let waitingBefore = waiting.count
    if sheet.isFallback, let retryAt = sheet.memory.retryAt {
      wait(
        .backoff, service: sheet.service, instance: instance,
        "the new container failed its proof and the previous one is kept: next try in"
          + " \(Int(retryAt.since(observed.now).rounded(.up))) s")
    }
    // Without a member whose key is known there is nothing yet to run a tor for.
    if !configured.isEmpty { planContainer(sheet, into: &group, sight: sight) }
    let isPaused = members.contains { $0.isPaused || memory.paused.contains($0.name) }
    if isPaused {
      waiting.removeSubrange(waitingBefore...)
      if !group.steps.isEmpty {
        wait(
          .paused, service: members.first?.name, instance: instance,
          "paused: \(group.steps.count) steps wait"
            + (group.steps.flatMap(\.deviations).first.map { " (\($0))" } ?? ""))
      }
      protect(instance, members: members, containers: ours)
      return
    }
    add(group)
    // Held for whatever reason: what promises 2 and 4 demand needs no leave of it.
    if waiting.count > waitingBefore { protect(instance, members: members, containers: ours) }
  }

  /// What is wanted of the container; for as long as a new specification waits for its next try, the previous one,
  /// with the ports, members, access and clients that are desired now.
  private func sheet(
    _ instance: InstanceName, members: [OnionService], configured: [ConfiguredService],
    targets: [String: String], containers: [ContainerObservation], engine: EngineIdentity
  ) -> InstanceSheet {
    let memory = memory.instances[instance] ?? InstanceMemory()
    var sheet = InstanceSheet(
      instance: instance, members: members,
      configuration: InstanceConfiguration(
        instance: instance, services: configured, network: desired.network, containers: targets),
      specification: specification(of: instance, members: members, engine: engine),
      containers: containers, memory: memory)
    if memory.failedSpecification == sheet.specification.digest, let retryAt = memory.retryAt,
      observed.now < retryAt, let previous = fallback(for: sheet)
    {
      sheet.specification = previous
      sheet.isFallback = true
    }
    return sheet
  }

  /// What must not run on even while its service is held or paused: a tor that is less confined than promised,
  /// or one that runs open though its definition asks for clients (promises 2 and 4).
  mutating func protect(
    _ instance: InstanceName, members: [OnionService], containers: [ContainerObservation]
  ) {
    // Of all services, not only its members: one that moved away may still be served here as it was.
    let wantsClients = Set(desired.services.filter { $0.access.asksForClients }.map(\.name))
    var steps: [Step] = []
    let ending = groups.first { $0.subject == .instance(instance) }?.steps.compactMap(\.removedID)
    for container in containers
    where container.state == .running && ending?.contains(container.id) != true {
      var found =
        container.proof.value?.breaches(
          user: observed.torOwner, label: label(of: instance)) ?? []
      if let applied = memory.instances[instance]?.applied, applied.containerID == container.id {
        for name in wantsClients where applied.services[name]?.access == .open {
          found.append(Deviation("access of \(name)", expected: "clients", observed: "public"))
        }
      }
      if !found.isEmpty {
        steps.append(
          Step(
            .removeContainer(instance, id: container.id), cause: .drift,
            service: members.first?.name, deviations: found, interrupts: true))
      }
    }
    add(StepGroup(subject: .instance(instance), steps: steps))
  }

  /// The categories of an instance: remembered for life, or the first free pair of those that its name suggests.
  func label(of instance: InstanceName) -> ContainerLabel? {
    guard observed.hasSELinux else { return nil }
    if let level = memory.instances[instance]?.level {
      return ContainerLabel(type: "container_t", level: level)
    }
    let taken = Set(memory.instances.values.compactMap(\.level))
    return ContainerLabel(type: "container_t", level: freeLevel(for: instance, taken: taken))
  }

  private func freeLevel(for instance: InstanceName, taken: Set<String>) -> String {
    // Newly named instances of one plan must not suggest the same pair either: each tries its own sequence,
    // and those that come before it in order have theirs first.
    var taken = taken
    for name in instances.map(\.0) where memory.instances[name]?.level == nil {
      var attempt = 0
      var level = suggestedLevel(name, attempt)
      while taken.contains(level) {
        attempt += 1
        level = suggestedLevel(name, attempt)
      }
      if name == instance { return level }
      taken.insert(level)
    }
    return suggestedLevel(instance, 0)
  }

  /// FNV-1a of name and attempt, as a pair of 1024 categories with the lower one first.
  private func suggestedLevel(_ instance: InstanceName, _ attempt: Int) -> String {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in "\(instance)/\(attempt)".utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    let first = Int(hash % 1024)
    let second = (first + 1 + Int(hash >> 32 % 1023)) % 1024
    return "s0:c\(min(first, second)),c\(max(first, second))"
  }

  func specification(
    of instance: InstanceName, members: [OnionService], engine: EngineIdentity
  ) -> ContainerSpecification {
    let layout = desired.layout
    let folder = layout.instanceFolder(instance)
    var mounts = [
      Mount(source: layout.keyFolder(instance), destination: TorLayout.keys, isReadOnly: true),
      Mount(source: "\(folder)/etc", destination: TorLayout.etc, isReadOnly: true),
      Mount(
        source: "\(folder)/\(desired.network.dataFolder)", destination: TorLayout.data,
        isReadOnly: false),
      Mount(source: "\(folder)/run", destination: TorLayout.run, isReadOnly: false),
    ]
    for directory in socketDirectories(members) {
      mounts.append(
        Mount(
          source: directory, destination: TorLayout.target(directory: directory), isReadOnly: true))
    }
    let limits = members.map(\.limits).reduce(members.first?.limits ?? .standard) { left, right in
      ContainerLimits(
        memory: max(left.memory, right.memory), milliCPUs: max(left.milliCPUs, right.milliCPUs),
        pids: max(left.pids, right.pids))
    }
    return ContainerSpecification(
      name: layout.containerName(instance), instance: instance, image: desired.recipe.reference,
      network: networkName(instance, engine: engine), user: TorLayout.user,
      entrypoint: ["/bin/sh", TorLayout.guardPath], mounts: mounts, limits: limits,
      label: label(of: instance))
  }

  func socketDirectories(_ members: [OnionService]) -> [String] {
    Set(members.flatMap(\.ports).compactMap { $0.target.socket?.directory }).sorted()
  }
}

/// All that is decided about one instance before its container is.
struct InstanceSheet {
  var instance: InstanceName
  var members: [OnionService]
  var configuration: InstanceConfiguration
  var specification: ContainerSpecification
  var containers: [ContainerObservation]
  var memory: InstanceMemory
  /// The specification is the previous one: the one that is desired failed, and waits for its next try.
  var isFallback = false

  /// The service that events and steps name, if there is only one.
  var service: ServiceName? { members.count == 1 ? members.first?.name : nil }
}

extension Step {
  /// The container that it ends.
  fileprivate var removedID: String? {
    switch action {
    case .removeContainer(_, let id), .takeDown(_, let id): id
    default: nil
    }
  }
}
