/// What a systemd unit (its file, `systemctl cat`, `systemctl show`) says that decides what tor may do.
struct UnitFacts {
  /// `tor@default.service`, or the input's name.
  var name: String
  /// Key to values, in order; an empty assignment resets, as systemd has it.
  private(set) var values: [String: [String]] = [:]
  private(set) var evidence: [String: Evidence] = [:]
  private(set) var position: Int

  init(name: String, position: Int) {
    self.name = name
    self.position = position
  }

  /// The keys that are looked at.
  static let keys: Set<String> = [
    "User", "Group", "DynamicUser", "SupplementaryGroups", "CapabilityBoundingSet",
    "AmbientCapabilities", "NoNewPrivileges", "ProtectSystem", "ProtectHome", "ReadWritePaths",
    "ReadWriteDirectories", "ReadOnlyPaths", "ReadOnlyDirectories", "InaccessiblePaths",
    "InaccessibleDirectories", "PrivateUsers", "PrivateTmp", "PrivateNetwork", "ExecStart",
    "ExecStartPre", "AppArmorProfile", "SELinuxContext", "SystemCallFilter",
    "RestrictAddressFamilies", "MemoryDenyWriteExecute", "StateDirectory", "RootDirectory",
    "BindPaths", "BindReadOnlyPaths", "TemporaryFileSystem", "IPAddressDeny", "LimitNOFILE",
  ]
  /// Keys that add up rather than replace.
  private static let lists: Set<String> = [
    "CapabilityBoundingSet", "AmbientCapabilities", "ReadWritePaths", "ReadWriteDirectories",
    "ReadOnlyPaths", "ReadOnlyDirectories", "InaccessiblePaths", "InaccessibleDirectories",
    "ExecStart", "ExecStartPre", "SystemCallFilter", "RestrictAddressFamilies", "BindPaths",
    "BindReadOnlyPaths", "SupplementaryGroups",
  ]
  /// A unit has a handful; a file that has more is none.
  private static let valueLimit = 100

  /// `Key = value` of a known key.
  static func assignment(_ line: String) -> (key: String, value: String)? {
    guard let equals = line.firstIndex(of: "=") else { return nil }
    let key = line[..<equals].trimmed
    guard keys.contains(key) else { return nil }
    return (key, line[line.index(after: equals)...].trimmed)
  }

  mutating func set(_ key: String, _ value: String, _ place: Evidence) {
    evidence[key] = evidence[key] ?? place
    if value.isEmpty {
      values[key] = Self.lists.contains(key) ? [] : nil
    } else if Self.lists.contains(key) {
      if values[key, default: []].count < Self.valueLimit {
        values[key, default: []].append(value)
      }
    } else {
      values[key] = [value]
      evidence[key] = place
    }
  }

  func last(_ key: String) -> String? { values[key]?.last }

  func isOn(_ key: String) -> Bool {
    ["yes", "true", "on", "1"].contains(last(key)?.lowercased() ?? "")
  }

  func paths(_ keys: String...) -> [String] {
    keys.flatMap { values[$0] ?? [] }.flatMap { $0.words.map(String.init) }.map {
      var path = $0
      while let first = path.first, first == "-" || first == "+" { path.removeFirst() }
      return path
    }
  }

  /// Runs tor, as far as its name and commands tell.
  var isTor: Bool {
    name.has("tor") || (values["ExecStart"] ?? []).contains { $0.has("tor") }
  }

  /// Who runs it; `nil` if it does not say, which is root.
  var user: String? { last("User").flatMap { $0 == "root" || $0 == "0" ? nil : $0 } }

  /// Whether the bounding set holds the capability; `nil` if the unit says nothing of it: then all are there.
  func bounds(_ capability: String) -> Bool? {
    guard let lines = values["CapabilityBoundingSet"] else { return nil }
    var isThere: Bool?
    for line in lines {
      let isInverted = line.hasPrefix("~")
      let names = line.drop { $0 == "~" }.words.map { $0.uppercased() }
      let isNamed = names.contains(capability.uppercased())
      if isInverted {
        isThere = isNamed ? false : isThere ?? true
      } else if isNamed {
        isThere = true
      } else {
        isThere = isThere ?? false
      }
    }
    return isThere ?? false
  }

  /// The evidence of some keys, for a finding.
  func evidence(of keys: String...) -> EvidenceList {
    var list = EvidenceList()
    for key in keys { if let place = evidence[key] { list.add(place) } }
    return list
  }
}

/// The units among the input.
struct UnitsSeen {
  private(set) var units: [UnitFacts] = []
  private var current: Int?
  private var isAfterService = false
  private var source = ""
  static let limit = 20

  mutating func begin(_ input: String) {
    current = nil
    isAfterService = false
    source = input
  }

  /// `# /usr/lib/systemd/system/tor.service` before a part, as `systemctl cat` prints it.
  mutating func header(_ line: String, position: Int) -> Bool {
    guard line.hasPrefix("# /"), line.hasSuffix(".service") || line.hasSuffix(".conf") else {
      return false
    }
    if line.hasSuffix(".service") {
      open(String(line.split(separator: "/").last ?? ""), position)
    }
    return true
  }

  mutating func section(_ name: String, position: Int) {
    if name == "Unit", isAfterService { current = nil }
    isAfterService = name != "Unit"
    if current == nil { open(source, position) }
  }

  mutating func set(_ key: String, _ value: String, _ place: Evidence, position: Int) {
    if current == nil { open(source, position) }
    if let current { units[current].set(key, value, place) }
  }

  private mutating func open(_ name: String, _ position: Int) {
    guard units.count < Self.limit else {
      current = nil
      return
    }
    current = units.count
    units.append(UnitFacts(name: name, position: position))
  }

  /// The one that runs tor; a single unit of another name may be it too.
  var tor: UnitFacts? {
    units.last { $0.isTor && !$0.values.isEmpty }
      ?? (units.count == 1 && !units[0].values.isEmpty ? units[0] : nil)
  }
}
