/// The `key=value` pairs of one audit record, in order.
///
/// A value is in double quotes, in single quotes (a nested message), or ends before the next ` key=`: what
/// `ausearch -i` translates holds blanks (`exit=EACCES(Permission denied)`).
struct AuditFields {
  private(set) var pairs: [(key: String, value: String)] = []

  /// A record of the kernel has at most some 40.
  private static let limit = 128

  init() {}

  /// - Parameter isInterpreted: `ausearch -i` has translated it: then a bare word is a word, never hexadecimal.
  init(_ text: AuditBytes, isInterpreted: Bool) {
    var position = text.startIndex
    while position < text.endIndex, pairs.count < Self.limit {
      guard let key = Self.nextKey(in: text, from: position) else { break }
      let (value, end) = Self.value(in: text, from: key.upperBound + 1)
      let name = String(decoding: text[key], as: UTF8.self)
      pairs.append((name, Self.decoded(value, of: name, isInterpreted: isInterpreted)))
      position = max(end, key.upperBound + 1)
    }
  }

  /// The first of that name: what stands later is a translation, or was smuggled in.
  subscript(key: String) -> String? { pairs.first { $0.key == key }?.value }

  func number(_ key: String) -> Int? {
    self[key].flatMap { value in Int(value.prefix { $0.isNumber || $0 == "-" }) }
  }

  /// The name of the next `name=` that begins a word.
  private static func nextKey(in text: AuditBytes, from start: Int) -> Range<Int>? {
    var position = start
    while position < text.endIndex {
      let byte = text[position]
      if isLetter(byte) || byte == UInt8(ascii: "_"), beginsWord(text, position) {
        var end = position
        while end < text.endIndex, isNameByte(text[end]) { end += 1 }
        if end < text.endIndex, text[end] == UInt8(ascii: "=") { return position..<end }
        position = max(end, position + 1)
      } else {
        position += 1
      }
    }
    return nil
  }

  private static func beginsWord(_ text: AuditBytes, _ position: Int) -> Bool {
    guard position > text.startIndex else { return true }
    let before = text[position - 1]
    // `key="denied"ARCH=x86_64` where the 0x1d between them was lost.
    return isBlank(before) || before == UInt8(ascii: "\"") || before == UInt8(ascii: ",")
      || before == UInt8(ascii: "'") || before == UInt8(ascii: "(")
  }

  private static func value(
    in text: AuditBytes, from start: Int
  ) -> (value: AuditBytes, end: Int) {
    guard start < text.endIndex else { return (text[text.endIndex...], text.endIndex) }
    let quote = text[start]
    if quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'") {
      let rest = text[(start + 1)...]
      let isNested = quote == UInt8(ascii: "'")
      // A nested message ends with the record; cut off, it has no second quote.
      let end = (isNested ? rest.lastIndex(of: quote) : rest.firstIndex(of: quote)) ?? text.endIndex
      return (text[start..<min(end + 1, text.endIndex)], min(end + 1, text.endIndex))
    }
    var end = start
    while end < text.endIndex {
      if text[end] == 0x1d { break }
      if isBlank(text[end]), nextIsKey(text, end) { break }
      end += 1
    }
    return (text[start..<end].trimmed, end)
  }

  private static func nextIsKey(_ text: AuditBytes, _ blank: Int) -> Bool {
    var position = blank
    while position < text.endIndex, isBlank(text[position]) { position += 1 }
    guard position < text.endIndex, isLetter(text[position]) || text[position] == UInt8(ascii: "_")
    else { return position == text.endIndex }
    while position < text.endIndex, isNameByte(text[position]) { position += 1 }
    return position < text.endIndex && text[position] == UInt8(ascii: "=")
  }

  /// Fields that a program or a user chose, which the kernel writes in hexadecimal where they hold a blank, a quote, or
  /// a byte that is not plain.
  private static let encoded: Set<String> = [
    "comm", "exe", "path", "name", "cwd", "proctitle", "cmd", "cmdline", "ocomm",
  ]

  private static func decoded(_ value: AuditBytes, of key: String, isInterpreted: Bool) -> String {
    guard let first = value.first else { return "" }
    if first == UInt8(ascii: "\"") || first == UInt8(ascii: "'") {
      let end = value.count > 1 && value.last == first ? value.endIndex - 1 : value.endIndex
      return String(decoding: value[(value.startIndex + 1)..<end], as: UTF8.self)
    }
    if !isInterpreted, encoded.contains(key), let bytes = hexadecimal(value) {
      let isArguments = key == "proctitle" || key == "cmdline"
      var plain = bytes.map { $0 == 0 && isArguments ? 0x20 : $0 }
      while plain.last == 0x20 || plain.last == 0 { plain.removeLast() }
      return String(decoding: plain, as: UTF8.self)
    }
    return String(decoding: value, as: UTF8.self)
  }

  /// `nil` where the kernel would not have encoded what it decodes to: then it is a word that looks so.
  private static func hexadecimal(_ value: AuditBytes) -> [UInt8]? {
    guard value.count >= 2, value.count.isMultiple(of: 2) else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(value.count / 2)
    var position = value.startIndex
    while position < value.endIndex {
      guard let high = digit(value[position]), let low = digit(value[position + 1]) else {
        return nil
      }
      bytes.append(high << 4 | low)
      position += 2
    }
    return bytes.contains { $0 <= 0x20 || $0 == UInt8(ascii: "\"") || $0 > 0x7e } ? bytes : nil
  }

  private static func digit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
  }
}
