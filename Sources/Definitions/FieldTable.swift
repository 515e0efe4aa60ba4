/// The fields of a document as a table in Markdown, one row each, in the order of the description; nested ones by
/// their path, `[]` for each item of a list: `ports[].virtual`.
public func fieldTable(of fields: [Field]) -> String {
  var rows = ["| field | value | default | |", "|---|---|---|---|"]
  for field in fields { rows += fieldRows(field, below: "") }
  return rows.joined(separator: "\n") + "\n"
}

private func fieldRows(_ field: Field, below parent: String) -> [String] {
  let path = parent.isEmpty ? field.name : "\(parent).\(field.name)"
  func row(_ value: String, _ standard: String, _ summary: String) -> String {
    "| `\(path)` | \(cell(value)) | \(cell(standard)) | \(cell(summary)) |"
  }
  switch field.support {
  case .notYet: return [row("", "", "Not supported yet. \(field.summary)")]
  case .never(let reason): return [row("never", "", "\(reason).".capitalizedSentence)]
  case .supported: break
  }
  let standard = field.isRequired ? "required" : field.defaultText.map { "`\($0)`" } ?? ""
  return [row(field.type.words, standard, field.summary)]
    + field.type.nested.flatMap { suffix, nested in
      nested.flatMap { fieldRows($0, below: path + suffix) }
    }
}

extension FieldType {
  /// What a value is and in which range, for a table.
  fileprivate var words: String {
    switch self {
    case .boolean: "true or false"
    case .onlyFalse: "`false`"
    case .integer(_, let noun): "\(noun), \(allowed)"
    case .thousandths(_, let noun): "\(noun), \(allowed), up to three decimals"
    case .size: "KiB, MiB or GiB, \(allowed)"
    case .duration: "s, m, h or d, \(allowed)"
    case .text(let rule): "\(rule.noun): \(rule.allowed)"
    case .choice(let choices):
      choices.map { "`\($0.word)`" + ($0.isSupported ? "" : " (not supported yet)") }
        .joined(separator: ", ")
    case .list(let item, let count):
      "\(count.lowerBound)–\(count.upperBound) × \(item.isRecord ? "a mapping" : item.words)"
    case .record: "a mapping"
    case .map(let key, let value, let count):
      "\(count.lowerBound)–\(count.upperBound) × \(key.noun) and \(value.noun): \(value.allowed)"
    case .either(_, let allowed): allowed
    case .anything: "anything"
    }
  }

  private var isRecord: Bool { if case .record = self { true } else { false } }

  /// Records in it, each with what its path adds to this one's.
  fileprivate var nested: [(suffix: String, fields: [Field])] {
    switch self {
    case .record(let fields): [("", fields)]
    case .list(let item, _): item.nested.map { ("[]" + $0.suffix, $0.fields) }
    case .either(let types, _): types.flatMap(\.nested)
    default: []
    }
  }
}

extension String {
  fileprivate var capitalizedSentence: String { prefix(1).uppercased() + dropFirst() }
}

/// A `|` would end the cell.
private func cell(_ text: String) -> String {
  text.split(separator: "|", omittingEmptySubsequences: false).joined(separator: "\\|")
}
