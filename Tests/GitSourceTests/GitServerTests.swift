import Foundation
import GitSource
import Testing

/// Fetching over the network, from real servers: `git http-backend`, OpenSSH's sshd, TLS.
@Suite struct GitServerTests {
  static func quick(_ source: inout RepositorySource) {
    source.limits.idle = .seconds(1)
    source.limits.total = .seconds(20)
  }

  /// A repository behind ops/lib/git-server; `misbehave` is the file that steers its faults.
  private func serving(
    token: String? = nil,
    _ body: (_ repository: Repository, _ url: String, _ misbehave: String) async throws -> Void
  ) async throws {
    let repository = try await Repository()
    try await repository.commit(Repository.onions)
    let folder = repository.folder
    let misbehave = folder.path + "/misbehave"
    var arguments = ["--root", folder.path, "--misbehave", misbehave]
    if let token { arguments += ["--token", try folder.write("server-token", token)] }
    try await Tool.serving("git-server", in: folder.path + "/http", arguments) { url in
      try await body(repository, url + "/" + repository.name, misbehave)
    }
  }

  private func mirror(
    _ repository: Repository, _ url: String, _ change: (inout RepositorySource) -> Void = { _ in }
  ) -> GitMirror {
    repository.mirror {
      $0.url = url
      $0.allowPlainHTTP = true
      change(&$0)
    }
  }

  // MARK: - http

  @Test func fetchesOverHTTP() async throws {
    try await serving { repository, url, _ in
      let mirror = mirror(repository, url)
      let tip = try await mirror.look()
      #expect(try await mirror.fetch() == tip)
      let next = try await repository.commit(Repository.onions, "next")
      #expect(try await mirror.fetch().commit == next)
      #expect(try await mirror.isDescendant(next, of: tip.commit))
      await expectError(.branchMissing) {
        try await self.mirror(repository, url) { $0.branch = "none" }.look()
      }
      let empty = try await run("git", ["init", "-q", "--bare", repository.folder.path + "/e.git"])
      #expect(empty.isEmpty)
      await expectError(.emptyRepository) {
        try await self.mirror(repository, url.replacing("onions.git", with: "e.git")).look()
      }
      let error = await expectError(.authentication) {
        try await self.mirror(repository, url.replacing("onions.git", with: "none.git")).look()
      }
      #expect(error.message.contains("not found"), "\(error)")
    }
  }

  @Test func takesOnlyTheBranch() async throws {
    try await serving { repository, url, _ in
      let tree = try await repository.tree(of: ["a": "other"])
      let other = try await repository.commit(tree: tree, branch: "other", parents: [])
      try await repository.git("tag", "v1", other)
      try await repository.git("tag", "-m", "annotated", "v2", "main")
      let mirror = mirror(repository, url)
      let main = try await mirror.fetch().commit
      #expect(await !mirror.contains(other))
      let references = try await run("git", ["for-each-ref"], in: mirror.path)
      #expect(references == "\(main) commit\trefs/onionkeeper/tip")
    }
  }

  @Test func tokens() async throws {
    try await serving(token: "right-token") { repository, url, _ in
      let file = try repository.folder.write("token", "right-token\n")
      let mirror = mirror(repository, url) { $0.credentials = .token(file: file, user: "git") }
      try await mirror.fetch()
      // The file is read at each use.
      try repository.folder.write("token", "wrong-token")
      var error = await expectError(.authentication) { try await mirror.look() }
      #expect(error.message.contains("not found, or the token"), "\(error)")
      #expect(!error.message.contains("wrong-token"))
      try repository.folder.write("token", "right-token", mode: 0o644)
      error = await expectError(.configuration) { try await mirror.look() }
      #expect(error.message.contains("chmod 600"), "\(error)")
      try repository.folder.write("token", "right-token")
      _ = try await mirror.look()
      error = await expectError(.authentication) { try await self.mirror(repository, url).look() }
      #expect(error.message.contains("tokenFile"), "\(error)")
    }
  }

  @Test(
    arguments: [
      ("401", .authentication), ("403", .authentication), ("404", .authentication),
      ("500", .unreachable), ("503", .unreachable), ("garbage", .unreachable), ("hang", .timeout),
      ("stall", .timeout), ("flood", .limit),
    ] as [(String, GitError.Code)])
  func misbehavingServer(fault: String, code: GitError.Code) async throws {
    try await serving { repository, url, misbehave in
      let mirror = mirror(repository, url) {
        Self.quick(&$0)
        $0.limits.bytes = 1 << 20
      }
      let first = try await mirror.fetch()
      try await repository.commit(Repository.onions, "next")
      // At the list of references, and at the pack.
      for place in ["@info/refs", "@/git-upload-pack"] {
        try Data("\(fault) \(place)".utf8).write(to: URL(filePath: misbehave))
        let error = await expectError(code) { try await mirror.fetch() }
        #expect(!error.message.isEmpty)
        #expect(await mirror.contains(first.commit), "\(fault) \(place)")
      }
      try FileManager.default.removeItem(atPath: misbehave)
      _ = try await mirror.fetch()
    }
  }

  /// A byte each 0.2 s is never idle: only the deadline ends it.
  @Test func drippingServerMeetsTheDeadline() async throws {
    try await serving { repository, url, misbehave in
      try Data("drip".utf8).write(to: URL(filePath: misbehave))
      let mirror = mirror(repository, url) { $0.limits.total = .seconds(2) }
      let error = await expectError(.timeout) { try await mirror.look() }
      #expect(error.message.contains("in all"), "\(error)")
    }
  }

  @Test func redirectsAreRefused() async throws {
    try await serving { repository, url, misbehave in
      let port = try #require(url.split(separator: ":").last?.split(separator: "/").first)
      for target in [
        "http://localhost:\(port)", "http://127.0.0.1:1", "http://127.0.0.2:\(port)",
        "https://127.0.0.1:\(port)/x",
      ] {
        try Data("redirect \(target)".utf8).write(to: URL(filePath: misbehave))
        let mirror = mirror(repository, url, Self.quick)
        do throws(GitError) {
          let tip = try await mirror.look()
          Issue.record("followed \(target) to \(tip)")
        } catch {
          // To TLS on the same port the server itself answers with nonsense.
          #expect(
            error.code == .redirect || (target.hasPrefix("https") && error.code == .unreachable),
            "\(target): \(error)")
        }
      }
    }
  }

  @Test func limitsHoldOverHTTP() async throws {
    try await serving { repository, url, _ in
      await expectError(.limit) {
        try await self.mirror(repository, url) { $0.limits.objects = 1 }.fetch()
      }
      await expectError(.limit) {
        try await self.mirror(repository, url) { $0.limits.bytes = 64 }.fetch()
      }
    }
  }

  /// libgit2 holds the list in memory, several times as large.
  @Test func theListOfBranchesHasABoundOfItsOwn() async throws {
    try await serving { repository, url, misbehave in
      var noise = SystemRandomNumberGenerator()
      let text = (0..<20_000).map { _ in String(noise.next() as UInt64, radix: 36) }.joined()
      try await repository.commit(["services/a.yaml": text])
      let mirror = mirror(repository, url) { $0.limits.references = 64 << 10 }
      // What is asked for afterwards may be larger.
      let tip = try await mirror.fetch()
      #expect(await mirror.contains(tip.commit))
      try Data("flood @info/refs".utf8).write(to: URL(filePath: misbehave))
      let error = await expectError(.limit) { try await mirror.look() }
      #expect(error.message.contains("branches and tags"), "\(error)")
      #expect(await mirror.contains(tip.commit))
    }
  }

  /// More than is taken: before it is all here, and before it is unpacked.
  @Test func largeObjectsMeetTheirLimits() async throws {
    try await serving { repository, url, _ in
      let mirror = mirror(repository, url) { $0.limits.bytes = 1 << 20 }
      let first = try await mirror.fetch()
      var noise = SystemRandomNumberGenerator()
      let large = (0..<300_000).map { _ in String(noise.next() as UInt64, radix: 36) }.joined()
      try await repository.commit(["large": large])
      await expectError(.limit) { try await mirror.fetch() }
      #expect(await mirror.contains(first.commit))
      // A few kilobytes that unpack to eighty megabytes: taken in as a stream, and never into memory.
      try await repository.git("update-ref", "refs/heads/main", first.commit)
      let zeros = repository.folder.path + "/zeros"
      try await run("truncate", ["-s", "80M", zeros])
      let blob = try await repository.git("hash-object", "-w", zeros)
      let services = try await repository.tree(["100644 blob \(blob)\tzeros.yaml"])
      let bomb = try await repository.commit(
        tree: try await repository.tree(["040000 tree \(services)\tservices"]))
      #expect(try await mirror.fetch().commit == bomb)
      let listing = try await mirror.readTree(commit: bomb)
      #expect(listing.files.map(\.content) == [.tooLarge(size: 80 << 20, limit: 256 << 10)])
    }
  }

  @Test func cancellationEndsAHangingFetch() async throws {
    try await serving { repository, url, misbehave in
      try Data("hang".utf8).write(to: URL(filePath: misbehave))
      let mirror = mirror(repository, url)
      let task = Task { try await mirror.fetch() }
      let log = repository.folder.path + "/http/requests.log"
      try await eventually("the server holds the request") {
        try FileManager.default.fileExists(atPath: log)
          && String(contentsOfFile: log, encoding: .utf8).contains("hang")
      }
      task.cancel()
      // The idle limit is 30 s and the deadline 300 s: only the cancellation ends this in time.
      let start = ContinuousClock.now
      await expectError(.cancelled) { try await task.value }
      #expect(ContinuousClock.now - start < .seconds(15))
    }
  }

  // MARK: - sockets

  @Test func silentServersMeetTheirDeadlines() async throws {
    let repository = try await Repository()
    let server = try SilentServer()
    let key = repository.folder.path + "/key"
    try await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", key])
    let hosts = try repository.folder.write("known_hosts", "")
    let http = mirror(repository, "http://127.0.0.1:\(server.port)/a.git", Self.quick)
    let error = await expectError(.timeout) { try await http.look() }
    #expect(error.message.contains("silent"), "\(error)")
    let secure = mirror(repository, "https://127.0.0.1:\(server.port)/a.git", Self.quick)
    await expectError(.timeout) { try await secure.look() }
    // No banner: libssh2 itself would wait for ever.
    for bound in [\SourceLimits.idle, \SourceLimits.total] {
      let ssh = mirror(repository, "ssh://git@127.0.0.1:\(server.port)/a.git") {
        $0.credentials = .sshKey(file: key, knownHosts: hosts)
        $0.limits[keyPath: bound] = .seconds(1)
      }
      await expectError(.timeout) { try await ssh.look() }
    }
  }

  /// In the middle of what libssh2 would wait for without any bound.
  @Test func cancellationEndsASilentSSHConversation() async throws {
    let repository = try await Repository()
    let server = try SilentServer()
    let key = repository.folder.path + "/key"
    try await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", key])
    let hosts = try repository.folder.write("known_hosts", "")
    let mirror = mirror(repository, "ssh://git@127.0.0.1:\(server.port)/a.git") {
      $0.credentials = .sshKey(file: key, knownHosts: hosts)
    }
    let task = Task { try await mirror.look() }
    try await eventually("it connects") { server.hasClient }
    task.cancel()
    let start = ContinuousClock.now
    await expectError(.cancelled) { try await task.value }
    #expect(ContinuousClock.now - start < .seconds(15))
  }

  @Test func noServerAndNoName() async throws {
    let repository = try await Repository()
    let refused = mirror(repository, "http://127.0.0.1:1/a.git")
    let error = await expectError(.unreachable) { try await refused.look() }
    #expect(error.message.contains("refused"), "\(error)")
    let nameless = mirror(repository, "http://name.invalid/a.git") {
      $0.limits.connect = .seconds(5)
    }
    do throws(GitError) {
      _ = try await nameless.look()
      Issue.record("name.invalid was found")
    } catch {
      // Without a network the resolver may not even say no.
      #expect([.unreachable, .timeout].contains(error.code), "\(error)")
      #expect(error.message.contains("name.invalid"))
    }
  }

  // MARK: - ssh

  @Test func fetchesOverSSH() async throws {
    let repository = try await Repository()
    let first = try await repository.commit(Repository.onions)
    let folder = repository.folder
    let server = folder.path + "/ssh"
    try await Tool.serving("sshd", in: server, ["--root", folder.path]) { url in
      let key = server + "/client_key"
      let pins = server + "/known_hosts"
      func mirror(_ hosts: String, key: String, name: String = repository.name) -> GitMirror {
        repository.mirror {
          $0.url = url + "/" + name
          $0.credentials = .sshKey(file: key, knownHosts: hosts)
        }
      }
      let right = mirror(pins, key: key)
      #expect(try await right.look().commit == first)
      try await right.fetch()
      let next = try await repository.commit(Repository.onions, "next")
      #expect(try await right.fetch().commit == next)

      // Hashed names are found, too.
      let text = try String(contentsOfFile: pins, encoding: .utf8)
      let hashed = try folder.write("hashed", text)
      try await run("ssh-keygen", ["-H", "-f", hashed])
      _ = try await mirror(hashed, key: key).look()

      // Not pinned; pinned by another key; only of another type; refused before any credential.
      let shown = try await run("ssh-keygen", ["-l", "-f", pins])
      let fingerprint = String(try #require(shown.split(separator: " ").dropFirst().first))
      var error = await expectError(.hostKey) {
        try await mirror(try folder.write("none", ""), key: key).look()
      }
      #expect(error.message.contains(fingerprint), "\(error)")
      let place = String(try #require(text.split(separator: " ").first))
      for (type, says) in [("ed25519", "not the pinned one"), ("ecdsa", "no key of this type")] {
        let other = folder.path + "/" + type
        try await run("ssh-keygen", ["-q", "-t", type, "-N", "", "-f", other])
        let line = try String(contentsOfFile: other + ".pub", encoding: .utf8)
        let changed = try folder.write("changed", "\(place) \(line)")
        error = await expectError(.hostKey) { try await mirror(changed, key: key).look() }
        #expect(error.message.contains(says), "\(error)")
        #expect(error.message.contains(fingerprint), "\(error)")
      }
      // Both fingerprints of a changed key are shown.
      let pinned = try await run("ssh-keygen", ["-l", "-f", folder.path + "/ed25519.pub"])
      let changed = try folder.write(
        "changed",
        "\(place) \(try String(contentsOfFile: folder.path + "/ed25519.pub", encoding: .utf8))")
      error = await expectError(.hostKey) { try await mirror(changed, key: key).look() }
      #expect(error.message.contains(String(pinned.split(separator: " ")[1])), "\(error)")

      // The same key behind a passphrase, right, wrong and unknown.
      let locked = folder.path + "/locked"
      try FileManager.default.copyItem(atPath: key, toPath: locked)
      try await run("ssh-keygen", ["-q", "-p", "-P", "", "-N", "two words", "-f", locked])
      func opened(by file: String?) -> GitMirror {
        repository.mirror {
          $0.url = url + "/" + repository.name
          $0.credentials = .sshKey(file: locked, knownHosts: pins, passphraseFile: file)
        }
      }
      let passphrase = try folder.write("passphrase", "two words\n")
      #expect(try await opened(by: passphrase).look().commit == next)
      error = await expectError(.authentication) {
        try await opened(by: try folder.write("wrong", "hunter2\n")).look()
      }
      #expect(
        error.message.contains("passphrase") && !error.message.contains("hunter2"), "\(error)")
      error = await expectError(.configuration) { try await opened(by: nil).look() }
      #expect(error.message.contains("passphraseFile"), "\(error)")

      // An ecdsa key that the server knows; an RSA key is refused before any connection.
      let allowed = server + "/authorized_keys"
      let old = try String(contentsOfFile: allowed, encoding: .utf8)
      for type in ["ecdsa", "rsa"] {
        let other = folder.path + "/my-" + type
        try await run("ssh-keygen", ["-q", "-t", type, "-N", "", "-f", other])
        let line = try String(contentsOfFile: other + ".pub", encoding: .utf8)
        let command = old.prefix(
          try #require(old.range(of: "ssh-ed25519")?.lowerBound).utf16Offset(in: old))
        let handle = try #require(FileHandle(forWritingAtPath: allowed))
        try handle.seekToEnd()
        try handle.write(contentsOf: Data("\(command)\(line)".utf8))
        try handle.close()
        if type == "ecdsa" {
          #expect(try await mirror(pins, key: other).look().commit == next)
        } else {
          error = await expectError(.configuration) { try await mirror(pins, key: other).look() }
          #expect(error.message.contains("libssh2 1.10 signs with SHA-1"), "\(error)")
        }
      }

      // A key that the server does not know, and a repository that is not there.
      error = await expectError(.authentication) {
        try await mirror(pins, key: folder.path + "/ed25519").look()
      }
      #expect(error.message.contains("not allowed"), "\(error)")
      error = await expectError(.unreachable) {
        try await mirror(pins, key: key, name: "none.git").look()
      }
      #expect(error.message.contains("no repository"), "\(error)")
    }
  }
}
