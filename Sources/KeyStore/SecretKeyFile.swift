import Descriptors
import FoundationEssentials
import Glibc
import OnionModel

/// `hs_ed25519_secret_key`: 96 bytes, a tagged header of 32 and the expanded key (facts: tor.md §3).
enum SecretKeyFile {
  static let count = header.count + ExpandedKey.count
  private static let header = Array("== ed25519v1-secret: type0 ==".utf8) + [0, 0, 0]

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
    guard secret.bytes[..<header.count].elementsEqual(header) else {
      return .damaged("it does not begin with tor's header for a version 3 secret key")
    }
    let expanded = UnsafeRawBufferPointer(rebasing: secret.bytes[header.count...])
    guard let key = ExpandedKey.publicKey(of: expanded) else {
      return .damaged("its bytes are no ed25519 secret")
    }
    return .whole(OnionAddress(publicKey: key))
  }

  /// Writes a new key into a folder that nobody uses yet.
  /// - Returns: Its address, derived from the secret as it was written.
  static func generate(
    in folder: borrowing Descriptor, _ attributes: FileAttributes
  ) throws -> OnionAddress {
    let secret = try SecretBytes(count: count)
    secret.mutableBytes.copyBytes(from: header)
    let key = try ExpandedKey.generate(
      into: UnsafeMutableRawBufferPointer(rebasing: secret.mutableBytes[header.count...]))
    let address = OnionAddress(publicKey: key)
    try folder.write(secret.bytes, to: FileName(KeyFiles.secretKey), attributes)
    let written = try judge(try folder.file(FileName(KeyFiles.secretKey)))
    guard written == .whole(address) else {
      throw KeyStoreError(
        .io, "generate", "\(folder.path): the key that was written does not read back as itself")
    }
    return address
  }
}
