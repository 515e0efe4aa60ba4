import Descriptors
public import OnionModel

extension KeyRoot {
  /// Opens a sealed key with the host's `age` and puts it where nothing is, as `generate` does, and pins it.
  /// - Parameters:
  ///   - identity: The path of an age identity file, absolute; only `age` reads it.
  ///   - address: Which address it must make; a pinned service gets its pinned address back and no other.
  /// - Throws: `key.present`; `key.mismatch`; `key.sealed` if the identity does not open it; `key.unusable` if what was
  ///   sealed is no key; `age.missing`; `timeout`; `cancelled`. Nothing has been written then.
  public func unseal(
    _ place: KeyPlace, _ sealed: SealedKey, identity: String, address: OnionAddress?, owner: Int,
    _ companions: CompanionFiles, label: ContainerLabel?
  ) async throws(KeyStoreError) -> OnionAddress {
    let keys = try await open(sealed, identity: identity)
    let builder = KeyBuilder(
      operation: "unseal", owner: owner, companions: companions, label: label)
    return try changing("unseal") { root in
      // Whoever says which address it must make has weighed the pin: a new `address:` re-pins.
      try admit(
        keys.entries[0], to: place, expecting: address, mayRepin: address != nil, "unseal", root)
      return try put(keys, 0, at: place, builder, root)
    }
  }

  /// The same into `retired/`, for a service whose place another key has: see `setAside`.
  public func unsealAside(
    _ sealed: SealedKey, for place: KeyPlace, identity: String, address: OnionAddress, owner: Int,
    now: Timestamp
  ) async throws(KeyStoreError) -> SuccessorKey {
    let keys = try await open(sealed, identity: identity)
    guard keys.entries[0].address == address else {
      throw KeyStoreError(
        .keyMismatch, "unseal", "\(sealed.file) makes \(keys.entries[0].address), not \(address)")
    }
    return try setAside(keys, for: place, owner: owner, now: now)
  }

  /// Its one key.
  private func open(
    _ sealed: SealedKey, identity: String
  ) async throws(KeyStoreError) -> KeyBundle {
    let plain = try await Age(path: agePath).open(
      sealed.bytes, identity: identity, limit: SealedKey.limit, name: sealed.file)
    return try converting("unseal") {
      let keys = try KeyForm.read(plain, origin: sealed.file)
      guard keys.entries.count == 1 else {
        throw KeyStoreError(
          .keyUnusable, "unseal", "\(sealed.file) holds \(keys.entries.count) keys: seal one")
      }
      return keys
    }
  }

  /// Puts a key from elsewhere where nothing is, as `generate` does, and pins it.
  /// - Parameters:
  ///   - index: Which of the bundle's keys.
  ///   - address: Which address it must make; a pinned service gets its pinned address back and no other.
  /// - Throws: `key.present` if anything is at the place, or the address is another place's or pin's on this host;
  ///   `key.mismatch`. Nothing has been written then.
  /// - Returns: The key's address.
  @discardableResult
  public func importKey(
    _ keys: KeyBundle, _ index: Int = 0, to place: KeyPlace, expecting address: OnionAddress? = nil,
    owner: Int, _ companions: CompanionFiles = CompanionFiles(access: .open),
    label: ContainerLabel? = nil
  ) throws(KeyStoreError) -> OnionAddress {
    let builder = KeyBuilder(
      operation: "import", owner: owner, companions: companions, label: label)
    return try changing("import") { root in
      guard keys.entries.indices.contains(index) else {
        throw KeyStoreError(.keyMissing, "import", "there is no key number \(index)")
      }
      try admit(keys.entries[index], to: place, expecting: address, "import", root)
      try refuseElsewhere(keys.entries[index].address, but: place, owner: owner, "import", root)
      return try put(keys, index, at: place, builder, root)
    }
  }

  private func admit(
    _ key: KeyBundle.Entry, to place: KeyPlace, expecting address: OnionAddress?,
    mayRepin: Bool = false, _ operation: String, _ root: borrowing Opened
  ) throws {
    if let address, key.address != address {
      throw KeyStoreError(
        .keyMismatch, operation, "\(key.origin) makes \(key.address), not \(address)")
    }
    if !mayRepin, let pin = try pin(of: place.service, root), pin != key.address {
      throw KeyStoreError(
        .keyMismatch, operation,
        "\(key.origin) makes \(key.address), but \(place.service) is pinned to \(pin)")
    }
  }

  /// One address in two places would be served by nobody reliably.
  /// - Parameter old: A former name of the place's service, whose pin is no hindrance.
  func refuseElsewhere(
    _ address: OnionAddress, but place: KeyPlace, formerly old: ServiceName? = nil, owner: Int,
    _ operation: String, _ root: borrowing Opened
  ) throws {
    for (other, seen) in try observe([], root, owner, [:]) where other != place {
      if let reason = seen.unknownReason { throw KeyStoreError(.io, operation, reason) }
      guard seen.value?.address == address else { continue }
      throw KeyStoreError(
        .keyPresent, operation, "the key of \(address) is already here, at \(path)/\(other)")
    }
    let pins = try readPins(root)
    if let damage = pins.damaged.min(by: { $0.key < $1.key }) {
      throw KeyStoreError(.io, operation, damage.value)
    }
    if let (service, _) = pins.addresses.first(where: {
      $0.value == address && $0.key != place.service && $0.key != old
    }) {
      throw KeyStoreError(
        .keyPresent, operation,
        "\(address) is pinned to \(service): `formerly: \(service)` in the definition moves it to \(place.service)"
      )
    }
  }
}
