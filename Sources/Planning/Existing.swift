import OnionModel

extension Planner {
  /// Six interruptions of a running tor by drift repair in an hour, no more.
  static let budget = 6
  static let budgetSeconds = 3600.0
  /// Starts of one container by the engine, without our tor ever answering, that make a crash loop.
  static let crashLoopStarts = 5

  /// A container of ours is there.
  mutating func planExisting(
    _ container: ContainerObservation, _ sheet: InstanceSheet, into group: inout StepGroup
  ) {
    let specification = sheet.specification
    if container.specificationDigest != specification.digest {
      planChanged(container, sheet, into: &group)
      return
    }
    guard case .present(let facts) = container.facts else {
      group.steps = []
      wait(
        .unknown, service: sheet.service, instance: sheet.instance,
        "container \(container.name) cannot be inspected: \(container.facts.unknownReason ?? "gone meanwhile")"
      )
      return
    }
    // Networks beside its own are joined and left as targets come and go, without a new container.
    var found = specification.deviations(of: facts, joined: Set(facts.networks))
    if container.state == .running, case .present(let proof) = container.proof {
      found += proof.breaches(user: observed.torOwner, label: specification.label)
    }
    if !found.isEmpty || container.state == .dead {
      if found.isEmpty { found = [Deviation("container", expected: "running", observed: "dead")] }
      // What runs less confined than promised ends first, whatever becomes of the new one (promise 4).
      replace(container, sheet, into: &group, cause: .drift, deviations: found, isBreach: true)
      return
    }
    if container.name != specification.name {
      group.steps.append(
        Step(
          .renameContainer(sheet.instance, id: container.id, to: specification.name), cause: .drift,
          service: sheet.service,
          deviations: [
            Deviation("container's name", expected: specification.name, observed: container.name)
          ]))
    }
    planState(container, facts, sheet, into: &group)
  }

  /// Another specification than the label says: desired moved, or somebody made this one by hand.
  private mutating func planChanged(
    _ container: ContainerObservation, _ sheet: InstanceSheet, into group: inout StepGroup
  ) {
    let digest = sheet.specification.digest
    let isDrift = sheet.memory.proven?.digest == digest
    if sheet.memory.failedSpecification == digest, let retryAt = sheet.memory.retryAt,
      observed.now < retryAt
    {
      group.steps = []
      wait(
        .backoff, service: sheet.service, instance: sheet.instance,
        "the new container failed its proof and the previous one runs: next try in"
          + " \(Int(retryAt.since(observed.now).rounded(.up))) s")
      return
    }
    replace(
      container, sheet, into: &group, cause: isDrift ? .drift : .change,
      deviations: [
        Deviation(
          "specification", expected: String(digest.prefix(15)),
          observed: container.specificationDigest.map { String($0.prefix(15)) } ?? "none")
      ])
  }

  private mutating func replace(
    _ container: ContainerObservation, _ sheet: InstanceSheet, into group: inout StepGroup,
    cause: Cause, deviations: [Deviation], isBreach: Bool = false
  ) {
    let removal = Step(
      .removeContainer(sheet.instance, id: container.id), cause: cause, service: sheet.service,
      deviations: deviations, interrupts: container.state == .running)
    if cause == .drift, isOverBudget(sheet) {
      // Over the budget, drift that touches containment ends in stopped.
      group.steps = [removal]
      group.fallback = []
      wait(.budget, service: sheet.service, instance: sheet.instance, budgetMessage(deviations))
      return
    }
    let asksForClients = sheet.configuration.services.contains { $0.access.asksForClients }
    let isOpener =
      asksForClients && sheet.memory.applied.map { mustRestart(sheet, $0) } ?? true
    // It does not wait for what its successor needs: that may fail.
    if isBreach || isOpener {
      planCreation(sheet, into: &group, cause: cause, deviations: deviations)
      group.steps.insert(removal, at: 0)
    } else {
      planCreation(sheet, into: &group, cause: cause, removing: [removal], deviations: deviations)
    }
  }

  func isOverBudget(_ sheet: InstanceSheet) -> Bool {
    sheet.memory.interruptions.filter { observed.now.since($0) < Self.budgetSeconds }.count
      >= Self.budget
  }

  /// For how long what was removed over the budget stays down: until the hour holds no more interruptions than the
  /// budget, or until another container than the one that was interfered with is desired. `nil`: it does not.
  func secondsStopped(_ sheet: InstanceSheet) -> Int? {
    guard sheet.memory.proven?.digest == sheet.specification.digest else { return nil }
    let recent = sheet.memory.interruptions
      .filter { observed.now.since($0) < Self.budgetSeconds }.sorted()
    guard recent.count > Self.budget else { return nil }
    let releasing = recent[recent.count - Self.budget - 1]
    return Int((Self.budgetSeconds - observed.now.since(releasing)).rounded(.up))
  }

  func budgetMessage(_ deviations: [Deviation]) -> String {
    "repaired \(Self.budget) times within the hour and moved again"
      + (deviations.first.map { " (\($0))" } ?? "") + ": find out who changes it"
  }

  private mutating func planState(
    _ container: ContainerObservation, _ facts: ContainerFacts, _ sheet: InstanceSheet,
    into group: inout StepGroup
  ) {
    if facts.restartCount >= Self.crashLoopStarts, observed.tors[sheet.instance]?.value == nil {
      planCrashLoop(container, facts, sheet, into: &group)
      return
    }
    switch container.state {
    case .running: planNetworked(container, facts, sheet, into: &group)
    case .paused:
      var rest = StepGroup(subject: group.subject, steps: [])
      planNetworked(container, facts, sheet, into: &rest)
      // A tor that must forget something first is restarted, never let go on: it would serve what it still knows.
      let restarts = rest.steps.contains {
        if case .restartContainer = $0.action { true } else { false }
      }
      if !restarts {
        group.steps.append(
          Step(
            .unpauseContainer(sheet.instance, id: container.id), cause: .drift,
            service: sheet.service,
            deviations: [Deviation("container", expected: "running", observed: "paused")]))
      }
      group.steps += rest.steps
    case .created, .exited, .restarting, .dead:
      planStart(container, facts, sheet, into: &group)
    case .other(let word):
      group.steps = []
      wait(
        .unknown, service: sheet.service, instance: sheet.instance,
        "container \(container.name) is \(word)")
    }
  }

  /// The engine starts it again and again in vain. If its keys or files are mended now, that was the reason: it is
  /// started at once, past the engine's own back-off. Else it is taken down, so that nothing spins.
  private mutating func planCrashLoop(
    _ container: ContainerObservation, _ facts: ContainerFacts, _ sheet: InstanceSheet,
    into group: inout StepGroup
  ) {
    let deviation = Deviation(
      "container \(container.name)", expected: "running",
      observed: "started \(facts.restartCount) times in vain, exit code \(facts.exitCode)")
    let mending = group.steps + writing(sheet, cause: fileCause(sheet))
    guard mending.isEmpty else {
      group.steps = mending
      group.steps.append(
        Step(
          .restartContainer(sheet.instance, name: sheet.specification.name), cause: .drift,
          service: sheet.service, deviations: [deviation]))
      group.steps.append(
        Step(
          .prove(sheet.specification, sheet.configuration, network: sheet.specification.network),
          cause: .drift, service: sheet.service))
      return
    }
    group.steps.append(
      Step(
        .takeDown(sheet.instance, id: container.id), cause: .drift, service: sheet.service,
        deviations: [deviation]))
  }

  /// It does not run: its files first, then the same container again.
  private mutating func planStart(
    _ container: ContainerObservation, _ facts: ContainerFacts, _ sheet: InstanceSheet,
    into group: inout StepGroup
  ) {
    guard mayStart(sheet, &group) else { return }
    group.steps += writing(sheet, cause: fileCause(sheet))
    if case .present(let wanted) = gatewayFiles(sheet),
      wanted.torrc != appliedTorrc(sheet, container)
    {
      group.steps.append(
        Step(
          .verifyConfiguration(sheet.specification), cause: fileCause(sheet), service: sheet.service
        ))
    }
    group.steps += joiningNetworks(of: facts, sheet, cause: fileCause(sheet))
    group.steps += leavingNetworks(of: facts, sheet, cause: fileCause(sheet))
    group.steps.append(
      Step(
        .startContainer(sheet.instance, name: sheet.specification.name), cause: .drift,
        service: sheet.service,
        deviations: [
          Deviation(
            "container \(container.name)", expected: "running",
            observed: "\(container.state), exit code \(facts.exitCode)")
        ]))
    group.steps.append(
      Step(
        .prove(sheet.specification, sheet.configuration, network: sheet.specification.network),
        cause: .drift, service: sheet.service))
  }

  func appliedTorrc(_ sheet: InstanceSheet, _ container: ContainerObservation) -> String? {
    guard let applied = sheet.memory.applied, applied.containerID == container.id else {
      return nil
    }
    return applied.torrc
  }

  func gatewayFiles(_ sheet: InstanceSheet) -> Observation<
    (torrc: String, options: [String])
  > {
    let gateway = observed.networks[sheet.specification.network]?.value?.gateway
    guard let files = sheet.configuration.files(gateway: gateway),
      let options = sheet.configuration.serviceOptions(gateway: gateway)
    else { return .absent }
    return .present((sha256(files.torrc), options))
  }

  /// Change if what is desired differs from what was last proven, drift otherwise.
  func fileCause(_ sheet: InstanceSheet) -> Cause {
    guard let applied = sheet.memory.applied, case .present(let wanted) = gatewayFiles(sheet) else {
      return .change
    }
    let isSame = applied.torrc == wanted.torrc && applied.services == appliedServices(sheet)
    return isSame || !movedTargets(sheet).isEmpty ? .drift : .change
  }

  func appliedServices(_ sheet: InstanceSheet) -> [ServiceName: AppliedService] {
    var services: [ServiceName: AppliedService] = [:]
    for service in sheet.configuration.services {
      guard let address = service.address else { continue }
      services[service.name] = AppliedService(
        address: address, access: service.access,
        onionBalanceMaster: service.tor.onionBalanceMaster)
    }
    return services
  }
}
