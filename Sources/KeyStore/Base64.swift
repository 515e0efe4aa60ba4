/// RFC 4648 base64 for secrets: from one buffer into another, with no copy between.
enum Base64 {
  /// Decodes all of `text`, in which spaces and line ends are skipped; padding may be left out.
  /// - Returns: Bytes written; `nil` for another character, a length or left-over bits that cannot be, or what does not
  ///   fit into `output`.
  static func decode(
    _ text: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
  ) -> Int? {
    var (count, buffer, bits, padding, digits) = (0, 0 as UInt32, 0, 0, 0)
    defer { wipe(&buffer) }
    for byte in text {
      if isSpace(byte) { continue }
      if byte == UInt8(ascii: "=") {
        padding += 1
        continue
      }
      guard padding == 0, let value = value(of: byte) else { return nil }
      digits += 1
      buffer = (buffer << 6 | UInt32(value)) & 0xffff
      bits += 6
      guard bits >= 8 else { continue }
      bits -= 8
      guard count < output.count else { return nil }
      output[count] = UInt8(truncatingIfNeeded: buffer >> UInt32(bits))
      count += 1
    }
    guard digits % 4 != 1, padding == 0 || (digits + padding) % 4 == 0, padding < 3,
      buffer & ((1 << UInt32(bits)) - 1) == 0
    else { return nil }
    return count
  }

  /// Whether it is one of the 64 digits, or padding.
  static func isDigit(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: "=") || value(of: byte) != nil
  }

  static func isSpace(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: " ") || (0x09...0x0d).contains(byte)
  }

  private static func value(of byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): byte - UInt8(ascii: "A")
    case UInt8(ascii: "a")...UInt8(ascii: "z"): byte - UInt8(ascii: "a") + 26
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0") + 52
    case UInt8(ascii: "+"): 62
    case UInt8(ascii: "/"): 63
    default: nil
    }
  }
}
