import Definitions
import FixtureFiles
import Foundation
import OnionModel
import Testing

@Suite struct RevisionTests {
  private let blog = Sample.name("blog")
  private let text = "hosts: [web-1]\nkey: existing\nports: [{virtual: 80, target: host:8080}]\n"

  private func files(_ repository: String, _ definition: String) -> RepositoryFiles {
    RepositoryFiles([
      "onionkeeper.yaml": Array(repository.utf8), "services/blog.yaml": Array(definition.utf8),
    ])
  }

  private func service(_ repository: String, _ definition: String) throws -> OnionService {
    try #require(
      readRevision(files(repository, definition)).services[blog]?.definition?.service)
  }

  @Test func everyFieldOfProductReachesTheService() throws {
    let fixture = try #require(
      Fixture.all(in: "definitions").first { $0.name == "product-every-field.yaml" })
    let files = RepositoryFiles([
      "onionkeeper.yaml": Array("version: 1\n".utf8), "services/blog.yaml": fixture.bytes,
    ])
    let definition = try #require(readRevision(files).services[blog]?.definition)
    let address = try #require(
      OnionAddress("2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion"))
    #expect(
      definition.service
        == OnionService(
          name: blog, instance: InstanceName("shared-a"), address: address, key: .generate,
          formerly: ServiceName("weblog"),
          access: .clients([AuthorizedClient(name: "alice", key: Sample.key(7))]),
          ports: [
            OnionPort(virtual: 80, target: .address("192.0.2.10", port: 8080)),
            OnionPort(virtual: 81, target: .gateway(port: 8080)),
            OnionPort(virtual: 82, target: .address("2001:db8::1", port: 8080)),
            OnionPort(virtual: 83, target: .unixSocket("/run/onion-targets/app/app.sock")),
            OnionPort(virtual: 84, target: .container("web", port: 8080)),
          ],
          tor: TorOptions(
            introductionPoints: 3, maxStreams: 0, closesCircuitAtMaxStreams: false,
            introDoS: RateLimit(rate: 25, burst: 200),
            proofOfWork: RateLimit(rate: 250, burst: 2500), exportsCircuitID: true,
            onionBalanceMaster: OnionAddress(Sample.address(1))), limits: .standard,
          prune: .retire, isPaused: false))
    #expect(definition.hosts.onlyHost == HostName("web-1"))
    #expect(definition.source == fixture.bytes)
  }

  @Test func defaultsMergeKeyByKey() throws {
    let defaults = "version: 1\ndefaults: {container: {memory: 128MiB, cpus: 0.5}, paused: true}\n"
    let plain = try service(defaults, text)
    #expect(plain.limits == ContainerLimits(memory: 128 << 20, milliCPUs: 500, pids: 64))
    #expect(plain.isPaused)
    let own = try service(defaults, text + "container: {memory: 1GiB, pids: 99}\npaused: false\n")
    #expect(own.limits == ContainerLimits(memory: 1 << 30, milliCPUs: 500, pids: 99))
    #expect(!own.isPaused)
  }

  @Test func torDefaultsMergeKeyByKey() throws {
    let defaults =
      "version: 1\ndefaults: {prune: hold, tor: {introDoS: {rate: 30}, maxStreams: 9, singleHop: true}}\n"
    let plain = try service(defaults, text)
    #expect(plain.prune == .hold && plain.tor.maxStreams == 9 && plain.tor.isSingleHop)
    #expect(plain.tor.introDoS == RateLimit(rate: 30, burst: 200))
    #expect(plain.tor.proofOfWork == nil)
    let own = try service(
      defaults,
      text + "prune: retire\ntor: {introDoS: {burst: 31}, proofOfWork: {}, singleHop: false}\n")
    #expect(own.prune == .retire && own.tor.maxStreams == 9 && !own.tor.isSingleHop)
    #expect(own.tor.introDoS == RateLimit(rate: 30, burst: 31))
    #expect(own.tor.proofOfWork == RateLimit(rate: 250, burst: 2500))
  }

  @Test(arguments: [
    ("hosts: [web-1]\nkey: {sealed: secrets/a.age}\n", KeySource.sealed(file: "secrets/a.age")),
    ("hosts: [web-1, web-2]\nkey: {generate: perHost}\n", .generatePerHost),
    ("hosts: [\"*\"]\nkey: existing\n", .existing), ("hosts: [web-1]\n", .generate),
  ])
  func keySources(_ head: String, source: KeySource) throws {
    let files = RepositoryFiles([
      "onionkeeper.yaml": Array("version: 1\n".utf8),
      "secrets/a.age": Array("age-encryption.org/v1\n-> X25519 x\n".utf8),
      "services/blog.yaml": Array((head + "ports: [{virtual: 80, target: host:80}]\n").utf8),
    ])
    let reading = readRevision(files)
    let host = HostContext(
      name: try #require(HostName("web-1")), labels: [:], allow: try AllowList(["host"]))
    let resolved = resolve(reading, lastGood: [:], host: host)
    #expect(resolved.services.map(\.key) == [source])
    if case .sealed(let file) = source {
      #expect(resolved.sealedKeys.keys.map { $0 } == [file])
      #expect(resolved.sealedKeys[file]?.bytes.isEmpty == false)
    } else {
      #expect(resolved.sealedKeys.isEmpty)
    }
  }

  /// A rejected file leaves the last good definition in force, and that may still have to open its key.
  @Test func aLastGoodDefinitionFindsItsSealedKey() throws {
    func files(_ ports: String) -> RepositoryFiles {
      RepositoryFiles([
        "onionkeeper.yaml": Array("version: 1\n".utf8),
        "secrets/a.age": Array("age-encryption.org/v1\n-> X25519 x\n".utf8),
        "services/blog.yaml": Array(
          "hosts: [web-1]\naccess: public\nkey: {sealed: secrets/a.age}\nports: \(ports)\n".utf8),
      ])
    }
    let host = HostContext(
      name: try #require(HostName("web-1")), labels: [:], allow: try AllowList(["host"]))
    let good = resolve(
      readRevision(files("[{virtual: 80, target: host:80}]")), lastGood: [:], host: host)
    let later = resolve(
      readRevision(files("[{virtual: 0, target: host:80}]")), lastGood: good.lastGood, host: host)
    #expect(later.services.map(\.key) == [.sealed(file: "secrets/a.age")])
    #expect(later.sealedKeys == good.sealedKeys && later.sealedKeys.count == 1)
  }

  @Test func aSealedFileThatIsTooLargeIsThatServicesError() throws {
    func errors(_ content: RepositoryFiles.Content) -> [String] {
      readRevision(
        RepositoryFiles([
          .init(path: "onionkeeper.yaml", bytes: Array("version: 1\n".utf8)),
          .init(path: "secrets/a.age", blob: "x", content: content),
          .init(
            path: "services/blog.yaml",
            bytes: Array(
              "hosts: [web-1]\nkey: {sealed: secrets/a.age}\nports: [{virtual: 80, target: host:80}]\n"
                .utf8)),
        ])
      ).diagnostics.map(\.description)
    }
    let head = Array("age-encryption.org/v1\n".utf8)
    let fits = head + Array(repeating: 0, count: SealedKey.limit - head.count)
    #expect(errors(.bytes(fits)) == [])
    let message =
      "services/blog.yaml:2:15: key.sealed: secrets/a.age is 65537 bytes long (at most 65536)"
    #expect(errors(.bytes(fits + [0])) == [message])
    #expect(errors(.tooLarge(size: 65537)) == [message])
  }

  /// A journal gives back the same, with the revision's own readings where its bytes are the same.
  @Test func aStoredDefinitionComesBackFromTheCache() throws {
    var cache = DefinitionCache()
    let files = files("version: 1\ndefaults: {paused: true}\n", text)
    let definition = try #require(readRevision(files, cache: &cache).services[blog]?.definition)
    let stored = StoredDefinition(definition)
    for cache in [cache, DefinitionCache()] {
      let read = try stored.definition(from: cache).get()
      #expect(read == definition && read.isStoredAs(definition))
    }
    let decoded = try JSONDecoder().decode(
      Definition.self, from: try JSONEncoder().encode(definition))
    #expect(decoded == definition)
    // What an older version stored knows less of defaults.
    let older = """
      {"name": "blog", "file": "services/blog.yaml", "blob": "x", "source": "hosts: [web-1]\\nkey: existing\\n\
      ports: [{virtual: 80, target: host:8080}]\\n", "defaults": {"memory": 134217728}, "withdrawn": []}
      """
    let old = try JSONDecoder().decode(Definition.self, from: Data(older.utf8))
    #expect(old.service.limits.memory == 128 << 20 && old.service.tor == TorOptions())
  }

  @Test func aCacheChangesNothing() throws {
    var cache = DefinitionCache()
    let first = readRevision(files("version: 1\n", text), cache: &cache)
    #expect(readRevision(files("version: 1\n", text), cache: &cache) == first)
    // Other defaults make another definition of the same blob.
    let paused = files("version: 1\ndefaults: {paused: true}\n", text)
    let second = readRevision(paused, cache: &cache)
    #expect(second == readRevision(paused))
    #expect(second.services[blog]?.definition?.service.isPaused == true)
    // Another blob under the same path.
    let bad = files("version: 1\n", "hosts: [")
    #expect(readRevision(bad, cache: &cache) == readRevision(bad))
  }

  @Test func filesComeBackFromAJournal() throws {
    let original = RepositoryFiles([
      .init(path: "onionkeeper.yaml", bytes: Array("version: 1\n".utf8)),
      .init(path: "services/blog.yaml", bytes: Array(text.utf8)),
      .init(path: "services/latin.yaml", bytes: [0xe9]),
      .init(path: "services/large.yaml", blob: "x", content: .tooLarge(size: 300_000)),
    ])
    let read = try JSONDecoder().decode(
      RepositoryFiles.self, from: try JSONEncoder().encode(original))
    #expect(read == original)
    #expect(readRevision(read) == readRevision(original))
  }

  @Test func aFileThatIsTooLargeIsItsOwnError() throws {
    let listed = RepositoryFiles([
      .init(path: "onionkeeper.yaml", bytes: Array("version: 1\n".utf8)),
      .init(path: "services/blog.yaml", bytes: Array(text.utf8)),
      .init(path: "services/large.yaml", blob: "x", content: .tooLarge(size: 300_000)),
    ])
    let reading = readRevision(listed)
    #expect(!reading.isRefused)
    #expect(
      reading.diagnostics.map(\.description) == [
        "services/large.yaml: is 300000 bytes long (at most 262144)"
      ])
  }

  @Test func selectorsMatchWholeNames() throws {
    func matches(_ hosts: String, _ name: String, _ labels: [String: String] = [:]) throws -> Bool {
      let text = "hosts: \(hosts)\nkey: existing\nports: [{virtual: 80, target: host:8080}]\n"
      let definition = try #require(
        readRevision(files("version: 1\n", text)).services[blog]?.definition)
      return definition.hosts.matches(try #require(HostName(name)), labels: labels)
    }
    #expect(try matches("[web-1]", "web-1"))
    #expect(try !matches("[web-1]", "web-10"))
    #expect(try matches("[\"eu-*\"]", "eu-1.example.org"))
    #expect(try !matches("[\"eu-*\"]", "x.eu-1"))
    #expect(try matches("[\"web-?\"]", "web-1"))
    #expect(try !matches("[\"web-?\"]", "web-10"))
    #expect(try matches("[a, \"*.org\"]", "x.y.org"))
    let labels = "{labels: {region: eu, tier: front}}"
    #expect(try matches(labels, "a", ["region": "eu", "tier": "front", "x": "y"]))
    #expect(try !matches(labels, "a", ["region": "eu"]))
    #expect(try matches("[b, \(labels)]", "a", ["region": "eu", "tier": "front"]))
  }
}
