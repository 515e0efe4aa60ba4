import Crypto

/// A version 3 onion address: `<56 base32>.onion` with a checksum that holds
/// (rend-spec-v3 §6: base32(key ‖ SHA3-256(".onion checksum" ‖ key ‖ 3)[..2] ‖ 3)).
public struct OnionAddress: Hashable, Sendable, Comparable, CustomStringConvertible {
  /// With the `.onion` ending, lower case, 62 characters.
  public let text: String

  /// `nil` unless `text` is 56 base32 characters, optionally with `.onion`, version 3, checksum right.
  public init?(_ text: String) {
    var name = text.lowercased()
    if name.hasSuffix(".onion") { name.removeLast(6) }
    guard name.utf8.count == 56, let bytes = Base32.decode(name), bytes.count == 35, bytes[34] == 3
    else { return nil }
    let address = OnionAddress(publicKey: Array(bytes[..<32]))
    guard address.text == name + ".onion" else { return nil }
    self = address
  }

  /// The address of a 32 byte ed25519 public key.
  public init(publicKey: [UInt8]) {
    var hash = SHA3_256()
    hash.update(data: Array(".onion checksum".utf8))
    hash.update(data: publicKey)
    hash.update(data: [3])
    let checksum = Array(hash.finalize().prefix(2))
    text = Base32.encode(publicKey + checksum + [3]) + ".onion"
  }

  /// The 32 byte ed25519 public key.
  public var publicKey: [UInt8] {
    Array((Base32.decode(String(text.dropLast(6))) ?? []).prefix(32))
  }

  /// Without `.onion`, as the control port wants it.
  public var identifier: String { String(text.dropLast(6)) }

  /// Enough to recognise, too little to visit.
  public var shortened: String { "\(text.prefix(8))….onion" }

  public var description: String { text }

  public static func < (left: Self, right: Self) -> Bool { left.text < right.text }
}
