import OnionModel

extension Planner {
  /// What a running tor must do once client files that somebody changed are put right, in case it read them meanwhile:
  /// nothing tells whether it did.
  enum ClientDrift {
    /// Clients were missing: one that it forgot it learns again by a reload.
    case reload([Deviation])
    /// It may have let others in, or everybody: what it once let in it forgets only by a restart (facts: tor-network.md,
    /// client authorization).
    case restart([Deviation])
  }

  /// - Returns: `nil` if the client files of all its services are as defined.
  func clientDrift(_ sheet: InstanceSheet) -> ClientDrift? {
    var missing: [Deviation] = []
    var opening: [Deviation] = []
    // One that joins was never read.
    let served = liveNames(sheet.instance)
    for service in sheet.configuration.services where served.contains(service.name) {
      let place = KeyPlace(instance: sheet.instance, service: service.name)
      // Without a front end, tor does not look at that file.
      if service.tor.onionBalanceMaster != nil, let directory = observed.keys[place]?.value,
        directory.onionBalance != service.companions.onionBalanceText
      {
        missing.append(
          Deviation(
            "\(place)/\(KeyFiles.onionBalance)", expected: "as defined", observed: "another"))
      }
      guard service.access.asksForClients, let address = service.address,
        let found = observed.keys[place]?.value?.clientFiles
      else { continue }
      let wanted = service.companions.clientFiles(of: address)
      guard found != wanted else { continue }
      let folder = "\(place)/\(KeyFiles.clients)"
      let kept = wanted.filter { found[$0.key] == $0.value }
      if kept.isEmpty {
        opening.append(
          Deviation(folder, expected: "\(wanted.count) files", observed: "none of them"))
      }
      for name in found.keys.sorted() where found[name] != wanted[name] {
        opening.append(
          Deviation(
            "\(folder)/\(name)", expected: wanted[name] == nil ? "absent" : "as defined",
            observed: wanted[name] == nil ? "present" : "other content"))
      }
      for name in wanted.keys.sorted() where found[name] == nil {
        missing.append(Deviation("\(folder)/\(name)", expected: "as defined", observed: "absent"))
      }
    }
    if !opening.isEmpty { return .restart(opening) }
    return missing.isEmpty ? nil : .reload(missing)
  }

  /// Files that are put right, then a tor that has read nothing else; over the budget none at all (promise 2).
  mutating func planClientDrift(
    _ deviations: [Deviation], _ container: ContainerObservation, _ sheet: InstanceSheet,
    into group: inout StepGroup
  ) {
    if isOverBudget(sheet) {
      group.steps.append(
        Step(
          .removeContainer(sheet.instance, id: container.id), cause: .drift, service: sheet.service,
          deviations: deviations, interrupts: true))
      wait(.budget, service: sheet.service, instance: sheet.instance, budgetMessage(deviations))
      return
    }
    group.steps += writing(sheet, cause: .drift)
    group.fallback = stopping(container, sheet, cause: .drift)
    group.steps += [
      Step(
        .restartContainer(sheet.instance, name: sheet.specification.name), cause: .drift,
        service: sheet.service, deviations: deviations, interrupts: true),
      Step(
        .prove(sheet.specification, sheet.configuration, network: sheet.specification.network),
        cause: .drift, service: sheet.service),
    ]
  }

  /// Instead of running on, where a step fails that its restart needs: what it has read lets in others than are meant.
  func stopping(
    _ container: ContainerObservation, _ sheet: InstanceSheet, cause: Cause
  ) -> [Step] {
    [
      Step(
        .removeContainer(sheet.instance, id: container.id), cause: cause, service: sheet.service,
        deviations: [
          Deviation("clients", expected: "just those defined", observed: "perhaps others")
        ], interrupts: true)
    ]
  }
}
