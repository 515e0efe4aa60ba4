import Descriptors
import Glibc
import OnionModel
public import SELinux

/// `policy install`, `list` and `convert`.
public struct PolicyInstaller: Sendable {
  /// What `semodule -i` takes too: above a distribution's own (100) and its vendor's (200).
  public static let priority = 400

  private let host: PolicyHost
  private static let patience = Duration.seconds(600)

  public init(_ host: PolicyHost = PolicyHost()) { self.host = host }

  /// What `install` did.
  public struct Installed: Encodable, Sendable {
    public var modules: [String]
    public var policy: String
    public var priority: Int
    public var proof: PolicyProof
    /// Dangers that were allowed by name.
    public var allowed: [CILModule.Concern]
    /// How it is undone.
    public var removal: String
  }

  /// Whether they may be loaded; nothing is.
  public func check(_ modules: [PolicyModule]) async throws -> PolicyProof {
    try await PolicyProver(host: host).prove(modules)
  }

  /// Checks, and then installs exactly what was checked.
  /// - Parameter allowed: dangers by their `grant`.
  /// - Throws: `KeepingError`; then nothing was installed, unless `semodule` itself says otherwise.
  public func install(_ modules: [PolicyModule], allowed: Set<String>) async throws -> Installed {
    let refused = modules.flatMap { module in
      module.content.dangers.filter { !allowed.contains($0.grant) }
        .map {
          "\(module.name).cil:\($0.line): (\($0.statement)): it \($0.reason) (--allow \($0.grant))"
        }
    }
    guard refused.isEmpty else {
      throw KeepingError(
        "nothing was installed. Read these, and allow by name what you want:\n  "
          + refused.prefix(20).joined(separator: "\n  ")
          + (refused.count > 20 ? "\n  and \(refused.count - 20) more" : ""))
    }
    guard getuid() == 0 else { throw KeepingError("installing a policy module needs root") }
    let store = try store()
    let proof = try await PolicyProver(host: host).prove(modules)
    guard proof.isFine else { throw KeepingError("nothing was installed: it \(proof.text)") }
    try await Workspace.with { workspace in
      var arguments = place(store) + ["-X", "\(Self.priority)"]
      for module in modules { arguments += ["-i", try workspace.write(module)] }
      let result = try await PolicyTool.semodule.need(arguments, limit: Self.patience)
      guard result.isSuccess else {
        throw KeepingError("semodule refused it: \(workspace.plain(result.reason))")
      }
    }
    let names = modules.map(\.name)
    return Installed(
      modules: names, policy: store.kind, priority: Self.priority, proof: proof,
      allowed: modules.flatMap(\.content.dangers),
      removal: "semodule -X \(Self.priority) " + names.map { "-r \($0)" }.joined(separator: " "))
  }

  private func store() throws -> PolicyHost.Store {
    switch host.store() {
    case .present(let store): return store
    case .absent:
      throw KeepingError(
        "this host has no SELinux policy (/etc/selinux/config, /var/lib/selinux): there is nothing to install into"
      )
    case .unknown(let reason):
      throw KeepingError("this host's policy cannot be read: \(reason)")
    }
  }

  /// Another system's disk is never loaded here.
  private func place(_ store: PolicyHost.Store) -> [String] {
    ["-s", store.kind] + (host.root == "/" ? [] : ["-n", "-p", host.root])
  }

  // MARK: - List

  /// A module in the store.
  public struct Listed: Encodable, Sendable, Equatable {
    public enum Whose: String, Encodable, Sendable {
      /// Of this project's `policies/`.
      case ours
      /// Installed by hand or by another tool.
      case local
      /// Of the distribution and its packages.
      case distribution
    }

    public var name: String
    public var priority: Int
    public var language: String
    public var isDisabled: Bool
    public var whose: Whose
  }

  /// The names of `policies/`.
  public static let ours: Set<String> = [
    "tor_onion", "tor_onion_min", "onionkeeper", "onionkeeper_container",
  ]

  public func list() async throws -> [Listed] {
    let store = try store()
    let location = host.root == "/" ? [] : ["-p", host.root]
    let result = try await PolicyTool.semodule.need(
      ["-s", store.kind] + location + ["-lfull"], limit: .seconds(60))
    guard result.isSuccess else { throw KeepingError("semodule: \(result.reason)") }
    return result.output.split(whereSeparator: \.isNewline).compactMap(Self.listed)
  }

  /// `400 tor_onion         cil`, with `disabled` behind it.
  static func listed(_ line: Substring) -> Listed? {
    let words = line.split(separator: " ").map(String.init)
    guard words.count >= 3, let priority = Int(words[0]) else { return nil }
    return Listed(
      name: words[1], priority: priority, language: words[2],
      isDisabled: words.count > 3 && words[3] == "disabled",
      whose: ours.contains(words[1]) ? .ours : priority > 300 ? .local : .distribution)
  }

  // MARK: - Convert

  /// The largest of a distribution has 400 KiB, compiled.
  private static let compiledLimit = 16 << 20

  /// The CIL of a compiled module (`.pp`), to be read.
  public func convert(_ path: String) async throws -> (text: String, content: CILModule) {
    let bytes = try PolicyModule.read(path, limit: Self.compiledLimit)
    guard !bytes.starts(with: Array("BZh".utf8)) else {
      throw KeepingError("\(FileName(path)) is compressed: bunzip2 it first")
    }
    // SEMODULE_PACKAGE_MAGIC, or that of a bare module.
    guard
      bytes.starts(with: [0x8f, 0xff, 0x7c, 0xf9]) || bytes.starts(with: [0x8d, 0xff, 0x7c, 0xf9])
    else {
      throw KeepingError("\(FileName(path)) is no compiled policy module (.pp)")
    }
    return try await Workspace.with { workspace in
      let source = try workspace.write("module.pp", bytes)
      let target = "\(workspace.path)/module.cil"
      let result = try await PolicyTool.converter.need([source, target], limit: .seconds(60))
      guard result.isSuccess else {
        throw KeepingError("pp cannot read \(FileName(path)): \(workspace.plain(result.reason))")
      }
      let text = try PolicyModule.read(target, limit: PolicyModule.limit)
      let module = try PolicyModule(name: "module", bytes: text, path: "\(path) as CIL")
      return (String(decoding: text, as: UTF8.self), module.content)
    }
  }
}
