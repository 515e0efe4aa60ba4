import FixtureFiles
import Testing

@testable import Explaining

@Suite("Cases")
struct CaseTests {
  static func explain(_ inputs: [(name: String, bytes: [UInt8])]) -> Explanation {
    var explainer = Explainer()
    for input in inputs {
      explainer.begin(input.name)
      explainer.read(input.bytes)
    }
    return explainer.finish()
  }

  @Test("Each case alone: what must be said is said, and nothing else", arguments: CaseFixture.all)
  func alone(_ fixture: CaseFixture) {
    let explanation = Self.explain(fixture.inputs)
    #expect(fixture.faults(explanation.findings, isAlone: true) == [])
    for line in fixture.fixture.notes("unexplained") {
      #expect(explanation.unexplained.contains { $0.evidence.text.contains(line) })
    }
    if fixture.fixture.notes("unexplained").isEmpty {
      #expect(explanation.unexplained.map(\.evidence.text) == [])
    }
  }

  @Test("Each case as one stream, pasted together", arguments: CaseFixture.all)
  func pasted(_ fixture: CaseFixture) {
    // Two torrc files in one would be another torrc.
    let torrcs = fixture.inputs.filter { $0.name.contains("torrc") }
    guard torrcs.count < 2 else { return }
    var bytes: [UInt8] = []
    for input in fixture.inputs { bytes += input.bytes + [0x0a] }
    let explanation = Self.explain([("\(fixture.description)/paste", bytes)])
    #expect(fixture.faults(explanation.findings, isAlone: true) == [])
  }

  @Test("The inputs of a case in the opposite order", arguments: CaseFixture.all)
  func reversed(_ fixture: CaseFixture) {
    let explanation = Self.explain(fixture.inputs.reversed())
    #expect(fixture.faults(explanation.findings, isAlone: true) == [])
  }

  @Test("Each case in noise, with CRLF and a byte order mark", arguments: CaseFixture.all)
  func noisy(_ fixture: CaseFixture) {
    let inputs = fixture.inputs.map { input in
      var bytes: [UInt8] = [0xef, 0xbb, 0xbf]
      for line in input.bytes.split(separator: 0x0a, omittingEmptySubsequences: false) {
        bytes += line + [0x0d, 0x0a]
      }
      return (input.name, bytes)
    }
    let noise = (0..<300).map { number in
      """
      Nov 26 07:00:01 host sshd[\(number)]: Accepted publickey for ops from 192.0.2.\(number % 250) port 22
      type=USER_START msg=audit(1795490900.\(100 + number):\(number)): pid=1 uid=0 auid=0 ses=1 msg='op=PAM:session_open acct="root" res=success'
      Nov 26 07:00:02.000 [notice] Bootstrapped \(number % 100)% (loading): Loading

      """
    }.joined()
    let explanation = Self.explain([("noise", Array(noise.utf8))] + inputs)
    #expect(fixture.faults(fixture.own(explanation), isAlone: true) == [])
  }

  @Test("All cases together, in any order, are told apart", arguments: 0..<6)
  func together(_ seed: Int) {
    var inputs = CaseFixture.all.filter { !$0.fixture.notes("together").contains("no") }
    // A shuffle that the seed decides.
    var state = UInt64(seed) &* 0x9e37_79b9_7f4a_7c15 | 1
    for index in inputs.indices.dropLast() {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      inputs.swapAt(index, index + Int(state >> 33) % (inputs.count - index))
    }
    let explanation = Self.explain(inputs.flatMap(\.inputs))
    for fixture in inputs {
      #expect(fixture.faults(fixture.own(explanation), isAlone: false) == [], "\(fixture)")
    }
    let impacts = explanation.findings.map(\.impact.rank)
    #expect(impacts == impacts.sorted())
  }
}
