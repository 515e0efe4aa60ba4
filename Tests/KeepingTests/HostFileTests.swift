import Definitions
import Foundation
import GitSource
import OnionModel
import Spawning
import Testing

@testable import Keeping

/// product.md §3: the host file, what it refuses and how it says so.
struct HostFileTests {
  /// A private folder with a host file, gone with this value.
  final class Folder {
    let path: String

    init() throws {
      path = NSTemporaryDirectory() + "okh-\(UUID().uuidString.prefix(8))"
      try FileManager.default.createDirectory(
        atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
      try write("signers", "alice ssh-ed25519 AAAA\n", mode: 0o600)
      try write("lines", "TestingTorNetwork 1\n", mode: 0o644)
      try write(
        "secret", "whsec_" + Data(repeating: 7, count: 32).base64EncodedString() + "\n",
        mode: 0o600)
    }

    deinit {
      do { try FileManager.default.removeItem(atPath: path) } catch {
        Issue.record("\(path) stays: \(error)")
      }
    }

    func write(_ name: String, _ text: String, mode: Int) throws {
      let file = "\(path)/\(name)"
      try Data(text.utf8).write(to: URL(fileURLWithPath: file))
      try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: file)
    }

    func read(_ text: String, mode: Int = 0o600) throws(HostFileError) -> HostConfiguration {
      do { try write("host.yaml", text, mode: mode) } catch { Issue.record("\(error)") }
      return try HostFile(path: "\(path)/host.yaml").read()
    }
  }

  static let minimal = """
    host: web-1
    repository: {url: /srv/onions, trust: {transport: true}}
    allow: {targets: [host]}

    """

  @Test func defaultsAreThoseOfTheManual() throws {
    let configuration = try Folder().read(Self.minimal)
    #expect(configuration.host.text == "web-1")
    #expect(configuration.repository.branch == "main")
    #expect(configuration.interval == 60)
    #expect(configuration.layout.keys == "/var/lib/onionkeeper/keys")
    #expect(configuration.base == .reference("docker.io/library/alpine:3.22"))
    #expect(configuration.network == .open)
    #expect(configuration.engine == .automatic)
  }

  /// Two spellings of one place would pass the check that keys and state do not lie in each other.
  @Test(arguments: ["/", "/srv/ok/", "/srv/./ok", "/srv/../ok", "/srv//ok", "srv/ok"])
  func directoriesHaveOneSpelling(path: String) {
    #expect(throws: HostFileError.self) {
      try Folder().read(Self.minimal + "directories: {keys: /srv/ok/keys, state: \"\(path)\"}\n")
    }
  }

  /// What a definition can ask for, a host can have.
  @Test func labelsAreThoseOfDefinitions() throws {
    let configuration = try Folder().read(Self.minimal + "labels: {Region_1: EU_west}\n")
    #expect(configuration.labels == ["Region_1": "EU_west"])
    #expect(throws: HostFileError.self) {
      try Folder().read(Self.minimal + "labels: {region: \"a b\"}\n")
    }
  }

  @Test func everythingOfThisVersionIsRead() throws {
    let folder = try Folder()
    let configuration = try folder.read(
      """
      host: web-1
      labels: {region: eu}
      repository:
        url: http://127.0.0.1:1/onions.git
        allowPlainHTTP: true
        branch: production
        path: hosts
        trust: {signers: \(folder.path)/signers}
      interval: 5m
      soak: 1h
      engine: {socket: /run/docker.sock}
      directories: {keys: /srv/k, state: /srv/s}
      image: {base: "bootstrap:bookworm"}
      allow: {targets: [host, "192.0.2.0/24", "unix:/run/onion-targets/*/*"], services: 7}
      webhooks:
        - {url: "http://127.0.0.1:9/hook", secretFile: \(folder.path)/secret, events: ["drift.*"]}
      tor: {network: \(folder.path)/lines}
      agent: {name: second}
      redactAddresses: true
      """)
    #expect(configuration.interval == 300)
    #expect(configuration.soak == 3600)
    #expect(configuration.base == .bootstrap("bookworm"))
    #expect(configuration.network == .lines("TestingTorNetwork 1\n"))
    #expect(configuration.networkNote == "\(folder.path)/lines")
    #expect(configuration.layout.containerName(try #require(InstanceName("blog"))) == "second-blog")
    #expect(configuration.webhooks.count == 1)
    #expect(configuration.serviceLimit == 7)
  }

  /// facts/swift.md §0.3: such a key would only ever fail, with a message that says nothing.
  @Test(
    arguments: [("rsa", "libssh2 1.10 signs with SHA-1"), ("ed25519", nil), ("ecdsa", nil)]
      as [(String, String?)])
  func keysThatCannotWorkAreRefusedAtTheCheck(type: String, complaint: String?) throws {
    let folder = try Folder()
    let key = "\(folder.path)/key"
    let made = try spawn(["ssh-keygen", "-q", "-t", type, "-N", "", "-f", key])
    #expect(made.code == 0)
    try folder.write("hosts", "", mode: 0o644)
    let text = Self.minimal.replacing(
      "/srv/onions,",
      with:
        "ssh://git@git.example/x.git, credentials: {sshKey: \(key), knownHosts: \(folder.path)/hosts},"
    )
    guard let complaint else {
      _ = try folder.read(text)
      return
    }
    let error = #expect(throws: HostFileError.self) { try folder.read(text) }
    #expect(error?.description.contains(complaint) == true, "\(error?.description ?? "")")
  }

  /// What is added to or replaced in the minimal file, and what the complaint must hold.
  static let refused: [(String, String, String)] = [
    ("host: web-1\n", "", "host"),
    ("host: web-1\n", "host: Web_1\n", "is not a host's name"),
    ("allow: {targets: [host]}\n", "", "allow"),
    ("{transport: true}", "{}", "says nothing that could be trusted"),
    ("{transport: true}", "{transport: false}", "says nothing that could be trusted"),
    ("{transport: true}", "{chain: true, transport: true}", "there are no signers"),
    ("/srv/onions", "http://git.example/x.git", "http"),
    ("/srv/onions", "https://user:secret@git.example/x.git", "credentials.tokenFile"),
    ("host: web-1\n", "host: web-1\nbackup: {recipients: [age1x]}\n", "is not an age recipient"),
    ("host: web-1\n", "host: web-1\nwebhook: []\n", "webhooks"),
    ("host: web-1\n", "host: web-1\ninterval: 60\n", "is not a duration"),
    ("host: web-1\n", "host: web-1\ninterval: 0s\n", "range"),
    ("host: web-1\n", "host: web-1\nsoak: 1w\n", "is not a duration"),
    ("host: web-1\n", "host: web-1\ndirectories: {keys: /a, state: /a/b}\n", "lie in each other"),
    ("host: web-1\n", "host: web-1\ndirectories: {keys: ../a}\n", "absolute path"),
    ("host: web-1\n", "host: web-1\ntor: {network: maybe}\n", "public, off"),
    ("host: web-1\n", "host: web-1\nimage: {base: latest}\n", "bootstrap:SUITE"),
    ("[host]", "[\"unix:relative/*\"]", "allow.targets"),
    (
      "host: web-1\n",
      "host: web-1\nwebhooks: [{url: \"http://hooks.example/x\", secretFile: /x}]\n", "url"
    ),
  ]

  @Test(arguments: refused) func isRefused(old: String, new: String, expected: String) throws {
    let folder = try Folder()
    let text = Self.minimal.replacingOccurrences(of: old, with: new)
    do throws(HostFileError) {
      _ = try folder.read(text)
      Issue.record("was accepted: \(text)")
    } catch {
      #expect(error.description.contains(expected))
      #expect(error.description.contains("host.yaml"))
      #expect(!error.description.contains("secret@"))
    }
  }

  @Test(arguments: [0o666, 0o620, 0o602]) func writableByOthersIsRefused(mode: Int) throws {
    let folder = try Folder()
    do throws(HostFileError) {
      _ = try folder.read(Self.minimal, mode: mode)
      Issue.record("was accepted")
    } catch {
      #expect(error.description.contains("writable by nobody else"))
    }
  }

  @Test func sealedKeysBackupsAndSingleHopAreTheOwners() throws {
    let folder = try Folder()
    let recipient = "age1wtjh4ywqr0hfa4yghrgf77mfnrf6mej2wmuhm3tm3krkg7uzn5fqu2x4qz"
    try folder.write("identity", "AGE-SECRET-KEY-1QQQ\n", mode: 0o600)
    let more = [
      "ageIdentity: \(folder.path)/identity\n", "backup: {recipients: [\(recipient)]}\n",
      "soak: 0s\n",
    ]
    let plain = try folder.read(Self.minimal)
    #expect(plain.ageIdentity == nil && plain.backupRecipients.isEmpty && !plain.allowsSingleHop)
    let whole = try folder.read(
      Self.minimal.replacingOccurrences(of: "[host]", with: "[host], singleHop: true")
        + more.joined())
    #expect(whole.ageIdentity == "\(folder.path)/identity")
    #expect(whole.backupRecipients == [recipient])
    #expect(whole.allowsSingleHop && whole.context.allowsSingleHop)
    for line in more {
      #expect(try folder.read(Self.minimal + line).fingerprint != plain.fingerprint)
      #expect(try folder.read(Self.minimal + line).identity == plain.identity)
    }
  }

  /// The engine's socket and the host's secrets are no targets, wherever their owner keeps them.
  @Test func whatTheFileNamesIsNoTarget() throws {
    let folder = try Folder()
    let configuration = try folder.read(
      """
      host: web-1
      repository: {url: /srv/onions, trust: {transport: true}}
      engine: {socket: /srv/engine/engine.sock}
      allow: {targets: ["unix:/srv/*/*", "unix:\(folder.path)/*", "unix:/tmp/*/*"]}
      webhooks: [{url: "https://hooks.example/x", secretFile: \(folder.path)/secret}]

      """)
    for path in ["/srv/engine/x.sock", "\(folder.path)/x.sock"] {
      let refusal = try #require(configuration.allow.refusal(of: .unixSocket(path)))
      #expect(refusal.contains("is never allowed"))
    }
    #expect(configuration.allow.refusal(of: .unixSocket("/srv/app/x.sock")) == nil)
  }

  /// A file in a folder where others write can be swapped; one on the way may be sticky, as /tmp is.
  @Test(arguments: [(0o777, false), (0o1777, false), (0o775, false), (0o755, true)])
  func foldersOfOthersAreRefused(mode: Int, isFine: Bool) throws {
    let folder = try Folder()
    let inner = "\(folder.path)/etc"
    try FileManager.default.createDirectory(atPath: inner, withIntermediateDirectories: false)
    try folder.write("etc/host.yaml", Self.minimal, mode: 0o600)
    try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: inner)
    do throws(HostFileError) {
      _ = try HostFile(path: "\(inner)/host.yaml").read()
      #expect(isFine)
    } catch {
      #expect(!isFine && error.description.contains("lies in \(inner), where others can write"))
    }
  }

  /// Links are followed as far as only root could have laid them.
  @Test func aLinkLeadsNowhereThatOthersWrite() throws {
    let folder = try Folder()
    try FileManager.default.createDirectory(
      atPath: "\(folder.path)/open", withIntermediateDirectories: false,
      attributes: [.posixPermissions: 0o755])
    try folder.write("real.yaml", Self.minimal, mode: 0o600)
    try FileManager.default.createSymbolicLink(
      atPath: "\(folder.path)/open/host.yaml", withDestinationPath: "../real.yaml")
    let file = HostFile(path: "\(folder.path)/open/host.yaml")
    #expect(try file.read().host.text == "web-1")
    try FileManager.default.setAttributes(
      [.posixPermissions: 0o777], ofItemAtPath: "\(folder.path)/open")
    #expect(throws: HostFileError.self) { try file.read() }
    try FileManager.default.createSymbolicLink(
      atPath: "\(folder.path)/round", withDestinationPath: "round")
    #expect(throws: HostFileError.self) {
      try HostFile(path: "\(folder.path)/round").read()
    }
  }

  @Test func everyTextHasAPattern() {
    func texts(_ type: FieldType) -> [TextRule] {
      switch type {
      case .text(let rule): [rule]
      case .map(let key, let value, _): [key, value]
      case .list(let item, _): texts(item)
      case .either(let types, _): types.flatMap(texts)
      case .record(let fields): fields.flatMap { texts($0.type) }
      default: []
      }
    }
    let rules = (HostFields.all + DefinitionFields.definition).flatMap { texts($0.type) }
    #expect(rules.count > 30)
    for rule in rules { #expect(rule.pattern != nil, "\(rule.noun)") }
  }

  @Test func offIsAWordHere() throws {
    let configuration = try Folder().read(Self.minimal + "tor: {network: off}\n")
    #expect(configuration.network == .off)
  }

  @Test func identityMovesWithHostLabelsAndSource() throws {
    let folder = try Folder()
    let base = try folder.read(Self.minimal).identity
    for (old, new) in [
      ("web-1", "web-2"), ("/srv/onions", "/srv/other"), ("allow:", "labels: {a: b}\nallow:"),
      ("trust:", "branch: other, trust:"), ("trust:", "path: sub, trust:"),
    ] {
      let moved = try folder.read(Self.minimal.replacingOccurrences(of: old, with: new))
      #expect(moved.identity != base)
    }
    let same = try folder.read(Self.minimal + "interval: 5m\n")
    #expect(same.identity == base)
    #expect(same.fingerprint != (try folder.read(Self.minimal)).fingerprint)
  }
}
