/// A line that was given, fit to be shown: printable, cut, without what must stay secret.
enum Redaction {
  /// Characters of a line that are shown; audit records are about 350.
  static let limit = 400

  static func shown(_ line: String) -> String {
    var text = line
    for word in ["x25519:", "ED25519-V3:", "HashedControlPassword ", "HidServAuth ", "PrivateKey "]
    {
      if let found = text.find(word) { text = String(text[..<found.upperBound]) + "[not shown]" }
    }
    if let scheme = text.find("://"), let at = text[scheme.upperBound...].firstIndex(of: "@"),
      !text[scheme.upperBound..<at].contains(where: { $0 == "/" || $0 == " " })
    {
      text.replaceSubrange(scheme.upperBound..<at, with: "[not shown]")
    }
    var result = ""
    var count = 0
    for scalar in text.unicodeScalars {
      guard count < limit else { return withoutKeys(result) + "…" }
      count += 1
      switch scalar.properties.generalCategory {
      case .control where scalar == "\t": result += " "
      case .control, .format, .surrogate, .privateUse, .lineSeparator, .paragraphSeparator:
        result += "\\u{\(String(scalar.value, radix: 16))}"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return withoutKeys(result)
  }

  /// An expanded secret key is 88 characters of base64, a client's 52 of base32. An onion address is 56, and no secret to whom
  /// has the log; proctitles are hexadecimal.
  private static func withoutKeys(_ text: String) -> String {
    var result = ""
    var run = ""
    func flush() {
      let digits = run.utf8.allSatisfy { ($0 | 0x20) >= 0x61 && ($0 | 0x20) <= 0x66 || isDigit($0) }
      let isKey = run.utf8.count >= 80 && !digits && !run.contains("/") || isBareBase32(run)
      result += isKey ? "[not shown]" : run
      run = ""
    }
    for character in text {
      if let byte = character.asciiValue, isBase64(byte) {
        run.append(character)
      } else {
        flush()
        result.append(character)
      }
    }
    flush()
    return result
  }

  private static func isBareBase32(_ run: String) -> Bool {
    run.utf8.count == 52
      && run.utf8.allSatisfy { (0x61...0x7a).contains($0 | 0x20) || (0x32...0x37).contains($0) }
  }

  private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

  private static func isBase64(_ byte: UInt8) -> Bool {
    isDigit(byte) || (0x61...0x7a).contains(byte | 0x20) || byte == UInt8(ascii: "+")
      || byte == UInt8(ascii: "/")
  }
}
