import Foundation
import Testing

@testable import GitSource

@Suite struct DigestTests {
  /// From `sha256sum`, `sha1sum` and RFC 2202, around the padding's edges.
  @Test(arguments: [
    (0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    (3, "9834876dcfb05cb167a5c24953eba58c4ac89b1adf57f28f2f9d09af107ee8f0"),
    (55, "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318"),
    (56, "b35439a4ac6f0948b6d6f9e3c6af0f5f590ce20f1bde7090ef7970686ec6738a"),
    (64, "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb"),
    (1000, "41edece42d63e8d9bf515a9ba6932e1c20cbc9f5a5d134645adb5db1b9737ea3"),
  ])
  func sha256(count: Int, expected: String) {
    #expect(hex(Digest.sha256([UInt8](repeating: UInt8(ascii: "a"), count: count))) == expected)
  }

  @Test func sha1AndHMAC() {
    #expect(hex(Digest.sha1(Array("abc".utf8))) == "a9993e364706816aba3e25717850c26c9cd0d89d")
    let cases: [([UInt8], [UInt8], String)] = [
      (
        [UInt8](repeating: 0x0b, count: 20), Array("Hi There".utf8),
        "b617318655057264e28bc0b6fb378c8ef146be00"
      ),
      (
        [UInt8](repeating: 0xaa, count: 80),
        Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
        "aa4ae5e15272d00e95705637ce8a3b55ed402112"
      ),
    ]
    for (key, message, expected) in cases {
      #expect(hex(Digest.hmacSHA1(key: key, message)) == expected)
    }
  }

  @Test func base64() {
    for count in 0...40 {
      let bytes = (0..<count).map { UInt8($0 * 37 & 255) }
      let text = Base64.encode(bytes)
      #expect(text == Data(bytes).base64EncodedString())
      #expect(Base64.decode(text.utf8) == bytes)
    }
    for bad in ["A", "AA", "AAA", "A===", "AA=A", "AB==", "AAB=", "AA A", "AA==AAAA", "A-_A"] {
      #expect(Base64.decode(bad.utf8) == nil, "\(bad)")
    }
  }

  private func hex(_ bytes: [UInt8]) -> String {
    bytes.map { String(format: "%02x", $0) }.joined()
  }
}

@Suite struct RemoteAddressTests {
  @Test(
    arguments: [
      ("https://git.example/a.git", "https", "git.example", 443, nil),
      ("https://git.example:8443/a.git", "https", "git.example", 8443, nil),
      ("http://[::1]:8080/a", "http", "::1", 8080, nil),
      ("ssh://git@Git.Example/onions.git", "ssh", "git.example", 22, "git"),
      ("ssh://git.example:2222/onions.git", "ssh", "git.example", 2222, nil),
      ("git@git.example:org/onions.git", "ssh", "git.example", 22, "git"),
      ("git://git.example/onions.git", "git", "git.example", 9418, nil),
      ("file:///srv/git/a.git", "file", "", 0, nil), ("/srv/git/a.git", "file", "", 0, nil),
    ] as [(String, String, String, Int, String?)])
  func good(url: String, scheme: String, host: String, port: Int, user: String?) throws {
    let address = try RemoteAddress(url)
    #expect(address.scheme.rawValue == scheme)
    #expect(address.host == host)
    #expect(address.port == port)
    #expect(address.user == user)
    #expect(address.url == url)
  }

  @Test(arguments: [
    ("ftp://a/b", "not supported"), ("git://user@git.example/a", "tokenFile"),
    ("https://user:hunter2@git.example/a", "tokenFile"), ("https://tok@git.example/a", "tokenFile"),
    ("ssh://git:hunter2@git.example/a", "tokenFile"), ("relative/path", "relative"), ("", "empty"),
    ("https://git.example", "no path"), ("https://git.example/", "no path"),
    ("https://git.example:0/a", "port"), ("https://git.example:99999/a", "port"),
    ("https://git.example/a?b=c", "query"), ("https://-x/a", "host name"),
    ("https://a b/c", "spaces"), ("https:///a", "host name"), ("git@host:", "no path"),
    ("file://host/a", "absolute"), ("https://[::1/a", "']'"), ("https://a/\n", "control"),
  ])
  func bad(url: String, says: String) {
    let error = #expect(throws: GitError.self) { try RemoteAddress(url) }
    #expect(error?.code == .configuration)
    #expect(error?.message.contains(says) == true, "\(error?.message ?? "")")
    #expect(error?.message.contains("hunter2") == false)
  }

  @Test func schemesAndCredentialsFit() {
    func check(_ url: String, _ credentials: RepositorySource.Credentials, plain: Bool = false)
      -> GitError.Code?
    {
      let source = RepositorySource(
        url: url, branch: "main", credentials: credentials, allowPlainHTTP: plain)
      do throws(GitError) {
        _ = try source.checkedAddress()
        return nil
      } catch { return error.code }
    }
    let token = RepositorySource.Credentials.token(file: "/t", user: "git")
    let key = RepositorySource.Credentials.sshKey(file: "/k", knownHosts: "/h")
    #expect(check("http://a/b", .none) == .configuration)
    #expect(check("http://a/b", .none, plain: true) == nil)
    #expect(check("https://a/b", token) == nil)
    #expect(check("https://a/b", key) == .configuration)
    #expect(check("ssh://a/b", .none) == .configuration)
    #expect(check("ssh://a/b", key) == nil)
    #expect(check("/a/b", token) == .configuration)
  }

  @Test(arguments: ["", "refs/heads/main", "a..b", "a*", "a:b", "a b", "a.lock", "@{x"])
  func badBranches(branch: String) {
    let source = RepositorySource(url: "/a/b", branch: branch)
    #expect(throws: GitError.self) { try source.checkedAddress() }
  }

  @Test(arguments: ["/abs", "a//b", "../x", "a/../b", "a/", "./a"])
  func badPaths(path: String) {
    let source = RepositorySource(url: "/a/b", branch: "main", path: path)
    #expect(throws: GitError.self) { try source.checkedPath() }
  }
}

@Suite struct KnownHostsTests {
  private func key(_ seed: UInt8, type: String = "ssh-ed25519") -> [UInt8] {
    func field(_ bytes: [UInt8]) -> [UInt8] { [0, 0, 0, UInt8(bytes.count)] + bytes }
    switch type {
    case "ssh-ed25519":
      return field(Array(type.utf8)) + field([UInt8](repeating: seed, count: 32))
    default:
      return field(Array(type.utf8)) + field(Array("nistp256".utf8))
        + field([4] + [UInt8](repeating: seed, count: 64))
    }
  }

  private func line(_ hosts: String, _ key: [UInt8]) -> String {
    "\(hosts) \(SSHWire.keyType(key) ?? "") \(Base64.encode(key))"
  }

  @Test func verdicts() throws {
    let (mine, other) = (key(1), key(2))
    let ecdsa = key(3, type: "ecdsa-sha2-nistp256")
    let text = """
      # a comment

      \(line("git.example,10.0.0.1", mine)) a comment with words
      \(line("[git.example]:2222", other))\t
      \(line("*.wild.example,!no.wild.example", mine))
      @revoked \(line("bad.example", other))
      @cert-authority \(line("ca.example", mine))
      \(line("rotating.example", mine))
      \(line("rotating.example", other))
      """
    let hosts = try KnownHosts(text: text, name: "f")
    #expect(hosts.verdict(host: "git.example", key: mine) == .pinned)
    #expect(hosts.verdict(host: "10.0.0.1", key: mine) == .pinned)
    #expect(hosts.verdict(host: "git.example", key: other) == .differs(pinned: [mine]))
    #expect(hosts.verdict(host: "git.example", key: ecdsa) == .otherTypes(["ssh-ed25519"]))
    #expect(hosts.verdict(host: "[git.example]:2222", key: other) == .pinned)
    #expect(hosts.verdict(host: "[git.example]:2223", key: other) == .unknownHost)
    #expect(hosts.verdict(host: "a.wild.example", key: mine) == .pinned)
    #expect(hosts.verdict(host: "no.wild.example", key: mine) == .unknownHost)
    #expect(hosts.verdict(host: "bad.example", key: other) == .revoked(line: 6))
    #expect(hosts.verdict(host: "ca.example", key: mine) == .unknownHost)
    #expect(hosts.verdict(host: "rotating.example", key: other) == .pinned)
  }

  /// The name is hashed by the real `ssh-keygen -H`.
  @Test func hashedNames() async throws {
    let folder = try Folder()
    let mine = key(7)
    let file = try folder.write(
      "known_hosts", line("git.example", mine) + "\n" + line("[git.example]:2222", key(8)) + "\n")
    try await run("ssh-keygen", ["-H", "-f", file])
    try #require(try String(contentsOfFile: file, encoding: .utf8).hasPrefix("|1|"))
    let hosts = try KnownHosts(file: file)
    #expect(hosts.verdict(host: "git.example", key: mine) == .pinned)
    #expect(hosts.verdict(host: "[git.example]:2222", key: key(8)) == .pinned)
    #expect(hosts.verdict(host: "other.example", key: mine) == .unknownHost)
  }

  @Test func badLines() {
    let good = line("a", key(1))
    let long = key(1) + [0]
    let cases = [
      "a ssh-ed25519", "a ssh-rsa \(Base64.encode(key(1)))", "a ssh-ed25519 !!!!",
      "@strange \(good)", "\(good) b ssh-ed25519 \(Base64.encode(key(2)))",
      "\(good)\(good)", "\(good) AAAAB3Nza", "a ssh-ed25519 \(Base64.encode(long))",
      "a ssh-ed25519 \(Base64.encode(Array(key(1).dropLast())))", "|1|x|y \(good.dropFirst(2))",
    ]
    for bad in cases {
      let error = #expect(throws: GitError.self, "\(bad)") {
        try KnownHosts(text: "# first\n\(good)\n\(bad)\n", name: "/etc/hosts-file")
      }
      #expect(error?.message.contains("/etc/hosts-file:3:") == true, "\(error?.message ?? "")")
    }
  }
}

@Suite struct FileTests {
  @Test func secretsAreGuarded() throws {
    let folder = try Folder()
    #expect(try Token.read(folder.write("t", "  secret-token\n")) == "secret-token")
    for mode in [0o640, 0o604, 0o620, 0o660] {
      let file = try folder.write("t", "secret-token\n", mode: mode)
      let error = #expect(throws: GitError.self) { try Token.read(file) }
      #expect(error?.message.contains("chmod 600") == true)
      #expect(error?.message.contains("secret-token") == false)
    }
    for text in ["", "\n", "two words", "a\nb", "caf\u{e9}"] {
      let file = try folder.write("t", text)
      #expect(throws: GitError.self, "\(text)") { try Token.read(file) }
    }
    #expect(throws: GitError.self) { try Token.read(folder.path) }
    #expect(throws: GitError.self) { try Token.read(folder.path + "/missing") }
    #expect(throws: GitError.self) { try Token.read("relative") }
    let large = try folder.write("big", String(repeating: "a", count: (1 << 20) + 1))
    #expect(throws: GitError.self) { try Token.read(large) }
  }

  /// What `check --host` can know without a network.
  @Test func sourcesAreCheckedWithTheirFiles() async throws {
    let folder = try Folder()
    let key = folder.path + "/key"
    try await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", key])
    let hosts = try folder.write("known_hosts", "# none yet\n")
    let missing = folder.path + "/missing"
    func check(_ url: String, _ credentials: RepositorySource.Credentials, ca: String? = nil)
      -> GitError?
    {
      let source = RepositorySource(
        url: url, branch: "main", credentials: credentials, caFile: ca)
      do throws(GitError) {
        try source.check()
        return nil
      } catch { return error }
    }
    #expect(check("git@host:a.git", .sshKey(file: key, knownHosts: hosts)) == nil)
    #expect(check("https://host/a", .none, ca: hosts) == nil)
    for (wrong, says) in [
      (check("git@host:a.git", .sshKey(file: missing, knownHosts: hosts)), "sshKey"),
      (check("git@host:a.git", .sshKey(file: hosts, knownHosts: hosts)), "sshKey"),
      (check("git@host:a.git", .sshKey(file: key, knownHosts: missing)), "knownHosts"),
      (check("git@host:a.git", .sshKey(file: key, knownHosts: key)), "knownHosts"),
      (check("https://host/a", .token(file: missing, user: "git")), "tokenFile"),
      (check("https://host/a", .none, ca: missing), "caFile"),
    ] {
      #expect(wrong?.code == .configuration)
      #expect(wrong?.operation.contains(says) == true, "\(String(describing: wrong))")
    }
  }

  @Test func signersMustBeRoots() throws {
    let folder = try Folder()
    let file = try folder.write("signers", "a ssh-ed25519 AAAA", mode: 0o644)
    let source = RepositorySource(url: "/a/b", branch: "main")
    try TrustPolicy.signers(file: file).check(for: source)
    for mode in [0o664, 0o646] {
      try folder.write("signers", "x", mode: mode)
      #expect(throws: GitError.self) { try TrustPolicy.signers(file: file).check(for: source) }
    }
    try folder.write("signers", "x", mode: 0o644)
    try #require(chown(file, 1234, 0) == 0, "the tests run as root")
    let error = #expect(throws: GitError.self) {
      try TrustPolicy.signers(file: file).check(for: source)
    }
    #expect(error?.message.contains("uid 1234") == true)
  }

  @Test(
    arguments: [
      (["-t", "ed25519"], nil), (["-t", "ecdsa"], nil), (["-t", "rsa", "-b", "2048"], "RSA"),
      (["-t", "rsa", "-b", "2048", "-m", "PEM"], "RSA"),
      (["-t", "rsa", "-b", "2048", "-m", "PKCS8"], "RSA"), (["-t", "ecdsa", "-m", "PKCS8"], nil),
      (["-t", "ed25519", "-N", "passphrase"], "passphrase"),
      (["-t", "ecdsa", "-m", "PKCS8", "-N", "passphrase"], "passphrase"),
      (["-t", "ecdsa", "-m", "PEM", "-N", "passphrase"], "passphrase"),
    ] as [([String], String?)])
  func privateKeys(options: [String], refused: String?) async throws {
    let folder = try Folder()
    let file = folder.path + "/key"
    let passphrase = options.contains("-N") ? [] : ["-N", ""]
    try await run("ssh-keygen", ["-q", "-f", file] + options + passphrase)
    guard let refused else {
      #expect(try SSHPrivateKey.read(file, passphraseFile: nil).passphrase == nil)
      return
    }
    let error = #expect(throws: GitError.self) {
      try SSHPrivateKey.read(file, passphraseFile: nil)
    }
    #expect(error?.message.contains(refused) == true, "\(error?.message ?? "")")
    guard refused == "passphrase" else { return }
    let secret = try folder.write("passphrase", "two words\n")
    #expect(try SSHPrivateKey.read(file, passphraseFile: secret).passphrase == "two words")
    for (text, mode) in [("", 0o600), ("a\nb", 0o600), ("open", 0o644)] {
      let bad = try folder.write("bad", text, mode: mode)
      #expect(throws: GitError.self) { try SSHPrivateKey.read(file, passphraseFile: bad) }
    }
  }

  @Test(arguments: ["", "ssh-ed25519 AAAA", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n"])
  func noPrivateKey(text: String) {
    #expect(isUseless(text))
  }

  private func isUseless(_ text: String) -> Bool {
    if case .useless = SSHPrivateKey.judge(text) { true } else { false }
  }

  @Test func damagedPrivateKeysAreRefused() {
    let magic = Array("openssh-key-v1\0".utf8)
    for blob in [
      [], [1, 2, 3], magic, magic + [0xff, 0xff, 0xff, 0xff], magic + [0, 0, 0, 4, 110],
    ] {
      let text = """
        -----BEGIN OPENSSH PRIVATE KEY-----
        \(Base64.encode(blob))
        -----END OPENSSH PRIVATE KEY-----
        """
      #expect(isUseless(text))
    }
  }
}
