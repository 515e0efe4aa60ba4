/// A log line without what stands before its message: compose's, journal's, syslog's, Docker's, and tor's own.
struct LogPrefix {
  enum Severity: Int, Comparable {
    case debug, info, notice, warn, err

    static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
  }

  var message: String
  /// tor's own word in brackets. A syslog line has none.
  var severity: Severity?
  /// `tor[797]:` gives `tor`.
  var program: String?
  /// Compose's `name_1  |`: the line comes from a container.
  var container: String?

  init(_ line: String) {
    var text = Self.withoutColours(line).trimmed
    while text.hasPrefix("> ") || text.hasPrefix("`") { text = String(text.dropFirst()).trimmed }
    if text.hasPrefix("{"), let inner = Self.jsonMessage(text) {
      // Docker's json-file driver; the journal's JSON has no stream.
      if text.has("\"stream\":\"") { container = "docker" }
      text = inner
    }
    // containerd's and CRI-O's: `2024-02-02T10:00:00.1Z stdout F message`.
    for mark in [" stdout F ", " stderr F "] {
      guard let found = text.find(mark), text[..<found.lowerBound].has("T"),
        !text[..<found.lowerBound].has(" ")
      else { continue }
      container = "cri"
      text = String(text[found.upperBound...])
      break
    }
    if let bar = text.find("|"), let name = Self.composeName(text[..<bar.lowerBound]) {
      container = name
      text = text[bar.upperBound...].trimmed
    }
    if let (severity, range) = Self.tag(text) {
      self.severity = severity
      program = Self.program(text[..<range.lowerBound])?.name
      text = Self.withoutDecoration(text[range.upperBound...].trimmed)
    } else if let (name, rest) = Self.program(text[...]) {
      program = name
      text = String(rest).trimmed
    }
    // Docker's journald driver names its container's number, Podman's its monitor.
    if let program, program == "conmon" || Self.isContainerNumber(program) { container = program }
    message = text
  }

  private static func isContainerNumber(_ name: String) -> Bool {
    [12, 64].contains(name.utf8.count)
      && name.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
  }

  /// `\u{1b}[33m` and the like: compose and journalctl colour their output.
  private static func withoutColours(_ line: String) -> String {
    guard line.utf8.contains(0x1b) else { return withoutBareColours(line) }
    var result = ""
    var isEscape = false
    for scalar in line.unicodeScalars {
      if scalar == "\u{1b}" {
        isEscape = true
      } else if isEscape {
        if scalar.properties.isAlphabetic { isEscape = false }
      } else {
        result.unicodeScalars.append(scalar)
      }
    }
    return result
  }

  /// `[36mtor    |[0m`: pasted into a page, the sequences have lost their escape.
  private static func withoutBareColours(_ line: String) -> String {
    guard line.utf8.contains(UInt8(ascii: "|")), line.has("m") else { return line }
    var result = ""
    var rest = line[...]
    while let open = rest.utf8.firstIndex(of: UInt8(ascii: "[")) {
      let tail = rest[rest.index(after: open)...]
      let digits = tail.prefix { $0.isASCII && $0.isNumber || $0 == ";" }
      let isColour = digits.utf8.count < 12 && tail[digits.endIndex...].hasPrefix("m")
      guard isColour, !digits.isEmpty else {
        result += rest[...open]
        rest = tail
        continue
      }
      result += rest[..<open]
      rest = tail[digits.endIndex...].dropFirst()
    }
    return result + rest
  }

  /// Of Docker's json-file log and of `journalctl -o json`.
  private static func jsonMessage(_ text: String) -> String? {
    for key in ["\"MESSAGE\":\"", "\"log\":\"", "\"MESSAGE\" : \"", "\"message\":\""] {
      guard let found = text.find(key) else { continue }
      var result = ""
      var isEscaped = false
      for character in text[found.upperBound...] {
        switch (character, isEscaped) {
        case ("\\", false): isEscaped = true
        case ("\"", false): return result.trimmed
        case ("n", true), ("r", true), ("t", true):
          result += " "
          isEscaped = false
        default:
          result.append(character)
          isEscaped = false
        }
      }
      return result.trimmed
    }
    return nil
  }

  private static func composeName(_ text: Substring) -> String? {
    let name = text.trimmed
    guard !name.isEmpty, name.utf8.count <= 80,
      name.utf8.allSatisfy({ isName($0) })
    else { return nil }
    return name
  }

  private static let tags: [(String, Severity)] = [
    ("[warn]", .warn), ("[err]", .err), ("[notice]", .notice), ("[info]", .info),
    ("[debug]", .debug), ("[WARN]", .warn), ("[ERR]", .err), ("[NOTICE]", .notice),
  ]

  /// tor's severity stands in it.
  static func hasTag(_ line: String) -> Bool {
    guard line.utf8.contains(UInt8(ascii: "[")) else { return false }
    return tags.contains { line.has($0.0) }
  }

  private static func tag(_ text: String) -> (Severity, Range<String.Index>)? {
    guard text.utf8.contains(UInt8(ascii: "[")) else { return nil }
    return tags.compactMap { tag, severity in text.find(tag).map { (severity, $0) } }
      .min { $0.1.lowerBound < $1.1.lowerBound }
  }

  /// `host tor[797]: rest` or `Tor-default: rest`: the program, and what it says.
  private static func program(_ text: Substring) -> (name: String, rest: Substring)? {
    guard let colon = text.find(": ") ?? text.find(":"), colon.lowerBound > text.startIndex else {
      return nil
    }
    // The first `]: ` or `word: ` whose word is a program's; times have colons too.
    if let bracket = text.find("]: ") {
      let head = text[..<bracket.lowerBound]
      if let open = head.lastIndex(of: "["),
        head[head.index(after: open)...].allSatisfy(\.isNumber),
        open < head.endIndex
      {
        let name = head[..<open].split(separator: " ").last.map(String.init) ?? ""
        return name.isEmpty ? nil : (name, text[bracket.upperBound...])
      }
    }
    for name in ["tor", "Tor", "kernel", "systemd"] {
      if let found = text.find(" \(name): ") { return (name, text[found.upperBound...]) }
      if text.hasPrefix("\(name): ") { return (name, text.dropFirst(name.count + 2)) }
    }
    return nil
  }

  /// tor's domain, function name, and `Bug:`.
  private static func withoutDecoration(_ message: String) -> String {
    var text = message[...]
    if text.hasPrefix("{"), let end = text.find("} ") { text = text[end.upperBound...] }
    if let call = text.find("(): "), text[..<call.lowerBound].utf8.allSatisfy({ isName($0) }) {
      text = text[call.upperBound...]
    }
    return text.trimmed
  }

  private static func isName(_ byte: UInt8) -> Bool {
    (0x30...0x39).contains(byte) || (0x61...0x7a).contains(byte | 0x20)
      || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".")
      || byte == UInt8(ascii: "/")
  }
}
