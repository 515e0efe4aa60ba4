extension PolicyDraft {
  /// The module: each rule under the denials that ask for it, and as comments what is not in it, and why.
  /// The same log gives the same text.
  public var cil: String {
    var lines = [
      "; Written by `onionkeeper policy from-audit` for \(domain). Read it, then:",
      ";   onionkeeper policy check FILE.cil && onionkeeper policy install FILE.cil",
    ]
    let types = Set(written.flatMap { [$0.rule.source, $0.rule.target] })
    lines += types.sorted().map { "(typeattributeset cil_gen_require \($0))" }
    if written.isEmpty { lines.append("; No rule is needed, or none may be given.") }
    for entry in written {
      lines.append("")
      for judgement in entry.judgements.prefix(Self.shown) { lines += comment(of: judgement) }
      if entry.judgements.count > Self.shown {
        lines.append("; and \(entry.judgements.count - Self.shown) more of the same kind")
      }
      let added = Set(entry.rule.permissions)
        .subtracting(entry.judgements.flatMap(\.denial.permissions))
      if !added.isEmpty {
        lines.append("; Asked for next, and so given too: \(added.sorted().joined(separator: " "))")
      }
      lines.append(entry.rule.text)
    }
    for entry in left.prefix(Self.leftLimit) { lines += comment(of: entry) }
    if left.count > Self.leftLimit {
      lines.append("; \(left.count - Self.leftLimit) more are not in it.")
    }
    return lines.joined(separator: "\n") + "\n"
  }

  /// Denials that are quoted for a rule.
  private static let shown = 3
  private static let leftLimit = 100

  private func comment(of judgement: DenialJudgement) -> [String] {
    let denial = judgement.denial
    let times = denial.count == 1 ? "" : ", \(denial.count) times"
    var lines = ["; \(Self.plain(judgement.summary))\(times)"]
    if let first = denial.evidence.first {
      lines.append(";   \(Self.plain(first.place)): \(Self.plain(first.text))")
    }
    if judgement.trouble == .policyUpdate {
      lines.append("; A newer policy has this rule: remove the module after the update.")
    }
    return lines
  }

  private func comment(of entry: Left) -> [String] {
    let heading =
      switch entry.why {
      case .notBlocked: "Not in it"
      case .covered: "Not in it, for a lesser remedy mends it"
      case .dangerous: "Not granted"
      case .useless: "Not in it, for no rule would help"
      }
    var lines = ["", "; \(heading): \(Self.plain(entry.judgement.summary))"]
    lines.append(";   \(Self.plain(entry.reason))")
    for remedy in entry.judgement.remedies.prefix(2) where remedy.kind != .rule {
      lines.append(";   - \(Self.plain(remedy.text))")
      lines += remedy.commands.map { ";       \(Self.plain($0))" }
    }
    if !entry.grants.isEmpty {
      lines.append(
        ";   If you have read this and want it: --allow \(entry.grants.joined(separator: " --allow "))"
      )
    }
    if let first = entry.judgement.denial.evidence.first {
      lines.append(";   \(Self.plain(first.place)): \(Self.plain(first.text))")
    }
    return lines
  }

  /// A comment ends with its line: nothing that a program chose may end it.
  static func plain(_ text: String) -> String {
    Array(text.utf8)[...].printable(limit: 2000)
  }
}
