import OnionModel

extension Planner {
  /// Each instance after those that it takes a service from; where they wait for each other in a circle, the first one
  /// lets go now and is joined in the next round.
  mutating func planInstances(_ sight: Sight) {
    for instance in vacated(sight).union(rosters.keys).sorted() {
      planInstance(instance, from: [], sight)
    }
  }

  private mutating func planInstance(
    _ instance: InstanceName, from path: Set<InstanceName>, _ sight: Sight
  ) {
    guard !planned.contains(instance), !path.contains(instance) else { return }
    guard let roster = rosters[instance] else {
      planVacated(instance, sight)
      planned.insert(instance)
      return
    }
    let movers = roster.members.filter { $0.hold == nil && !$0.sources.isEmpty }
    for source in Set(movers.flatMap(\.sources)).sorted() {
      planInstance(source, from: path.union([instance]), sight)
    }
    let arriving = movers.filter { member in
      member.sources.allSatisfy {
        planned.contains($0) && hasLetGo($0, of: member.names, member.address, sight)
      }
    }
    planRoster(roster, arriving: arriving, sight)
    planSharedRemovals(instance, sight)
    planned.insert(instance)
  }

  /// Who arrives waits for the groups that let go of it, and a sealed key may not open. What the instance needs besides
  /// waits for neither: then they join in the next round.
  private mutating func planRoster(_ roster: Roster, arriving: [Member], _ sight: Sight) {
    let subject = StepGroup.Subject.instance(roster.instance)
    let acting = Set(groups.filter { !$0.steps.isEmpty }.map(\.subject))
    let after = Set(arriving.flatMap(\.sources)).filter { acting.contains(.instance($0)) }
    let opens = roster.members.count > 1 && roster.members.contains(where: \.opensKey)
    if !after.isEmpty || opens {
      var others = self
      others.planMembers(
        roster, joining: after.isEmpty ? Set(arriving.map(\.service.name)) : [], opening: false,
        sight)
      if others.groups.contains(where: { $0.subject == subject && !$0.steps.isEmpty }) {
        self = others
        return
      }
    }
    planMembers(roster, joining: Set(arriving.map(\.service.name)), sight)
    if let index = groups.firstIndex(where: { $0.subject == subject && !$0.steps.isEmpty }) {
      groups[index].after.formUnion(after)
    }
  }

  /// One tor process: its members' keys, its files, its container.
  private mutating func planMembers(
    _ roster: Roster, joining: Set<ServiceName>, opening: Bool = true, _ sight: Sight
  ) {
    let instance = roster.instance
    let ours = containers(of: instance, in: sight)
    var group = StepGroup(subject: .instance(instance), steps: [])
    var configured: [ConfiguredService] = []
    var frozen: ServiceName?
    var guests = guests(of: instance, roster)
    for member in roster.members {
      var member = member
      if !member.sources.isEmpty, !joining.contains(member.service.name) {
        member.hold(
          .moving,
          "\(member.sources.sorted().map(\.text).joined(separator: ", ")) has still to let go of it"
        )
      }
      if !opening, member.opensKey {
        member.hold(.moving, "its key is opened when instance \(instance) needs nothing else")
      }
      group.steps += member.steps
      if member.isOpening, member.hold == nil { continue }
      guard let hold = member.hold else {
        configured.append(member.configured)
        continue
      }
      waiting.append(hold)
      guard isServedHere(member, sight) else { continue }
      if roster.members.count > 1, let kept = keptMember(member) {
        guests.kept.append(kept)
      } else {
        frozen = frozen ?? member.service.name
      }
    }
    if frozen == nil { frozen = guests.unkeepable }
    if let frozen {
      freeze(roster, because: frozen)
      protect(instance, members: roster.services, containers: ours)
      return
    }
    configured += guests.kept
    guard !configured.isEmpty else {
      if let paused = roster.services.first(where: isPaused), !group.steps.isEmpty {
        wait(
          .paused, service: paused.name, instance: instance,
          "paused: \(group.steps.count) steps wait")
        group.steps = []
      }
      // Nobody is left whom its tor could serve; of those that it may serve, each has another home or none.
      if !guests.leaving.isEmpty { group.steps += removing(ours, instance, guests.leaving) }
      add(group)
      protect(instance, members: roster.services, containers: ours)
      return
    }
    let sheet = sheet(
      roster, configured: configured, guests: guests.kept, containers: ours, engine: sight.engine)
    planSheet(sheet, group, leaving: guests.leaving, sight)
  }

  private mutating func planSheet(
    _ sheet: InstanceSheet, _ group: StepGroup, leaving: Set<ServiceName>, _ sight: Sight
  ) {
    var group = group
    let instance = sheet.instance
    let waitingBefore = waiting.count
    if sheet.isFallback, let retryAt = sheet.memory.retryAt {
      wait(
        .backoff, service: sheet.service, instance: instance,
        "the new container failed its proof and the previous one is kept: next try in"
          + " \(Int(retryAt.since(observed.now).rounded(.up))) s")
    }
    planContainer(sheet, into: &group, sight: sight)
    if let paused = sheet.members.first(where: isPaused) {
      waiting.removeSubrange(waitingBefore...)
      if !group.steps.isEmpty {
        wait(
          .paused, service: sheet.service, instance: instance,
          "\(paused.name) is paused: \(group.steps.count) steps wait"
            + (group.steps.flatMap(\.deviations).first.map { " (\($0))" } ?? ""))
      }
      protect(instance, members: sheet.members, containers: sheet.containers)
      return
    }
    noteWriting(sheet, &group, leaving: leaving)
    add(group)
    // Held for whatever reason: what promises 2 and 4 demand needs no leave of it.
    if waiting.count > waitingBefore {
      protect(instance, members: sheet.members, containers: sheet.containers)
    }
  }

  /// An engine starts what does not run with the files that are there: they must not name anybody who leaves.
  private mutating func noteWriting(
    _ sheet: InstanceSheet, _ group: inout StepGroup, leaving: Set<ServiceName>
  ) {
    let isWriting = group.steps.contains {
      if case .writeFiles = $0.action { true } else { false }
    }
    if !isWriting {
      let rest = writing(sheet, cause: .change)
      if !rest.isEmpty {
        guard !leaving.isEmpty, sheet.containers.allSatisfy(\.isDormant) else { return }
        group.steps += rest
      }
    }
    written[sheet.instance] = sheet.configuration
  }

  /// Nothing is reloaded or restarted: a reload would end a tor whose key is gone, or end the service.
  private mutating func freeze(_ roster: Roster, because name: ServiceName) {
    guard roster.members.count > 1 || roster.member(name) == nil else { return }
    wait(
      .unknown, instance: roster.instance,
      "instance \(roster.instance) is left as it is: its tor serves \(name), which is held")
  }

  /// What is wanted of the container; for as long as a new specification waits for its next try, the previous one,
  /// with the ports, members, access and clients that are desired now.
  private func sheet(
    _ roster: Roster, configured: [ConfiguredService], guests: [ConfiguredService],
    containers: [ContainerObservation], engine: EngineIdentity
  ) -> InstanceSheet {
    let instance = roster.instance
    let memory = memory.instances[instance] ?? InstanceMemory()
    var sheet = InstanceSheet(
      instance: instance, members: roster.services,
      configuration: InstanceConfiguration(
        instance: instance, services: configured, network: desired.network,
        containers: addresses(of: configured, in: instance)),
      specification: withNextDomain(
        specification(of: roster, guests: guests, engine: engine), unless: containers),
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
    var steps: [Step] = []
    let ending = groups.first { $0.subject == .instance(instance) }?.steps.compactMap(\.removedID)
    for container in containers
    where container.state == .running && ending?.contains(container.id) != true {
      var found =
        container.proof.value?.breaches(
          user: observed.torOwner, label: label(of: instance)) ?? []
      if let applied = memory.instances[instance]?.applied, applied.containerID == container.id {
        found += exposures(applied)
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

  /// An image takes minutes to build, or is not to be had, and comes before all instances. What a group ends before
  /// anything else must not run on meanwhile (promises 2 and 4): that is done in a round of its own.
  mutating func endBeforeBuilding() {
    let isBuilding = groups.contains { group in
      group.subject == .host
        && group.steps.contains { if case .buildImage = $0.action { true } else { false } }
    }
    guard isBuilding else { return }
    let urgent = groups.compactMap { group -> StepGroup? in
      let ends = group.steps.prefix { $0.removedID != nil }
      return ends.isEmpty ? nil : StepGroup(subject: group.subject, steps: Array(ends))
    }
    if !urgent.isEmpty { groups = urgent }
  }

  /// Of all services, not only its members: one that moved away or bears another name may still be served as it was.
  private func exposures(_ applied: AppliedConfiguration) -> [Deviation] {
    var found: [Deviation] = []
    for (name, service) in applied.services.sorted(by: { $0.key < $1.key }) {
      if desired.stopped[name] != nil {
        found.append(Deviation("service \(name)", expected: "stopped", observed: "served"))
      } else if service.access == .open, bearers[name]?.access.asksForClients == true {
        found.append(Deviation("access of \(name)", expected: "clients", observed: "public"))
      }
    }
    return found
  }

  /// Of all members, those that are left out for now too, so that they join by a reload; but for a directory that cannot
  /// be mounted, since it is not there.
  func specification(
    of roster: Roster, guests: [ConfiguredService], engine: EngineIdentity
  ) -> ContainerSpecification {
    let instance = roster.instance
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
    for directory in socketDirectories(mountedPorts(roster) + guests.flatMap(\.ports)) {
      mounts.append(
        Mount(
          source: directory, destination: TorLayout.target(directory: directory), isReadOnly: true))
    }
    var asked = roster.services.map(\.limits)
    // What a guest asked for is not remembered; what it has is enough.
    if !guests.isEmpty, let proven = memory.instances[instance]?.proven {
      asked.append(proven.limits)
    }
    let limits = asked.reduce(asked.first ?? .standard) { left, right in
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

  private func mountedPorts(_ roster: Roster) -> [OnionPort] {
    roster.members.flatMap { member in
      member.hold == nil
        ? member.service.ports
        : member.service.ports.filter {
          $0.target.socket.map { socketTrouble($0.directory) == nil } ?? false
        }
    }
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
