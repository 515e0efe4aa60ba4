import Glibc

/// Searching in text by bytes: input may be a gigabyte, and what is looked for is ASCII.
extension StringProtocol where Self.UTF8View: BidirectionalCollection {
  func has(_ needle: String) -> Bool { find(needle) != nil }

  /// Where it first stands at or behind `start`.
  func find(_ needle: String, from start: Index? = nil) -> Range<Index>? {
    let start = start ?? startIndex
    let offset = utf8.distance(from: startIndex, to: start)
    var needle = needle
    let length = needle.utf8.count
    let place: Int?? = utf8.withContiguousStorageIfAvailable { hay -> Int? in
      needle.withUTF8 { position(of: $0, in: hay, from: offset) }
    }
    // Native strings lie in one piece; a bridged one never comes here.
    guard let found = place, let at = found else { return nil }
    let lower = utf8.index(startIndex, offsetBy: at)
    return lower..<utf8.index(lower, offsetBy: length)
  }

  /// Without blanks at both ends.
  var trimmed: String {
    let bytes = utf8
    guard let first = bytes.firstIndex(where: { !isBlank($0) }),
      let last = bytes.lastIndex(where: { !isBlank($0) })
    else { return "" }
    return String(self[first...last])
  }

  /// Its words.
  var words: [SubSequence] { split { $0 == " " || $0 == "\t" } }
}

extension String {
  /// With another text for each place of a word. What was put in is not looked at again.
  func putting(_ text: String, for word: String) -> String {
    var result = ""
    var rest = self[...]
    while let found = rest.find(word) {
      result += rest[..<found.lowerBound] + text
      rest = rest[found.upperBound...]
    }
    return result + rest
  }
}

/// memmem(3), which Glibc's module leaves out.
private func position(
  of needle: UnsafeBufferPointer<UInt8>, in hay: UnsafeBufferPointer<UInt8>, from start: Int
) -> Int? {
  guard let base = hay.baseAddress, let wanted = needle.baseAddress, let first = needle.first else {
    return nil
  }
  var place = start
  while place + needle.count <= hay.count {
    guard let hit = memchr(base + place, Int32(first), hay.count - needle.count - place + 1) else {
      return nil
    }
    place = UnsafeRawPointer(hit) - UnsafeRawPointer(base)
    if memcmp(base + place, wanted, needle.count) == 0 { return place }
    place += 1
  }
  return nil
}

private func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (9...13).contains(byte) }

/// Literal text with captures between: `Directory {path} cannot be read: {reason}`.
struct Pattern: Sendable {
  private let literals: [String]
  private let names: [String]
  /// Looked for first: almost every line fails on it.
  private let longest: String

  init(_ text: String) {
    var literals: [String] = []
    var names: [String] = []
    var literal = ""
    var name: String?
    for character in text {
      switch (character, name) {
      case ("{", nil):
        literals.append(literal)
        literal = ""
        name = ""
      case ("}", let current?):
        names.append(current)
        name = nil
      case (_, let current?): name = current + String(character)
      case (_, nil): literal.append(character)
      }
    }
    literals.append(literal)
    self.literals = literals
    self.names = names
    longest = literals.max { $0.utf8.count < $1.utf8.count } ?? ""
  }

  /// What its captures hold, trimmed; `nil` if the text is another.
  func match(_ text: String) -> [String: String]? {
    guard text.has(longest) else { return nil }
    var captures: [String: String] = [:]
    var position = text.startIndex
    if !literals[0].isEmpty {
      guard let found = text.find(literals[0]) else { return nil }
      position = found.upperBound
    }
    for (index, name) in names.enumerated() {
      let literal = literals[index + 1]
      if literal.isEmpty {
        captures[name] = text[position...].trimmed
        return captures
      }
      guard let found = text.find(literal, from: position) else { return nil }
      captures[name] = text[position..<found.lowerBound].trimmed
      position = found.upperBound
    }
    return captures
  }
}
