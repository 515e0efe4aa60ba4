import OnionModel

/// What a plan does to key directories: promise 1.
extension Auditor {
  /// Promise 1: nothing is put where anything is, or where nobody could look.
  mutating func checkEmpty(_ place: KeyPlace, _ emptied: Set<KeyPlace>) {
    if emptied.contains(place) { return }
    if observed.keys[place]?.isAbsent != true {
      find(1, "a key would be put into \(place), which is not seen to be empty")
    }
  }

  mutating func checkMayGenerate(_ place: KeyPlace) {
    if let pin = observed.pins.value?[place.service] {
      find(1, "a new key for \(place.service), which is pinned to \(pin)")
    }
    if let damage = observed.damagedPins[place.service] {
      find(1, "a new key for \(place.service), whose pin cannot be read: \(damage)")
    }
    if observed.pins.value == nil || observed.retired.value == nil {
      find(1, "a new key for \(place.service) although pins or retired keys were not seen")
    }
    if observed.retired.value?.contains(where: { $0.service == place.service }) == true {
      find(1, "a new key for \(place.service) although a retired one of that name is here")
    }
    let service = desired.services.first { $0.name == place.service }
    if service?.key.isGenerated != true || service?.address != nil {
      find(1, "a new key for \(place.service), whose definition does not ask for one")
    }
  }

  /// Promise 1: a sealed key is opened only as the definition says, and never instead of a pinned one.
  mutating func checkMayUnseal(
    _ place: KeyPlace, _ sealed: SealedKey, _ identity: String, _ address: OnionAddress?
  ) {
    let service = desired.services.first { $0.name == place.service }
    if service?.key != .sealed(file: sealed.file) || desired.sealedKeys[sealed.file] != sealed
      || desired.ageIdentity != identity
    {
      find(1, "\(sealed) would be opened for \(place.service), whose definition does not say so")
    }
    guard let pins = observed.pins.value, let retired = observed.retired.value else {
      find(1, "\(sealed) would be opened although pins or retired keys were not seen")
      return
    }
    if observed.damagedPins[place.service] != nil {
      find(1, "\(sealed) would be opened for \(place.service), whose pin cannot be read")
    }
    if let wanted = service?.address ?? pins[place.service], wanted != address {
      find(1, "\(sealed) would be opened for \(place.service) without having to make \(wanted)")
    }
    if retired.contains(where: { $0.service == place.service && $0.address == address }) {
      find(1, "\(sealed) would be opened although the key of \(place.service) is in retired/")
    }
    if observed.keys.contains(where: { $0.value.value?.address == address && address != nil }) {
      find(1, "\(sealed) would be opened although its key is in another directory")
    }
  }

  /// Only the right key is sealed, and only for those whom the host file names.
  mutating func checkBackUp(
    _ place: KeyPlace, _ address: OnionAddress?, _ recipients: [String], made: OnionAddress??
  ) {
    if recipients.isEmpty || recipients != desired.backupRecipients {
      find(1, "the key in \(place) would be sealed to others than the host file names")
    }
    if let made {
      if made != address { find(1, "another key than the one made in \(place) would be sealed") }
    } else if let address {
      checkWhole(place, address)
    } else {
      find(1, "a key in \(place) would be sealed without being known")
    }
  }

  /// Promise 1: what is written into, pinned or moved was seen to hold just that key.
  mutating func checkWhole(_ place: KeyPlace, _ address: OnionAddress) {
    if observed.keys[place]?.value?.address != address {
      find(1, "\(place) would be treated as the key of \(address), which was not seen there")
    }
  }

  /// The retired key that a later step puts where one is taken away.
  func successor(
    at place: KeyPlace, in later: ArraySlice<Step>
  ) -> (id: String, address: OnionAddress)? {
    for step in later {
      if case .restoreKey(let id, place, let address) = step.action { return (id, address) }
    }
    return nil
  }

  /// Promise 1: one key gives way to another only where definition or pin says so, both are whole, and both stay.
  mutating func checkSuccession(
    _ place: KeyPlace, _ address: OnionAddress?, _ successor: (id: String, address: OnionAddress)
  ) {
    if address == nil || observed.keys[place]?.value?.address != address {
      find(1, "\(place) would be exchanged without its key having been seen whole")
    }
    let service = desired.services.first {
      $0.name == place.service && $0.instance == place.instance
    }
    let wanted = service.flatMap { $0.address ?? observed.pins.value?[$0.name] }
    if wanted != successor.address || address == wanted {
      find(1, "\(place) would get the key of \(successor.address), which nobody asked for")
    }
    if observed.damagedPins[place.service] != nil {
      find(1, "\(place) would be exchanged although its pin cannot be read")
    }
    if observed.retired.value?.contains(where: {
      $0.id == successor.id && $0.address == successor.address
    }) != true {
      find(1, "\(place) would be emptied for a key that is not in retired/")
    }
  }

  mutating func checkRetire(_ place: KeyPlace) {
    if observed.keys[place]?.value == nil {
      find(1, "\(place) would be retired without having been seen")
    }
    if desired.services.contains(where: {
      $0.name == place.service && $0.instance == place.instance
    })
      || desired.unsettled.contains(place.service) || desired.stopped[place.service] != nil
    {
      find(1, "\(place) would be retired although it is defined")
    }
    if memory.services[place.service] == nil {
      find(1, "\(place) would be retired although this agent was never given it")
    }
    checkPruning(place.service)
  }
}
