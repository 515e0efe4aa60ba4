import Descriptors
public import OnionModel

/// A key that lies in `retired/` to take another's place: the next pass exchanges the two, and nothing is ever without
/// a whole key on the disk.
public struct SuccessorKey: Hashable, Sendable {
  /// The folder's name in `retired/`.
  public var id: String
  public var address: OnionAddress

  public init(id: String, address: OnionAddress) {
    self.id = id
    self.address = address
  }
}

extension KeyRoot {
  /// Makes a new key for a service that has one, whole, beside it in `retired/`. What is at its place stays as it is: a
  /// pass that wants the new one (by its pin, or by `address:`) retires the old one first.
  /// - Parameters:
  ///   - address: What the service's key must make now.
  ///   - pins: Whether the service is pinned to the new one at once, last of all: from then on the exchange is due.
  /// - Throws: `key.mismatch`, `key.missing` or `key.damaged` if the key at the place does not make the address, or the
  ///   service is pinned to another. Nothing has been written then.
  public func makeSuccessor(
    of place: KeyPlace, _ address: OnionAddress, pins: Bool, now: Timestamp
  ) throws(KeyStoreError) -> SuccessorKey {
    try changing("rotate") { root in
      try verify(address, at: place, root, "rotate")
      if let pin = try pin(of: place.service, root), pin != address {
        throw KeyStoreError(
          .keyMismatch, "rotate",
          "\(place.service) is pinned to \(pin): a rotation is under way, or its key was changed by hand"
        )
      }
      let successor = try putAside(
        try KeyBundle.generate(), 0, for: place.service, now: now, "rotate", root)
      if pins { try writePin(place.service, successor.address, root) }
      return successor
    }
  }

  /// Puts a key from elsewhere into `retired/`, for a service whose place another key has, or whose pin says another: the
  /// accepted definition must ask for it by its `address:`. Done again it is found there.
  /// - Throws: `key.present` if the address is at a place, or another service's pin, of this host.
  public func setAside(
    _ keys: KeyBundle, _ index: Int = 0, for place: KeyPlace, owner: Int, now: Timestamp
  ) throws(KeyStoreError) -> SuccessorKey {
    try changing("import") { root in
      guard keys.entries.indices.contains(index) else {
        throw KeyStoreError(.keyMissing, "import", "there is no key number \(index)")
      }
      let address = keys.entries[index].address
      try refuseElsewhere(address, but: place, owner: owner, "import", root)
      switch retired() {
      case .present(let known):
        if let key = known.first(where: { $0.address == address }) {
          return SuccessorKey(id: key.id, address: address)
        }
      case .absent: break
      case .unknown(let reason): throw KeyStoreError(.io, "import", reason)
      }
      return try putAside(keys, index, for: place.service, now: now, "import", root)
    }
  }

  /// Owner, label and client files are put right once it is at its place.
  private func putAside(
    _ keys: KeyBundle, _ index: Int, for service: ServiceName, now: Timestamp,
    _ operation: String, _ root: borrowing Opened
  ) throws -> SuccessorKey {
    let retired = try root.own.folder(Self.retired)
    _ = try sweep(retired)
    let id = try freeID(service, now, retired)
    let address = keys.entries[index].address
    let builder = KeyBuilder(
      operation: operation, owner: 0, companions: CompanionFiles(access: .open), label: nil)
    try keys.withSecret(index) { try builder.build(FileName(id), of: address, $0, in: retired) }
    return SuccessorKey(id: id, address: address)
  }
}
