/// What the input says of the host's state: SELinux's mode, booleans, running processes, "no AVC".
struct StateFacts {
  enum Mode: String { case disabled, permissive, enforcing }

  private(set) var mode: (value: Mode, evidence: Evidence)?
  private(set) var booleans: [String: (isOn: Bool, evidence: Evidence)] = [:]
  /// Somebody looked for denials and found none.
  private(set) var noDenials: Evidence?
  /// The type that tor runs in, of `ps -eZ`.
  private(set) var torDomain: (type: String, evidence: Evidence)?
  /// `CapBnd:` of a process's status.
  private(set) var boundingSet: (bits: UInt64, evidence: Evidence)?
  static let limit = 500
  /// Bytes of such a line.
  static let lineLimit = 300

  /// - Returns: whether it is such a line.
  mutating func take(_ line: String, _ place: @autoclosure () -> Evidence) -> Bool {
    let text = line.trimmed
    let lower = text.lowercased()
    if let value = Self.mode(lower) {
      mode = (value, place())
      if lower.has("no avc") { noDenials = place() }
      return true
    }
    if lower == "<no matches>" || lower.has("no avc") || lower.has("no denials") {
      noDenials = place()
      return true
    }
    if let (name, isOn) = Self.boolean(text) {
      if booleans.count < Self.limit { booleans[name] = (isOn, place()) }
      return true
    }
    if text.has(":tor_t:") || text.has("unconfined_service_t"), text.words.last == "tor",
      let parts = text.words.first?.split(separator: ":"), parts.count >= 3
    {
      torDomain = (String(parts[2]), place())
      return true
    }
    if text.hasPrefix("CapBnd:"), let bits = UInt64(text.dropFirst(7).trimmed, radix: 16) {
      boundingSet = (bits, place())
      return true
    }
    return Self.furniture.contains { text.hasPrefix($0) }
  }

  /// The other lines of `sestatus` and of `/proc/<pid>/status`.
  private static let furniture = [
    "SELinuxfs mount:", "SELinux root directory:", "Loaded policy name:", "Mode from config file:",
    "Policy MLS status:", "Policy deny_unknown status:", "Memory protection checking:",
    "Max kernel policy version:", "CapInh:", "CapPrm:", "CapEff:", "CapAmb:", "NoNewPrivs:",
    "Seccomp:",
  ]

  private static func mode(_ lower: String) -> Mode? {
    // "disabled or no AVC": the writer did not know which.
    if lower.has(" or ") { return nil }
    for value in [Mode.disabled, .permissive, .enforcing] {
      if lower == value.rawValue || lower.hasPrefix("selinux: \(value.rawValue)")
        || lower.hasPrefix("selinux is \(value.rawValue)") || lower == "selinux=\(value.rawValue)"
      {
        return value
      }
      for key in ["selinux status:", "current mode:"] where lower.hasPrefix(key) {
        if lower.dropFirst(key.count).trimmed == value.rawValue { return value }
      }
    }
    return nil
  }

  /// `tor_can_onion_services --> off`, and the line of `semanage boolean -l`.
  private static func boolean(_ text: String) -> (String, Bool)? {
    if let arrow = text.find(" --> ") {
      let value = text[arrow.upperBound...].trimmed
      guard value == "on" || value == "off" else { return nil }
      return (text[..<arrow.lowerBound].trimmed, value == "on")
    }
    guard let open = text.find("("), let name = text.words.first, name.has("_"),
      text[open.upperBound...].hasPrefix("on") || text[open.upperBound...].hasPrefix("off")
    else { return nil }
    return (String(name), text[open.upperBound...].hasPrefix("on"))
  }
}

/// Onion addresses that somebody expects, and those that run.
struct AddressFacts {
  private(set) var expected: [(address: String, evidence: Evidence, position: Int)] = []
  private(set) var seen: [(address: String, evidence: Evidence, position: Int)] = []
  static let limit = 100

  mutating func take(_ line: String, _ place: @autoclosure () -> Evidence, position: Int) {
    guard let dot = line.find(".onion") else { return }
    let head = line[..<dot.lowerBound]
    let name = head.utf8.suffix(56)
    guard name.count == 56,
      name.allSatisfy({ (0x61...0x7a).contains($0) || (0x32...0x37).contains($0) })
    else { return }
    let address = String(decoding: name, as: UTF8.self) + ".onion"
    let before = head.dropLast(56).trimmed
    let isWish =
      before.hasSuffix("address:") || before.hasSuffix("address: \"")
      || before.hasSuffix("expected") || before.hasSuffix("expected:")
    if isWish {
      if expected.count < Self.limit, !expected.contains(where: { $0.address == address }) {
        expected.append((address, place(), position))
      }
    } else if seen.count < Self.limit, !seen.contains(where: { $0.address == address }) {
      seen.append((address, place(), position))
    }
  }
}
