import Descriptors
import Glibc
import OnionModel

extension KeyRoot {
  /// Opens `INSTANCE/NAME`; what is not a folder there is `key.damaged`, nothing there is `key.missing`.
  func folder(
    _ place: KeyPlace, _ root: borrowing Opened, _ operation: String
  ) throws -> Descriptor {
    do {
      return try root.keys.folder(FileName(place.description))
    } catch {
      switch error.number {
      case ENOENT:
        throw KeyStoreError(.keyMissing, operation, "\(error.path) is not there")
      case ELOOP, ENOTDIR:
        throw KeyStoreError(
          .keyDamaged, operation, "\(error.path) is not a folder: put the key directory back")
      default: throw error
      }
    }
  }

  /// Proves that the secret at a place makes an address.
  func verify(
    _ address: OnionAddress, at place: KeyPlace, _ root: borrowing Opened, _ operation: String
  ) throws {
    _ = try verifiedSecret(address, in: try folder(place, root, operation), operation)
  }

  /// The secret's descriptor, by which it has just been proven to make an address.
  func verifiedSecret(
    _ address: OnionAddress, in folder: borrowing Descriptor, _ operation: String
  ) throws -> Descriptor {
    let name = Inspection.secretName
    guard let status = try folder.status(of: name) else {
      throw KeyStoreError(
        .keyMissing, operation,
        "\(folder.joined(name)) is not there: put the key of \(address) back")
    }
    guard status.kind == .file else {
      throw KeyStoreError(
        .keyDamaged, operation, "\(folder.joined(name)) is \(status.kind.rawValue), not a file")
    }
    let secret = try folder.regularFile(name)
    switch try SecretKeyFile.judge(secret) {
    case .whole(address): return secret
    case .whole(let other):
      throw KeyStoreError(
        .keyMismatch, operation, "\(secret.path) makes \(other), not \(address)")
    case .damaged(let why):
      throw KeyStoreError(.keyDamaged, operation, "\(secret.path): \(why)")
    case .missing:
      throw KeyStoreError(.keyMissing, operation, "\(secret.path) is not there")
    }
  }

  /// `keys/INSTANCE`, made 0700 and its owner's if it is not there.
  func instanceFolder(
    _ instance: InstanceName, _ root: borrowing Opened, owner: Int, label: ContainerLabel? = nil
  ) throws(FileError) -> Descriptor {
    let name = FileName(instance.text)
    if try root.keys.status(of: name) == nil {
      do {
        try root.keys.makeFolder(name, owner: owner)
        try root.keys.synchronize()
      } catch  where error.number == EEXIST {
        // Somebody else was as far: what it is shows below.
      }
    }
    let folder = try root.keys.folder(name)
    // The container mounts it: without the label it would see none of the services in it.
    if let label, !label.isBorne(by: try folder.label()) { try folder.setLabel(label.files) }
    return folder
  }

  /// Removes an instance's folder if nothing is left in it.
  func removeIfEmpty(_ instance: InstanceName, _ root: borrowing Opened) throws(FileError) {
    do {
      try root.keys.removeFolder(FileName(instance.text))
      try root.keys.synchronize()
    } catch {
      guard error.number == ENOTEMPTY || error.number == EEXIST else { throw error }
    }
  }
}
