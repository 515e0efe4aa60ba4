import Descriptors
import Glibc
public import OnionModel

extension KeyRoot {
  /// Makes a key where nothing is, whole before it is seen: built under a temporary name beside its place, on the disk,
  /// renamed to where nothing may be, then pinned.
  /// - Throws: `key.present` if anything at all is at the place; `key.lost` if the service is pinned to an address already.
  /// - Returns: The new address.
  public func generate(
    _ place: KeyPlace, owner: Int, _ companions: CompanionFiles = CompanionFiles(access: .open),
    label: ContainerLabel? = nil
  ) throws(KeyStoreError) -> OnionAddress {
    try changing("generate") { root in
      if let pin = try pin(of: place.service, root) {
        throw KeyStoreError(
          .keyLost, "generate",
          "\(place.service) is pinned to \(pin): its key is to be put back, not another made")
      }
      let builder = KeyBuilder(
        operation: "generate", owner: owner, companions: companions, label: label)
      return try put(try KeyBundle.generate(), 0, at: place, builder, root)
    }
  }

  /// Puts a key where nothing is, and pins it.
  func put(
    _ keys: KeyBundle, _ index: Int, at place: KeyPlace, _ builder: KeyBuilder,
    _ root: borrowing Opened
  ) throws -> OnionAddress {
    let instance = try instanceFolder(
      place.instance, root, owner: builder.owner, label: builder.label)
    let name = FileName(place.service.text)
    guard try instance.status(of: name) == nil else {
      throw builder.present(instance.joined(name))
    }
    _ = try sweep(instance)
    let address = keys.entries[index].address
    do {
      try keys.withSecret(index) { try builder.build(name, of: address, $0, in: instance) }
    } catch {
      // Made for this key, perhaps; what is in use stays.
      do { try removeIfEmpty(place.instance, root) } catch {}
      throw error
    }
    try writePin(place.service, address, root)
    return address
  }
}

/// Builds a whole key directory under a temporary name and renames it to its place.
struct KeyBuilder {
  /// For errors.
  let operation: String
  let owner: Int
  let companions: CompanionFiles
  let label: ContainerLabel?

  func present(_ path: String) -> KeyStoreError {
    KeyStoreError(.keyPresent, operation, "\(path) is already there; nothing was written")
  }

  func build(
    _ name: FileName, of address: OnionAddress, _ secret: UnsafeRawBufferPointer,
    in instance: borrowing Descriptor
  ) throws {
    let temporary = Descriptor.temporaryName()
    do {
      try fill(try instance.makeFolder(temporary), address, secret)
      try instance.rename(temporary, to: instance, as: name)
      try instance.synchronize()
    } catch {
      // A key that was never at its place and never pinned: nobody has seen its address. What cannot be removed now is
      // swept up later; the first error is the one that matters.
      do { try instance.removeTemporary(temporary) } catch {}
      guard let failure = error as? FileError, failure.number == EEXIST else { throw error }
      throw present(instance.joined(name))
    }
  }

  private func fill(
    _ folder: borrowing Descriptor, _ address: OnionAddress, _ secret: UnsafeRawBufferPointer
  ) throws {
    let file = FileAttributes(owner: owner, label: label?.files)
    try SecretKeyFile.write(secret, of: address, in: folder, file, operation)
    for (name, content) in Inspection.publicFiles(address) {
      try folder.write(content, to: name, file)
    }
    if let text = companions.onionBalanceText {
      try folder.write(Array(text.utf8), to: Inspection.balance, file)
    }
    let clients = try folder.makeFolder(Inspection.clients)
    for (name, text) in companions.clientFiles(of: address) {
      try clients.write(Array(text.utf8), to: FileName(name), file)
    }
    let directory = FileAttributes(owner: owner, mode: 0o700, label: label?.files)
    try clients.apply(directory)
    try clients.synchronize()
    try folder.apply(directory)
    try folder.synchronize()
  }
}
