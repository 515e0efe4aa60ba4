import OnionModel
import Testing

struct ModelTests {
  /// From tor's own documentation and Debian's onion sites: checksum and version hold.
  @Test(arguments: [
    "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion",
    "pg6mmjiyjmcrsslvykfwnntlaru7p5svn6y2ymmju6nubxndf4pscryd.onion",
  ]) func realAddressesAreValid(text: String) throws {
    let address = try #require(OnionAddress(text))
    #expect(address.text == text)
    #expect(OnionAddress(publicKey: address.publicKey) == address)
    var broken = Array(text)
    broken[5] = broken[5] == "a" ? "b" : "a"
    #expect(OnionAddress(String(broken)) == nil)
  }

  @Test(arguments: [
    (Int64(0), "1970-01-01T00:00:00.000Z"), (951_782_399_999, "2000-02-28T23:59:59.999Z"),
    (951_782_400_000, "2000-02-29T00:00:00.000Z"), (1_795_587_678_042, "2026-11-25T06:21:18.042Z"),
    (-1, "1969-12-31T23:59:59.999Z"),
  ]) func timesPrint(milliseconds: Int64, text: String) {
    #expect(Timestamp(milliseconds: milliseconds).description == text)
  }

  @Test(arguments: [
    ("", [UInt8]()), ("my", [0x66]), ("mzxw6ytboi", Array("foobar".utf8)),
  ]) func base32RoundTrips(text: String, bytes: [UInt8]) {
    #expect(Base32.encode(bytes) == text)
    #expect(Base32.decode(text) == bytes)
    #expect(Base32.decode(text.uppercased()) == bytes)
  }

  @Test(arguments: ["mz", "a", "m1", "my======"]) func base32Refuses(text: String) {
    #expect(Base32.decode(text) == nil)
  }

  /// The first is age's own example (age-encryption.org/v1, "The X25519 recipient type").
  @Test(arguments: [
    ("age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj", true),
    ("age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwk", false),
    ("AGE1ZVKYG2LQZRAA2LNJVQEJ32NKUU0UES2S82HZRYE869XEEXVN73EQUNUJWJ", false),
    ("age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujw", false),
    ("AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ", false),
    ("", false), ("age1", false), ("ssh-ed25519", false), ("ssh-ed25519 AAAA", false),
    ("ssh-dss AAAAB3NzaC1kc3M=", false),
  ]) func ageRecipients(text: String, isValid: Bool) {
    #expect(AgeRecipient.isValid(text) == isValid)
  }

  @Test(arguments: ["", "-a", "A", "a_b", "a/b", String(repeating: "a", count: 49)])
  func badNamesAreRefused(text: String) {
    #expect(ServiceName(text) == nil)
  }

  /// A golden digest: if it moves, every container of every host is made anew. Raise the version when that is meant.
  @Test func specificationDigestStandsStill() throws {
    let specification = ContainerSpecification(
      name: "onionkeeper-blog", instance: try #require(InstanceName("blog")),
      image: "onionkeeper-tor:0123456789ab", network: "onionkeeper", user: 7942,
      entrypoint: ["/bin/sh", "/etc/onionkeeper/start"],
      mounts: [Mount(source: "/k/blog", destination: "/keys", isReadOnly: true)],
      limits: .standard)
    #expect(
      specification.digest
        == "v1:c68168520d20d09c5a9b2fa81b65e9a903f3a6bac09aca152dadbc0031529e03")
  }

  @Test func configurationRenders() throws {
    let address = OnionAddress(publicKey: Array(repeating: 1, count: 32))
    let configuration = InstanceConfiguration(
      instance: try #require(InstanceName("blog")),
      services: [
        ConfiguredService(
          name: try #require(ServiceName("blog")), address: address,
          ports: [
            OnionPort(virtual: 80, target: .gateway(port: 8080)),
            OnionPort(virtual: 81, target: .address("fd00::1", port: 81)),
            OnionPort(virtual: 82, target: .unixSocket("/run/app/s.sock")),
          ],
          access: .clients([AuthorizedClient(name: "alice", key: String(repeating: "A", count: 52))]
          )
        )
      ], network: .off)
    #expect(configuration.files(gateway: nil) == nil)
    let files = try #require(configuration.files(gateway: "172.18.0.1"))
    #expect(
      files.torrc.contains("HiddenServiceDir /keys/blog\nHiddenServicePort 80 172.18.0.1:8080\n"))
    #expect(files.torrc.contains("HiddenServicePort 81 [fd00::1]:81\n"))
    #expect(files.torrc.contains("/s.sock\n"))
    #expect(files.torrc.contains("DisableNetwork 1\n"))
    #expect(files.sums.contains("blog/authorized_clients/0-onionkeeper.auth\n"))
    #expect(files.sums.contains("blog/authorized_clients/alice.auth\n"))
    #expect(files.guardScript.contains("count blog 2\n"))
  }
}
