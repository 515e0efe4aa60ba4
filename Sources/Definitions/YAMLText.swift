import OnionModel

/// The bytes of a text, looked through before libyaml sees them: encoding, characters, tabs.
struct YAMLText {
  /// Without the byte order mark.
  let bytes: [UInt8]
  /// What keeps the text from being read at all.
  private(set) var fatal: [Finding] = []
  /// Tabs: the text may be read further, but what libyaml says of it is about the same tabs.
  private(set) var tabs: [Finding] = []

  struct Finding {
    var place: Place
    var message: String
  }

  /// Enough to mend a file by; a binary file is not listed byte by byte.
  private static let findingLimit = 10

  init(_ raw: [UInt8]) {
    let mark: [UInt8] = [0xef, 0xbb, 0xbf]
    bytes = raw.starts(with: mark) ? Array(raw.dropFirst(3)) : raw
    if raw.starts(with: [0xff, 0xfe]) || raw.starts(with: [0xfe, 0xff]) {
      fatal = [Finding(place: Place(line: 1, column: 1), message: "is UTF-16 (UTF-8)")]
      return
    }
    scan()
  }

  private mutating func scan() {
    var index = 0
    var place = Place(line: 1, column: 1)
    var isComment = false
    var previous: UInt32 = 0x0a
    // A tab at the end of a line or before a comment hurts nobody: it counts once content follows.
    var tab: Place?
    while index < bytes.count, fatal.count < Self.findingLimit {
      guard let (value, length) = scalar(in: bytes, at: index) else {
        let byte = String(bytes[index], radix: 16)
        fatal.append(Finding(place: place, message: "byte 0x\(byte) is not UTF-8 (UTF-8)"))
        return
      }
      switch value {
      case 0x09: if tab == nil, !isComment { tab = place }
      case 0x0a: (tab, isComment) = (nil, false)
      case 0x0d, 0x20: break
      case 0x23 where [0x09, 0x0a, 0x20].contains(previous): isComment = true
      default:
        if let place = tab, !isComment, tabs.count < Self.findingLimit {
          tabs.append(Finding(place: place, message: "a tab (spaces)"))
          tab = nil
        }
      }
      if let message = refusal(value, at: index) {
        fatal.append(Finding(place: place, message: message))
      }
      index += length
      previous = value
      place =
        value == 0x0a
        ? Place(line: place.line + 1, column: 1)
        : Place(line: place.line, column: place.column + 1)
    }
  }

  private func refusal(_ value: UInt32, at index: Int) -> String? {
    switch value {
    case 0x09, 0x0a: return nil
    case 0x0d:
      let next = index + 1
      return next < bytes.count && bytes[next] == 0x0a
        ? nil : "a carriage return without a line feed (LF or CRLF)"
    case 0x2028, 0x2029, 0x202a...0x202e, 0x2066...0x2069, 0xfeff, 0xfffe, 0xffff:
      return "the invisible character U+\(hexadecimal(value)) (visible text)"
    default:
      return isControl(value) ? "the control character U+\(hexadecimal(value)) (text)" : nil
    }
  }
}

/// C0, DEL and C1.
func isControl(_ value: UInt32) -> Bool { value < 0x20 || (0x7f...0x9f).contains(value) }

private func hexadecimal(_ value: UInt32) -> String {
  let text = String(value, radix: 16, uppercase: true)
  return String(repeating: "0", count: max(0, 4 - text.count)) + text
}

/// The scalar that begins at `index` and its length in bytes; `nil` where there is none (RFC 3629 §3, §4).
private func scalar(in bytes: [UInt8], at index: Int) -> (UInt32, Int)? {
  let first = UInt32(bytes[index])
  let length: Int
  var value: UInt32
  switch first {
  case 0..<0x80: return (first, 1)
  case 0xc2..<0xe0: (length, value) = (2, first & 0x1f)
  case 0xe0..<0xf0: (length, value) = (3, first & 0x0f)
  case 0xf0..<0xf5: (length, value) = (4, first & 0x07)
  default: return nil
  }
  guard index + length <= bytes.count else { return nil }
  for byte in bytes[(index + 1)..<(index + length)] {
    guard byte & 0xc0 == 0x80 else { return nil }
    value = value << 6 | UInt32(byte & 0x3f)
  }
  let smallest: [UInt32] = [0, 0, 0x80, 0x800, 0x10000]
  guard value >= smallest[length], value <= 0x10ffff, !(0xd800..<0xe000).contains(value)
  else { return nil }
  return (value, length)
}
