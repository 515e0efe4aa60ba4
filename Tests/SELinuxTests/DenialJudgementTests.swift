import FixtureFiles
import SELinux
import Testing

/// Each fixture says of its denials, in order: trouble, use of a rule, and `through` where nothing was refused; and what
/// the whole must say, and must never say.
@Suite struct DenialJudgementTests {
  static let fixtures = Fixture.all(in: "judgements", beside: #filePath)

  @Test func allAreThere() { #expect(Self.fixtures.count >= 34) }

  @Test(arguments: fixtures)
  func judged(_ fixture: Fixture) {
    #expect(fixture.noteKeys.isSubset(of: ["expect", "says", "never"]))
    let found = report(String(decoding: fixture.bytes, as: UTF8.self))
    #expect(found.counts.broken == 0)
    let judgements = DenialJudge().judge(found.denials)
    #expect(judgements.map(line) == fixture.notes("expect"))
    let text = judgements.map(words).joined(separator: "\n")
    for phrase in fixture.notes("says") {
      #expect(text.contains(phrase), "says \(phrase)")
    }
    for phrase in fixture.notes("never") {
      #expect(!text.contains(phrase), "never says \(phrase)")
    }
    for phrase in [
      "setenforce 0", "SELINUX=disabled", "chmod 777", "label=disable", "--privileged",
    ] {
      #expect(!text.contains(phrase))
    }
  }

  private func line(_ judgement: DenialJudgement) -> String {
    let use =
      switch judgement.ruleUse {
      case .needed: "needed"
      case .covered: "covered"
      case .dangerous: "dangerous"
      case .useless: "useless"
      }
    return "\(judgement.trouble.rawValue) \(use)" + (judgement.wasLetThrough ? " through" : "")
  }

  private func words(_ judgement: DenialJudgement) -> String {
    ([judgement.summary, judgement.cause]
      + judgement.remedies.flatMap { [$0.text] + $0.commands }).joined(separator: "\n")
  }

  /// Every remedy stands in order of what it gives away, and none is empty.
  @Test(arguments: fixtures)
  func remediesGrow(_ fixture: Fixture) {
    for judgement in DenialJudge().judge(
      report(String(decoding: fixture.bytes, as: UTF8.self)).denials)
    {
      #expect(!judgement.remedies.isEmpty && !judgement.summary.isEmpty)
      let kinds = judgement.remedies.map(\.kind)
      #expect(kinds.firstIndex(of: .rule).map { $0 == kinds.count - 1 } ?? true)
    }
  }

  @Test(
    arguments: [
      (nil, "needed", true), (["tor_can_onion_services": false], "covered", true),
      (["tor_can_onion_services": true], "needed", false), (["other": false], "needed", false),
    ] as [([String: Bool]?, String, Bool)])
  func theSwitchOnlyWhereItMatters(_ booleans: [String: Bool]?, _ use: String, _ isNamed: Bool) {
    let denials = report(
      #"type=AVC msg=audit(1.1:1): avc:  denied  { dac_read_search } for  pid=1 comm="tor" capability=2 scontext=system_u:system_r:tor_t:s0 tcontext=system_u:system_r:tor_t:s0 tclass=capability permissive=0"#
    ).denials
    let judgements = DenialJudge(knowledge: PolicyKnowledge(booleans: booleans)).judge(denials)
    #expect(judgements.map { line($0) } == ["ownership \(use)"])
    #expect(judgements[0].remedies.contains { $0.kind == .boolean } == isNamed)
  }

  @Test(arguments: [
    ("s0", "s0:c1", false), ("s0:c1,c2", "s0:c1,c2", true), ("s0:c1,c2", "s0:c2", true),
    ("s0-s0:c0.c1023", "s0:c5,c900", true), ("s0:c1.c3", "s0:c2,c4", false), ("s0", "s1", false),
    ("s0:c1", "s0", true),
  ])
  func categories(_ own: String, _ other: String, _ fits: Bool) throws {
    let own = try #require(Categories(upperOf: own))
    #expect(own.dominates(try #require(Categories(upperOf: other))) == fits)
  }

  @Test(arguments: ["SystemHigh", "s0:c1.c99999", "s0:cx", "", "s0:c5.c1", "x0"])
  func noLevels(_ text: String) { #expect(Categories(upperOf: text) == nil) }
}
