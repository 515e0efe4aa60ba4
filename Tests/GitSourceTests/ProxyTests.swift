import Foundation
import GitSource
import Testing

/// `via`: every transport through a SOCKS5 proxy that resolves the names (product.md §3).
@Suite struct ProxyTests {
  /// A name that is found nowhere but at the test's proxy.
  static let name = "0123456789abcdef.onion"

  private func asked(_ log: String) throws -> [[Substring]] {
    try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n")
      .map { $0.split(separator: " ") }
  }

  private func via(_ port: String) -> SOCKSProxy? { SOCKSProxy("socks5://127.0.0.1:\(port)") }

  private func mirror(
    _ repository: Repository, _ url: String, via port: String,
    _ change: (inout RepositorySource) -> Void = { _ in }
  ) -> GitMirror {
    repository.mirror {
      $0.url = url
      $0.allowPlainHTTP = true
      $0.via = via(port)
      $0.limits.idle = .seconds(5)
      change(&$0)
    }
  }

  @Test(arguments: ["", "anonymous"]) func httpAndGit(kind: String) async throws {
    let repository = try await Repository()
    let tip = try await repository.commit(Repository.onions)
    let folder = repository.folder.path
    let log = folder + "/asked"
    try await Tool.serving("git-server", in: folder + "/http", ["--root", folder]) { url in
      let port = try #require(url.split(separator: ":").last?.split(separator: "/").first)
      try await GitDaemon.serving(folder) { daemon in
        try await PythonServer.socks(log: log, fault: kind) { proxy in
          for url in [
            "http://\(Self.name):\(port)/\(repository.name)",
            "git://\(Self.name):\(daemon)/\(repository.name)",
          ] {
            let mirror = GitMirror(
              at: folder + "/\(url.prefix(3))", source: mirror(repository, url, via: proxy).source)
            let fetched = try await mirror.fetch().commit
            #expect(fetched == tip)
          }
        }
      }
    }
    let asked = try asked(log)
    #expect(asked.count >= 2)
    for line in asked { #expect(line[1] == "3" && line[2] == Self.name[...], "\(line)") }
    // A name of its own for each repository, and none that tells which it is.
    #expect(Set(asked.map { $0[0] }).count == (kind.isEmpty ? 2 : 1))
    #expect(!asked.contains { $0[0].contains("onion.") || $0[0].contains("git") })
  }

  @Test func sshAndTLS() async throws {
    let repository = try await Repository()
    let tip = try await repository.commit(Repository.onions)
    let folder = repository.folder.path
    let log = folder + "/asked"
    let server = folder + "/ssh"
    try await Tool.serving("sshd", in: server, ["--root", folder]) { url in
      let port = String(try #require(url.split(separator: ":").last))
      let pins = try String(contentsOfFile: server + "/known_hosts", encoding: .utf8)
      let hosts = try repository.folder.write(
        "hosts", pins.replacing("[127.0.0.1]", with: "[\(Self.name)]"))
      try await PythonServer.socks(log: log) { proxy in
        let mirror = mirror(
          repository, "ssh://root@\(Self.name):\(port)/\(repository.name)", via: proxy
        ) {
          $0.credentials = .sshKey(file: server + "/client_key", knownHosts: hosts)
        }
        let fetched = try await mirror.fetch().commit
        #expect(fetched == tip)
      }
    }
    for line in try asked(log) { #expect(line[1] == "3" && line[2] == Self.name[...], "\(line)") }

    try await run(
      "openssl",
      [
        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
        "2", "-subj", "/CN=x", "-addext", "subjectAltName=DNS:\(Self.name)", "-keyout",
        folder + "/tls.key", "-out", folder + "/tls.pem",
      ])
    try await Tool.serving("git-server", in: folder + "/http", ["--root", folder]) { url in
      let port = try #require(url.split(separator: ":").last?.split(separator: "/").first)
      try await PythonServer.tls(certificate: folder + "/tls", to: String(port)) { front in
        try await PythonServer.socks(log: log) { proxy in
          let mirror = GitMirror(
            at: folder + "/tls-mirror",
            source: mirror(
              repository, "https://\(Self.name):\(front)/\(repository.name)", via: proxy
            ) { $0.caFile = folder + "/tls.pem" }.source)
          let fetched = try await mirror.fetch().commit
          #expect(fetched == tip)
        }
      }
    }
  }

  /// An address is handed on as one.
  @Test func addresses() async throws {
    let repository = try await Repository()
    let log = repository.folder.path + "/asked"
    try await PythonServer.socks(log: log, fault: "5") { proxy in
      for host in ["192.0.2.7", "[2001:db8::7]"] {
        let error = await expectError(.unreachable) {
          try await self.mirror(repository, "http://\(host)/a.git", via: proxy).look()
        }
        #expect(error.message.contains("connection refused"), "\(error)")
      }
    }
    let asked = try asked(log)
    #expect(asked.map { $0[1] } == ["1", "4"])
    #expect(asked.map { $0[2] } == ["192.0.2.7", "2001:db8::7"])
  }

  @Test(
    arguments: [
      ("4", .unreachable, "no such name"), ("240", .unreachable, "descriptor was not found"),
      ("garbage", .unreachable, "does not speak SOCKS5"), ("closes", .unreachable, "closed"),
      ("silent", .timeout, "did not answer within"),
    ] as [(String, GitError.Code, String)])
  func aProxyThatDoesNotServe(fault: String, code: GitError.Code, says: String) async throws {
    let repository = try await Repository()
    let log = repository.folder.path + "/asked"
    let key = repository.folder.path + "/key"
    try await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", key])
    let hosts = try repository.folder.write("hosts", "")
    try await PythonServer.socks(log: log, fault: fault) { proxy in
      for scheme in ["http", "ssh", "git"] {
        let error = await expectError(code) {
          try await self.mirror(repository, "\(scheme)://\(Self.name)/a.git", via: proxy) {
            $0.limits.proxy = .seconds(1)
            if scheme == "ssh" { $0.credentials = .sshKey(file: key, knownHosts: hosts) }
          }.look()
        }
        #expect(error.message.contains(says), "\(error)")
        #expect(error.message.contains("repository.via"), "\(error)")
      }
    }
  }

  @Test func noProxy() async throws {
    let repository = try await Repository()
    let error = await expectError(.unreachable) {
      try await self.mirror(repository, "http://\(Self.name)/a.git", via: "1").look()
    }
    #expect(error.message.contains("cannot connect to the proxy"), "\(error)")
  }

  /// Tor may build circuits for two minutes: only the cancellation ends this.
  @Test func cancellationEndsTheWaitForAProxy() async throws {
    let repository = try await Repository()
    let log = repository.folder.path + "/asked"
    try await PythonServer.socks(log: log, fault: "silent") { proxy in
      let mirror = mirror(repository, "http://\(Self.name)/a.git", via: proxy)
      let task = Task { try await mirror.look() }
      try await eventually("it asks") { FileManager.default.fileExists(atPath: log) }
      task.cancel()
      await expectError(.cancelled) { try await task.value }
    }
  }

  @Test(arguments: [
    "socks5://127.0.0.1", "socks5://:9050", "http://127.0.0.1:9050", "socks5h://a:0",
    "socks5h://user@a:1", "socks5h://::1:9050", "socks5h://a:65536", "",
  ])
  func isNoProxy(text: String) { #expect(SOCKSProxy(text) == nil) }

  @Test func proxies() throws {
    let proxy = try #require(SOCKSProxy("socks5h://[::1]:9050"))
    #expect(proxy.host == "::1" && proxy.port == 9050)
    #expect(SOCKSProxy("socks5://tor:9050") == SOCKSProxy("socks5h://tor:9050"))
  }
}
