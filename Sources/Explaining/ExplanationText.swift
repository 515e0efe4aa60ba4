/// An explanation for people: short, in order, without colours unless they are asked for.
public struct ExplanationText {
  /// Escape sequences for a terminal.
  public var isColoured: Bool
  /// Columns of a paragraph; evidence and commands are never broken, so that they can be copied.
  public var width: Int

  public init(isColoured: Bool = false, width: Int = 100) {
    self.isColoured = isColoured
    self.width = max(60, width)
  }

  public func lines(_ explanation: Explanation) -> [String] {
    var lines = [head(explanation)]
    for (index, finding) in explanation.findings.enumerated() {
      lines.append("")
      lines += self.lines(finding, index + 1)
    }
    if !explanation.unexplained.isEmpty {
      lines += [
        "", bold("Not explained") + ": these lines look like trouble, and they are not known here.",
      ]
      for entry in explanation.unexplained {
        lines.append(
          "  \(place(entry.evidence))\(entry.count > 1 ? "  (\(entry.count) such lines)" : "")")
      }
    }
    if !explanation.notes.isEmpty { lines.append("") }
    lines += explanation.notes.map { "note: \($0)" }
    return lines
  }

  private func head(_ explanation: Explanation) -> String {
    let count = explanation.inputs.reduce(0) { $0 + $1.lines }
    let given =
      "\(count) line\(count == 1 ? "" : "s") of \(explanation.inputs.count) input\(explanation.inputs.count == 1 ? "" : "s")"
    let kinds = Set(explanation.inputs.flatMap(\.kinds)).sorted().joined(separator: ", ")
    let read = "Read \(given)\(kinds.isEmpty ? "" : " (\(kinds))")."
    let causes = explanation.findings.filter { $0.impact != .notice }.count
    if explanation.findings.isEmpty {
      if !explanation.unexplained.isEmpty { return "\(read) No cause that is known here is in it." }
      if count == 0 { return "\(read) That says nothing." }
      return kinds.isEmpty
        ? "\(read) It is none of what can be read here: audit records, a log of tor, torrc, a unit, a listing."
        : "\(read) Nothing in it that is known here is wrong."
    }
    if causes == 0 { return "\(read) Nothing in it is why tor would fail; what it does show:" }
    return "\(read) \(causes) finding\(causes == 1 ? "" : "s"), what blocks first comes first:"
  }

  private func lines(_ finding: Finding, _ number: Int) -> [String] {
    var lines = wrapped("\(number). ", "\(bold(finding.title))", hang: 3)
    lines.append("   \(label("what"))\(colour(finding.impact))  [\(finding.code)]")
    lines += wrapped("   \(label("why"))", finding.cause, hang: 10)
    for (index, evidence) in finding.evidence.lines.enumerated() {
      lines.append("   \(label(index == 0 ? "seen" : ""))\(place(evidence))")
    }
    let more = finding.evidence.count - finding.evidence.lines.count
    if more > 0 { lines.append("          and \(more) more") }
    if finding.consequences > 0 {
      lines.append(
        "          and \(finding.consequences) line\(finding.consequences == 1 ? " that follows" : "s that follow") from it"
      )
    }
    lines.append("   \(label("sure"))\(sure(finding.confidence))")
    for (index, fix) in finding.fixes.enumerated() {
      lines += wrapped("   \(label(index == 0 ? "fix" : ""))\(index + 1). ", fix.action, hang: 13)
      lines += fix.commands.map { "               \(dim($0))" }
    }
    for (index, check) in finding.check.enumerated() {
      lines.append("   \(label(index == 0 ? "check" : ""))\(dim(check))")
    }
    return lines
  }

  private func place(_ evidence: Evidence) -> String {
    "\(evidence.file.isEmpty ? "line " : "\(evidence.file):")\(evidence.line): \(evidence.text)"
  }

  private func sure(_ confidence: Confidence) -> String {
    switch confidence {
    case .high: "yes"
    case .medium: "fairly: the check tells"
    case .low: "no: what was given does not show it, the check does"
    }
  }

  private func colour(_ impact: Impact) -> String {
    switch impact {
    case .blocks: paint("keeps tor, or the service, down", 31)
    case .risk: paint("runs, and is dangerous", 35)
    case .limits: paint("runs, with a part that does not work", 33)
    case .notice: paint("not the cause of a failure", 36)
    }
  }

  private func label(_ text: String) -> String {
    text + String(repeating: " ", count: max(0, 7 - text.count))
  }

  private func paint(_ text: String, _ code: Int) -> String {
    isColoured ? "\u{1b}[\(code)m\(text)\u{1b}[0m" : text
  }

  private func bold(_ text: String) -> String { paint(text, 1) }
  private func dim(_ text: String) -> String { paint(text, 2) }

  /// Broken at blanks; later lines begin under the first's text.
  private func wrapped(_ head: String, _ text: String, hang: Int) -> [String] {
    var lines: [String] = []
    var line = head
    var isEmpty = true
    for word in text.split(separator: " ") {
      if !isEmpty, line.count + word.count + 1 > width {
        lines.append(line)
        line = String(repeating: " ", count: hang)
        isEmpty = true
      }
      line += isEmpty ? String(word) : " \(word)"
      isEmpty = false
    }
    return lines + [line]
  }
}
