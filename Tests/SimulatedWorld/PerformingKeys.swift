import OnionModel

/// How far a step comes before it fails.
enum Extent: Hashable, Sendable { case whole, half }

extension SimulatedHost {
  func requireKeys() throws(StepFailure) {
    if trouble.keyRootUnmounted || trouble.keyRootForeign {
      throw StepFailure(code: "keys.unmounted", message: "the key folder is not ours")
    }
  }

  func requireSpace() throws(StepFailure) {
    if trouble.diskFull { throw StepFailure(code: "disk.full", message: "no space left") }
  }

  func requireEmpty(_ place: KeyPlace) throws(StepFailure) {
    if keys[place] != nil {
      throw StepFailure(code: "key.present", message: "\(place) is there already")
    }
  }

  func requireWhole(_ place: KeyPlace, _ address: OnionAddress) throws(StepFailure) {
    guard let directory = keys[place], !directory.isUnreadable, directory.address == address else {
      throw StepFailure(code: "key.other", message: "\(place) does not hold the key of \(address)")
    }
  }

  mutating func generateKey(
    _ place: KeyPlace, owner: Int, _ companions: CompanionFiles, _ extent: Extent
  ) throws(StepFailure) -> StepEffect {
    try requireKeys()
    try requireSpace()
    try requireEmpty(place)
    let address = newAddress()
    keys[place] = SimulatedKeyDirectory(
      address, owner: owner, clientFiles: companions.clientFiles(of: address),
      onionBalance: companions.onionBalanceText)
    if extent == .whole { pins[place.service] = address }
    return .generated(address)
  }

  func requireAge() throws(StepFailure) {
    if trouble.ageMissing {
      throw StepFailure(code: "age.missing", message: "age is not installed")
    }
  }

  mutating func unsealKey(
    _ place: KeyPlace, _ sealed: SealedKey, _ wanted: OnionAddress?, owner: Int,
    _ companions: CompanionFiles, _ extent: Extent
  ) throws(StepFailure) -> StepEffect {
    try requireKeys()
    try requireSpace()
    try requireEmpty(place)
    try requireAge()
    let address = sealed.simulatedAddress
    guard wanted ?? address == address else {
      throw StepFailure(code: "key.other", message: "\(sealed) does not make \(wanted ?? address)")
    }
    keys[place] = SimulatedKeyDirectory(
      address, owner: owner, clientFiles: companions.clientFiles(of: address),
      onionBalance: companions.onionBalanceText)
    if extent == .whole { pins[place.service] = address }
    return .generated(address)
  }

  mutating func unsealAside(
    _ place: KeyPlace, _ sealed: SealedKey, _ wanted: OnionAddress, owner: Int
  ) throws(StepFailure) -> StepEffect {
    try requireKeys()
    try requireSpace()
    try requireAge()
    let address = sealed.simulatedAddress
    guard wanted == address else {
      throw StepFailure(code: "key.other", message: "\(sealed) does not make \(wanted)")
    }
    let id = "\(place.service)-\(number())"
    retired[id] = SimulatedRetiredKey(
      service: place.service,
      directory: SimulatedKeyDirectory(
        address, owner: owner, clientFiles: [:], onionBalance: nil))
    return .retired(id: id)
  }

  mutating func backUpKey(
    _ place: KeyPlace, _ address: OnionAddress?, _ recipients: [String]
  ) throws(StepFailure) {
    try requireKeys()
    try requireSpace()
    try requireAge()
    guard let address else {
      throw StepFailure(code: "key.unknown", message: "no address to back up in \(place)")
    }
    try requireWhole(place, address)
    backups.insert(KeyBackup.fileName(of: place.service, address, recipients: recipients))
  }

  mutating func pin(
    _ service: ServiceName, _ address: OnionAddress, _ place: KeyPlace
  ) throws(StepFailure) {
    try requireKeys()
    try requireSpace()
    try requireWhole(place, address)
    pins[service] = address
  }

  mutating func repairKeys(
    _ place: KeyPlace, _ wish: KeyDirectoryWish, _ extent: Extent
  ) throws(StepFailure) {
    try requireKeys()
    try requireSpace()
    try requireWhole(place, wish.address)
    keys[place]?.owner = wish.owner
    if extent == .half { return }
    keys[place]?.publicKey = wish.address
    keys[place]?.hostname = wish.address
    keys[place]?.clientFiles = wish.clientFiles
    keys[place]?.onionBalance = wish.onionBalance
    keys[place]?.foreign = []
  }

  mutating func retireKey(_ place: KeyPlace, _ address: OnionAddress?) throws(StepFailure)
    -> StepEffect
  {
    try requireKeys()
    guard let directory = keys[place], !directory.isUnreadable, directory.address == address else {
      throw StepFailure(code: "key.other", message: "\(place) is not what was seen")
    }
    let id = "\(place.service)-\(number())"
    keys[place] = nil
    retired[id] = SimulatedRetiredKey(service: place.service, directory: directory)
    return .retired(id: id)
  }

  mutating func restoreKey(
    _ id: String, _ place: KeyPlace, _ address: OnionAddress, _ extent: Extent
  ) throws(StepFailure) {
    try requireKeys()
    try requireEmpty(place)
    guard let key = retired[id], key.directory.address == address else {
      throw StepFailure(code: "key.other", message: "retired/\(id) is not the key of \(address)")
    }
    retired[id] = nil
    keys[place] = key.directory
    if extent == .whole { pins[place.service] = address }
  }

  mutating func moveKey(
    _ old: KeyPlace, _ place: KeyPlace, _ address: OnionAddress, _ extent: Extent
  ) throws(StepFailure) {
    try requireKeys()
    try requireWhole(old, address)
    try requireEmpty(place)
    keys[place] = keys[old]
    keys[old] = nil
    if extent == .half { return }
    pins[place.service] = address
    if old.service != place.service { pins[old.service] = nil }
  }
}
