/// A key sealed with age: a file of the repository, as the accepted revision has it.
public struct SealedKey: Hashable, Sendable, Codable, CustomStringConvertible {
  /// More is no sealed key: 96 bytes, a header, and a stanza a recipient.
  public static let limit = 64 << 10

  /// Relative to the folder of `onionkeeper.yaml`: `secrets/blog.age`.
  public var file: String
  /// Ciphertext: binary or armored.
  public var bytes: [UInt8]

  public init(file: String, bytes: [UInt8]) {
    self.file = file
    self.bytes = bytes
  }

  public var description: String { file }
}

/// Names of the files in `keys/.onionkeeper/backup/`: a key is sealed anew when the recipients change.
public enum KeyBackup {
  /// `NAME-<56 characters of the address>-<8 digits of the recipients>.age`
  public static func fileName(
    of service: ServiceName, _ address: OnionAddress, recipients: [String]
  ) -> String {
    let digest = sha256(recipients.sorted().joined(separator: "\n")).prefix(8)
    return "\(service)-\(address.identifier)-\(digest).age"
  }
}
