/// Who a file can be sealed to: the texts that age(1) takes after `-r`.
public enum AgeRecipient {
  /// Whether `text` is a native recipient (age-encryption.org/v1, "The X25519 recipient type"), or an ssh-ed25519 or
  /// ssh-rsa public key as age takes them (age(1), "RECIPIENTS AND IDENTITIES").
  public static func isValid(_ text: String) -> Bool {
    if text.hasPrefix("age1") { return Bech32.decode(text, prefix: "age")?.count == 32 }
    return isSSHKey(text)
  }

  /// Whether `text` is the other half, which opens what is sealed: a secret.
  public static func isIdentity(_ text: String) -> Bool {
    text.uppercased().hasPrefix("AGE-SECRET-KEY-")
  }

  /// `ssh-ed25519 AAAA… comment`: RFC 4253 §6.6, RFC 8709 §4. age refuses RSA below 2048 bits.
  private static func isSSHKey(_ text: String) -> Bool {
    let words = text.split(separator: " ")
    guard words.count >= 2, let bytes = base64(words[1]) else { return false }
    var rest = bytes[...]
    guard let type = field(&rest), type.elementsEqual(words[0].utf8) else { return false }
    switch words[0] {
    case "ssh-ed25519": return field(&rest)?.count == 32 && rest.isEmpty
    case "ssh-rsa":
      guard field(&rest) != nil, let modulus = field(&rest), rest.isEmpty else { return false }
      return modulus.drop { $0 == 0 }.count >= 256
    default: return false
    }
  }

  /// One length-prefixed field.
  private static func field(_ rest: inout ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
    guard rest.count >= 4 else { return nil }
    let length = rest.prefix(4).reduce(0) { $0 << 8 | Int($1) }
    rest = rest.dropFirst(4)
    guard rest.count >= length else { return nil }
    defer { rest = rest.dropFirst(length) }
    return rest.prefix(length)
  }

  /// RFC 4648 §4, whole and padded.
  private static func base64(_ text: Substring) -> [UInt8]? {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    let letters = text.utf8.reversed().drop { $0 == UInt8(ascii: "=") }.reversed()
    guard text.utf8.count % 4 == 0, text.utf8.count - letters.count <= 2 else { return nil }
    var (buffer, bits) = (0, 0)
    var bytes: [UInt8] = []
    for letter in letters {
      guard let value = alphabet.firstIndex(of: letter) else { return nil }
      buffer = (buffer << 6 | value) & 0xffff
      bits += 6
      if bits >= 8 {
        bits -= 8
        bytes.append(UInt8(buffer >> bits & 0xff))
      }
    }
    return bytes
  }
}

/// BIP 173 without its limit of 90 characters, as age uses it.
enum Bech32 {
  private static let alphabet = Array("qpzry9x8gf2tvdw0s3jn54khce6mua7l".utf8)

  /// The bytes of lower-case `text`; `nil` for another prefix, a wrong checksum or left-over bits that are not zero.
  static func decode(_ text: String, prefix: String) -> [UInt8]? {
    guard text.hasPrefix(prefix + "1"), text.utf8.count < 1024 else { return nil }
    var values: [UInt8] = []
    for letter in text.utf8.dropFirst(prefix.utf8.count + 1) {
      guard let value = alphabet.firstIndex(of: letter) else { return nil }
      values.append(UInt8(value))
    }
    let expanded = prefix.utf8.map { $0 >> 5 } + [0] + prefix.utf8.map { $0 & 31 }
    guard values.count >= 6, checksum(expanded + values) == 1 else { return nil }
    var (buffer, bits) = (0, 0)
    var bytes: [UInt8] = []
    for value in values.dropLast(6) {
      buffer = (buffer << 5 | Int(value)) & 0xfff
      bits += 5
      if bits >= 8 {
        bits -= 8
        bytes.append(UInt8(buffer >> bits & 0xff))
      }
    }
    return bits < 5 && buffer & ((1 << bits) - 1) == 0 ? bytes : nil
  }

  private static func checksum(_ values: [UInt8]) -> UInt32 {
    let generator: [UInt32] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3]
    return values.reduce(1) { sum, value in
      var next = (sum & 0x1ff_ffff) << 5 ^ UInt32(value)
      for (index, word) in generator.enumerated() where sum >> (25 + UInt32(index)) & 1 == 1 {
        next ^= word
      }
      return next
    }
  }
}
