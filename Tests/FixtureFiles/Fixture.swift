import Foundation

/// A file of a test target's `Fixtures/`, with the assertions of its leading comment lines.
public struct Fixture: Sendable, CustomStringConvertible {
  public let name: String
  public let bytes: [UInt8]
  /// `expect` to all lines that say `# expect: …`.
  private let notes: [String: [String]]

  public var description: String { name }

  public func notes(_ key: String) -> [String] { notes[key] ?? [] }

  /// Every key that it has notes of.
  public var noteKeys: Set<String> { Set(notes.keys) }

  /// All fixtures of a folder, in order of name. An empty folder is a broken checkout and fails the suite's count.
  /// - Parameter file: of the test target, beside its `Fixtures/`.
  public static func all(in folder: String, beside file: String) -> [Fixture] {
    let root = URL(fileURLWithPath: file).deletingLastPathComponent()
      .appendingPathComponent("Fixtures").appendingPathComponent(folder)
    do {
      return try FileManager.default.contentsOfDirectory(atPath: root.path)
        .filter { !$0.hasPrefix(".") }.sorted()
        .map { name in
          Fixture(
            name: name, bytes: [UInt8](try Data(contentsOf: root.appendingPathComponent(name))))
        }
    } catch {
      preconditionFailure("fixtures of \(folder) cannot be read: \(error)")
    }
  }

  private init(name: String, bytes: [UInt8]) {
    self.name = name
    self.bytes = bytes
    var notes: [String: [String]] = [:]
    for line in bytes.split(separator: 0x0a, omittingEmptySubsequences: false) {
      var text = String(decoding: line, as: UTF8.self)
      if text.hasPrefix("\u{feff}") { text.removeFirst() }
      if text.hasSuffix("\r") { text.removeLast() }
      guard text.hasPrefix("# "), let colon = text.firstIndex(of: ":") else { break }
      let key = String(text[..<colon].dropFirst(2))
      notes[key, default: []].append(
        String(text[text.index(after: colon)...]).trimmingCharacters(in: .whitespaces))
    }
    self.notes = notes
  }

  /// The files of a `=== PATH` fixture.
  public var sections: [String: [UInt8]] {
    var sections: [String: [UInt8]] = [:]
    var current: String?
    for line in String(decoding: bytes, as: UTF8.self).split(
      separator: "\n", omittingEmptySubsequences: false)
    {
      if line.hasPrefix("=== ") {
        let path = String(line.dropFirst(4))
        sections[path] = []
        current = path
      } else if let current {
        sections[current, default: []] += Array(line.utf8) + [0x0a]
      }
    }
    return sections
  }
}
