import Definitions
import Foundation
import Glibc
import KeyStore
import OnionModel
import Spawning
import Testing

@testable import Keeping

/// `adopt --torrc` on folders of a host: real keys, a real key folder, a real journal.
@Suite struct AdoptionTests {
  private static let two = """
    SocksPort 9050
    HiddenServiceDir /var/lib/tor/My_Web.site/
    HiddenServicePort 80 127.0.0.1:9000 # the page
    HiddenServicePort 443 192.0.2.7:8443
    HiddenServiceMaxStreams 25
    HiddenServiceEnableIntroDoSDefense 1

    HiddenServiceDir /var/lib/tor/shell
    HiddenServicePort 22 192.0.2.7

    """

  @Test func definitionsAndKeys() async throws {
    let house = try House()
    try house.setUp()
    let native = try NativeTor(house, Self.two)
    let web = try await native.directory("My_Web.site")
    let shell = try await native.directory("shell", clients: ["alice.auth": NativeTor.client("B")])
    let before = try native.snapshot()
    let report = try await native.adopt()
    #expect(report.errors == [])
    #expect(report.services.map(\.outcome) == [.carried, .carried])
    #expect(report.services.map(\.address) == [web, shell])
    #expect(report.missingTargets == ["192.0.2.7/32"])
    let torrc = native.torrc
    #expect(
      try native.definition("my-web-site") == """
        # Moved in from \(torrc):2 (/var/lib/tor/My_Web.site).
        hosts: [web-1]
        address: \(web)
        key: existing
        access: public
        ports:
          # was 127.0.0.1:9000 (\(torrc):3), which is the container itself in a container:
          # the backend must listen on the gateway of our network, too, not on loopback alone
          - virtual: 80
            target: host:9000
          - virtual: 443
            target: 192.0.2.7:8443
        tor:
          maxStreams: 25
          introDoS: {rate: 25, burst: 200}

        """)
    #expect(
      report.lines(errorsOnly: false).contains {
        $0.hasPrefix("\(torrc):3: warning: HiddenServicePort")
      })
    #expect(try native.definition("shell").contains("access: clients"))
    // What was read is as it was.
    #expect(try native.snapshot() == before)
    // `check` takes all of it, with the entries that were asked for.
    let files = try DefinitionFolder(native.folder).read()
    var context = try house.configuration().context
    context.allow = try AllowList(["host"] + report.missingTargets)
    #expect(check(files, hosts: [context]).map(\.description) == [])
    // The keys are here, pinned, with their client files.
    let keys = try house.keys
    let seen = await keys.observe([], owner: TorLayout.user)
    let name = try #require(ServiceName("shell"))
    let place = KeyPlace(instance: InstanceName(name), service: name)
    #expect(seen[place]?.value?.address == shell)
    #expect(
      seen[place]?.value?.clientFiles.keys.sorted() == ["0-onionkeeper.auth", "alice.auth"])
    #expect(await keys.pins().value?[name] == shell)
    // Again: nothing more to do, nothing overwritten.
    let written = try native.definition("shell")
    let again = try await native.adopt()
    #expect(again.services.map(\.outcome) == [.present, .present])
    #expect(again.errors == [] && again.written == [])
    #expect(try native.definition("shell") == written)
  }

  @Test func aDryRunWritesNothing() async throws {
    let house = try House()
    let native = try NativeTor(house, Self.two)
    let web = try await native.directory("My_Web.site")
    let report = try await native.adopt(isDryRun: true)
    #expect(!native.isFolderThere && report.written == [])
    #expect(!FileManager.default.fileExists(atPath: "\(house.path)/keys"))
    #expect(report.services.map(\.outcome) == [.carried, .left])
    #expect(try report.service("my-web-site").definition?.contains("address: \(web)") == true)
    // The other's directory is not there: what it would be is told, and that it is not carried.
    #expect(report.errors.count == 1 && report.errors[0].contains("is not there"))
    #expect(try report.service("shell").definition?.contains("virtual: 22") == true)
    #expect(try report.service("shell").definition?.contains("address:") == false)
    _ = try JSONEncoder().encode(report)
    // Not a dry run: the host must be set up.
    await #expect(throws: KeepingError.self) { try await native.adopt() }
    #expect(!native.isFolderThere)
  }

  @Test func clients() async throws {
    let house = try House()
    try house.setUp()
    let native = try NativeTor(
      house, "HiddenServiceDir /var/lib/tor/a\nHiddenServicePort 80 192.0.2.1:80\n")
    try await native.directory(
      "a",
      clients: [
        "Alice Smith.auth": NativeTor.client("B"), "alice_smith.auth": NativeTor.client("C"),
        "again.auth": NativeTor.client("B"), "bob.auth": "descriptor:x25519:short\n",
        "carol.auth.bak": NativeTor.client("D"), "no.auth": NativeTor.client("E"),
      ])
    try FileManager.default.createSymbolicLink(
      atPath: "\(native.root)/var/lib/tor/a/authorized_clients/link.auth",
      withDestinationPath: "no.auth")
    let report = try await native.adopt()
    #expect(report.errors == [])
    let text = try native.definition("a")
    let names = text.split(separator: "\n").filter { $0.contains("{name: ") }
      .map { $0.split(separator: ",")[0].dropFirst("  - {name: ".count) }
    // Of two files with one key the first in order is carried.
    #expect(names == ["alice-smith", "alice-smith-2", "\"no\""])
    for file in ["again.auth", "bob.auth", "carol.auth.bak", "link.auth"] {
      #expect(report.lines(errorsOnly: false).contains { $0.contains("/\(file)") }, "\(file)")
    }
  }

  /// What is odd beside a key is told in terms of the torrc's path.
  @Test func warningsNameTheDirectory() async throws {
    let house = try House()
    try house.setUp()
    let native = try NativeTor(
      house, "HiddenServiceDir /var/lib/tor/a\nHiddenServicePort 80 192.0.2.1:80\n")
    try await native.directory("a")
    try native.write("var/lib/tor/a/hostname", String(repeating: "a", count: 56) + ".onion\n")
    let lines = try await native.adopt().lines(errorsOnly: false)
    #expect(lines.contains { $0.contains("/var/lib/tor/a/hostname is not that of the secret key") })
    #expect(!lines.contains { $0.contains("/proc/") })
  }

  /// Each was meant for clients, and tor has it open: never carried as public unless somebody says so by name.
  @Test(arguments: [
    ("", ["alice.auth": "descriptor:x25519:short\n"]), ("", ["alice.auth.bak": "x"]),
    ("HiddenServiceAuthorizeClient stealth alice\n", [:]),
    ("hiddenserviceauthorizeclient basic a,b\n", ["x.auth": ""]),
  ])
  func neverOpenWithoutADecision(_ line: String, _ files: [String: String]) async throws {
    let house = try House()
    try house.setUp()
    let native = try NativeTor(
      house, "HiddenServiceDir /var/lib/tor/a\nHiddenServicePort 80 192.0.2.1:80\n\(line)")
    let address = try await native.directory("a", clients: files)
    let report = try await native.adopt()
    #expect(report.services.map(\.outcome) == [.left])
    #expect(report.errors.contains { $0.contains("--public a") })
    #expect(!native.isFolderThere && report.written == [])
    let keys = try house.keys
    #expect(await keys.pins().value == [:])
    let name = try #require(ServiceName("a"))
    let decided = try await native.adopt(.init(open: [name]))
    #expect(decided.services.map(\.outcome) == [.carried])
    #expect(try native.definition("a").contains("access: public"))
    #expect(await keys.pins().value?[name] == address)
  }

  /// A line that belongs to no service, and what version 2 left in the directory.
  @Test(arguments: [true, false])
  func neverOpenByWhatIsElsewhere(_ isStray: Bool) async throws {
    let house = try House()
    try house.setUp()
    let native = try NativeTor(
      house,
      (isStray ? "HiddenServiceAuthorizeClient stealth ops\n" : "")
        + "HiddenServiceDir /var/lib/tor/a\nHiddenServicePort 80 192.0.2.1:80\n"
        + "HiddenServiceDir /var/lib/tor/b\nHiddenServicePort 80 192.0.2.1:80\n")
    try await native.directory("a")
    try await native.directory("b", clients: ["alice.auth": NativeTor.client("B")])
    if !isStray {
      for name in ["a", "b"] {
        try Data("client-name ops\n".utf8).write(
          to: URL(fileURLWithPath: "\(native.root)/var/lib/tor/\(name)/client_keys"))
      }
    }
    let report = try await native.adopt()
    #expect(report.services.map(\.outcome) == [.left, .carried])
    #expect(report.errors.count == 1 && report.errors[0].contains("--public a"))
    #expect(try native.definition("b").contains("access: clients"))
    let name = try #require(ServiceName("a"))
    let decided = try await native.adopt(.init(open: [name]))
    #expect(decided.services.map(\.outcome) == [.carried, .present])
  }

  /// A real tor that was told its services on its command line: it serves those, whatever its torrc says.
  @Test func aCommandLineReplacesTheTorrc() async throws {
    let house = try House()
    let place = "\(house.path)/real"
    try FileManager.default.createDirectory(
      atPath: place, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    let torrc = "\(place)/torrc"
    try """
    SocksPort 0
    DisableNetwork 1
    DataDirectory \(place)/data
    HiddenServiceDir \(place)/written
    HiddenServicePort 80 192.0.2.1:80
    """.write(toFile: torrc, atomically: true, encoding: .utf8)
    let started = try spawn([
      "sh", "-c",
      "tor --quiet -f \(torrc) --HiddenServiceDir \(place)/told --HiddenServicePort 80 >/dev/null 2>&1 & echo $!",
    ])
    let pid = try #require(
      pid_t(String(decoding: started.output, as: UTF8.self).filter { !$0.isWhitespace }))
    defer {
      kill(pid, SIGTERM)
      // init's child by now: gone when its number is.
      for _ in 0..<500 where kill(pid, 0) == 0 { usleep(20_000) }
    }
    for _ in 0..<1500 where !FileManager.default.fileExists(atPath: "\(place)/told/hostname") {
      try await Task.sleep(for: .milliseconds(20))
    }
    let request = Adoption.Request(torrc: torrc, folder: "\(house.path)/moved", isDryRun: true)
    let report = try await Adoption(request, nil, uid: 0).run()
    #expect(report.services.map(\.outcome) == [.left])
    let told = report.errors.filter { $0.contains("HiddenServiceDir, HiddenServicePort") }
    #expect(told.count == 1 && told[0].contains("process \(pid)"))
    // Another root's torrc is another file.
    let elsewhere = Adoption.Request(
      torrc: torrc, folder: "\(house.path)/moved", root: place, isDryRun: true)
    #expect(
      try await Adoption(elsewhere, nil, uid: 0).run().errors.allSatisfy {
        !$0.contains("process")
      })
  }

  @Test func publicNeverLosesClients() async throws {
    let house = try House()
    try house.setUp()
    let native = try NativeTor(
      house, "HiddenServiceDir /var/lib/tor/a\nHiddenServicePort 80 192.0.2.1:80\n")
    try await native.directory("a", clients: ["alice.auth": NativeTor.client("B")])
    let name = try #require(ServiceName("a"))
    let report = try await native.adopt(.init(open: [name]))
    #expect(try native.definition("a").contains("access: clients"))
    #expect(report.lines(errorsOnly: false).contains { $0.contains("--public is not heeded") })
    let other = try #require(ServiceName("b"))
    #expect(try await native.adopt(.init(open: [other])).errors.count == 1)
  }

  @Test func oneKeyTwice() async throws {
    let house = try House()
    try house.setUp()
    let port = "HiddenServicePort 80 192.0.2.1:80\n"
    let native = try NativeTor(
      house,
      ["a", "b", "c"].map { "HiddenServiceDir /var/lib/tor/\($0)\n\(port)" }.joined()
        + "HiddenServiceDir /var/lib/alias/c\n\(port)HiddenServiceDir /var/lib/tor/d\n\(port)")
    try await native.directory("a")
    try native.copy("a", to: "b")
    try await native.directory("c")
    try await native.directory("d")
    try FileManager.default.createSymbolicLink(
      atPath: "\(native.root)/var/lib/alias", withDestinationPath: "tor")
    let report = try await native.adopt()
    #expect(report.services.map(\.outcome) == [.left, .left, .left, .left, .carried])
    #expect(report.errors.count { $0.contains("holds the same key as") } == 2)
    #expect(report.errors.count { $0.contains("is the same directory as") } == 2)
    #expect(try DefinitionFolder(native.folder).read().files.count == 2)
  }

  @Test func whatCannotBeCarried() async throws {
    let house = try House()
    try house.setUp()
    let port = "HiddenServicePort 80 192.0.2.1:80\n"
    let native = try NativeTor(
      house,
      ["old", "empty", "damaged", "gone", "link", "sealed"].map {
        "HiddenServiceDir /var/lib/tor/\($0)\n\(port)"
      }.joined())
    try native.write("var/lib/tor/old/private_key", "-----BEGIN RSA PRIVATE KEY-----\n")
    try native.write("var/lib/tor/empty/hostname", "x\n")
    try native.write("var/lib/tor/damaged/hs_ed25519_secret_key", "short")
    try await native.directory("real")
    try FileManager.default.createSymbolicLink(
      atPath: "\(native.root)/var/lib/tor/link", withDestinationPath: "real")
    try await native.directory("sealed")
    try FileManager.default.removeItem(
      atPath: "\(native.root)/var/lib/tor/sealed/authorized_clients")
    try native.write("var/lib/tor/sealed/authorized_clients", "not a folder")
    let report = try await native.adopt()
    #expect(report.services.allSatisfy { $0.outcome == .left } && report.written == [])
    let said = [
      "version 2", "holds no hs_ed25519_secret_key", "instead of 96", "is not there",
      "symbolic link",
      "who may reach it is not known",
    ]
    #expect(report.errors.count == said.count)
    for words in said {
      #expect(report.errors.contains { $0.contains(words) }, "\(words): \(report.errors)")
    }
  }

  @Test func targetsAreDecided() async throws {
    let house = try House()
    try house.setUp()
    let native = try NativeTor(
      house,
      """
      HiddenServiceDir /var/lib/tor/a
      HiddenServicePort 80 node:18081
      HiddenServicePort 81 127.0.0.1:9000
      HiddenServicePort 82 unix:/var/run/app/app.sock
      HiddenServicePort 83 [2001:db8::7]:83
      HiddenServiceDir /var/lib/tor/b
      HiddenServicePort 80 unix:/run/docker.sock
      HiddenServiceDir /var/lib/tor/c
      HiddenServicePort 80 224.0.0.1:80
      """)
    for name in ["a", "b", "c"] { try await native.directory(name) }
    let report = try await native.adopt()
    #expect(report.services.map(\.outcome) == [.left, .left, .left])
    #expect(report.errors.contains { $0.contains("--target node:18081=container:node:18081") })
    #expect(report.errors.contains { $0.contains("never allowed") })
    let decided = try await native.adopt(
      .init(targets: [
        "node:18081": .container("node", port: 18081),
        "127.0.0.1:9000": .unixSocket("/run/onion-targets/a/app.sock"),
        "nowhere:1": .gateway(port: 1),
      ]))
    #expect(decided.services.map(\.outcome) == [.carried, .left, .left])
    #expect(decided.errors.contains { $0.hasPrefix("--target nowhere:1") })
    #expect(
      decided.missingTargets == [
        "container:node", "unix:/run/onion-targets/a/app.sock", "unix:/run/app/app.sock",
        "2001:db8::7/128",
      ])
    let targets = try native.definition("a").split(separator: "\n").filter {
      $0.contains("target:")
    }.map { $0.trimmingCharacters(in: .whitespaces) }
    #expect(
      targets == [
        "target: container:node:18081", "target: unix:/run/onion-targets/a/app.sock",
        "target: unix:/run/app/app.sock", "target: \"[2001:db8::7]:83\"",
      ])
  }

  @Test func whatIsThereStays() async throws {
    let house = try House()
    try house.setUp()
    let native = try NativeTor(
      house, "HiddenServiceDir /var/lib/tor/blog\nHiddenServicePort 80 192.0.2.1:80\n")
    try await native.directory("blog")
    for (name, text) in [
      ("onionkeeper.yaml", "version: 1\ndefaults: {paused: true}\n"),
      ("services/blog.yaml", "broken\n"), ("services/blog-2.yaml", House.blog),
    ] {
      try native.write("../moved/\(name)", text)
    }
    let report = try await native.adopt()
    #expect(report.services.map(\.name.text) == ["blog-3"])
    #expect(report.errors == [])
    #expect(try native.definition("blog") == "broken\n")
    #expect(try native.definition("blog-2") == House.blog)
    #expect(
      try String(contentsOfFile: "\(native.folder)/onionkeeper.yaml", encoding: .utf8)
        .contains("paused: true"))
  }

  @Test func includes() async throws {
    let house = try House()
    try house.setUp()
    let port = "HiddenServicePort 80 192.0.2.1:80\n"
    let native = try NativeTor(house, "%include /etc/tor/torrc.d/\n%include /srv/more\n")
    try native.write("etc/tor/torrc.d/10-a", "HiddenServiceDir /var/lib/tor/a\n\(port)")
    try native.write("srv/more", "HiddenServiceDir /var/lib/tor/b\n\(port)")
    for name in ["a", "b"] { try await native.directory(name) }
    let error = await #expect(throws: KeepingError.self) { try await native.adopt() }
    #expect(error?.message.contains("--include-root /srv") == true)
    #expect(!native.isFolderThere)
    let report = try await native.adopt(includeRoots: ["/srv"])
    #expect(report.services.map(\.outcome) == [.carried, .carried])
    // A link below an allowed folder leads nowhere.
    try FileManager.default.createSymbolicLink(
      atPath: "\(native.root)/etc/tor/torrc.d/20-b", withDestinationPath: "/etc/shadow")
    let link = await #expect(throws: KeepingError.self) {
      try await native.adopt(includeRoots: ["/srv"])
    }
    #expect(link?.message.contains("symbolic link") == true)
    // Nor is a pipe waited for.
    try FileManager.default.removeItem(atPath: "\(native.root)/etc/tor/torrc.d/20-b")
    #expect(mkfifo("\(native.root)/etc/tor/torrc.d/20-b", 0o600) == 0)
    await #expect(throws: KeepingError.self) { try await native.adopt(includeRoots: ["/srv"]) }
  }

  @Test func balancedSingleHopAndUnpublished() async throws {
    let house = try House()
    try house.setUp()
    let service = "HiddenServiceDir /var/lib/tor/a\nHiddenServicePort 80 192.0.2.1:80\n"
    let native = try NativeTor(
      house,
      "HiddenServiceNonAnonymousMode 1\nHiddenServiceSingleHopMode 1\n\(service)HiddenServiceOnionBalanceInstance 1\n"
    )
    try await native.directory("a")
    let master = try await native.directory("master")
    #expect(try await native.adopt().errors.contains { $0.contains("ob_config names no") })
    let line = "MasterOnionAddress \(master)\n"
    try native.write("var/lib/tor/a/ob_config", line)
    let report = try await native.adopt()
    #expect(report.errors == [] && report.needsSingleHop)
    let text = try native.definition("a")
    #expect(text.contains("onionBalance: {master: \(master)}") && text.contains("singleHop: true"))
    try native.write("etc/tor/torrc", "PublishHidServDescriptors 0\n\(service)")
    let hidden = try await native.adopt(isDryRun: true)
    #expect(hidden.errors.contains { $0.contains("PublishHidServDescriptors 0") })
  }

  @Test func nothingToCarry() async throws {
    let house = try House()
    try house.setUp()
    let native = try NativeTor(house, "SocksPort 0\n")
    #expect(try await native.adopt().errors.count == 1)
    try native.write("etc/tor/torrc", "HiddenServiceDir \"/var\n")
    await #expect(throws: KeepingError.self) { try await native.adopt() }
    try FileManager.default.removeItem(atPath: native.torrc)
    await #expect(throws: KeepingError.self) { try await native.adopt() }
  }
}
