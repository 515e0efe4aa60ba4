import Definitions
import FixtureFiles
import OnionModel
import Testing

/// What is written as a definition is read as the same service.
@Suite struct DefinitionTextTests {
  private static let services: [OnionService] = Fixture.all(in: "definitions").compactMap {
    fixture in
    let files = RepositoryFiles([
      "onionkeeper.yaml": Array("version: 1\n".utf8), "services/blog.yaml": fixture.bytes,
    ])
    return readRevision(files).services.values.first?.definition?.service
  }

  @Test func thereAreSome() { #expect(Self.services.count > 10) }

  @Test(arguments: services)
  func roundTrip(_ service: OnionService) throws {
    let hosts = service.key == .generatePerHost ? ["eu-*"] : ["web-1"]
    let text = DefinitionText(
      service, hosts: hosts, heading: ["from /etc/tor/torrc:1\nports: []", ""],
      portNotes: [0: ["was 127.0.0.1:80"]]
    ).text
    let reading = readRevision(
      RepositoryFiles([
        "onionkeeper.yaml": Array("version: 1\n".utf8),
        "services/\(service.name).yaml": Array(text.utf8),
      ]))
    #expect(reading.services[service.name]?.definition?.service == service, "\(text)")
  }

  /// Names that YAML takes for something else.
  @Test(arguments: ["no", "123", "1e3", "on", "2026-11-25", "null"])
  func surprisingNames(_ word: String) throws {
    let name = try #require(ServiceName(word))
    let service = OnionService(
      name: Sample.name("a"), instance: InstanceName(name), formerly: name,
      access: .clients([AuthorizedClient(name: word, key: Sample.key(7))]),
      ports: [OnionPort(virtual: 80, target: .container("web", port: 80))])
    try roundTrip(service)
  }
}
