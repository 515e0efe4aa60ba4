import Descriptors
import Glibc
public import OnionModel

extension KeyRoot {
  /// Moves a key directory to `retired/NAME-<UTC>[-n]/`, whatever it holds; the pin stays. Nothing there is replaced.
  /// - Parameter address: If given, the key there must make it.
  /// - Returns: The folder's name in `retired/`.
  public func retire(
    _ place: KeyPlace, _ address: OnionAddress?, now: Timestamp
  ) throws(KeyStoreError) -> String {
    try changing("retire") { root in
      let folder = try folder(place, root, "retire")
      if let address { _ = try verifiedSecret(address, in: folder, "retire") }
      let retired = try root.own.folder(Self.retired)
      let instance = try root.keys.folder(FileName(place.instance.text))
      let id = try freeID(place.service, now, retired)
      try instance.rename(FileName(place.service.text), to: retired, as: FileName(id))
      try retired.synchronize()
      try instance.synchronize()
      try removeIfEmpty(place.instance, root)
      return id
    }
  }

  /// The key directories in `retired/` whose secret is whole. Unknown as a whole if one cannot be read.
  public func retired() -> Observation<[RetiredKey]> {
    do {
      let root = try open("list retired keys")
      let folder = try root.own.folder(Self.retired)
      var keys: [RetiredKey] = []
      var known: [FileName: (status: FileStatus, key: RetiredKey)] = [:]
      for name in try folder.names(limit: Self.placeLimit) {
        guard let id = name.text, let service = RetiredKey.service(ofID: id),
          let (status, key) = try retiredKey(id, service, folder)
        else { continue }
        keys.append(key)
        if status.isSettled(at: .now) { known[name] = (status, key) }
      }
      looks.retired = known
      return .present(keys.sorted { $0.id < $1.id })
    } catch {
      return .unknown("\(error)")
    }
  }

  /// Moves a retired directory back to a place where nothing is, and pins it. Owner, labels and client files are then put
  /// right by `repair`.
  /// - Throws: `key.present`; `key.mismatch` if the retired key does not make the address.
  public func restore(
    _ id: String, to place: KeyPlace, _ address: OnionAddress, owner: Int
  ) throws(KeyStoreError) {
    try changing("restore") { root in
      guard RetiredKey.service(ofID: id) != nil else {
        throw KeyStoreError(
          .keyMissing, "restore", "\(FileName(id)) is not the name of a retired key")
      }
      let retired = try root.own.folder(Self.retired)
      guard try retired.status(of: FileName(id)) != nil else {
        // Done before a crash: the key is at its place, only the pin may be missing.
        try verify(address, at: place, root, "restore")
        return try writePin(place.service, address, root)
      }
      _ = try verifiedSecret(address, in: try retired.folder(FileName(id)), "restore")
      try put(FileName(id), of: retired, at: place, address, root, owner, "restore")
      try writePin(place.service, address, root)
    }
  }

  /// The same by a person's word, without a plan that has looked at everything first: refused, too, if the service is
  /// pinned to another address, or the address is another place's on this host. Under another name the pin moves along.
  /// - Throws: `key.present`; `key.mismatch`; nothing has been moved then.
  public func restoreByHand(
    _ key: RetiredKey, to place: KeyPlace, owner: Int
  ) throws(KeyStoreError) {
    try changing("restore") { root in
      if let pin = try pin(of: place.service, root), pin != key.address {
        throw KeyStoreError(
          .keyMismatch, "restore",
          "\(place.service) is pinned to \(pin), \(key.id) holds the key of \(key.address):"
            + " `address: \(key.address)` in its definition makes the change")
      }
      try refuseElsewhere(
        key.address, but: place, formerly: key.service, owner: owner, "restore", root)
      let retired = try root.own.folder(Self.retired)
      guard RetiredKey.service(ofID: key.id) != nil,
        try retired.status(of: FileName(key.id)) != nil
      else {
        throw KeyStoreError(.keyMissing, "restore", "\(FileName(key.id)) is no longer retired")
      }
      _ = try verifiedSecret(key.address, in: try retired.folder(FileName(key.id)), "restore")
      try put(FileName(key.id), of: retired, at: place, key.address, root, owner, "restore")
      try writePin(place.service, key.address, root)
      if key.service != place.service, try pin(of: key.service, root) == key.address {
        try removePin(key.service, root)
      }
    }
  }

  /// Moves a key directory to another place where nothing is; where the service's name changes, its pin moves too.
  /// - Throws: `key.present`; `key.mismatch` if the key does not make the address.
  public func move(
    from old: KeyPlace, to place: KeyPlace, _ address: OnionAddress, owner: Int
  ) throws(KeyStoreError) {
    try changing("move") { root in
      let oldName = FileName(old.service.text)
      if try isThere(old, root) {
        _ = try verifiedSecret(address, in: try folder(old, root, "move"), "move")
        let instance = try root.keys.folder(FileName(old.instance.text))
        try put(oldName, of: instance, at: place, address, root, owner, "move")
        if old.instance != place.instance { try removeIfEmpty(old.instance, root) }
      } else {
        // Done before a crash: the key is at its new place, only the pins may be behind.
        try verify(address, at: place, root, "move")
      }
      try writePin(place.service, address, root)
      if old.service != place.service, try pin(of: old.service, root) == address {
        try removePin(old.service, root)
      }
    }
  }

  private func isThere(_ place: KeyPlace, _ root: borrowing Opened) throws -> Bool {
    guard try root.keys.status(of: FileName(place.instance.text)) != nil else { return false }
    return try root.keys.folder(FileName(place.instance.text))
      .status(of: FileName(place.service.text)) != nil
  }

  private func put(
    _ name: FileName, of source: borrowing Descriptor, at place: KeyPlace,
    _ address: OnionAddress, _ root: borrowing Opened, _ owner: Int, _ operation: String
  ) throws {
    let instance = try instanceFolder(place.instance, root, owner: owner)
    let newName = FileName(place.service.text)
    do {
      try source.rename(name, to: instance, as: newName)
    } catch {
      guard error.number == EEXIST else { throw error }
      throw KeyStoreError(
        .keyPresent, operation, "\(instance.joined(newName)) is already there; nothing was moved")
    }
    try instance.synchronize()
    try source.synchronize()
    try verify(address, at: place, root, operation)
  }

  /// How many retirements of one service in one second are told apart.
  private static let idLimit = 1000

  func freeID(
    _ service: ServiceName, _ now: Timestamp, _ retired: borrowing Descriptor
  ) throws -> String {
    for number in 1...Self.idLimit {
      let id = "\(service)-\(now.compact)" + (number == 1 ? "" : "-\(number)")
      if try retired.status(of: FileName(id)) == nil { return id }
    }
    throw KeyStoreError(
      .io, "retire", "\(service) was retired \(Self.idLimit) times in one second")
  }

  /// - Returns: The status of the secret and the key; `nil` if it has no whole secret.
  private func retiredKey(
    _ id: String, _ service: ServiceName, _ retired: borrowing Descriptor
  ) throws(FileError) -> (FileStatus, RetiredKey)? {
    guard try retired.status(of: FileName(id))?.kind == .folder else { return nil }
    let folder = try retired.folder(FileName(id))
    guard let status = try folder.status(of: Inspection.secretName), status.kind == .file else {
      return nil
    }
    if let old = looks.retired[FileName(id)], old.status == status { return (status, old.key) }
    let secret: Descriptor
    do {
      secret = try folder.regularFile(Inspection.secretName)
    } catch  where error.number == EXDEV {
      // Something is mounted over it: no key of ours, and no reason to hide the others.
      return nil
    }
    let opened = try secret.status()
    guard case .whole(let address) = try SecretKeyFile.judge(secret) else { return nil }
    return (opened, RetiredKey(id: id, service: service, address: address))
  }
}

extension RetiredKey {
  /// When it was put away, as its id says: RFC 3339 to the second; `nil` for an id that is none.
  public var time: String? {
    guard let service = Self.service(ofID: id) else { return nil }
    let text = Array(id.dropFirst(service.text.utf8.count + 1).prefix(16))
    guard text.count == 16 else { return nil }
    return "\(String(text[0..<4]))-\(String(text[4..<6]))-\(String(text[6..<8]))"
      + "T\(String(text[9..<11])):\(String(text[11..<13])):\(String(text[13..<15]))Z"
  }

  /// The service in `NAME-<UTC>` or `NAME-<UTC>-<n>`: a name has no capital letters, so the time stands out.
  static func service(ofID id: String) -> ServiceName? {
    var parts = id.split(separator: "-", omittingEmptySubsequences: false)
    if let last = parts.last, !isTime(last) {
      guard (1...4).contains(last.utf8.count), last.utf8.allSatisfy(isDigit) else { return nil }
      parts.removeLast()
    }
    guard let time = parts.popLast(), isTime(time) else { return nil }
    return ServiceName(parts.joined(separator: "-"))
  }

  /// `20261125T062118Z`
  private static func isTime(_ text: Substring) -> Bool {
    let bytes = Array(text.utf8)
    return bytes.count == 16 && bytes[8] == UInt8(ascii: "T") && bytes[15] == UInt8(ascii: "Z")
      && bytes[..<8].allSatisfy(isDigit) && bytes[9..<15].allSatisfy(isDigit)
  }

  private static func isDigit(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
  }
}
