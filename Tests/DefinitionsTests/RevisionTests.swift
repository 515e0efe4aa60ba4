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
          name: blog, address: address, key: .generate, formerly: ServiceName("weblog"),
          access: .clients([AuthorizedClient(name: "alice", key: Sample.key(7))]),
          ports: [
            OnionPort(virtual: 80, target: .address("192.0.2.10", port: 8080)),
            OnionPort(virtual: 81, target: .gateway(port: 8080)),
            OnionPort(virtual: 82, target: .address("2001:db8::1", port: 8080)),
            OnionPort(virtual: 83, target: .unixSocket("/run/onion-targets/app/app.sock")),
          ], limits: .standard, isPaused: false))
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
