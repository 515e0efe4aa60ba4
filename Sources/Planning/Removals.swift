import OnionModel

/// Services that this host was given and is no longer: what to put away, or why not yet.
struct Removals {
  /// In order of name, with the instance that carries it.
  var services: [(name: ServiceName, instance: InstanceName)] = []
  var addresses: [ServiceName: OnionAddress?] = [:]
  /// Nothing is put away before a person says so.
  var areHeld = false
  /// The removed names, if the same revision also wants a new key: for the message of both.
  var probableRenames: String?
  var newServices: Set<ServiceName> = []
  /// Their last definitions said `prune: hold`, and nobody has approved it.
  var pruneHeld: Set<ServiceName> = []

  func isProbablyRenamed(_ service: ServiceName) -> Bool { newServices.contains(service) }
}

/// A removed service that may go.
struct Departure {
  /// The instance that carries it.
  var instance: InstanceName
  /// Its key directories.
  var places: [KeyPlace]
}

extension Planner {
  /// Judged on what this host has, whatever moved: revision, host name, labels, branch, url.
  mutating func decideRemovals(_ sight: Sight) -> Removals {
    var removals = Removals()
    let wanted = Set(desired.services.map(\.name)).union(desired.unsettled).union(
      desired.stopped.keys)
    let renamed = Set(desired.services.compactMap(\.formerly))
    for (name, instance) in memory.services.sorted(by: { $0.key < $1.key })
    where !wanted.contains(name) && !renamed.contains(name) {
      removals.services.append((name, instance))
      removals.addresses[name] = sight.pins[name]
    }
    guard !removals.services.isEmpty else { return removals }
    let isApproved = approves(.removals)
    if !isApproved { holdPruning(&removals) }
    // Those that wait by their own definition's word are counted neither among the removed nor among the rest, so
    // that they neither hold the removal of others nor make it look small.
    let going = removals.services.map(\.name).filter { !removals.pruneHeld.contains($0) }
    let names = removals.services.map(\.name.text).joined(separator: ", ")
    let gone = going.count
    let all = memory.services.count - removals.pruneHeld.count
    let identityMoved = memory.identity.map { $0 != desired.identity } ?? false
    let isBroad = gone == all || (gone * 2 > all && gone >= 3)
    if !isApproved, gone > 0, identityMoved || (isBroad && !desired.removalsAnnounced) {
      removals.areHeld = true
      wait(
        .removals,
        "\(gone) of \(all) services would be removed (\(going.map(\.text).joined(separator: ", ")))"
          + (identityMoved ? " after the host's own name, labels or source changed" : "")
          + ": `onionkeeper approve \(desired.revision?.text ?? "REVISION") --removals` lists and allows them"
      )
    }
    let vanished = removals.services.filter {
      memory.previouslyDefined.contains($0.name) && !desired.defined.contains($0.name)
    }
    let fresh = desired.services.filter { service in
      !memory.previouslyDefined.contains(service.name) && service.key.isGenerated
        && service.address == nil && service.formerly == nil && sight.pins[service.name] == nil
        && memory.services[service.name] == nil
    }
    if !isApproved, !vanished.isEmpty, !fresh.isEmpty {
      removals.areHeld = true
      removals.probableRenames = vanished.map(\.name.text).joined(separator: ", ")
      removals.newServices = Set(fresh.map(\.name))
      wait(
        .probableRename,
        "this revision removes \(names) and wants a new key for"
          + " \(fresh.map(\.name.text).joined(separator: ", ")): probably a rename, so both wait")
    }
    return removals
  }

  /// Each by itself: it runs on, and holds up nothing else.
  private mutating func holdPruning(_ removals: inout Removals) {
    for (name, instance) in removals.services where memory.heldFromPruning.contains(name) {
      removals.pruneHeld.insert(name)
      wait(
        .pruneHeld, service: name, instance: instance,
        "\(name) is no longer defined, and its definition said `prune: hold`, so it runs on:"
          + " `onionkeeper approve \(desired.revision?.text ?? "REVISION") --removals` puts it away"
      )
    }
  }

  /// Those that may go now, and where their keys lie.
  mutating func decideDepartures(
    _ removals: Removals, _ sight: Sight
  ) -> [ServiceName: Departure] {
    guard !removals.areHeld else { return [:] }
    var departures: [ServiceName: Departure] = [:]
    for (name, instance) in removals.services where !removals.pruneHeld.contains(name) {
      if memory.paused.contains(name) {
        wait(
          .paused, service: name, instance: instance,
          "its definition is gone, but it is paused by hand")
        continue
      }
      guard let places = places(of: name, instance, sight) else { continue }
      departures[name] = Departure(instance: instance, places: places)
    }
    return departures
  }

  /// The keys of those that leave an instance which goes on: after its tor has been told.
  mutating func planSharedRemovals(_ instance: InstanceName, _ sight: Sight) {
    let leaving = departures.filter { $0.value.instance == instance }
    _ = planRetirements(Set(leaving.keys), instance, forgottenWith: nil, sight)
  }

  /// - Parameter last: whom a later step of the group forgets together with the instance.
  /// - Returns: whether none of them has to wait.
  mutating func planRetirements(
    _ names: Set<ServiceName>, _ instance: InstanceName, forgottenWith last: ServiceName?,
    _ sight: Sight
  ) -> Bool {
    var areAllGoing = true
    for name in names.sorted() {
      guard let departure = departures[name] else { continue }
      let holders = (tors.byName[name] ?? []).union(departure.places.map(\.instance))
      guard
        holders.allSatisfy({ holder in
          let names = servedNames(of: name, at: departure.places, in: holder)
          return names.isDisjoint(with: allNames(holder))
            || hasLetGo(holder, of: names, nil, sight) && (holder == instance || !isActing(holder))
        })
      else {
        wait(
          .unknown, service: name, instance: instance,
          "its tor still serves it and cannot be told otherwise yet, so its key is not put away")
        areAllGoing = false
        continue
      }
      let deviation = Deviation("service \(name)", expected: "not on this host", observed: "here")
      var steps = departure.places.map { place in
        Step(
          .retireKey(place, observed.keys[place]?.value?.address), cause: .change, service: name,
          deviations: [deviation])
      }
      if steps.isEmpty, name != last {
        steps = [
          Step(.forgetService(name), cause: .change, service: name, deviations: [deviation])
        ]
      }
      add(StepGroup(subject: .instance(instance), steps: steps))
    }
    return areAllGoing
  }

  /// What a tor may know a removed service by: its name, and another under which it has read the same key, unless that is
  /// somebody else's.
  private func servedNames(
    of name: ServiceName, at places: [KeyPlace], in instance: InstanceName
  ) -> Set<ServiceName> {
    let addresses = Set(places.compactMap { observed.keys[$0]?.value?.address })
    let others = (memory.instances[instance]?.applied?.services ?? [:]).filter { known, service in
      addresses.contains(service.address) && bearers[known] == nil
    }
    return Set(others.keys).union([name])
  }

  /// Whether another group of this plan has steps: its outcome is not known to this one.
  private func isActing(_ instance: InstanceName) -> Bool {
    groups.contains { $0.subject == .instance(instance) && !$0.steps.isEmpty }
  }

  /// Its directory, also where a move that nobody could note has put it. `nil`: something could not be seen.
  private mutating func places(
    of name: ServiceName, _ instance: InstanceName, _ sight: Sight
  ) -> [KeyPlace]? {
    let own = KeyPlace(instance: instance, service: name)
    let candidates = Set(observed.keys.keys.filter { $0.service == name }).union([own])
    var found: [KeyPlace] = []
    for place in candidates.sorted() {
      switch observed.keys[place] ?? .unknown("it was not looked at") {
      case .unknown(let reason):
        wait(
          .unknown, service: name, instance: instance,
          "key directory \(place) cannot be read, so it is not put away: \(reason)")
        return nil
      case .absent: continue
      case .present(let directory):
        // Elsewhere, only what is provably its own.
        if place == own || directory.address.map({ $0 == sight.pins[name] }) == true {
          found.append(place)
        }
      }
    }
    return found
  }
}
