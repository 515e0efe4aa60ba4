import Glibc

/// A part of a line, in place: a log of a gigabyte is not made of strings.
typealias AuditBytes = ArraySlice<UInt8>

extension ArraySlice<UInt8> {
  /// Where `word` begins, at or after `start`.
  func position(of word: StaticString, from start: Int? = nil) -> Int? {
    let start = Swift.max(start ?? startIndex, startIndex)
    guard start < endIndex else { return nil }
    let length = word.utf8CodeUnitCount
    return self[start...].withUnsafeBytes { bytes -> Int? in
      guard let base = bytes.baseAddress else { return nil }
      var offset = 0
      while offset + length <= bytes.count {
        let rest = bytes.count - length + 1 - offset
        guard let found = memchr(base + offset, Int32(word.utf8Start.pointee), rest) else {
          return nil
        }
        offset = base.distance(to: UnsafeRawPointer(found))
        if memcmp(base + offset, word.utf8Start, length) == 0 { return start + offset }
        offset += 1
      }
      return nil
    }
  }

  func begins(with word: StaticString) -> Bool {
    guard count >= word.utf8CodeUnitCount else { return false }
    return withUnsafeBytes { bytes in
      bytes.baseAddress.map { memcmp($0, word.utf8Start, word.utf8CodeUnitCount) == 0 } ?? false
    }
  }

  func ends(with word: StaticString) -> Bool {
    guard count >= word.utf8CodeUnitCount else { return false }
    return suffix(word.utf8CodeUnitCount).begins(with: word)
  }

  func contains(_ word: StaticString) -> Bool { position(of: word) != nil }

  /// Without blanks at either end.
  var trimmed: AuditBytes {
    var part = self
    while let first = part.first, isBlank(first) { part.removeFirst() }
    while let last = part.last, isBlank(last) { part.removeLast() }
    return part
  }

  /// Fit to be shown and to stand in a comment: one line, no control characters, at most `limit` bytes.
  func printable(limit: Int) -> String {
    let part = trimmed
    // Nearly every record is plain ASCII.
    if part.count <= limit, part.allSatisfy({ (0x20...0x7e).contains($0) }) {
      return String(decoding: part, as: UTF8.self)
    }
    var text = ""
    for scalar in String(decoding: part.prefix(limit), as: UTF8.self).unicodeScalars {
      if scalar.properties.generalCategory == .control || isBidirectional(scalar) {
        text += " "
      } else {
        text.unicodeScalars.append(scalar)
      }
    }
    return part.count > limit ? text + " …" : text
  }
}

/// What turns the order of a shown line about.
private func isBidirectional(_ scalar: Unicode.Scalar) -> Bool {
  (0x202a...0x202e).contains(scalar.value) || (0x2066...0x2069).contains(scalar.value)
    || scalar.value == 0x2028 || scalar.value == 0x2029
}

/// Blank, tab, carriage return, NUL, and the 0x1d that auditd writes before its own translations.
func isBlank(_ byte: UInt8) -> Bool {
  byte == 0x20 || byte == 0x09 || byte == 0x0d || byte == 0 || byte == 0x1d || byte == 0x0a
}

func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

func isLetter(_ byte: UInt8) -> Bool {
  (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
}

/// Of a field's name: `tclass`, `old-enabled`, `a0`.
func isNameByte(_ byte: UInt8) -> Bool {
  isLetter(byte) || isDigit(byte) || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-")
}
