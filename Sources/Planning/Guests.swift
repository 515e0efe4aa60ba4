import OnionModel

/// Whom an instance's tor may serve beside its members: who has moved, bears another name, is removed or unsettled.
struct Guests {
  /// To be told to the tor no more.
  var leaving: Set<ServiceName> = []
  /// Their leaving waits, and they are served on as they were.
  var kept: [ConfiguredService] = []
  /// Its leaving waits, and what its tor has read of it cannot be written again.
  var unkeepable: ServiceName?
}

extension Planner {
  func guests(of instance: InstanceName, _ roster: Roster?) -> Guests {
    var guests = Guests()
    let own = Set(roster?.services.map(\.name) ?? [])
    let live = liveNames(instance)
    for name in allNames(instance).subtracting(own).sorted() {
      // Renamed within its instance: the member itself is decided about.
      if let bearer = bearers[name], own.contains(bearer.name) {
        if roster?.member(bearer.name)?.hold == nil { guests.leaving.insert(name) }
      } else if leaves(name, instance) {
        guests.leaving.insert(name)
      } else if live.contains(name) {
        if let kept = kept(name, instance) {
          guests.kept.append(kept)
        } else {
          guests.unkeepable = guests.unkeepable ?? name
        }
      }
    }
    return guests
  }

  /// Whether a service that is no member of an instance is to leave it now.
  func leaves(_ name: ServiceName, _ instance: InstanceName) -> Bool {
    if desired.stopped[name] != nil { return true }
    if let bearer = bearers[name] {
      guard let member = rosters[bearer.instance]?.member(bearer.name) else { return true }
      return member.hold == nil
        || bearer.access.asksForClients && servedAccess(name, instance) == .open
    }
    if departures[name] != nil { return true }
    return memory.services[name] == nil && !desired.unsettled.contains(name)
  }

  private func servedAccess(_ name: ServiceName, _ instance: InstanceName) -> Access? {
    memory.instances[instance]?.applied?.services[name]?.access
  }

  /// A member whose new target is not there yet is served on as its tor has read it, and holds up nobody: its key is
  /// whole, and who may visit it is what is desired now.
  func keptMember(_ member: Member) -> ConfiguredService? {
    guard let kind = member.hold?.kind, [.targetMissing, .unknown].contains(kind),
      member.steps.isEmpty, let read = kept(member.service.name, member.service.instance),
      read.access == member.service.access, read.tor == member.service.tor
    else { return nil }
    return read
  }

  /// Just what its tor has read, if that is remembered and its key directory is still so: tor reads it at each reload.
  private func kept(_ name: ServiceName, _ instance: InstanceName) -> ConfiguredService? {
    guard let memory = memory.instances[instance],
      let read = memory.configured?.first(where: { $0.name == name }),
      let applied = memory.applied?.services[name], applied.address == read.address,
      applied.access == read.access,
      case .present(let directory)? = observed.keys[KeyPlace(instance: instance, service: name)],
      directory.address == applied.address, directory.flaws.isEmpty,
      directory.clientFiles == read.companions.clientFiles(of: applied.address),
      directory.onionBalance == read.companions.onionBalanceText,
      addresses(of: [read], in: instance).count == read.targetContainers.count
    else { return nil }
    return read
  }

  /// Ends an instance of which nobody is left.
  func removing(
    _ containers: [ContainerObservation], _ instance: InstanceName, _ leaving: Set<ServiceName>
  ) -> [Step] {
    containers.map { container in
      Step(
        .removeContainer(instance, id: container.id), cause: .change,
        service: leaving.count == 1 ? leaving.first : nil,
        deviations: leaving.isEmpty
          ? [Deviation("container", expected: "absent", observed: container.name)]
          : leaving.sorted().map { departure($0, from: instance) },
        interrupts: container.state == .running)
    }
  }

  private func departure(_ name: ServiceName, from instance: InstanceName) -> Deviation {
    let expected =
      desired.stopped[name].map { "stopped: \($0)" }
      ?? bearers[name].map { "in \($0.instance)" } ?? "not on this host"
    return Deviation("service \(name)", expected: expected, observed: "in \(instance)")
  }

  // MARK: Instances without members

  /// Instances that we know of and that nobody is defined to be in.
  func vacated(_ sight: Sight) -> Set<InstanceName> {
    Set(memory.instances.keys).union(memory.services.values).union(tors.byName.values.joined())
      .union(desired.stopped.keys.map { memory.services[$0] ?? InstanceName($0) })
      .subtracting(rosters.keys)
  }

  /// Its container goes with the last who leaves. As long as somebody's leaving waits, the others leave by a reload.
  mutating func planVacated(_ instance: InstanceName, _ sight: Sight) {
    let ours = containers(of: instance, in: sight)
    var occupants = allNames(instance)
    for (name, place) in memory.services where place == instance { occupants.insert(name) }
    let leaving = occupants.filter { leaves($0, instance) }
    let guests = guests(of: instance, nil)
    var group = StepGroup(subject: .instance(instance), steps: [])
    let isEmptied = leaving == occupants
    if isEmptied || guests.kept.isEmpty && guests.unkeepable == nil && !leaving.isEmpty {
      group.steps += removing(ours, instance, leaving)
    } else if !leaving.isDisjoint(with: allNames(instance)) {
      group.steps += dismissing(leaving, guests, instance, sight)
    }
    add(group)
    planned.insert(instance)
    let removed = leaving.filter { departures[$0]?.instance == instance }
    let isForgotten =
      isEmptied && desired.stopped.keys.allSatisfy { !occupants.contains($0) }
      && (memory.instances[instance] != nil || !removed.isEmpty)
    let last = isForgotten && occupants.count == 1 ? removed.first : nil
    guard planRetirements(removed, instance, forgottenWith: last, sight), isForgotten else {
      return
    }
    var rest = [Step(.forgetInstance(instance), cause: .change, service: last)]
    // Last: a stranger in it may keep it here, and that must not keep the service in our memory.
    let network = networkName(instance, engine: sight.engine)
    if sight.engine.kind == .podman, observed.networks[network]?.value?.isOurs == true {
      rest.append(Step(.removeNetwork(name: network), cause: .change, service: last))
    }
    add(StepGroup(subject: .instance(instance), steps: rest))
  }

  /// Some leave, and others whose own leaving waits are served on, as they were.
  private mutating func dismissing(
    _ leaving: Set<ServiceName>, _ guests: Guests, _ instance: InstanceName, _ sight: Sight
  ) -> [Step] {
    if let name = guests.unkeepable {
      wait(
        .unknown, instance: instance,
        "instance \(instance) is left as it is: its tor serves \(name), whose leaving waits")
      return []
    }
    let configuration = InstanceConfiguration(
      instance: instance, services: guests.kept, network: desired.network,
      containers: addresses(of: guests.kept, in: instance))
    let network = networkName(instance, engine: sight.engine)
    let service = leaving.count == 1 ? leaving.first : nil
    return [
      Step(
        .writeFiles(
          configuration, network: network, owner: observed.torOwner, label(of: instance)),
        cause: .change, service: service),
      Step(
        .reload(configuration, network: network), cause: .change, service: service,
        deviations: leaving.sorted().map { departure($0, from: instance) }),
    ]
  }
}
