public import OnionModel

/// A unit as systemd has it loaded.
public struct SystemdUnit: Hashable, Sendable {
  /// As it was asked for: `tor@default.service`.
  public var name: String
  /// `systemctl show`'s names and values, each one line.
  public var properties: [String: String]

  public init(name: String, properties: [String: String]) {
    self.name = name
    self.properties = properties
  }

  public subscript(_ property: String) -> String? { properties[property] }

  /// systemd answers within milliseconds, and not at all when it hangs.
  private static let limit: Duration = .seconds(10)

  /// What `explain` and `doctor` ask for.
  public static let usual = [
    "LoadState", "ActiveState", "SubState", "Result", "UnitFileState", "FragmentPath", "ExecStart",
    "User", "Group", "CapabilityBoundingSet", "AmbientCapabilities", "NoNewPrivileges",
    "ProtectSystem", "ProtectHome", "ReadWritePaths", "ReadOnlyPaths", "InaccessiblePaths",
    "PrivateTmp", "SELinuxContext", "MainPID", "ExecMainStatus",
  ]

  /// Asks systemd; changes nothing.
  /// - Returns: absent if there is no such unit; unknown if systemd does not run here or does not answer.
  public static func show(
    _ name: String, _ properties: [String] = usual
  ) async -> Observation<SystemdUnit> {
    guard isUnitName(name) else { return .absent }
    do {
      let result = try await ask(
        "systemctl",
        ["show", "--no-pager", "--property=\(properties.joined(separator: ","))", "--", name],
        limit: limit)
      guard result.isSuccess else {
        return .unknown("systemctl: \(result.lastLines)")
      }
      let unit = SystemdUnit(name: name, properties: pairs(result.output))
      return unit["LoadState"] == "not-found" ? .absent : .present(unit)
    } catch {
      return .unknown("systemctl: \(error)")
    }
  }

  static func pairs(_ text: String) -> [String: String] {
    var found: [String: String] = [:]
    for line in text.split(whereSeparator: \.isNewline) {
      guard let equals = line.firstIndex(of: "=") else { continue }
      found[String(line[..<equals])] = String(line[line.index(after: equals)...])
    }
    return found
  }

  /// Its characters, by systemd.unit(5): no option and no path.
  private static func isUnitName(_ name: String) -> Bool {
    !name.isEmpty && name.utf8.count < 256 && !name.hasPrefix("-")
      && name.utf8.allSatisfy {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0)
          || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0)
          || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || ":-_.\\@".utf8.contains($0)
      }
  }
}
