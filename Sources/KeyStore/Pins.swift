import Descriptors
public import OnionModel

/// Pins as last read, by the status of their files.
struct PinCache {
  var known: [FileName: (status: FileStatus, address: OnionAddress)] = [:]
}

extension KeyRoot {
  /// An address and its line's end.
  private static let pinLimit = 128

  /// Which address each service was seen to have. Unknown as a whole if one pin cannot be read: a service without its pin
  /// might get another key.
  public func pins() -> Observation<[ServiceName: OnionAddress]> {
    do {
      let root = try open("read pins")
      return .present(try readPins(root))
    } catch {
      return .unknown("\(error)")
    }
  }

  /// Notes which address a service has, durably; done again it changes nothing. A pin of another address is replaced.
  /// - Throws: `key.mismatch`, `key.missing` or `key.damaged` if the key at the place does not make the address.
  public func pin(
    _ service: ServiceName, _ address: OnionAddress, at place: KeyPlace
  ) throws(KeyStoreError) {
    try changing("pin") { root in
      try verify(address, at: place, root, "pin")
      try writePin(service, address, root)
    }
  }

  func readPins(_ root: borrowing Opened) throws -> [ServiceName: OnionAddress] {
    let folder = try root.own.folder(Self.pins)
    var pins: [ServiceName: OnionAddress] = [:]
    var known: [FileName: (status: FileStatus, address: OnionAddress)] = [:]
    for name in try folder.names(limit: Self.placeLimit) where !name.isTemporary {
      guard let service = name.text.flatMap({ ServiceName($0) }) else {
        throw unreadable(folder.joined(name), "is not named like a service")
      }
      guard let status = try folder.status(of: name) else { continue }
      let address: OnionAddress
      if let old = pinLooks.known[name], old.status == status {
        address = old.address
      } else {
        address = try readPin(name, folder)
      }
      pins[service] = address
      if status.isSettled(at: .now) { known[name] = (status, address) }
    }
    pinLooks.known = known
    return pins
  }

  func pin(of service: ServiceName, _ root: borrowing Opened) throws -> OnionAddress? {
    let folder = try root.own.folder(Self.pins)
    let name = FileName(service.text)
    return try folder.status(of: name) == nil ? nil : try readPin(name, folder)
  }

  func writePin(
    _ service: ServiceName, _ address: OnionAddress, _ root: borrowing Opened
  ) throws {
    let folder = try root.own.folder(Self.pins)
    let name = FileName(service.text)
    if try folder.status(of: name) != nil {
      // A damaged pin may be replaced: the key at the place has just been verified.
      let text = try folder.file(name).read(limit: Self.pinLimit)
      if text == Array("\(address)\n".utf8) { return try folder.synchronize() }
    }
    try folder.write(Array("\(address)\n".utf8), to: name)
  }

  func removePin(_ service: ServiceName, _ root: borrowing Opened) throws {
    let folder = try root.own.folder(Self.pins)
    let name = FileName(service.text)
    guard try folder.status(of: name) != nil else { return }
    try folder.unlink(name)
    try folder.synchronize()
  }

  private func readPin(_ name: FileName, _ folder: borrowing Descriptor) throws -> OnionAddress {
    let file = try folder.file(name)
    let text = String(decoding: try file.read(limit: Self.pinLimit), as: UTF8.self)
    guard text.hasSuffix("\n"), let address = OnionAddress(String(text.dropLast())) else {
      throw unreadable(file.path, "holds no onion address")
    }
    return address
  }

  private func unreadable(_ path: String, _ why: String) -> KeyStoreError {
    KeyStoreError(
      .io, "read pins",
      "\(path) \(why): put it right, or remove it if the key directory is whole (it is pinned again)"
    )
  }
}

extension FileName {
  /// Being written, or left by a crash.
  var isTemporary: Bool { bytes.starts(with: Descriptor.temporaryPrefix.utf8) }
}
