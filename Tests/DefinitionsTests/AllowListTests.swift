import Definitions
import OnionModel
import Testing

@Suite struct AllowListTests {
  @Test(arguments: [
    ("host", "host:80", true), ("192.0.2.0/24", "host:80", false),
    ("192.0.2.0/24", "192.0.2.255:80", true), ("192.0.2.0/24", "192.0.3.0:80", false),
    ("192.0.2.7", "192.0.2.7:80", true), ("192.0.2.7/32", "192.0.2.6:80", false),
    ("0.0.0.0/0", "8.8.8.8:53", true), ("0.0.0.0/0", "[2001:db8::1]:53", false),
    ("::/0", "8.8.8.8:53", false), ("2001:db8::/33", "[2001:db8:7fff::1]:1", true),
    ("2001:db8::/33", "[2001:db8:8000::1]:1", false),
    ("192.0.2.0/24", "[::ffff:192.0.2.1]:80", true), ("::/0", "[::ffff:192.0.2.1]:80", false),
    ("unix:/run/onion-targets/*/*", "unix:/run/onion-targets/a/a.sock", true),
    ("unix:/run/onion-targets/*/*", "unix:/run/onion-targets/a/b/a.sock", false),
    ("unix:/run/onion-targets/*/*", "unix:/run/onion-targets/a.sock", false),
    ("unix:/srv/app?.sock", "unix:/srv/app1.sock", true),
    ("unix:/srv/app?.sock", "unix:/srv/app/.sock", false),
    ("container:web-*", "192.0.2.1:80", false), ("container:web-*", "container:web-1:80", true),
    ("container:web-?", "container:web-10:80", false), ("container:*", "container:db:80", true),
    ("container:web", "container:web-1:80", false), ("host", "container:host:80", false),
    ("container:host", "host:80", false), ("::/0", "container:web:80", false),
    ("64:ff9b::/96", "[64:ff9b::192.0.2.1]:80", false),
    ("::/0", "[64:ff9b::192.0.2.1]:80", false), ("::/0", "[2002:c000:201::1]:80", false),
    ("::/0", "[::ffff:0:192.0.2.1]:80", false), ("::/0", "[::192.0.2.1]:80", false),
    ("192.0.2.0/24", "[64:ff9b::192.0.2.1]:80", false), ("::/0", "[2001:db8::1]:80", true),
  ])
  func entry(_ entry: String, target: String, isAllowed: Bool) throws {
    let list = try AllowList([entry])
    #expect((list.refusal(of: try TargetText.parse(target)) == nil) == isAllowed)
  }

  /// A translator's address needs both: the network that leads to it, and what it leads to.
  @Test(arguments: ["[64:ff9b::192.0.2.1]:80", "[2002:c000:201::1]:80"])
  func aTranslatedAddressNeedsBoth(_ target: String) throws {
    let list = try AllowList(["64:ff9b::/96", "2002::/16", "192.0.2.0/24"])
    #expect(list.refusal(of: try TargetText.parse(target)) == nil)
  }

  @Test func anEmptyListAllowsNothing() throws {
    let list = try AllowList([])
    for target in [
      "host:1", "192.0.2.1:1", "[2001:db8::1]:1", "unix:/srv/app/a.sock", "container:web:80",
    ] {
      #expect(list.refusal(of: try TargetText.parse(target)) != nil)
    }
  }

  /// Whatever a host allows: these are not reachable even by a target that no definition could spell.
  @Test(arguments: [
    "/run/docker.sock", "/run/podman/podman.sock", "/run/dbus/system_bus_socket",
    "/run/systemd/notify", "/run/onionkeeper/status.sock", "/run/x.sock", "/x.sock",
    "/var/x.sock", "/var/run/x.sock", "/var/run/docker.sock", "/var/lib/docker/x/x.sock",
    "/proc/1/x", "/opt/keys/blog/x.sock", "/opt/x.sock",
  ])
  func neverAllowed(_ path: String) throws {
    let list = try AllowList(
      ["unix:/*", "unix:/*/*", "unix:/*/*/*", "unix:/*/*/*/*", "unix:/*/*/*/*/*"],
      ownPaths: ["/opt/keys"])
    let refusal = try #require(list.refusal(of: .unixSocket(path)))
    #expect(refusal.hasPrefix("target unix:\(path) is never allowed: "))
  }

  @Test(arguments: [
    ("example.com", "example.com is not an entry of allow.targets (\(forms))"),
    ("", "\"\" is not an entry of allow.targets (\(forms))"),
    ("192.0.2.0/33", "192.0.2.0/33 is not an entry of allow.targets (\(forms))"),
    ("192.0.2.0/024", "192.0.2.0/024 is not an entry of allow.targets (\(forms))"),
    ("192.0.2.1:80", "192.0.2.1:80 is not an entry of allow.targets (\(forms))"),
    ("::ffff:0.0.0.0/96", "::ffff:0.0.0.0/96 is not an entry of allow.targets (\(forms))"),
    ("192.0.2.1/24", "192.0.2.1/24 has bits behind its length (192.0.2.0/24)"),
    ("unix:srv/*", "unix:srv/* is not absolute (unix:/path)"),
    ("unix:/srv/../*", "unix:/srv/../* holds `.` or `..` (a path without)"),
    ("container:a/b", "container:a/b is not an entry of allow.targets (\(forms))"),
  ])
  func badEntry(_ entry: String, message: String) throws {
    let reading = readDocument(
      bytes: Array("targets: [\"\(entry)\"]\n".utf8), file: "host.yaml",
      fields: [
        Field("targets", .list(.text(AllowList.rule), count: 0...100), summary: "What may be.")
      ])
    #expect(
      reading.diagnostics.map(\.description) == ["host.yaml:1:11: targets[0]: \(message)"])
    #expect(throws: TextProblem.self) { try AllowList([entry]) }
  }

  private static let forms = "host, 192.0.2.0/24, 2001:db8::/32, unix:/run/app/*, container:web-*"
}
