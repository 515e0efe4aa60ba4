public import OnionModel

/// What to do on this host, now.
///
/// Pure: the same three values always give the same plan. `observed.now` is the only clock.
public func plan(_ desired: Desired, from observed: Observed, knowing memory: Memory) -> Plan {
  var planner = Planner(desired: desired, observed: observed, memory: memory)
  return planner.run()
}

/// The work sheet of one planning.
struct Planner {
  let desired: Desired
  let observed: Observed
  let memory: Memory
  var groups: [StepGroup] = []
  var waiting: [Waiting] = []
  var tors = Tors()
  var rosters: [InstanceName: Roster] = [:]
  /// Removed services that may go now.
  var departures: [ServiceName: Departure] = [:]
  /// Instances that this plan has decided about.
  var planned: Set<InstanceName> = []
  /// What an instance's files say, at the latest when its group is done.
  var written: [InstanceName: InstanceConfiguration] = [:]

  /// Who bears a name, or bore it before, if nobody else bears it.
  let bearers: [ServiceName: OnionService]

  init(desired: Desired, observed: Observed, memory: Memory) {
    self.desired = desired
    self.observed = observed
    self.memory = memory
    var bearers: [ServiceName: OnionService] = [:]
    for service in desired.services { if let old = service.formerly { bearers[old] = service } }
    for service in desired.services { bearers[service.name] = service }
    self.bearers = bearers
  }

  mutating func run() -> Plan {
    var result = Plan(revision: desired.revision)
    guard desired.revision != nil, let sight = clearSight() else {
      result.waiting = waiting
      return result
    }
    let removals = decideRemovals(sight)
    planHost(sight)
    planPrivateLabels()
    tors = observeTors(sight)
    departures = decideDepartures(removals, sight)
    rosters = decideRosters(removals, sight)
    for (name, reason) in desired.stopped.sorted(by: { $0.key < $1.key }) {
      wait(.stopped, service: name, instance: memory.services[name] ?? InstanceName(name), reason)
    }
    planInstances(sight)
    protectOthers(sight)
    planBackups(sight)
    holdNews(sight)
    endBeforeBuilding()
    groups.removeAll { $0.steps.isEmpty }
    result.groups = groups
    result.waiting = waiting
    result.removals = removals.addresses
    result.settlesIdentity = !waiting.contains { Self.unsettling.contains($0.kind) }
    return result
  }

  /// While one of these waits, the memory of what this host was given must not move on.
  private static let unsettling: Set<Waiting.Kind> = [
    .removals, .probableRename, .notMounted, .engineUnreachable, .engineForeign, .unknown,
    .distrusted,
  ]

  /// What must be known before anything at all may be decided.
  struct Sight {
    var engine: EngineIdentity
    var containers: [ContainerObservation]
    var pins: [ServiceName: OnionAddress]
    var retired: [RetiredKey]
    /// Containers of ours by the instance that they carry: our agent's label, and an id that we remember or a name of ours.
    var ours: [InstanceName: [ContainerObservation]]
  }

  private mutating func clearSight() -> Sight? {
    for (what, root, path) in [
      ("key", observed.keyRoot, desired.layout.keys),
      ("state", observed.stateRoot, desired.layout.state),
    ] {
      switch root {
      case .present(memory.agent): continue
      case .present(let other):
        wait(
          .notMounted,
          "\(path) belongs to agent \(other), this is \(memory.agent): another disk is mounted there"
        )
      case .absent:
        wait(
          .notMounted,
          "\(path) has no .onionkeeper/id: not set up, or the \(what) folder is not mounted")
      case .unknown(let reason): wait(.notMounted, "\(path) cannot be read: \(reason)")
      }
      return nil
    }
    guard case .present(let engine) = observed.engine,
      case .present(let containers) = observed.containers
    else {
      let reason = observed.engine.unknownReason ?? observed.containers.unknownReason ?? "no answer"
      wait(.engineUnreachable, "the container engine does not answer: \(reason)")
      return nil
    }
    if let pinned = memory.engine, pinned.id != engine.id || pinned.kind != engine.kind {
      wait(
        .engineForeign,
        "\(engine.kind.rawValue) \(engine.id) answers, \(pinned.kind.rawValue) \(pinned.id) was pinned at"
          + " set-up: `onionkeeper approve REVISION --engine` accepts it")
      return nil
    }
    guard case .present(let pins) = observed.pins, case .present(let retired) = observed.retired
    else {
      let reason = observed.pins.unknownReason ?? observed.retired.unknownReason ?? "not there"
      wait(.unknown, "pins and retired keys cannot be read: \(reason)")
      return nil
    }
    return Sight(
      engine: engine, containers: containers, pins: pins, retired: retired,
      ours: ours(containers))
  }

  /// One group an instance: what several reasons ask of it is done in one order, and one failure stops all of it.
  mutating func add(_ group: StepGroup) {
    guard let index = groups.firstIndex(where: { $0.subject == group.subject }) else {
      groups.append(group)
      return
    }
    groups[index].steps += group.steps
    groups[index].fallback += group.fallback
    groups[index].after.formUnion(group.after)
  }

  mutating func wait(
    _ kind: Waiting.Kind, service: ServiceName? = nil, instance: InstanceName? = nil,
    _ message: String
  ) {
    waiting.append(Waiting(kind, service: service, instance: instance, message: message))
  }

  /// The desired services by instance, in order of name.
  var instances: [(InstanceName, [OnionService])] {
    Dictionary(
      grouping: desired.services.filter { desired.stopped[$0.name] == nil }, by: \.instance
    )
    .sorted { $0.key < $1.key }
    .map { ($0.key, $0.value) }
  }

  /// Image and networks: what the instances need.
  private mutating func planHost(_ sight: Sight) {
    guard !instances.isEmpty else { return }
    var steps: [Step] = []
    switch observed.image {
    case .present: break
    case .absent:
      let deviation = Deviation("image", expected: desired.recipe.reference, observed: "absent")
      let wasThere = memory.instances.values.contains {
        $0.proven?.image == desired.recipe.reference
      }
      steps.append(
        Step(
          .buildImage(desired.recipe), cause: wasThere ? .drift : .change, deviations: [deviation]))
    case .unknown(let reason):
      wait(.imageMissing, "\(desired.recipe.reference) cannot be looked up: \(reason)")
    }
    for name in Set(instances.map { networkName($0.0, engine: sight.engine) }).sorted() {
      guard case .absent? = observed.networks[name] else { continue }
      let deviation = Deviation("network", expected: name, observed: "absent")
      let wasThere = memory.instances.values.contains { $0.proven?.network == name }
      steps.append(
        Step(
          .ensureNetwork(name: name), cause: wasThere ? .drift : .change, deviations: [deviation]))
    }
    groups.append(StepGroup(subject: .host, steps: steps))
  }

  /// After what instances need: they do not wait for it.
  private mutating func planPrivateLabels() {
    guard let type = observed.privateType, !observed.privateFlaws.isEmpty else { return }
    let wasRight = memory.instances.values.contains { $0.level != nil }
    add(
      StepGroup(
        subject: .host,
        steps: [
          Step(
            .labelPrivate(type: type), cause: wasRight ? .drift : .change,
            deviations: Array(observed.privateFlaws.prefix(Self.shownFlaws)))
        ]))
  }

  /// A `restorecon -RF` moves the label of every retired key; the first say what it is about.
  private static let shownFlaws = 5

  /// Docker: one network with traffic between containers off. Podman has no such switch: a network per instance.
  func networkName(_ instance: InstanceName, engine: EngineIdentity) -> String {
    switch engine.kind {
    case .docker: desired.layout.prefix
    case .podman: desired.layout.containerName(instance)
    }
  }

  private func ours(_ containers: [ContainerObservation]) -> [InstanceName: [ContainerObservation]]
  {
    var remembered: [String: Set<InstanceName>] = [:]
    for (instance, memory) in memory.instances {
      for id in memory.containerIDs { remembered[id, default: []].insert(instance) }
    }
    var ours: [InstanceName: [ContainerObservation]] = [:]
    for container in containers where container.agent == memory.agent {
      var carried = remembered[container.id] ?? []
      if let instance = container.instance { carried.insert(instance) }
      for instance in carried { ours[instance, default: []].append(container) }
    }
    return ours
  }

  func containers(of instance: InstanceName, in sight: Sight) -> [ContainerObservation] {
    sight.ours[instance] ?? []
  }

  /// Somebody else's container under our name.
  func stranger(named name: String, in sight: Sight) -> ContainerObservation? {
    sight.containers.first { $0.name == name && $0.agent != memory.agent }
  }

  /// What promises 2 and 4 demand, also where nothing else is decided about an instance: its definition is unsettled,
  /// its removal waits, its service has moved on and is held.
  private mutating func protectOthers(_ sight: Sight) {
    let covered = Set(groups.filter { !$0.steps.isEmpty }.map(\.subject))
    for instance in memory.instances.keys.sorted() where !covered.contains(.instance(instance)) {
      protect(instance, members: [], containers: containers(of: instance, in: sight))
    }
  }
}
