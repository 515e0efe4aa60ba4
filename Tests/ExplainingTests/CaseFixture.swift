import FixtureFiles

@testable import Explaining

/// A file of `Fixtures/cases`: inputs behind `=== NAME`, and before them what must be found.
///
/// `finding: CODE` there is one of this code, resting on a line of these inputs; `impact:` and `sure:` of the first; `count:` so many
/// findings in all; `says:` stands in one of them; `never:` stands in none; `unexplained:` a line that is said not to be known.
struct CaseFixture: CustomStringConvertible, Sendable {
  let fixture: Fixture

  var description: String { fixture.name }

  static let all = Fixture.all(in: "cases", beside: #filePath).map(CaseFixture.init)

  /// The inputs under names that tell whose they are.
  var inputs: [(name: String, bytes: [UInt8])] {
    fixture.sections.sorted { $0.key < $1.key }.map { ("\(fixture.name)/\($0.key)", $0.value) }
  }

  /// The findings that rest on one of its lines.
  func own(_ explanation: Explanation) -> [Finding] {
    explanation.findings.filter { finding in
      finding.evidence.lines.contains { $0.file.hasPrefix("\(fixture.name)/") }
    }
  }

  /// What is wrong with the findings; empty if nothing.
  func faults(_ findings: [Finding], isAlone: Bool) -> [String] {
    var faults: [String] = []
    let text = findings.map { finding in
      ExplanationText(width: 1_000_000).lines(
        Explanation(findings: [finding], unexplained: [], notes: [], inputs: [])
      ).joined(separator: "\n").split(separator: "\n").filter { line in
        // Evidence is what was given; what it says is not ours.
        !finding.evidence.lines.contains { line.hasSuffix($0.text) }
      }.joined(separator: "\n")
    }.joined(separator: "\n")
    for code in fixture.notes("finding") where !findings.contains(where: { $0.code == code }) {
      faults.append("no finding \(code), but \(findings.map(\.code))")
    }
    for impact in fixture.notes("impact") where findings.first?.impact.rawValue != impact {
      faults.append("impact \(findings.first?.impact.rawValue ?? "none"), not \(impact)")
    }
    for sure in fixture.notes("sure") where findings.first?.confidence.rawValue != sure {
      faults.append("confidence \(findings.first?.confidence.rawValue ?? "none"), not \(sure)")
    }
    for part in fixture.notes("says") where !text.contains(part) {
      faults.append("does not say: \(part)")
    }
    for part in fixture.notes("never") + Self.never where text.contains(part) {
      faults.append("says: \(part)")
    }
    if isAlone, let count = fixture.notes("count").first, Int(count) != findings.count {
      faults.append("\(findings.count) findings, not \(count): \(findings.map(\.code))")
    }
    return faults
  }

  /// What no answer ever says.
  static let never = [
    "setenforce", "chmod 777", "chmod -R", "chmod 755", "audit2allow", "--privileged",
    "privileged: true", "label=disable", "label:disable", "SELINUX=disabled", "SELINUX=permissive",
    "User root", "User=root", "semanage permissive", "(allow tor_t self (process (execmem)))",
  ]
}
