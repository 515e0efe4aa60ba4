import Descriptors
import OnionModel
import SELinux

/// Whether modules can be loaded, as far as this host can tell.
public struct PolicyProof: Hashable, Sendable, Encodable {
  public enum State: String, Hashable, Sendable, Encodable {
    /// The whole policy of this host was compiled with them.
    case linked
    /// Their syntax is right; there is no policy here to link with.
    case syntaxOnly
    /// A compiler refused them.
    case refused
    /// Nothing could be tried: it says why.
    case unproven
  }

  public var state: State
  /// A sentence.
  public var text: String

  /// They may be loaded, or nobody knows better.
  public var isFine: Bool { state != .refused }
}

/// Compiles modules without loading or storing anything.
struct PolicyProver: Sendable {
  var host = PolicyHost()
  /// A whole policy takes some 5 s of one core, and 45 s on a busy machine.
  private static let patience = Duration.seconds(300)

  func prove(_ modules: [PolicyModule]) async throws -> PolicyProof {
    switch host.store() {
    case .present(let store): return try await link(modules, store)
    case .absent: return try await checkSyntax(modules, "this host has no policy to link with")
    case .unknown(let reason):
      return try await checkSyntax(
        modules, "this host's policy cannot be read (\(reason)): as root it can")
    }
  }

  /// In a copy of the store: `semodule -n` does not load, but it does store.
  private func link(
    _ modules: [PolicyModule], _ store: PolicyHost.Store
  ) async throws -> PolicyProof {
    try await Workspace.with { workspace in
      let root = "\(workspace.path)/root"
      var arguments = ["-n", "-s", store.kind, "-p", root, "-X", "\(PolicyInstaller.priority)"]
      for module in modules { arguments += ["-i", try workspace.write(module)] }
      do {
        try await workspace.copy(store, of: host, to: root)
        let result = try await PolicyTool.semodule.run(arguments, limit: Self.patience)
        guard result.isSuccess else {
          return PolicyProof(
            state: .refused,
            text:
              "does not link with this host's policy \(store.kind): \(workspace.plain(result.reason))"
          )
        }
        return PolicyProof(
          state: .linked,
          text: "links with this host's policy \(store.kind) (semodule -n, in a copy)")
      } catch is PolicyTool.Missing {
        return try await checkSyntax(modules, PolicyTool.semodule.missing)
      }
    }
  }

  /// Against the least policy that holds what they require.
  private func checkSyntax(_ modules: [PolicyModule], _ why: String) async throws -> PolicyProof {
    try await Workspace.with { workspace in
      for module in modules {
        let stub = try workspace.write("\(module.name).stub", Array(module.content.stub.utf8))
        let file = try workspace.write(module)
        do {
          let result = try await PolicyTool.secilc.run(
            [
              "-M", "1", "-o", "\(workspace.path)/policy", "-f", "\(workspace.path)/contexts", stub,
              file,
            ],
            limit: Self.patience)
          guard result.isSuccess else {
            let reason = workspace.plain(result.reason)
            // It names a class, attribute or macro that a real policy may well have.
            if result.words.contains(where: { $0.contains("Failed to resolve") }) {
              return PolicyProof(
                state: .unproven,
                text:
                  "its parentheses are right, and what it names only a policy can tell (\(reason)); \(why)"
              )
            }
            return PolicyProof(state: .refused, text: "secilc refuses it: \(reason)")
          }
        } catch is PolicyTool.Missing {
          return PolicyProof(
            state: .unproven,
            text: "only its parentheses were checked; \(why); \(PolicyTool.secilc.missing)")
        }
      }
      return PolicyProof(
        state: .syntaxOnly, text: "its syntax is right (secilc), and it was not linked: \(why)")
    }
  }
}

/// A folder of our own for the compilers, gone afterwards.
struct Workspace: Sendable {
  var path: String

  /// Not /tmp: a store has some 30 MB, and /tmp may be memory.
  private static let parent = "/var/tmp"

  static func with<Value: Sendable>(
    _ body: @Sendable (Workspace) async throws -> Value
  ) async throws -> Value {
    let name = Descriptor.temporaryName()
    try Descriptor.folder(at: parent).makeFolder(name, mode: 0o700)
    let workspace = Workspace(path: "\(parent)/\(name)")
    let result: Result<Value, any Error>
    do {
      result = .success(try await body(workspace))
    } catch {
      result = .failure(error)
    }
    // What cannot be removed is 0700 and holds no secret.
    _ = try await PolicyTool.remove.need(
      ["-rf", "--one-file-system", "--", workspace.path], limit: .seconds(60))
    return try result.get()
  }

  func write(_ name: String, _ bytes: [UInt8]) throws -> String {
    try Descriptor.folder(at: path).write(bytes, to: FileName(name))
    return "\(path)/\(name)"
  }

  func write(_ module: PolicyModule) throws -> String {
    try write("\(module.name).cil", module.bytes)
  }

  /// A compiler's words without the folder's path.
  func plain(_ text: String) -> String {
    var text = text
    while let range = text.firstRange(of: path + "/") { text.removeSubrange(range) }
    return text
  }

  func copy(_ store: PolicyHost.Store, of host: PolicyHost, to root: String) async throws {
    let folder = try Descriptor.folder(at: path)
    try folder.makeFolder("root", mode: 0o700)
    for name in [
      "root/etc", "root/etc/selinux", "root/var", "root/var/lib", "root/var/lib/selinux",
    ] {
      let parts = name.split(separator: "/").map(String.init)
      let parent = try Descriptor.folder(at: "\(path)/\(parts.dropLast().joined(separator: "/"))")
      try parent.makeFolder(FileName(parts[parts.count - 1]), mode: 0o700)
    }
    for (source, target) in [
      (store.folder, "\(root)/var/lib/selinux/"),
      (host.path("/etc/selinux/\(store.kind)"), "\(root)/etc/selinux/"),
      (host.path("/etc/selinux/semanage.conf"), "\(root)/etc/selinux/"),
    ] {
      let result = try await PolicyTool.copy.need(
        ["-r", "--reflink=auto", "--", source, target], limit: .seconds(120))
      guard result.isSuccess || source.hasSuffix("semanage.conf") else {
        throw KeepingError("cannot copy \(source): \(plain(result.reason))")
      }
    }
  }
}
