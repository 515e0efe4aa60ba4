import Definitions
import OnionModel
import Testing

/// Every fixture says what it is; see README.md.
@Suite struct FixtureTests {
  @Test func foldersAreWhole() {
    #expect(Fixture.all(in: "definitions").count > 80)
    #expect(Fixture.all(in: "repository").count >= 9)
    #expect(Fixture.all(in: "revisions").count >= 8)
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
    var host: HostContext?
    if let words = fixture.notes("host").first?.split(separator: " ").map(String.init) {
      let labels = words.dropFirst().map { $0.split(separator: "=").map(String.init) }
      let allowed = fixture.notes("allow").first?.split(separator: " ").map(String.init) ?? []
      host = HostContext(
        name: try #require(HostName(words[0])),
        labels: Dictionary(uniqueKeysWithValues: labels.map { ($0[0], $0[1]) }),
        allow: try AllowList(allowed))
    }
    #expect(
      check(files, hosts: host.map { [$0] } ?? []).map(\.description) == fixture.notes("expect"))
    let rejected = readRevision(files).services.filter { $0.value.definition == nil }.keys.sorted()
    let expected = fixture.notes("rejected").flatMap { $0.split(separator: " ").map(String.init) }
    #expect(rejected.map(\.text) == expected)
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
