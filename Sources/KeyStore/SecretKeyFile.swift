import Descriptors
import OnionModel

/// `hs_ed25519_secret_key`: 96 bytes, a tagged header of 32 and the expanded key (facts: tor.md §3).
enum SecretKeyFile {
  static let count = header.count + ExpandedKey.count
  static let header = Array("== ed25519v1-secret: type0 ==".utf8) + [0, 0, 0]

  /// What the file behind a descriptor is worth. Its bytes leave no trace.
  static func judge(_ file: borrowing Descriptor) throws(FileError) -> KeyDirectory.Secret {
    let status = try file.status()
    guard status.kind == .file else { return .damaged("it is \(status.kind.rawValue), not a file") }
    guard status.size == count else {
      return .damaged("\(status.size) bytes long instead of \(count)")
    }
    let secret = try SecretBytes(count: count)
    guard try file.read(into: secret.mutableBytes, at: 0) == count else {
      return .damaged("it grew shorter while it was read")
    }
    return judge(secret.bytes)
  }

  /// What the content of such a file is worth.
  static func judge(_ bytes: UnsafeRawBufferPointer) -> KeyDirectory.Secret {
    guard bytes.count == count else {
      return .damaged("\(bytes.count) bytes long instead of \(count)")
    }
    guard bytes[..<header.count].elementsEqual(header) else {
      return .damaged("it does not begin with tor's header for a version 3 secret key")
    }
    let expanded = UnsafeRawBufferPointer(rebasing: bytes[header.count...])
    guard let key = ExpandedKey.publicKey(of: expanded) else {
      return .damaged("its bytes are no ed25519 secret")
    }
    return .whole(OnionAddress(publicKey: key))
  }

  /// Writes a key into a folder that nobody uses yet, and reads it back.
  static func write(
    _ secret: UnsafeRawBufferPointer, of address: OnionAddress, in folder: borrowing Descriptor,
    _ attributes: FileAttributes, _ operation: String
  ) throws {
    try folder.write(secret, to: Inspection.secretName, attributes)
    guard try judge(try folder.regularFile(Inspection.secretName)) == .whole(address) else {
      throw KeyStoreError(
        .io, operation, "\(folder.path): the key that was written does not read back as itself")
    }
  }
}
