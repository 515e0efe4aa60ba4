import Foundation
import Testing

/// `explain` and `policy` as a user runs them on a host without SELinux, engine or host file: files, pipes and exit codes.
@Suite struct ExplainCommandTests {
  private static let denials = ["dac_read_search", "dac_override"].enumerated().map {
    number, permission in
    "type=AVC msg=audit(1700000000.123:6\(number)): avc:  denied  { \(permission) } for  pid=811 comm=\"tor\""
      + " capability=\(2 - number)  scontext=system_u:system_r:tor_t:s0"
      + " tcontext=system_u:system_r:tor_t:s0 tclass=capability permissive=0\n"
  }.joined()
  private static let log =
    "Nov 14 22:13:20.000 [warn] Directory /var/lib/tor/blog cannot be read: Permission denied\n"
  private static let rule = "(allow tor_t self (capability (dac_read_search)))"

  @Test(arguments: [
    "explain audit.log tor.log", "explain < both", "explain - < both",
    "cat both | ONIONKEEPER explain",
  ])
  func theClassicFailureIsExplained(how: String) async throws {
    let folder = try TemporaryFolder()
    try fill(folder)
    let ended = try await run(how, in: folder)
    #expect(ended.code == 0, "\(ended.output)\(ended.errors)")
    let first = ended.output.components(separatedBy: "\n2. ")[0]
    #expect(first.contains("dac_read_search"))
    #expect(first.contains(Self.rule))
    #expect(first.contains("Permission denied"))
    #expect(ended.errors == "")
  }

  @Test func jsonIsOneDocument() async throws {
    struct Told: Decodable {
      struct Finding: Decodable { var code: String, impact: String }
      var findings: [Finding]
    }
    let folder = try TemporaryFolder()
    try fill(folder)
    let ended = try await run("explain --json audit.log tor.log", in: folder)
    let told = try JSONDecoder().decode(Told.self, from: Data(ended.output.utf8))
    #expect(told.findings.first?.code == "selinux.ownership")
    #expect(told.findings.first?.impact == "blocks")
  }

  /// Standard output is the module and nothing else: it is redirected into the file that is installed.
  @Test(arguments: [("", "(dac_read_search)"), (" --exact", "(dac_override dac_read_search)")])
  func aModuleIsWrittenAndItsSyntaxIsRight(_ option: String, permissions: String) async throws {
    let folder = try TemporaryFolder()
    try fill(folder)
    let written = try await run("policy from-audit\(option) audit.log > mine.cil", in: folder)
    #expect(written.code == 0, "\(written.errors)")
    let module = try String(contentsOfFile: "\(folder.path)/mine.cil", encoding: .utf8)
    let rules = module.split(separator: "\n").filter { $0.hasPrefix("(allow ") }
    #expect(rules == ["(allow tor_t self (capability \(permissions)))"])
    let checked = try await run("policy check mine.cil", in: folder)
    #expect(checked.code == 0)
    #expect(checked.output.contains("its syntax is right"), "\(checked.output)\(checked.errors)")
  }

  @Test func whatIsNoneOfItIsSaid() async throws {
    let folder = try TemporaryFolder()
    try Data("Dear diary,\nnothing happened.\n".utf8).write(
      to: URL(fileURLWithPath: "\(folder.path)/diary"))
    let ended = try await run("explain diary", in: folder)
    #expect(ended.output.contains("none of what can be read here"), "\(ended.output)")
    #expect(!ended.output.contains("1. "), "\(ended.output)")
    let missing = try await run("explain no-such-file", in: folder)
    #expect(missing.code == 1)
    #expect(missing.errors.contains("no-such-file"), "\(missing.errors)")
  }

  private func fill(_ folder: TemporaryFolder) throws {
    for (name, text) in [
      ("audit.log", Self.denials), ("tor.log", Self.log), ("both", Self.denials + Self.log),
    ] {
      try Data(text.utf8).write(to: URL(fileURLWithPath: "\(folder.path)/\(name)"))
    }
  }

  private func run(_ words: String, in folder: TemporaryFolder) async throws -> Ended {
    let command =
      words.contains("ONIONKEEPER")
      ? words.replacing("ONIONKEEPER", with: CommandHost.program)
      : "\(CommandHost.program) \(words)"
    return try await bash("cd \(folder.path) && \(command)", seconds: 60)
  }
}
