public import Descriptors
import Glibc
public import OnionModel

/// What this host says of its SELinux policy: selinuxfs, `/etc/selinux/config` and the module store are read, no program
/// is called and nothing is changed.
public struct HostPolicy: Hashable, Sendable {
  /// What the kernel does now; unknown if selinuxfs is there and cannot be read.
  public var mode: Observation<SELinuxMode>
  /// `SELINUX=` of the configuration: what it does after the next boot. Absent: no such file, or no such line.
  public var configuredMode: Observation<SELinuxMode>
  /// `SELINUXTYPE=`: `targeted`, `default`.
  public var name: Observation<String>
  /// The newest policy format that the kernel reads.
  public var formatVersion: Observation<Int>
  /// By name, as they count now. Absent where SELinux is off.
  public var booleans: Observation<[String: Bool]>
  /// In order of name. Absent: no module store.
  public var modules: Observation<[InstalledModule]>

  public init(
    mode: Observation<SELinuxMode>, configuredMode: Observation<SELinuxMode> = .absent,
    name: Observation<String> = .absent, formatVersion: Observation<Int> = .absent,
    booleans: Observation<[String: Bool]> = .absent,
    modules: Observation<[InstalledModule]> = .absent
  ) {
    self.mode = mode
    self.configuredMode = configuredMode
    self.name = name
    self.formatVersion = formatVersion
    self.booleans = booleans
    self.modules = modules
  }

  /// A boolean. Absent: this policy has none of that name.
  public func boolean(_ name: String) -> Observation<Bool> {
    switch booleans {
    case .present(let all): all[name].map { .present($0) } ?? .absent
    case .absent: .absent
    case .unknown(let reason): .unknown(reason)
    }
  }

  /// A module that is part of the policy.
  public func module(_ name: String) -> Observation<InstalledModule> {
    switch modules {
    case .present(let all):
      all.first { $0.name == name && $0.isEnabled }.map { .present($0) } ?? .absent
    case .absent: .absent
    case .unknown(let reason): .unknown(reason)
    }
  }
}

extension HostPolicy {
  private static let selinuxfs = "/sys/fs/selinux"
  /// Each of these files is a line.
  private static let lineLimit = 4096
  private static let configurationLimit = 64 << 10
  /// Fedora has about 350 booleans, 430 modules.
  private static let booleanLimit = 5000
  private static let moduleLimit = 10_000

  /// Looks now. Blocks, shortly.
  /// - Parameter tree: The host's file system; another root in tests.
  public static func read(_ tree: HostTree = HostTree()) -> HostPolicy {
    let configuration = observed { () throws(FileError) in
      try tree.text("/etc/selinux/config", limit: configurationLimit)
    }
    let name = setting("SELINUXTYPE", configuration)
    var policy = HostPolicy(
      mode: mode(tree),
      configuredMode: mapped(setting("SELINUX", configuration)) {
        SELinuxMode(rawValue: $0.lowercased())
      }, name: name)
    policy.formatVersion = mapped(
      observed { () throws(FileError) in
        try tree.text("\(selinuxfs)/policyvers", limit: lineLimit)
      }
    ) { Int($0.filter { $0 != "\n" }) }
    policy.booleans = observed { () throws(FileError) in try booleans(tree) }
    policy.modules = observed { () throws(FileError) in try modules(tree, name.value) }
    return policy
  }

  private static func mode(_ tree: HostTree) -> Observation<SELinuxMode> {
    do {
      return .present(try SELinuxMode.detect(root: tree.root))
    } catch {
      return .unknown(error.message)
    }
  }

  private static func setting(
    _ key: String, _ configuration: Observation<String>
  ) -> Observation<String> {
    mapped(configuration) { text in
      // The last one counts, as libselinux reads it.
      text.split(whereSeparator: \.isNewline).last { $0.hasPrefix("\(key)=") }.map { line in
        String(line.dropFirst(key.count + 1).filter { !$0.isWhitespace && $0 != "\"" })
      }
    }
  }

  /// Each file holds the value that counts and the one that waits for a commit: `1 1`.
  private static func booleans(_ tree: HostTree) throws(FileError) -> [String: Bool]? {
    let folder = "\(selinuxfs)/booleans"
    guard let names = try tree.names(folder, limit: booleanLimit) else { return nil }
    var found: [String: Bool] = [:]
    for name in names {
      guard let text = try tree.text("\(folder)/\(name)", limit: lineLimit) else { continue }
      found[name] = text.first == "1"
    }
    return found
  }

  /// `STORE/TYPE/active/modules/PRIORITY/NAME/`; the store is in one of two places, by distribution.
  private static func modules(
    _ tree: HostTree, _ type: String?
  ) throws(FileError) -> [InstalledModule]? {
    guard let type, !type.isEmpty, !type.contains("/") else { return nil }
    for store in ["/var/lib/selinux", "/etc/selinux"] {
      let folder = "\(store)/\(type)/active/modules"
      guard let priorities = try tree.names(folder, limit: moduleLimit) else { continue }
      let disabled = Set(try tree.names("\(folder)/disabled", limit: moduleLimit) ?? [])
      var highest: [String: Int] = [:]
      for priority in priorities.compactMap({ Int($0) }) {
        let name = String(repeating: "0", count: max(0, 3 - String(priority).count)) + "\(priority)"
        for module in try tree.names("\(folder)/\(name)", limit: moduleLimit) ?? [] {
          highest[module] = max(highest[module] ?? 0, priority)
        }
      }
      return highest.map {
        InstalledModule(name: $0.key, priority: $0.value, isEnabled: !disabled.contains($0.key))
      }.sorted { $0.name < $1.name }
    }
    return nil
  }
}

/// The value, absent for `nil`, unknown for an error.
func observed<Value: Sendable>(_ look: () throws(FileError) -> Value?) -> Observation<Value> {
  do {
    return try look().map { .present($0) } ?? .absent
  } catch {
    return .unknown(error.description)
  }
}

/// Absent where the text says nothing of the kind.
private func mapped<Value: Sendable, Other: Sendable>(
  _ observation: Observation<Value>, _ transform: (Value) -> Other?
) -> Observation<Other> {
  switch observation {
  case .present(let value): transform(value).map { .present($0) } ?? .absent
  case .absent: .absent
  case .unknown(let reason): .unknown(reason)
  }
}
