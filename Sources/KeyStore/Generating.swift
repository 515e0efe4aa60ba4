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
    try converting("generate") {
      let root = try open("generate")
      if let pin = try pin(of: place.service, root) {
        throw KeyStoreError(
          .keyLost, "generate",
          "\(place.service) is pinned to \(pin): its key is to be put back, not another made")
      }
      let instance = try instanceFolder(place.instance, root, owner: owner)
      let name = FileName(place.service.text)
      guard try instance.status(of: name) == nil else { throw present(instance.joined(name)) }
      _ = try sweep(instance)
      let address = try build(name, in: instance, owner, companions, label)
      try writePin(place.service, address, root)
      return address
    }
  }

  private func present(_ path: String) -> KeyStoreError {
    KeyStoreError(.keyPresent, "generate", "\(path) is already there; nothing was written")
  }

  private func build(
    _ name: FileName, in instance: borrowing Descriptor, _ owner: Int,
    _ companions: CompanionFiles, _ label: ContainerLabel?
  ) throws -> OnionAddress {
    let temporary = Descriptor.temporaryName()
    do {
      let folder = try instance.makeFolder(temporary)
      let file = FileAttributes(owner: owner, label: label?.files)
      let address = try SecretKeyFile.generate(in: folder, file)
      for (name, content) in Inspection.publicFiles(address) {
        try folder.write(content, to: name, file)
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
      try instance.rename(temporary, to: instance, as: name)
      try instance.synchronize()
      return address
    } catch {
      // A key that was never at its place and never pinned: nobody has seen its address. What cannot be removed now is
      // swept up later; the first error is the one that matters.
      do { try instance.removeTemporary(temporary) } catch {}
      guard let failure = error as? FileError, failure.number == EEXIST else { throw error }
      throw present(instance.joined(name))
    }
  }
}
