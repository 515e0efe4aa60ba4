import Descriptors
public import OnionModel

/// Pins as last read, by the status of their files.
struct PinCache {
  var known: [FileName: (status: FileStatus, address: OnionAddress)] = [:]
}

/// Which address each service was seen to have.
public struct Pins: Hashable, Sendable {
  public var addresses: [ServiceName: OnionAddress] = [:]
  /// Services whose pin is there and cannot be read: why, and what to do. They may be pinned to anything.
  public var damaged: [ServiceName: String] = [:]

  /// None.
  public init() {}
}

extension KeyRoot {
  /// An address and its line's end.
  private static let pinLimit = 128

  /// Which address each service was seen to have. Unknown as a whole if one pin cannot be read: for whoever asks for all.
  public func pins() -> Observation<[ServiceName: OnionAddress]> {
    switch everyPin() {
    case .present(let pins):
      if let damage = pins.damaged.min(by: { $0.key < $1.key }) { return .unknown(damage.value) }
      return .present(pins.addresses)
    case .absent: return .absent
    case .unknown(let reason): return .unknown(reason)
    }
  }

  /// The same, with each damaged pin by itself: it is the trouble of its own service only.
  public func everyPin() -> Observation<Pins> {
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

  func readPins(_ root: borrowing Opened) throws -> Pins {
    let folder = try root.own.folder(Self.pins)
    var pins = Pins()
    var known: [FileName: (status: FileStatus, address: OnionAddress)] = [:]
    // What is not named like a service pins none.
    for name in try folder.names(limit: Self.placeLimit) {
      guard let service = name.text.flatMap({ ServiceName($0) }) else { continue }
      do {
        guard let status = try folder.status(of: name) else { continue }
        let address: OnionAddress
        if let old = pinLooks.known[name], old.status == status {
          address = old.address
        } else {
          address = try readPin(name, folder)
        }
        pins.addresses[service] = address
        if status.isSettled(at: .now) { known[name] = (status, address) }
      } catch {
        pins.damaged[service] = "\(error)"
      }
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
      if try folder.holds(Array("\(address)\n".utf8), in: name) { return try folder.synchronize() }
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
    let file = try folder.regularFile(name)
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
