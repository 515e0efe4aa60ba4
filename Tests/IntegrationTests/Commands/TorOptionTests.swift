import Definitions
import Foundation
import OnionModel
import Testing

/// What a definition may say of tor is what this machine's tor takes, and the other way round.
struct TorOptionTests {
  /// `tor:` of a definition, and the same in torrc's words.
  static let cases: [(yaml: String, torrc: [String])] = [
    ("{introductionPoints: 3}", ["NumIntroductionPoints 3"]),
    ("{introductionPoints: 20}", ["NumIntroductionPoints 20"]),
    ("{introductionPoints: 2}", ["NumIntroductionPoints 2"]),
    ("{introductionPoints: 21}", ["NumIntroductionPoints 21"]),
    ("{maxStreams: 65535}", ["MaxStreams 65535"]), ("{maxStreams: 65536}", ["MaxStreams 65536"]),
    ("{maxStreamsCloseCircuit: true}", ["MaxStreamsCloseCircuit 1"]),
    ("{introDoS: {}}", bucket("25", "200")), ("{introDoS: {rate: 201}}", bucket("201", "200")),
    ("{introDoS: {burst: 24}}", bucket("25", "24")), ("{introDoS: {burst: 0}}", bucket("25", "0")),
    ("{introDoS: {rate: 0, burst: 0}}", bucket("0", "0")),
    ("{introDoS: {rate: 2147483647, burst: 2147483647}}", bucket("2147483647", "2147483647")),
    ("{introDoS: {rate: 1, burst: 2147483648}}", bucket("1", "2147483648")),
    ("{proofOfWork: {}}", queue("250", "2500")),
    ("{proofOfWork: {queueBurst: 249}}", queue("250", "249")),
    ("{proofOfWork: {queueRate: 0, queueBurst: 0}}", queue("0", "0")),
    ("{proofOfWork: {queueRate: 2147483648}}", queue("2147483648", "2500")),
    ("{exportCircuitID: haproxy}", ["ExportCircuitID haproxy"]),
    ("{exportCircuitID: nginx}", ["ExportCircuitID nginx"]),
  ]

  private static func bucket(_ rate: String, _ burst: String) -> [String] {
    [
      "EnableIntroDoSDefense 1", "EnableIntroDoSRatePerSec \(rate)",
      "EnableIntroDoSBurstPerSec \(burst)",
    ]
  }

  private static func queue(_ rate: String, _ burst: String) -> [String] {
    ["PoWDefensesEnabled 1", "PoWQueueRate \(rate)", "PoWQueueBurst \(burst)"]
  }

  @Test(arguments: cases) func readerAndTorAgree(_ yaml: String, torrc: [String]) async throws {
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    let lines = torrc.map { "HiddenService\($0)" }
    let head = [
      "DataDirectory \(try folder.folder("data"))", "DisableNetwork 1", "SocksPort 0",
      "HiddenServiceDir \(try folder.folder("service"))", "HiddenServicePort 80 127.0.0.1:80",
    ]
    let path = try folder.file(
      "torrc", Array((head + lines).joined(separator: "\n").utf8))
    let empty = try folder.file("defaults", [])
    let verdict = try await bash("tor --defaults-torrc \(empty) -f \(path) --verify-config")
    let isTaken = verdict.output.contains("Configuration was valid")
    #expect(isTaken == (verdict.code == 0))

    let text =
      "hosts: [web-1]\nkey: existing\nports: [{virtual: 80, target: host:80}]\ntor: \(yaml)\n"
    let reading = readRevision(
      RepositoryFiles([
        "onionkeeper.yaml": Array("version: 1\n".utf8), "services/blog.yaml": Array(text.utf8),
      ]))
    let service = reading.services.values.first?.definition?.service
    #expect((service != nil) == isTaken, "\(reading.diagnostics) \(verdict.output)")
    if let service { #expect(service.tor.serviceLines == lines) }
  }
}
