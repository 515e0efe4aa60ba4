import Descriptors
import Foundation
import OnionModel
import SELinux
import Testing

/// What a host says of its policy, read from a small tree of its files.
@Suite struct HostPolicyTests {
  @Test func everythingThatIsThere() throws {
    let host = try FixtureRoot([
      "sys/fs/selinux/enforce": "1", "sys/fs/selinux/policyvers": "33\n",
      "sys/fs/selinux/booleans/tor_can_onion_services": "1 0",
      "sys/fs/selinux/booleans/tor_bind_all_unreserved_ports": "0 1",
      "etc/selinux/config":
        "# SELINUX=disabled\nSELINUX=permissive\nSELINUXTYPE = \nSELINUXTYPE=targeted \n",
      "var/lib/selinux/targeted/active/modules/100/tor/cil": "",
      "var/lib/selinux/targeted/active/modules/400/tor/cil": "",
      "var/lib/selinux/targeted/active/modules/400/onionkeeper/cil": "",
      "var/lib/selinux/targeted/active/modules/100/container/cil": "",
      "var/lib/selinux/targeted/active/modules/disabled/container": "",
    ])
    let policy = HostPolicy.read(host.tree)
    #expect(policy.mode == .present(.enforcing))
    #expect(policy.configuredMode == .present(.permissive))
    #expect(policy.name == .present("targeted"))
    #expect(policy.formatVersion == .present(33))
    #expect(policy.boolean("tor_can_onion_services") == .present(true))
    #expect(policy.boolean("tor_bind_all_unreserved_ports") == .present(false))
    #expect(policy.boolean("nothing").isAbsent)
    #expect(policy.module("tor") == .present(InstalledModule(name: "tor", priority: 400)))
    #expect(policy.module("onionkeeper").value != nil)
    #expect(policy.module("container").isAbsent)
    #expect(policy.modules.value?.count == 3)
  }

  @Test func aHostWithoutIt() throws {
    let host = try FixtureRoot(["etc/hostname": "x"])
    let policy = HostPolicy.read(host.tree)
    withExtendedLifetime(host) {}
    #expect(policy == HostPolicy(mode: .present(.disabled)))
  }

  /// Nothing is concluded where the kernel cannot be asked; the guest asks a real one.
  @Test func noAnswerIsNoRefusal() throws {
    func ask(_ host: FixtureRoot, _ permission: String = "dac_read_search") throws
      -> Observation<Bool>
    {
      let tor = try #require(SecurityContext("system_u:system_r:tor_t:s0"))
      return HostPolicy.allows(
        source: tor, target: tor, targetClass: "capability", permission: permission, host.tree)
    }
    let off = try FixtureRoot(["etc/hostname": "x"])
    #expect(try ask(off) == .absent)
    let on = try FixtureRoot([
      "sys/fs/selinux/class/capability/index": "4",
      "sys/fs/selinux/class/capability/perms/dac_read_search": "3",
      "sys/fs/selinux/class/capability/perms/odd": "77", "sys/fs/selinux/access": "",
    ])
    #expect(try ask(on).unknownReason?.contains("no answer") == true)
    #expect(try ask(on, "odd") == .absent)
    #expect(try ask(on, "no_such") == .absent)
    #expect(try ask(on, "../index") == .absent)
    withExtendedLifetime((off, on)) {}
  }

  @Test func whatCannotBeReadIsUnknown() throws {
    let host = try FixtureRoot([
      "sys/fs/selinux/enforce": "maybe", "sys/fs/selinux/policyvers/not": "a file",
      "sys/fs/selinux/booleans": "not a folder", "etc/selinux/config/not": "a file",
    ])
    let policy = HostPolicy.read(host.tree)
    #expect(policy.mode.unknownReason?.contains("neither 0 nor 1") == true)
    #expect(policy.formatVersion.unknownReason != nil)
    #expect(policy.booleans.unknownReason != nil)
    #expect(policy.configuredMode.unknownReason != nil)
    #expect(policy.boolean("x").unknownReason != nil)
  }

  @Test func otherStore() throws {
    let host = try FixtureRoot([
      "etc/selinux/config": "SELINUXTYPE=default\n",
      "etc/selinux/default/active/modules/100/tor/cil": "",
    ])
    #expect(HostPolicy.read(host.tree).module("tor").value?.priority == 100)
  }

  @Test func aPathPartByPart() throws {
    let host = try FixtureRoot(["srv/real/keys/secret": "x"])
    try FileManager.default.createSymbolicLink(
      atPath: "\(host.path)/link", withDestinationPath: "/srv/./real")
    let keys = try Descriptor.folder(at: "\(host.path)/srv/real/keys")
    try keys.setLabel("system_u:object_r:tor_var_lib_t:s0")
    let parts = PathFacts.walk("/link//keys/../keys/secret", host.tree)
    #expect(
      parts.map(\.path) == [
        "/", "/link", "/srv", "/srv/real", "/srv/real/keys", "/srv/real/keys",
        "/srv/real/keys/secret",
      ])
    #expect(parts[1].target == "/srv/./real")
    #expect(parts[1].status.value?.kind == .link)
    #expect(parts[4].label == .present("system_u:object_r:tor_var_lib_t:s0"))
    #expect(parts[6].status.value?.size == 1)
    let missing = PathFacts.walk("/srv/none/more", host.tree)
    #expect(missing.last?.path == "/srv/none")
    #expect(missing.last?.status.isAbsent == true)
    let blocked = PathFacts.walk("/srv/real/keys/secret/more", host.tree)
    #expect(blocked.last?.status.isAbsent == true)
  }

  @Test func aLinkToItselfEnds() throws {
    let host = try FixtureRoot(["a/b": "x"])
    try FileManager.default.createSymbolicLink(
      atPath: "\(host.path)/loop", withDestinationPath: "loop")
    #expect(PathFacts.walk("/loop", host.tree).count == 42)
  }
}

/// Files in a folder of its own, gone with this value.
final class FixtureRoot: Sendable {
  let path: String

  /// - Parameter files: path below the root to content.
  init(_ files: [String: String]) throws {
    path = NSTemporaryDirectory() + "okf-\(UUID().uuidString.prefix(8))"
    for (name, text) in files {
      let file = URL(fileURLWithPath: "\(path)/\(name)")
      try FileManager.default.createDirectory(
        at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(text.utf8).write(to: file)
    }
  }

  deinit {
    do { try FileManager.default.removeItem(atPath: path) } catch {
      Issue.record("\(path) stays: \(error)")
    }
  }

  var tree: HostTree { HostTree(root: path) }
}
