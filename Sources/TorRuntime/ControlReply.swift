/// One reply of the control protocol (control-spec, "Replies"): lines of text, some with a block of data.
struct ControlReply: Equatable, Sendable {
  struct Line: Equatable, Sendable {
    /// Without the status and its separator.
    var text: String
    /// The lines of a `250+` block, without dots and line ends.
    var data: [String]?
  }

  /// The status of the last line.
  var status: Int
  var lines: [Line]

  var isPositive: Bool { (200..<300).contains(status) }

  /// What tor says first, cut and cleaned for a message.
  var complaint: String { visible(lines.first?.text ?? "", limit: 300) }

  /// `keyword=value` lines in order; a block of data is the value, joined by line feeds.
  var values: [(name: String, value: String)] {
    lines.compactMap { line in
      guard let mark = line.text.firstIndex(of: "=") else { return nil }
      let name = String(line.text[..<mark])
      if let data = line.data { return (name, data.joined(separator: "\n")) }
      return (name, unquoted(String(line.text[line.text.index(after: mark)...])))
    }
  }
}

/// Cuts a stream of bytes into replies. Asynchronous events (6xx) are skipped: none is ever asked for.
struct ReplyParser {
  /// Tor's longest lines are circuits and descriptors' lines, a few KiB.
  static let lineLimit = 64 * 1024
  /// `circuit-status` of 50 services is about 100 KiB; configurations are smaller.
  static let replyLimit = 1024 * 1024

  /// Complete replies that nobody took yet.
  private(set) var replies: [ControlReply] = []
  private var line: [UInt8] = []
  private var lines: [ControlReply.Line] = []
  private var isInData = false
  /// Bytes since the last reply that was not an event.
  private var size = 0

  /// Nothing has come that was not asked for.
  var isIdle: Bool { replies.isEmpty && line.isEmpty && lines.isEmpty }

  mutating func takeReply() -> ControlReply? {
    replies.isEmpty ? nil : replies.removeFirst()
  }

  mutating func append(_ bytes: some Sequence<UInt8>) throws(ControlError) {
    for byte in bytes {
      size += 1
      guard size <= Self.replyLimit else {
        throw ControlError(.oversized, "read", "a reply is longer than \(Self.replyLimit) bytes")
      }
      if byte == UInt8(ascii: "\n") {
        if line.last == UInt8(ascii: "\r") { line.removeLast() }
        try finishLine()
        line.removeAll(keepingCapacity: true)
      } else {
        guard line.count < Self.lineLimit else {
          throw ControlError(.oversized, "read", "a line is longer than \(Self.lineLimit) bytes")
        }
        line.append(byte)
      }
    }
  }

  private mutating func finishLine() throws(ControlError) {
    if isInData {
      if line == [UInt8(ascii: ".")] {
        isInData = false
      } else {
        let content = line.first == UInt8(ascii: ".") ? line[1...] : line[...]
        lines[lines.count - 1].data?.append(String(decoding: content, as: UTF8.self))
      }
      return
    }
    guard line.count >= 4, line[..<3].allSatisfy({ (0x30...0x39).contains($0) }) else {
      throw ControlError(
        .malformed, "read",
        "a line does not begin with a reply code: this is not tor's control port")
    }
    let status = line[..<3].reduce(0) { $0 * 10 + Int($1 - 0x30) }
    var entry = ControlReply.Line(text: String(decoding: line[4...], as: UTF8.self))
    switch line[3] {
    case UInt8(ascii: "-"): lines.append(entry)
    case UInt8(ascii: "+"):
      entry.data = []
      lines.append(entry)
      isInData = true
    case UInt8(ascii: " "):
      lines.append(entry)
      if status < 600 {
        replies.append(ControlReply(status: status, lines: lines))
        size = 0
      }
      lines = []
    default:
      throw ControlError(
        .malformed, "read", "a reply code is followed by neither space, '-' nor '+'")
    }
  }
}

/// A QuotedString of the control protocol without its quotes; anything else as it is.
func unquoted(_ text: String) -> String {
  guard text.utf8.count >= 2, text.hasPrefix("\""), text.hasSuffix("\"") else { return text }
  var result = ""
  var isEscaped = false
  for character in text.dropFirst().dropLast() {
    if isEscaped || character != "\\" {
      // A quote inside means that the whole was not one quoted string.
      if character == "\"", !isEscaped { return text }
      result.append(character)
      isEscaped = false
    } else {
      isEscaped = true
    }
  }
  return isEscaped ? text : result
}

/// Text of tor for people: one line, no control characters, at most `limit` characters.
func visible(_ text: String, limit: Int) -> String {
  let cleaned = text.prefix(limit).unicodeScalars.map { scalar in
    scalar.properties.generalCategory == .control || scalar.properties.generalCategory == .format
      ? "\u{FFFD}" : String(scalar)
  }
  return cleaned.joined() + (text.count > limit ? "…" : "")
}
