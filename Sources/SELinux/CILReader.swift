/// A part of a CIL text: a word, or a list of parts.
public indirect enum CILNode: Hashable, Sendable {
  case word(String, line: Int)
  case list([CILNode], line: Int)

  var word: String? { if case .word(let text, _) = self { text } else { nil } }

  var list: [CILNode]? { if case .list(let parts, _) = self { parts } else { nil } }

  var line: Int {
    switch self {
    case .word(_, let line), .list(_, let line): line
    }
  }

  /// All words in it, at any depth.
  var words: [String] {
    switch self {
    case .word(let text, _): [text]
    case .list(let parts, _): parts.flatMap(\.words)
    }
  }
}

/// Why a text is no CIL.
public struct CILError: Error, Hashable, Sendable, CustomStringConvertible {
  /// From 1.
  public var line: Int
  public var message: String

  public var description: String { "line \(line): \(message)" }
}

/// Reads the parts of a CIL text; what they mean is for `CILModule`.
enum CILReader {
  /// Bytes; the largest module of a distribution has 200 KiB.
  static let limit = 8 << 20
  /// Optional blocks and expressions nest a dozen deep at most.
  private static let depthLimit = 64

  static func read(_ bytes: [UInt8]) throws(CILError) -> [CILNode] {
    guard bytes.count <= limit else {
      throw CILError(line: 1, message: "more than \(limit >> 20) MiB")
    }
    var stack: [(parts: [CILNode], line: Int)] = [([], 1)]
    var line = 1
    var position = 0
    while position < bytes.count {
      let byte = bytes[position]
      switch byte {
      case 0x0a:
        line += 1
        position += 1
      case UInt8(ascii: ";"):
        while position < bytes.count, bytes[position] != 0x0a { position += 1 }
      case UInt8(ascii: "("):
        guard stack.count <= depthLimit else {
          throw CILError(line: line, message: "more than \(depthLimit) lists in one another")
        }
        stack.append(([], line))
        position += 1
      case UInt8(ascii: ")"):
        guard stack.count > 1, let done = stack.popLast() else {
          throw CILError(line: line, message: "a ) without its (")
        }
        stack[stack.count - 1].parts.append(.list(done.parts, line: done.line))
        position += 1
      case UInt8(ascii: "\""):
        guard let end = bytes[(position + 1)...].firstIndex(of: byte) else {
          throw CILError(line: line, message: "a string without its end")
        }
        let text = bytes[position...end]
        stack[stack.count - 1].parts.append(
          .word(String(decoding: text, as: UTF8.self), line: line))
        line += text.count { $0 == 0x0a }
        position = end + 1
      case _ where isBlank(byte):
        position += 1
      default:
        let start = position
        while position < bytes.count, isWordByte(bytes[position]) { position += 1 }
        guard position > start else {
          throw CILError(line: line, message: "a byte that is none of CIL's (\(byte))")
        }
        stack[stack.count - 1].parts.append(
          .word(String(decoding: bytes[start..<position], as: UTF8.self), line: line))
      }
    }
    guard stack.count == 1 else {
      throw CILError(line: stack.last?.line ?? line, message: "a ( without its )")
    }
    if let stray = stack[0].parts.first(where: { $0.list == nil }) {
      throw CILError(line: stray.line, message: "\(stray.words.first ?? "a word") is in no list")
    }
    return stack[0].parts
  }

  private static func isWordByte(_ byte: UInt8) -> Bool {
    byte > 0x20 && byte < 0x7f && byte != UInt8(ascii: "(") && byte != UInt8(ascii: ")")
      && byte != UInt8(ascii: ";") && byte != UInt8(ascii: "\"")
  }
}
