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
    if isBreach {
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

  private func appliedTorrc(_ sheet: InstanceSheet, _ container: ContainerObservation) -> String? {
    guard let applied = sheet.memory.applied, applied.containerID == container.id else {
      return nil
    }
    return applied.torrc
  }

  private func gatewayFiles(_ sheet: InstanceSheet) -> Observation<
    (torrc: String, options: [String])
  > {
    let gateway = observed.networks[sheet.specification.network]?.value?.gateway
    guard let files = sheet.configuration.files(gateway: gateway),
      let options = sheet.configuration.serviceOptions(gateway: gateway)
    else { return .absent }
    return .present((sha256(files.torrc), options))
  }

  /// Change if what is desired differs from what was last proven, drift otherwise.
  private func fileCause(_ sheet: InstanceSheet) -> Cause {
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

  /// A new target's network is joined before tor is told of the target, an old one's left afterwards.
  private mutating func planNetworked(
    _ container: ContainerObservation, _ facts: ContainerFacts, _ sheet: InstanceSheet,
    into group: inout StepGroup
  ) {
    let keySteps = group.steps.count
    planRunning(container, facts, sheet, into: &group)
    let cause = fileCause(sheet)
    group.steps.insert(
      contentsOf: joiningNetworks(of: facts, sheet, cause: cause),
      at: min(keySteps, group.steps.count))
    group.steps += leavingNetworks(of: facts, sheet, cause: cause)
  }

  /// It runs and is the right one: limits, then files and what tor has read of them.
  private mutating func planRunning(
    _ container: ContainerObservation, _ facts: ContainerFacts, _ sheet: InstanceSheet,
    into group: inout StepGroup
  ) {
    let loose = sheet.specification.looseLimits(of: facts)
    if !loose.isEmpty {
      group.steps.append(
        Step(
          .updateLimits(sheet.specification, id: container.id), cause: .drift,
          service: sheet.service, deviations: loose))
    }
    if case .present(let proof) = container.proof, !proof.lostMounts.isEmpty {
      planLostMounts(proof.lostMounts, sheet, into: &group)
      return
    }
    guard case .present(let wanted) = gatewayFiles(sheet) else {
      // A key that is still to be made, or a network that is: the container cannot be running on it; replace it.
      planConfiguration(container, sheet, into: &group, needsRestart: true, isKnown: false)
      return
    }
    guard let applied = sheet.memory.applied, applied.containerID == container.id else {
      planUnremembered(container, sheet, wanted.options, into: &group)
      return
    }
    let services = appliedServices(sheet)
    var needsRestart = services.contains { name, service in
      // Under another name it is the same to tor: it goes by the key.
      guard
        let before = applied.services[name]
          ?? applied.services.values.first(where: { $0.address == service.address })
      else { return false }
      return before.address != service.address
        || mustRestart(from: before.access, to: service.access)
    }
    if case .restart? = clientDrift(sheet) { needsRestart = true }
    if applied.torrc != wanted.torrc || applied.services != services {
      let moved = movedTargets(sheet)
      planConfiguration(
        container, sheet, into: &group, needsRestart: needsRestart, isKnown: true,
        cause: moved.isEmpty ? .change : .drift, deviations: moved)
      return
    }
    planDriftedFiles(container, sheet, wanted.options, into: &group)
  }

  /// tor keeps a client for as long as it keeps the descriptor, and stays open to those who hold one:
  /// only adding clients to clients may be a reload (facts: tor-network.md, client authorization).
  private func mustRestart(from before: Access, to after: Access) -> Bool {
    switch (before, after) {
    case (_, .open): false
    case (.open, .clients): true
    case (.clients(let old), .clients(let new)): !Set(old).isSubset(of: new)
    }
  }

  private mutating func planConfiguration(
    _ container: ContainerObservation, _ sheet: InstanceSheet, into group: inout StepGroup,
    needsRestart: Bool, isKnown: Bool, cause: Cause = .change, deviations: [Deviation] = []
  ) {
    let network = sheet.specification.network
    let other = Deviation(
      "configuration", expected: "as defined", observed: isKnown ? "the previous one" : "not known")
    let deviations = deviations.isEmpty ? [other] : deviations
    group.steps += writing(sheet, cause: cause)
    if needsRestart {
      group.steps.append(
        Step(.verifyConfiguration(sheet.specification), cause: cause, service: sheet.service))
      group.steps.append(
        Step(
          .restartContainer(sheet.instance, name: sheet.specification.name), cause: cause,
          service: sheet.service, deviations: deviations, interrupts: true))
      group.steps.append(
        Step(
          .prove(sheet.specification, sheet.configuration, network: network), cause: cause,
          service: sheet.service))
    } else {
      group.steps.append(
        Step(
          .reload(sheet.configuration, network: network), cause: cause, service: sheet.service,
          deviations: deviations))
    }
  }

  /// Directories that it mounts were removed: no file that is written reaches it, and no control port is seen, before the
  /// container mounts them anew.
  private mutating func planLostMounts(
    _ lost: [String], _ sheet: InstanceSheet, into group: inout StepGroup
  ) {
    let deviations = lost.map {
      Deviation("mount \($0)", expected: "a directory", observed: "removed from the host")
    }
    group.steps += writing(sheet, cause: .drift)
    if isOverBudget(sheet) {
      wait(.budget, service: sheet.service, instance: sheet.instance, budgetMessage(deviations))
      return
    }
    group.steps += [
      Step(.verifyConfiguration(sheet.specification), cause: .drift, service: sheet.service),
      Step(
        .restartContainer(sheet.instance, name: sheet.specification.name), cause: .drift,
        service: sheet.service, deviations: deviations, interrupts: true),
      Step(
        .prove(sheet.specification, sheet.configuration, network: sheet.specification.network),
        cause: .drift, service: sheet.service),
    ]
  }

  /// Nothing remembers what this tor has read: taken over as it is where that is provably harmless.
  private mutating func planUnremembered(
    _ container: ContainerObservation, _ sheet: InstanceSheet, _ options: [String],
    into group: inout StepGroup
  ) {
    let files = writing(sheet, cause: .change)
    let asksForClients = sheet.configuration.services.contains { $0.access.asksForClients }
    guard case .present(let tor)? = observed.tors[sheet.instance] else {
      if files.isEmpty, group.steps.isEmpty {
        group.steps.append(
          Step(
            .prove(sheet.specification, sheet.configuration, network: sheet.specification.network),
            cause: .drift, service: sheet.service,
            deviations: [Deviation("tor", expected: "answering", observed: "not proven yet")]))
        return
      }
      planConfiguration(container, sheet, into: &group, needsRestart: true, isKnown: false)
      return
    }
    if files.isEmpty, tor.serviceOptions == options, !asksForClients {
      group.steps.append(
        Step(
          .adoptContainer(
            sheet.specification, sheet.configuration, network: sheet.specification.network,
            id: container.id),
          cause: .change, service: sheet.service,
          deviations: [
            Deviation("container", expected: "remembered", observed: "ours, without a memory of it")
          ]))
      return
    }
    planConfiguration(
      container, sheet, into: &group, needsRestart: asksForClients, isKnown: false)
  }

  /// What was proven is what is wanted: whatever differs now is drift.
  private mutating func planDriftedFiles(
    _ container: ContainerObservation, _ sheet: InstanceSheet, _ options: [String],
    into group: inout StepGroup
  ) {
    let clientDrift = clientDrift(sheet)
    if case .restart(let deviations)? = clientDrift {
      planClientDrift(deviations, container, sheet, into: &group)
      return
    }
    let files = writing(sheet, cause: .drift)
    group.steps += files
    var deviations = files.flatMap(\.deviations).filter { $0.what == "etc/torrc" }
    if case .reload(let missing)? = clientDrift { deviations += missing }
    if case .present(let tor)? = observed.tors[sheet.instance], tor.serviceOptions != options {
      deviations.append(
        Deviation(
          "running configuration", expected: options.joined(separator: "; "),
          observed: tor.serviceOptions.joined(separator: "; ")))
    }
    guard !deviations.isEmpty else { return }
    group.steps.append(
      Step(
        .reload(sheet.configuration, network: sheet.specification.network), cause: .drift,
        service: sheet.service, deviations: deviations))
  }
}
