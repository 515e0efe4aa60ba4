import Foundation
import Testing

/// What `doctor --json` says of a host.
struct DoctorJudgement: Decodable {
  struct Finding: Decodable {
    var area: String
    var weight: String
    var message: String
    var mend: [String]
  }

  var findings: [Finding]
  var isWell: Bool

  init(_ json: String) throws {
    self = try JSONDecoder().decode(DoctorJudgement.self, from: Data(json.utf8))
  }

  func weights(_ area: String) -> Set<String> {
    Set(findings.filter { $0.area == area }.map(\.weight))
  }
}

extension CommandHost {
  /// A host on which one service runs: everything is seen, and only what this test's machine lacks is wrong.
  func examine() async throws {
    let ended = try await onionkeeper("doctor --json")
    let judgement = try DoctorJudgement(ended.output)
    #expect(judgement.isWell == (ended.code == 0))
    for area in ["host-file", "folders", "engine", "storage", "keys", "programs"] {
      #expect(judgement.weights(area) == ["ok"], "\(area): \(ended.output)")
    }
    #expect(judgement.weights("image").isSubset(of: ["ok", "note"]), "\(ended.output)")
    #expect(judgement.findings.contains { $0.area == "tor" && $0.message.contains("0.4.") })
    // Nobody set recipients; the engine has a network namespace of its own.
    #expect(judgement.weights("backups") == ["risk"])
    #expect(judgement.weights("targets") == ["unknown"])
    #expect(!judgement.findings.contains { $0.weight == "broken" && $0.area != "clock" })
    let text = try await onionkeeper("doctor --quiet")
    #expect(text.output.contains("backup.recipients"))
    #expect(!text.output.contains("host-file"))
  }
}
