import OnionModel

/// A client's public key as tor's client files say it: `descriptor:x25519:<52 base32>`.
enum ClientKey {
  private static let prefix = "descriptor:x25519:"

  /// Never shows the text: a client's *private* line in the wrong place is the likely mistake.
  static let rule = TextRule(
    noun: "a client's public key", allowed: "descriptor:x25519: and 52 base32 characters",
    pattern: "^descriptor:x25519:[A-Za-z2-7]{51}[AaQq]$", isShown: false
  ) { text in
    if let bytes = bytes(text) {
      return hasSmallOrder(bytes)
        ? .because("is a point of small order, which is no key of anybody's (its public key)") : nil
    }
    if text.contains(":descriptor:x25519:") {
      return .because("is the client's own, private line: never publish it (its public key)")
    }
    return .notOne
  }

  /// The 52 characters in upper case; `nil` unless they are a key.
  static func read(_ text: String) -> String? {
    guard let bytes = bytes(text), !hasSmallOrder(bytes) else { return nil }
    return text.dropFirst(prefix.count).uppercased()
  }

  private static func bytes(_ text: String) -> [UInt8]? {
    guard text.hasPrefix(prefix) else { return nil }
    let key = text.dropFirst(prefix.count)
    guard key.utf8.count == 52, let bytes = Base32.decode(String(key)), bytes.count == 32 else {
      return nil
    }
    return bytes
  }

  /// Whether every shared secret with this u-coordinate is known to all (RFC 7748 §6.1; the list is that of
  /// cr.yp.to/ecdh.html, "validate": 0, 1, two of order 8, p−1, p, p+1). X25519 leaves the highest bit out.
  private static func hasSmallOrder(_ bytes: [UInt8]) -> Bool {
    let masked = bytes.dropLast() + [(bytes.last ?? 0) & 0x7f]
    return smallOrder.contains { $0.elementsEqual(masked) }
  }

  private static let smallOrder: [[UInt8]] =
    [
      [0] + Array(repeating: 0, count: 31),
      [1] + Array(repeating: 0, count: 31),
      [
        0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4,
        0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49,
        0xb8, 0x00,
      ],
      [
        0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef,
        0x5b, 0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f,
        0x11, 0x57,
      ],
    ]
    + [0xec, 0xed, 0xee].map { low in
      [low] + Array(repeating: 0xff, count: 30) + [0x7f]
    }
}
