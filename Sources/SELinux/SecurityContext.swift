public import OnionModel

/// `user:role:type:level`, as in `security.selinux` and `/proc/<pid>/attr/current`.
public struct SecurityContext: Hashable, Sendable, CustomStringConvertible {
  public var user: String
  public var role: String
  public var type: String
  /// `s0`, `s0:c1,c2`, or a range `s0-s0:c0.c1023`: the only part that holds colons.
  public var level: String

  public init(user: String, role: String, type: String, level: String) {
    self.user = user
    self.role = role
    self.type = type
    self.level = level
  }

  /// `nil` unless it has four parts of plain characters. A trailing NUL, as the kernel writes it, is allowed.
  public init?(_ text: String) {
    var text = text[...]
    if text.hasSuffix("\0") { text = text.dropLast() }
    let parts = text.split(separator: ":", maxSplits: 3, omittingEmptySubsequences: false)
    guard parts.count == 4, parts.allSatisfy({ !$0.isEmpty }), text.utf8.count <= Self.limit,
      parts[..<3].allSatisfy({ $0.utf8.allSatisfy(isWordByte) }),
      parts[3].utf8.allSatisfy({ isWordByte($0) || ":,".utf8.contains($0) })
    else { return nil }
    user = String(parts[0])
    role = String(parts[1])
    type = String(parts[2])
    level = String(parts[3])
  }

  /// As a log has it: the level may be missing (a policy without levels), or translated (`SystemLow-SystemHigh`).
  public init?(tolerating text: String) {
    if let context = SecurityContext(text) {
      self = context
      return
    }
    let parts = text.split(separator: ":", maxSplits: 3, omittingEmptySubsequences: false)
    guard parts.count >= 3, text.utf8.count <= Self.limit,
      parts[..<3].allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy(isWordByte) })
    else { return nil }
    user = String(parts[0])
    role = String(parts[1])
    type = String(parts[2])
    level = parts.count > 3 ? String(parts[3].prefix { !$0.isWhitespace && $0 != "'" }) : ""
  }

  public var description: String {
    level.isEmpty ? "\(user):\(role):\(type)" : "\(user):\(role):\(type):\(level)"
  }

  /// The kernel's own limit is a page.
  static let limit = 4096
}

extension ContainerLabel {
  /// What the files of an instance bear so that only its own container reads them: what `:Z` would write.
  public var fileContext: SecurityContext {
    SecurityContext(user: "system_u", role: "object_r", type: "container_file_t", level: level)
  }
}

private func isWordByte(_ byte: UInt8) -> Bool {
  switch byte {
  case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."),
    UInt8(ascii: "-"):
    true
  default: false
  }
}
