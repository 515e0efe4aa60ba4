import OnionModel

/// What is decided about one service's key.
enum KeyDecision {
  /// Whole, pinned or about to be. `address` is `nil` while the key is still to be made by `steps`.
  case ready(OnionAddress?, steps: [Step])
  /// A sealed key is opened whose address nobody knows yet. What may be done with it depends on the address (another
  /// service may have the same key), so all else is planned when the key is seen.
  case opening(steps: [Step])
  /// Nothing is started, reloaded, restarted or re-keyed for it.
  case held(Waiting)
}

extension Planner {
  /// Decides from the directory, the pin, the definition's address and the retired keys.
  func decideKey(_ service: OnionService, removals: Removals, sight: Sight) -> KeyDecision {
    let place = KeyPlace(instance: service.instance, service: service.name)
    for name in [service.name] + (service.formerly.map { [$0] } ?? []) {
      guard let damage = observed.damagedPins[name] else { continue }
      return held(
        .unknown, service,
        "what \(name) is pinned to cannot be read: \(damage); nothing is started or re-keyed meanwhile"
      )
    }
    switch observed.keys[place] ?? .unknown("it was not looked at") {
    case .unknown(let reason):
      return held(.unknown, service, "key directory \(place) cannot be read: \(reason)")
    case .present(let directory):
      return decideThere(service, place, directory, sight)
    case .absent:
      return decideAbsent(service, place, removals: removals, sight: sight)
    }
  }

  /// What it is pinned to; where its pin is gone, the address under which its tor last ran.
  private func pinned(_ service: ServiceName, _ sight: Sight) -> OnionAddress? {
    if let pin = sight.pins[service] { return pin }
    guard let instance = memory.services[service] else { return nil }
    return memory.instances[instance]?.applied?.services[service]?.address
  }

  func held(_ kind: Waiting.Kind, _ service: OnionService, _ message: String) -> KeyDecision {
    .held(Waiting(kind, service: service.name, instance: service.instance, message: message))
  }

  private func decideThere(
    _ service: OnionService, _ place: KeyPlace, _ directory: KeyDirectory, _ sight: Sight
  ) -> KeyDecision {
    let pin = pinned(service.name, sight)
    let address: OnionAddress
    switch directory.secret {
    case .whole(let found): address = found
    case .missing:
      guard let wanted = service.address ?? pin else {
        return held(
          service.key == .existing ? .keyMissing : .keyLost, service,
          "key directory \(place) has no secret key, and none is made where a directory already is:"
            + " import the key, or remove the directory")
      }
      return held(
        pin == nil ? .keyMissing : .keyLost, service,
        "the secret key of \(wanted) is gone from \(place): put it back;"
          + " nothing is started or re-keyed meanwhile")
    case .damaged(let why):
      return held(
        .keyLost, service,
        "the secret key in \(place) is damaged (\(why)): put the right one back; nothing is started meanwhile"
      )
    }
    if let wanted = service.address ?? sight.pins[service.name], wanted != address,
      let succession = decideSuccession(of: address, by: wanted, service, place, sight)
    {
      return succession
    }
    if let wanted = service.address, wanted != address {
      return held(
        .keyMismatch, service,
        "\(place) holds the key of \(address), the definition wants \(wanted):"
          + " `onionkeeper keys import \(service.name) SOURCE` brings that key, or mend `address`")
    }
    if service.address == nil, let pin, pin != address {
      return held(
        .keyMismatch, service,
        "\(place) holds the key of \(address), but this service is pinned to \(pin): put that key back, or"
          + " write `address: \(address)` into the definition if the change is meant")
    }
    if let other = rival(of: address, at: place, service, sight) {
      return held(
        .keyDuplicate, service,
        "\(other) holds the same key (\(address)): two tors with one key take turns"
          + " being reachable; remove one")
    }
    var steps: [Step] = []
    if sight.pins[service.name] != address {
      steps.append(
        Step(
          .pin(service.name, address, at: place), cause: .change, service: service.name,
          deviations: [
            Deviation(
              "pin", expected: address.text, observed: sight.pins[service.name]?.text ?? "none")
          ]))
    }
    steps += repairs(service, place, directory, address)
    return .ready(address, steps: steps)
  }

  /// Another whole key is there than the wanted one, which lies in `retired/`: a rotation, by a new `address:` or by
  /// hand (which pins it). Both keys are on the disk all the time; the tor is started anew behind the exchange.
  /// - Returns: `nil` if the wanted key is not here.
  private func decideSuccession(
    of address: OnionAddress, by wanted: OnionAddress, _ service: OnionService, _ place: KeyPlace,
    _ sight: Sight
  ) -> KeyDecision? {
    let fitting = sight.retired.filter { $0.address == wanted }
    guard let key = fitting.first else {
      return decideSealedSuccession(of: address, by: wanted, service, place, sight)
    }
    guard fitting.count == 1 else {
      return held(
        .keyAmbiguous, service,
        "several retired directories hold the key of \(wanted) (\(list(fitting))):"
          + " `onionkeeper keys purge ID` removes one")
    }
    if let other = holder(of: wanted, wantedAt: place, service, sight) {
      return held(
        .keyDuplicate, service,
        "\(other) has the key of \(wanted): two tors with one key take turns being reachable;"
          + " remove one of the two definitions")
    }
    return .ready(
      wanted,
      steps: [
        Step(
          .retireKey(place, address), cause: .change, service: service.name,
          deviations: [
            Deviation("key in \(place)", expected: wanted.text, observed: address.text)
          ]),
        Step(
          .restoreKey(id: key.id, to: place, wanted), cause: .change, service: service.name,
          deviations: [
            Deviation(
              "key of \(wanted)", expected: "in \(place)", observed: "retired as \(key.id)")
          ]),
      ]
        + repairs(
          service, place, KeyDirectory(secret: .whole(wanted)), wanted, from: .retired))
  }

  /// Where a key directory comes from.
  private enum Origin { case there, anotherInstance, retired }

  private func repairs(
    _ service: OnionService, _ place: KeyPlace, _ directory: KeyDirectory, _ address: OnionAddress,
    from origin: Origin = .there
  ) -> [Step] {
    let wanted = KeyFiles.clientFiles(access: service.access, address: address)
    var deviations = directory.flaws
    // Its tor could not read it with another instance's label; what lies beside a retired key was not looked at.
    if let label = label(of: service.instance), origin == .anotherInstance {
      deviations.append(
        Deviation(
          "\(place) label", expected: "\(label.type):\(label.level)",
          observed: "another instance's"))
    }
    if origin == .retired {
      deviations.append(
        Deviation("\(place)", expected: "as defined", observed: "as it was retired"))
    }
    for name in Set(wanted.keys).union(directory.clientFiles.keys).sorted()
    where wanted[name] != directory.clientFiles[name] {
      deviations.append(
        Deviation(
          "\(place)/authorized_clients/\(name)",
          expected: wanted[name] == nil ? "absent" : "as defined",
          observed: directory.clientFiles[name] == nil
            ? "absent"
            : "present"
              + (wanted[name] == nil ? "" : " with other content")))
    }
    let balance = service.companions.onionBalanceText
    if balance != directory.onionBalance {
      deviations.append(
        Deviation(
          "\(place)/\(KeyFiles.onionBalance)", expected: balance ?? "absent",
          observed: directory.onionBalance.map { _ in "other content" } ?? "absent"))
    }
    deviations += directory.foreign.map {
      Deviation("\(place)/\($0)", expected: "absent", observed: "a file nobody defined")
    }
    guard !deviations.isEmpty else { return [] }
    let applied = memory.instances[service.instance]?.applied?.services[service.name]
    let isSame =
      applied?.address == address && applied?.access == service.access
      && applied?.onionBalanceMaster == service.tor.onionBalanceMaster
    let isDrift = !directory.flaws.isEmpty || isSame
    return [
      Step(
        .repairKeys(
          place,
          KeyDirectoryWish(
            address: address, owner: observed.torOwner, clientFiles: wanted,
            onionBalance: balance, label: label(of: service.instance))),
        cause: applied != nil && isDrift ? .drift : .change, service: service.name,
        deviations: deviations)
    ]
  }

  private func decideAbsent(
    _ service: OnionService, _ place: KeyPlace, removals: Removals, sight: Sight
  ) -> KeyDecision {
    let pin = pinned(service.name, sight)
    if let wanted = service.address ?? pin {
      return decideWanted(wanted, pin: pin, service, place, sight)
    }
    if let old = service.formerly {
      return decideFormer(old, service, place, sight)
    }
    let asides = sight.retired.filter { $0.service == service.name }
    if !asides.isEmpty {
      return held(
        .keyAmbiguous, service,
        "retired keys of this name are here and none is pinned (\(list(asides))): write one's `address:`"
          + " into the definition")
    }
    if case .sealed(let file) = service.key {
      return decideSealed(file, making: nil, service, place, sight)
    }
    if service.key == .existing {
      return held(
        .keyMissing, service,
        "no key in \(place) yet: copy its hs_ed25519_secret_key there, the rest is put right")
    }
    if memory.isRebuilt, !approves(.newKeys) {
      return held(
        .newKeys, service,
        "the state folder was lost or made anew, so no new key is made before"
          + " `onionkeeper approve REVISION --new-keys`")
    }
    if let names = removals.probableRenames, removals.isProbablyRenamed(service.name) {
      return held(
        .probableRename, service,
        "this revision also removes \(names): probably a rename. Write `formerly: NAME` to keep the key, or"
          + " `onionkeeper approve REVISION --removals` if it is not")
    }
    return .ready(
      nil,
      steps: [
        Step(
          .generateKey(
            place, owner: observed.torOwner, service.companions,
            label(of: service.instance)),
          cause: .change, service: service.name,
          deviations: [Deviation("key", expected: "generated once", observed: "none yet")])
      ] + backup(of: place, nil))
  }

  /// Its address is known and its directory is not there: it lies in `retired/`, at its former place, or is lost.
  private func decideWanted(
    _ wanted: OnionAddress, pin: OnionAddress?, _ service: OnionService, _ place: KeyPlace,
    _ sight: Sight
  ) -> KeyDecision {
    if let moved = formerPlaces(of: service, sight).first(where: {
      observed.keys[$0]?.value?.address == wanted
    }) {
      return move(from: moved, wanted, service, place, sight)
    }
    if let other = holder(of: wanted, wantedAt: place, service, sight) {
      return held(
        .keyDuplicate, service,
        "\(other) has the key of \(wanted): two tors with one key take turns being reachable;"
          + " remove one of the two definitions")
    }
    let fitting = sight.retired.filter { $0.address == wanted }
    if fitting.count == 1, let key = fitting.first {
      return .ready(
        wanted,
        steps: [
          Step(
            .restoreKey(id: key.id, to: place, wanted), cause: .change, service: service.name,
            deviations: [
              Deviation(
                "key of \(wanted)", expected: "in \(place)", observed: "retired as \(key.id)")
            ])
        ]
          + repairs(
            service, place, KeyDirectory(secret: .whole(wanted)), wanted, from: .retired))
    }
    if fitting.count > 1 {
      return held(
        .keyAmbiguous, service,
        "several retired directories hold the key of \(wanted) (\(list(fitting))):"
          + " `onionkeeper keys restore ID` takes the one that is meant")
    }
    if case .sealed(let file) = service.key {
      return decideSealed(file, making: wanted, service, place, sight)
    }
    return held(
      pin == nil ? .keyMissing : .keyLost, service,
      pin == nil
        ? "the key of \(wanted) is not on this host: copy its hs_ed25519_secret_key to \(place)"
        : "key directory \(place) of \(wanted) is gone: put it back; nothing is started or re-keyed meanwhile"
    )
  }

  /// Where this service's key may lie under an older instance or name.
  private func formerPlaces(of service: OnionService, _ sight: Sight) -> [KeyPlace] {
    let names = [service.name] + (service.formerly.map { [$0] } ?? [])
    return observed.keys.keys.sorted().filter { place in
      names.contains(place.service)
        && place != KeyPlace(instance: service.instance, service: service.name)
    }
  }

  private func decideFormer(
    _ old: ServiceName, _ service: OnionService, _ place: KeyPlace, _ sight: Sight
  ) -> KeyDecision {
    let oldPlace = KeyPlace(
      instance: memory.services[old] ?? InstanceName(old), service: old)
    switch observed.keys[oldPlace] {
    case .unknown(let reason)?:
      return held(
        .unknown, service, "key directory \(oldPlace) of its former name cannot be read: \(reason)")
    case .present(let directory)?:
      guard let address = directory.address else {
        return held(
          .keyLost, service,
          "the key of its former name \(old) is missing or damaged in \(oldPlace)")
      }
      if let pin = sight.pins[old], pin != address {
        return held(
          .keyMismatch, service,
          "\(oldPlace) holds the key of \(address), \(old) was pinned to \(pin)")
      }
      return move(from: oldPlace, address, service, place, sight)
    case .absent?, nil:
      let asides = sight.retired.filter { $0.service == old }
      if asides.isEmpty, case .sealed(let file) = service.key {
        return decideSealed(file, making: sight.pins[old], service, place, sight)
      }
      if asides.count == 1, let key = asides.first, sight.pins[old] ?? key.address == key.address {
        return .ready(
          key.address,
          steps: [
            Step(
              .restoreKey(id: key.id, to: place, key.address), cause: .change,
              service: service.name,
              deviations: [
                Deviation(
                  "key of \(old)", expected: "in \(place)", observed: "retired as \(key.id)")
              ])
          ]
            + repairs(
              service, place, KeyDirectory(secret: .whole(key.address)), key.address,
              from: .retired))
      }
      return held(
        asides.isEmpty ? .keyMissing : .keyAmbiguous, service,
        asides.isEmpty
          ? "formerly \(old), but no key of \(old) is on this host: import it, or drop `formerly` to have a new one made"
          : "several retired keys of \(old) (\(list(asides))): write one's `address:` into the definition"
      )
    }
  }

  /// Leave, move, join; never two tors with one key: the old instance's own group makes its tor let go first.
  private func move(
    from old: KeyPlace, _ address: OnionAddress, _ service: OnionService, _ place: KeyPlace,
    _ sight: Sight
  ) -> KeyDecision {
    if desired.services.contains(where: { $0.name == old.service && $0.instance == old.instance }) {
      return held(
        .keyDuplicate, service,
        "the key of \(address) still belongs to \(old), which is defined too")
    }
    let deviation = Deviation("key of \(address)", expected: "in \(place)", observed: "in \(old)")
    let moving = Step(
      .moveKey(from: old, to: place, address), cause: .change, service: service.name,
      deviations: [deviation])
    return .ready(
      address,
      steps: [moving]
        + repairs(
          service, place, observed.keys[old]?.value ?? KeyDirectory(secret: .whole(address)),
          address, from: old.instance == place.instance ? .there : .anotherInstance))
  }

  func approves(_ kind: Approval.Kind) -> Bool {
    memory.approvals.contains {
      $0.kind == kind && $0.revision == desired.revision && observed.now < $0.expires
    }
  }

  private func list(_ keys: [RetiredKey]) -> String {
    keys.map { "\($0.id): \($0.address)" }.sorted().joined(separator: ", ")
  }
}
