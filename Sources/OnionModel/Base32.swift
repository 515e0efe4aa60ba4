/// RFC 4648 base32 without padding, as tor writes addresses and client keys.
public enum Base32 {
  private static let alphabet = Array("abcdefghijklmnopqrstuvwxyz234567".utf8)

  /// Lower-case base32 of `bytes`, no padding.
  public static func encode(_ bytes: some Sequence<UInt8>) -> String {
    var output: [UInt8] = []
    var buffer = 0
    var bits = 0
    for byte in bytes {
      buffer = (buffer << 8 | Int(byte)) & 0xffff
      bits += 8
      while bits >= 5 {
        bits -= 5
        output.append(alphabet[buffer >> bits & 31])
      }
    }
    if bits > 0 { output.append(alphabet[buffer << (5 - bits) & 31]) }
    return String(decoding: output, as: UTF8.self)
  }

  /// The bytes of `text` (either case, no padding); `nil` for another character or left-over bits that are not zero.
  public static func decode(_ text: String) -> [UInt8]? {
    var output: [UInt8] = []
    var buffer = 0
    var bits = 0
    for byte in text.utf8 {
      let value: Int
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"): value = Int(byte - UInt8(ascii: "a"))
      case UInt8(ascii: "A")...UInt8(ascii: "Z"): value = Int(byte - UInt8(ascii: "A"))
      case UInt8(ascii: "2")...UInt8(ascii: "7"): value = Int(byte - UInt8(ascii: "2")) + 26
      default: return nil
      }
      buffer = (buffer << 5 | value) & 0xffff
      bits += 5
      if bits >= 8 {
        bits -= 8
        output.append(UInt8(buffer >> bits & 0xff))
      }
    }
    guard bits < 5, buffer & ((1 << bits) - 1) == 0 else { return nil }
    return output
  }
}
