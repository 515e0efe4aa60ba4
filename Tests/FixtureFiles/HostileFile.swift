/// A definition that was made to cost its reader as much as it can, of the largest size that is read.
public struct HostileFile: Sendable, CustomStringConvertible {
  public let name: String
  public let bytes: [UInt8]

  public var description: String { name }

  /// 256 KiB.
  private static let size = 256 << 10

  public static let all: [HostileFile] = [
    HostileFile("small nodes", "a: [", "1,"), HostileFile("small mappings", "a: [", "{a: b},"),
    HostileFile("empty lists", "a: [", "[],"), HostileFile("open lists", "", "["),
    HostileFile("open items", "", "- "), HostileFile("open mappings", "", "{a: {a: "),
    HostileFile("quotes", "", "\"\""), HostileFile("anchors", "", "&a "),
    HostileFile("aliases", "", "*a\n"), HostileFile("complex keys", "", "? "),
    HostileFile("a long key", "", "k"), HostileFile("a long text", "a: \"", "ä"),
    HostileFile("escapes", "a: \"", "\\u00e4"), HostileFile("line feeds", "a: [\n", "\n"),
    HostileFile("clients", "access: clients\nclients:\n", "- {name: a, key: b}\n"),
    HostileFile("targets", "ports:\n", "- {virtual: 1, target: \"[::1%a]:80\"}\n"),
    HostileFile(name: "keys", bytes: keys("k")),
    HostileFile(name: "keys near ours", bytes: keys("acces")),
  ]

  private init(name: String, bytes: [UInt8]) {
    self.name = name
    self.bytes = bytes
  }

  private init(_ name: String, _ head: String, _ piece: String) {
    let count = (Self.size - head.utf8.count) / piece.utf8.count
    self.init(name: name, bytes: Array((head + String(repeating: piece, count: count)).utf8))
  }

  private static func keys(_ stem: String) -> [UInt8] {
    Array((0..<30_000).map { "\(stem)\($0): 1\n" }.joined().utf8.prefix(size))
  }
}
