import OnionModel

extension Planner {
  /// Adopt, create, replace, start, reload, restart or leave alone.
  mutating func planContainer(
    _ sheet: InstanceSheet, into group: inout StepGroup, sight: Sight
  ) {
    if let stranger = stranger(named: sheet.specification.name, in: sight) {
      hold(
        .nameTaken, sheet, &group,
        "container \(stranger.name) is not ours and is left alone: rename or remove it")
      return
    }
    if case .present(let network)? = observed.networks[sheet.specification.network], !network.isOurs
    {
      hold(.nameTaken, sheet, &group, "network \(network.name) is not ours: rename or remove it")
      return
    }
    if case .unknown(let reason)? = observed.networks[sheet.specification.network] {
      hold(
        .unknown, sheet, &group, "network \(sheet.specification.network) cannot be seen: \(reason)")
      return
    }
    let running = sheet.containers.filter { !$0.isLeaving }
    guard let container = preferred(running, sheet) else {
      if let seconds = secondsStopped(sheet) {
        hold(
          .budget, sheet, &group,
          "stopped: repaired \(Self.budget) times within the hour and moved again; next try in"
            + " \(seconds) s: find out who changes it")
        return
      }
      planCreation(
        sheet, into: &group, cause: sheet.memory.containerIDs.isEmpty ? .change : .drift)
      return
    }
    group.steps += running.filter { $0.id != container.id }.map { extra in
      Step(
        .removeContainer(sheet.instance, id: extra.id), cause: .drift, service: sheet.service,
        deviations: [
          Deviation("container \(extra.name)", expected: "absent", observed: "a second one of ours")
        ],
        interrupts: extra.state == .running)
    }
    planExisting(container, sheet, into: &group)
  }

  /// The one that bears the right name, else the one that we remember making, else any.
  private func preferred(
    _ containers: [ContainerObservation], _ sheet: InstanceSheet
  ) -> ContainerObservation? {
    containers.first { $0.name == sheet.specification.name }
      ?? containers.first { sheet.memory.containerIDs.contains($0.id) }
      ?? containers.min { $0.id < $1.id }
  }

  /// Nothing is done with the container. Where it only has to wait, its key directory is put right all the same.
  private mutating func hold(
    _ kind: Waiting.Kind, _ sheet: InstanceSheet, _ group: inout StepGroup, _ message: String
  ) {
    let mendsKeys = kind == .backoff || kind == .targetMissing || kind == .budget
    group.steps.removeAll { step in
      if mendsKeys, case .repairKeys = step.action { false } else { true }
    }
    group.fallback = []
    wait(kind, service: sheet.service, instance: sheet.instance, message)
  }

  /// Whether everything that a new container would mount is there, and nobody else holds the keys.
  mutating func mayStart(_ sheet: InstanceSheet, _ group: inout StepGroup) -> Bool {
    if let users = observed.keyUsers[sheet.instance], !users.isEmpty {
      hold(
        .keyInUse, sheet, &group,
        "\(users.joined(separator: ", ")) has these keys and is not ours: stop it first"
          + " (two tors with one key take turns being reachable)")
      return false
    }
    for directory in socketDirectories(sheet.configuration.services.flatMap(\.ports)) {
      guard let trouble = socketTrouble(directory) else { continue }
      hold(trouble.kind, sheet, &group, trouble.message)
      return false
    }
    if !sheet.isFallback, let retryAt = sheet.memory.retryAt, observed.now < retryAt {
      let seconds = Int(retryAt.since(observed.now).rounded(.up))
      hold(
        .backoff, sheet, &group,
        "\(sheet.memory.failures) failures in a row: next try in \(seconds) s")
      return false
    }
    return true
  }

  mutating func planCreation(
    _ sheet: InstanceSheet, into group: inout StepGroup, cause: Cause, removing old: [Step] = [],
    deviations: [Deviation]? = nil
  ) {
    guard mayStart(sheet, &group) else { return }
    let specification = sheet.specification
    let found =
      deviations ?? [
        Deviation("container \(specification.name)", expected: "running", observed: "absent")
      ]
    group.steps += writing(sheet, cause: cause)
    group.steps.append(
      Step(.verifyConfiguration(specification), cause: cause, service: sheet.service))
    group.steps += old
    group.steps.append(
      Step(.createContainer(specification), cause: cause, service: sheet.service, deviations: found)
    )
    group.steps += starting(sheet, specification, cause: cause)
    if let previous = fallback(for: sheet) {
      group.fallback =
        [
          Step(
            .removeContainer(sheet.instance, id: specification.name), cause: cause,
            service: sheet.service),
          Step(.createContainer(previous), cause: cause, service: sheet.service),
        ] + starting(sheet, previous, cause: cause)
    }
  }

  private func starting(
    _ sheet: InstanceSheet, _ specification: ContainerSpecification, cause: Cause
  ) -> [Step] {
    joiningNetworks(sheet, cause: cause) + [
      Step(
        .startContainer(sheet.instance, name: specification.name), cause: cause,
        service: sheet.service),
      Step(
        .prove(specification, sheet.configuration, network: specification.network), cause: cause,
        service: sheet.service),
    ]
  }

  /// The specification to go back to if a new one fails: proven, its image still here, its mounts enough.
  func fallback(for sheet: InstanceSheet) -> ContainerSpecification? {
    guard let previous = sheet.memory.proven, previous.digest != sheet.specification.digest,
      observed.images.contains(previous.image), previous.network == sheet.specification.network,
      Set(sheet.specification.mounts).isSubset(of: previous.mounts)
    else { return nil }
    return previous
  }

  /// The files, unless they say already what they should. Unknown contents are written: that loses nothing.
  func writing(_ sheet: InstanceSheet, cause: Cause) -> [Step] {
    let network = sheet.specification.network
    let wanted = sheet.configuration.files(gateway: observed.networks[network]?.value?.gateway)
    var deviations: [Deviation] = []
    if case .present(let folder)? = observed.folders[sheet.instance], let wanted {
      for name in Set(wanted.digests.keys).union(folder.digests.keys).sorted()
      where wanted.digests[name] != folder.digests[name] {
        deviations.append(
          Deviation(
            "etc/\(name)",
            expected: wanted.digests[name].map { "sha256 \($0.prefix(12))" } ?? "absent",
            observed: folder.digests[name].map { "sha256 \($0.prefix(12))" } ?? "absent"))
      }
      deviations += folder.flaws
      if deviations.isEmpty { return [] }
    } else {
      deviations = [Deviation("etc/", expected: "written", observed: "absent")]
    }
    return [
      Step(
        .writeFiles(
          sheet.configuration, network: network, owner: observed.torOwner,
          label(of: sheet.instance)),
        cause: cause, service: sheet.service, deviations: deviations)
    ]
  }
}
