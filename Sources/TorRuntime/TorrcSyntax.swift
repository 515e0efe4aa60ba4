/// A text that tor does not read at all.
struct TorrcSyntaxError: Error, Hashable, Sendable {
  /// From 1.
  var line: Int
  var message: String
}

/// One option of a text: name and value as bytes, quotes, escapes, continuations and comments resolved.
struct TorrcEntry: Hashable, Sendable {
  var name: [UInt8]
  var value: [UInt8]
  /// Where its name stands, from 1.
  var line: Int
}

/// torrc's syntax, byte for byte as tor 0.4.9 reads it (src/lib/encoding/confline.c,
/// `parse_config_line_from_str_verbose`; src/lib/fs/files.c, `read_file_to_str`; src/lib/encoding/cstring.c).
///
/// Every CR is dropped, wherever it stands; a NUL ends the text. A comment begins at `#` anywhere but in quotes. A
/// backslash before a line's end joins the next line, and from then on a comment ends with its line and the value goes on.
struct TorrcSyntax {
  private let bytes: [UInt8]
  private var index = 0
  private var line = 1
  /// Up to where lines were counted.
  private var counted = 0

  /// The line that holds a NUL: tor reads nothing from there on.
  let endOfText: Int?
  /// Whether the text begins with a byte order mark, which tor takes for a part of the first name. It is skipped here.
  let hasMark: Bool
  /// Lines of whole-line comments that name an option of client authorization.
  private(set) var commentedAuthorization: [Int] = []

  init(_ text: [UInt8]) {
    var bytes = text[...]
    hasMark = bytes.starts(with: [0xef, 0xbb, 0xbf])
    if hasMark { bytes = bytes.dropFirst(3) }
    if let end = bytes.firstIndex(of: 0) {
      bytes = bytes[..<end]
      endOfText = bytes.count { $0 == .newline } + 1
    } else {
      endOfText = nil
    }
    self.bytes = bytes.filter { $0 != .carriageReturn }
  }

  /// The next option; `nil` at the end.
  mutating func next() throws(TorrcSyntaxError) -> TorrcEntry? {
    skipToName()
    guard index < bytes.count else { return nil }
    let line = currentLine()
    let start = index
    while index < bytes.count, !bytes[index].isTorSpace, bytes[index] != .hash, !isJoined(index) {
      index += 1
    }
    let name = Array(bytes[start..<index])
    skipBlanks()
    let value = peek(index) == .quote ? try quoted(line) : plain()
    return TorrcEntry(name: name, value: value, line: line)
  }

  /// 0 behind the end, as a C string has it.
  private func peek(_ index: Int) -> UInt8 { index < bytes.count ? bytes[index] : 0 }

  private func isJoined(_ index: Int) -> Bool {
    peek(index) == .backslash && peek(index + 1) == .newline
  }

  private mutating func currentLine() -> Int {
    line += bytes[counted..<index].count { $0 == .newline }
    counted = index
    return line
  }

  private mutating func skipBlanks() {
    while peek(index) == .space || peek(index) == .tab { index += 1 }
  }

  private mutating func skipToLineEnd() {
    while index < bytes.count, bytes[index] != .newline { index += 1 }
  }

  private mutating func skipToName() {
    while index < bytes.count {
      if bytes[index].isTorSpace {
        index += 1
      } else if bytes[index] == .hash {
        noteComment()
        skipToLineEnd()
      } else {
        return
      }
    }
  }

  private mutating func noteComment() {
    let words = bytes[index...].prefix { $0 != .newline }.drop { $0 == .hash || $0.isTorSpace }
    let name = words.prefix { !$0.isTorSpace }
    guard name.count < words.count, name.count < 64 else { return }
    let lower = String(decoding: name, as: UTF8.self).lowercased()
    if lower == "hiddenserviceauthorizeclient" { commentedAuthorization.append(currentLine()) }
  }

  private mutating func plain() -> [UInt8] {
    let start = index
    var isContinued = false
    while index < bytes.count, bytes[index] != .newline, bytes[index] != .hash || isContinued {
      if isJoined(index) {
        isContinued = true
        index += 2
      } else if bytes[index] == .hash {
        skipToLineEnd()
        if index < bytes.count { index += 1 }
      } else {
        index += 1
      }
    }
    var end = index
    while end > start, bytes[end - 1].isTorSpace { end -= 1 }
    let raw = bytes[start..<end]
    return isContinued ? Self.joined(raw) : Array(raw)
  }

  /// A value of several lines without its line ends and comments.
  private static func joined(_ raw: ArraySlice<UInt8>) -> [UInt8] {
    var value: [UInt8] = []
    var index = raw.startIndex
    while index < raw.endIndex {
      if raw[index] == .hash {
        while index < raw.endIndex, raw[index] != .newline { index += 1 }
        if index < raw.endIndex { index += 1 }
      } else if raw[index] == .backslash, index + 1 < raw.endIndex, raw[index + 1] == .newline {
        index += 2
      } else {
        value.append(raw[index])
        index += 1
      }
    }
    return value
  }

  /// A value in double quotes, and nothing behind it but a comment.
  private mutating func quoted(_ line: Int) throws(TorrcSyntaxError) -> [UInt8] {
    guard let (value, end) = unquoted(bytes[index...]) else {
      throw TorrcSyntaxError(
        line: line, message: "a quoted value does not end on its line, or holds an unknown escape")
    }
    index = end
    skipBlanks()
    guard index >= bytes.count || bytes[index] == .hash || bytes[index] == .newline else {
      throw TorrcSyntaxError(line: line, message: "there is more behind a quoted value")
    }
    return value
  }
}

/// A text in double quotes at the beginning of `bytes`, and where what follows it begins (tor's cstring.c,
/// `unescape_string`): `\n \r \t \\ \' \"`, `\xHH`, up to three octal digits. An escaped NUL ends it, as C has it.
/// - Returns: `nil` unless there is one, whole and on one line.
func unquoted(_ bytes: ArraySlice<UInt8>) -> (value: [UInt8], end: Int)? {
  guard bytes.first == .quote else { return nil }
  var value: [UInt8] = []
  var index = bytes.startIndex + 1
  while index < bytes.endIndex {
    let byte = bytes[index]
    index += 1
    switch byte {
    case .quote: return (Array(value.prefix { $0 != 0 }), index)
    case .newline: return nil
    case .backslash:
      guard let (escaped, length) = escape(bytes[index...]) else { return nil }
      value.append(escaped)
      index += length
    default: value.append(byte)
    }
  }
  return nil
}

/// What stands for the escape behind a backslash, and its length.
private func escape(_ rest: ArraySlice<UInt8>) -> (UInt8, Int)? {
  guard let first = rest.first else { return nil }
  switch first {
  case UInt8(ascii: "n"): return (.newline, 1)
  case UInt8(ascii: "r"): return (.carriageReturn, 1)
  case UInt8(ascii: "t"): return (.tab, 1)
  case .quote, .backslash, UInt8(ascii: "'"): return (first, 1)
  case UInt8(ascii: "x"), UInt8(ascii: "X"):
    let digits = rest.dropFirst().prefix(2)
    guard digits.count == 2, let high = hexadecimal(digits[digits.startIndex]),
      let low = hexadecimal(digits[digits.startIndex + 1])
    else { return nil }
    return (high << 4 | low, 3)
  default:
    let digits = rest.prefix(3).prefix { (UInt8(ascii: "0")...UInt8(ascii: "7")).contains($0) }
    let value = digits.reduce(0) { $0 * 8 + Int($1 - UInt8(ascii: "0")) }
    guard !digits.isEmpty, let byte = UInt8(exactly: value) else { return nil }
    return (byte, digits.count)
  }
}

private func hexadecimal(_ digit: UInt8) -> UInt8? {
  switch digit {
  case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
  case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
  case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
  default: nil
  }
}

extension UInt8 {
  static let space = UInt8(ascii: " ")
  static let tab = UInt8(ascii: "\t")
  static let newline = UInt8(ascii: "\n")
  static let carriageReturn = UInt8(ascii: "\r")
  static let hash = UInt8(ascii: "#")
  static let quote = UInt8(ascii: "\"")
  static let backslash = UInt8(ascii: "\\")

  /// tor's `TOR_ISSPACE`: space, tab, newline, vertical tab, form feed, carriage return.
  var isTorSpace: Bool { self == .space || (9...13).contains(self) }
}
