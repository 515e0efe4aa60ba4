import Definitions
import FixtureFiles
import OnionModel
import Testing

/// Every fixture says what it is; see README.md.
@Suite struct FixtureTests {
  @Test func foldersAreWhole() {
    #expect(Fixture.all(in: "definitions").count > 110)
    #expect(Fixture.all(in: "histories").count >= 12)
    #expect(Fixture.all(in: "repository").count >= 10)
    #expect(Fixture.all(in: "revisions").count >= 14)
  }

  @Test(arguments: Fixture.all(in: "definitions"))
  func definition(_ fixture: Fixture) throws {
    let files = RepositoryFiles([
      "onionkeeper.yaml": Array("version: 1\n".utf8), "services/blog.yaml": fixture.bytes,
    ])
    let reading = readRevision(files)
    let name = try #require(ServiceName("blog"))
    let service = try #require(reading.services[name])
    #expect(!reading.isRefused)
    try expect(fixture, service.diagnostics, file: "services/blog.yaml")
    #expect((service.definition != nil) == fixture.notes("expect").contains("valid"))
    if case .invalid(_, let part) = service {
      let lists = part.listedKeys.map { "\($0.count)" } ?? "unknown"
      #expect(fixture.notes("rejected") == ["\(part.openness) lists=\(lists)"])
    }
  }

  @Test(arguments: Fixture.all(in: "repository"))
  func repositoryFile(_ fixture: Fixture) throws {
    let reading = readRevision(RepositoryFiles(["onionkeeper.yaml": fixture.bytes]))
    try expect(fixture, reading.diagnostics, file: "onionkeeper.yaml")
    #expect(reading.isRefused == !fixture.notes("expect").contains("valid"))
  }

  @Test(arguments: Fixture.all(in: "revisions"))
  func revision(_ fixture: Fixture) throws {
    let files = RepositoryFiles(fixture.sections)
    let host = try host(fixture)
    #expect(
      check(files, hosts: host.map { [$0] } ?? []).map(\.description) == fixture.notes("expect"))
    let rejected = readRevision(files).services.filter { $0.value.definition == nil }.keys.sorted()
    let expected = fixture.notes("rejected").flatMap { $0.split(separator: " ").map(String.init) }
    #expect(rejected.map(\.text) == expected)
  }

  /// One revision after another on one host, each resolved with what the one before left as last good.
  @Test(arguments: Fixture.all(in: "histories"))
  func history(_ fixture: Fixture) throws {
    var files: [String: [UInt8]] = ["onionkeeper.yaml": Array("version: 1\n".utf8)]
    var last = HostDefinitions()
    var cache = DefinitionCache()
    let count = fixture.noteKeys.compactMap { Int($0.split(separator: " ").last ?? "") }.max() ?? 0
    try #require(count > 0, "the fixture expects nothing")
    for number in 1...count {
      for (header, bytes) in fixture.sections {
        let words = header.split(separator: " ").map(String.init)
        guard words[0] == "\(number)" else { continue }
        files[words[1]] = words.last == "gone" ? nil : bytes
      }
      let reading = readRevision(RepositoryFiles(files), cache: &cache)
      try #require(!reading.isRefused)
      let host = try #require(try self.host(fixture, number))
      last = resolve(reading, lastGood: last.lastGood, host: host)
      func expect(_ what: String, _ found: [String]) {
        #expect(found == fixture.notes("\(what) \(number)"), "\(what) after revision \(number)")
      }
      expect("runs", last.services.map(words))
      expect("stopped", last.stopped.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" })
      expect("unsettled", last.unsettled.sorted().map(\.text))
      expect(
        "says",
        last.rejections.sorted { $0.key < $1.key }.flatMap {
          $0.value.diagnostics.map(\.description)
        }
      )
    }
  }

  /// `blog shared-a 80,81 clients=2`
  private func words(_ service: OnionService) -> String {
    let ports = service.ports.map { "\($0.virtual)" }.joined(separator: ",")
    let access = service.access.asksForClients ? " clients=\(service.access.clients.count)" : ""
    return "\(service.name) \(service.instance) \(ports)\(access)"
  }

  /// `# host: NAME label=value …`, `# allow: TARGET …` and `# singleHop: true`, each also as `# allow 2: …` for a
  /// revision of its own.
  private func host(_ fixture: Fixture, _ number: Int? = nil) throws -> HostContext? {
    func words(_ key: String) -> [String] {
      let own = number.map { fixture.notes("\(key) \($0)") } ?? []
      let notes = own.isEmpty ? fixture.notes(key) : own
      return notes.first?.split(separator: " ").map(String.init) ?? []
    }
    let name = words("host")
    guard let first = name.first else { return nil }
    let labels = name.dropFirst().map { $0.split(separator: "=").map(String.init) }
    return HostContext(
      name: try #require(HostName(first)),
      labels: Dictionary(uniqueKeysWithValues: labels.map { ($0[0], $0[1]) }),
      allow: try AllowList(words("allow")), allowsSingleHop: words("singleHop") == ["true"])
  }

  private func expect(_ fixture: Fixture, _ diagnostics: [Diagnostic], file: String) throws {
    let lines = fixture.notes("expect")
    try #require(!lines.isEmpty, "the fixture expects nothing")
    let expected = lines.filter { $0 != "valid" }.map { line in
      line.first?.isNumber == true ? "\(file):\(line)" : "\(file): \(line)"
    }
    #expect(diagnostics.map(\.description) == expected)
    #expect(lines.contains("valid") == !diagnostics.contains { $0.severity == .error })
  }
}
