import OnionModel

extension Planner {
  /// It runs and is the right one: limits, then files and what tor has read of them.
  mutating func planRunning(
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
    let remembered = sheet.memory.applied.flatMap { $0.containerID == container.id ? $0 : nil }
    guard case .present(let wanted) = gatewayFiles(sheet) else {
      // A new member's key is still to be made: it joins by a reload. Without its network a container is started anew.
      let isJoined = sheet.configuration.services.contains { $0.address == nil }
      planConfiguration(
        container, sheet, into: &group,
        needsRestart: !isJoined || remembered.map { mustRestart(sheet, $0) } ?? true,
        isKnown: remembered != nil)
      return
    }
    guard let applied = remembered else {
      planUnremembered(container, sheet, wanted.options, into: &group)
      return
    }
    if applied.torrc != wanted.torrc || applied.services != appliedServices(sheet) {
      let moved = movedTargets(sheet)
      planConfiguration(
        container, sheet, into: &group, needsRestart: mustRestart(sheet, applied), isKnown: true,
        cause: moved.isEmpty ? .change : .drift, deviations: moved)
      return
    }
    planDriftedFiles(container, sheet, wanted.options, into: &group)
  }

  /// What it has read lets in others than are meant, or serves another address.
  func mustRestart(_ sheet: InstanceSheet, _ applied: AppliedConfiguration) -> Bool {
    if case .restart? = clientDrift(sheet) { return true }
    return appliedServices(sheet).contains { name, service in
      // Under another name it is the same to tor: it goes by the key. It may know it by both, where a rename was cut short.
      applied.services.contains { known, before in
        guard known == name || before.address == service.address else { return false }
        return before.address != service.address
          || mustRestart(from: before.access, to: service.access)
      }
    }
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
      if sheet.configuration.services.contains(where: { $0.access.asksForClients }) {
        group.fallback = stopping(container, sheet, cause: cause)
      }
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
