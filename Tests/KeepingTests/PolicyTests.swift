import Foundation
import Keeping
import SELinux
import Spawning
import Testing

/// A host with a policy of its own, of a dozen types, in a folder: the real `semodule` compiles and stores it.
final class PolicyRoot: Sendable {
  let path: String

  init() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
      "policy-\(UUID().uuidString)")
    path = folder.path
    for name in [
      "etc/selinux/tiny/contexts/files", "etc/selinux/tiny/policy", "var/lib/selinux/tiny",
    ] {
      try FileManager.default.createDirectory(
        at: folder.appendingPathComponent(name), withIntermediateDirectories: true)
    }
    try Data("SELINUX=enforcing\nSELINUXTYPE=tiny\n".utf8).write(
      to: folder.appendingPathComponent("etc/selinux/config"))
    let stub = Self.fixtures.appendingPathComponent("stub.cil").path
    let made = try spawn(["semodule", "-n", "-s", "tiny", "-p", path, "-X", "100", "-i", stub])
    try #require(made.code == 0)
  }

  deinit {
    do {
      try FileManager.default.removeItem(atPath: path)
    } catch {
      Issue.record("\(path) was left behind: \(error)")
    }
  }

  var installer: PolicyInstaller { PolicyInstaller(PolicyHost(root: path)) }

  /// A file beside the policy.
  func file(_ name: String, _ text: String) throws -> String {
    try Data(text.utf8).write(to: URL(fileURLWithPath: "\(path)/\(name)"))
    return "\(path)/\(name)"
  }

  /// Whether the compiled policy has a rule.
  func allows(_ query: [String]) throws -> Bool {
    let policy = "\(path)/etc/selinux/tiny/policy"
    let name = try #require(try FileManager.default.contentsOfDirectory(atPath: policy).first)
    let found = try spawn(["sesearch", "-A"] + query + ["\(policy)/\(name)"])
    try #require(found.code == 0)
    return found.output.contains { $0 > 0x20 }
  }

  static let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appendingPathComponent("Fixtures/policy")
  static let policies = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appendingPathComponent("../../policies").standardized

  static func module(_ name: String) throws -> ModuleFile {
    try ModuleFile(path: policies.appendingPathComponent("\(name).cil").path)
  }
}

/// Needs root and the tools that `ops/lib/packages test` installs: without them it fails, and is not passed over.
@Suite struct PolicyTests {
  private let seed =
    "(typeattributeset cil_gen_require tor_t)\n(allow tor_t self (capability (dac_override dac_read_search)))\n"

  @Test func ours() throws {
    let names = try FileManager.default.contentsOfDirectory(atPath: PolicyRoot.policies.path)
      .filter { $0.hasSuffix(".cil") }.map { String($0.dropLast(4)) }
    #expect(Set(names) == PolicyInstaller.ours)
  }

  /// All of them with one policy, and each without one.
  @Test func oursLink() async throws {
    let root = try PolicyRoot()
    let modules = try PolicyInstaller.ours.sorted().map(PolicyRoot.module)
    let proof = try await root.installer.check(modules)
    #expect(proof.state == .linked, "\(proof.text)")
    #expect(try await root.installer.list().map(\.name) == ["stub"])
    let nowhere = PolicyInstaller(PolicyHost(root: "\(root.path)/nothing"))
    for module in modules {
      let proof = try await nowhere.check([module])
      #expect(proof.isFine, "\(module.name): \(proof.text)")
    }
  }

  /// A module for tor grants nothing dangerous, ours for containers neither; every rule stands under a comment.
  @Test(arguments: ["tor_onion", "tor_onion_min", "onionkeeper_container"])
  func oursAreHarmless(_ name: String) throws {
    let module = try PolicyRoot.module(name)
    #expect(module.content.dangers.isEmpty, "\(module.content.dangers)")
    let lines = String(decoding: module.bytes, as: UTF8.self).split(
      separator: "\n", omittingEmptySubsequences: false
    ).map { $0.trimmingCharacters(in: .whitespaces) }
    for (index, line) in lines.enumerated() where line.hasPrefix("(allow ") {
      let block = lines[..<index].reversed().prefix { !$0.isEmpty }
      #expect(block.contains { $0.hasPrefix(";") }, "\(name).cil:\(index + 1) has no comment")
    }
  }

  @Test func ourContainersMayLess() async throws {
    let root = try PolicyRoot()
    _ = try await root.installer.install(
      [try PolicyRoot.module("onionkeeper_container")], allowed: [])
    let denied = [
      ["-c", "capability"], ["-c", "process", "-p", "execmem"], ["-t", "bin_t", "-p", "execute"],
      ["-t", "etc_t", "-p", "read"], ["-p", "name_bind"], ["-c", "filesystem", "-p", "mount"],
    ]
    for query in denied {
      #expect(try root.allows(["-s", "container_t"] + query), "\(query)")
      #expect(try !root.allows(["-s", "onionkeeper_container_t"] + query), "\(query)")
    }
    #expect(
      try root.allows([
        "-s", "onionkeeper_container_t", "-t", "container_file_t", "-p", "entrypoint",
      ]))
  }

  @Test func noContainerReadsSecrets() async throws {
    let root = try PolicyRoot()
    let agent = try PolicyRoot.module("onionkeeper")
    _ = try await root.installer.install(
      [agent, try PolicyRoot.module("onionkeeper_container")],
      allowed: Set(agent.content.dangers.map(\.grant)))
    for domain in ["container_t", "onionkeeper_container_t"] {
      #expect(try !root.allows(["-s", domain, "-t", "onionkeeper_secret_t"]))
      #expect(try !root.allows(["-s", domain, "-t", "onionkeeper_var_lib_t"]))
    }
    #expect(try !root.allows(["-s", "onionkeeper_t", "-p", "load_policy"]))
    #expect(try !root.allows(["-s", "onionkeeper_t", "-p", "execmem"]))
  }

  @Test func installsAndLists() async throws {
    let root = try PolicyRoot()
    let file = try root.file("mine.cil", seed)
    let done = try await root.installer.install([try ModuleFile(path: file)], allowed: [])
    #expect(done.modules == ["mine"] && done.proof.state == .linked && done.priority == 400)
    #expect(done.removal == "semodule -X 400 -r mine")
    let listed = try await root.installer.list()
    #expect(listed.first { $0.name == "mine" }?.whose == .local)
    #expect(listed.first { $0.name == "stub" }?.whose == .distribution)
    #expect(try root.allows(["-s", "tor_t", "-c", "capability", "-p", "dac_override"]))
  }

  @Test func dangerIsRefused() async throws {
    let root = try PolicyRoot()
    let file = try root.file(
      "bad.cil",
      "(typeattributeset cil_gen_require tor_t)\n(allow tor_t self (process (execmem)))\n(typepermissive tor_t)\n"
    )
    let module = try ModuleFile(path: file)
    for allowed: Set<String> in [[], ["process:execmem"], ["permissive:tor_t"]] {
      await #expect(throws: KeepingError.self) {
        try await root.installer.install([module], allowed: allowed)
      }
    }
    #expect(try await root.installer.list().map(\.name) == ["stub"])
    let done = try await root.installer.install(
      [module], allowed: ["process:execmem", "permissive:tor_t"])
    #expect(done.allowed.count == 2)
  }

  @Test func whatDoesNotLinkIsRefused() async throws {
    let root = try PolicyRoot()
    for text in [
      "(typeattributeset cil_gen_require nosuch_t)\n(allow nosuch_t self (file (read)))",
      "(typeattributeset cil_gen_require tor_t)\n(allow tor_t self (file (nosuchpermission)))",
    ] {
      let module = try ModuleFile(path: try root.file("bad.cil", text))
      let proof = try await root.installer.check([module])
      #expect(proof.state == .refused && !proof.text.contains(".new-"), "\(proof.text)")
      await #expect(throws: KeepingError.self) {
        try await root.installer.install([module], allowed: [])
      }
    }
    #expect(try await root.installer.list().map(\.name) == ["stub"])
  }

  @Test func withoutAPolicyOnlySyntaxIsChecked() async throws {
    let root = try PolicyRoot()
    let nowhere = PolicyInstaller(PolicyHost(root: "\(root.path)/nothing"))
    let module = try ModuleFile(path: try root.file("mine.cil", seed))
    let proof = try await nowhere.check([module])
    #expect(proof.state == .syntaxOnly && proof.text.contains("no policy"))
    let wrong = try ModuleFile(path: try root.file("wrong.cil", "(allow tor_t self)"))
    #expect(try await nowhere.check([wrong]).state == .refused)
    await #expect(throws: KeepingError.self) { try await nowhere.install([module], allowed: []) }
    await #expect(throws: KeepingError.self) { try await nowhere.list() }
  }

  @Test func fromAuditIsProven() async throws {
    let root = try PolicyRoot()
    let log = try root.file(
      "audit.log",
      """
      type=AVC msg=audit(1.1:1): avc:  denied  { dac_read_search } for  pid=1 comm="tor" capability=2 scontext=system_u:system_r:tor_t:s0 tcontext=system_u:system_r:tor_t:s0 tclass=capability permissive=0
      type=AVC msg=audit(1.1:1): avc:  denied  { dac_override } for  pid=1 comm="tor" capability=1 scontext=system_u:system_r:tor_t:s0 tcontext=system_u:system_r:tor_t:s0 tclass=capability permissive=0
      """)
    let host = PolicyHost(root: root.path)
    let found = try await PolicyFromAudit(files: [log], host: host).run()
    #expect(found.rules.map(\.text) == ["(allow tor_t self (capability (dac_read_search)))"])
    #expect(found.proof?.state == .linked && found.left.map(\.why) == [.covered])
    let exact = try await PolicyFromAudit(files: [log], isExact: true, host: host).run()
    #expect(
      exact.rules.map(\.text) == ["(allow tor_t self (capability (dac_override dac_read_search)))"])
    let none = try await PolicyFromAudit(files: [log], domain: "container_t", host: host).run()
    #expect(none.rules.isEmpty && none.proof == nil && none.read.foreign == 2)
    await #expect(throws: KeepingError.self) {
      try await PolicyFromAudit(files: ["\(root.path)/nosuch"], host: host).run()
    }
  }

  @Test func converts() async throws {
    let root = try PolicyRoot()
    let text = try root.file(
      "mine.te",
      "module mine 1.0;\nrequire { type tor_t; class process execmem; }\nallow tor_t self:process execmem;\n"
    )
    let (module, package) = ("\(root.path)/mine.mod", "\(root.path)/mine.pp")
    try #require(try spawn(["checkmodule", "-M", "-m", "-o", module, text]).code == 0)
    try #require(try spawn(["semodule_package", "-o", package, "-m", module]).code == 0)
    let converted = try await root.installer.convert(package)
    #expect(converted.text.contains("(allow tor_t self (process (execmem)))"))
    #expect(converted.content.dangers.map(\.grant) == ["process:execmem"])
    for (name, bytes) in [("a.pp", "garbage"), ("b.pp", "BZh9"), ("c.pp", "")] {
      let file = try root.file(name, bytes)
      await #expect(throws: KeepingError.self) { try await root.installer.convert(file) }
    }
    #expect(throws: KeepingError.self) { try ModuleFile(path: package) }
  }
}
