public import OnionModel

/// A document read against its description.
public struct DocumentReading: Sendable {
  public let document: YAMLDocument
  /// The document's mapping; `nil` where nothing could be read. Invalid parts are `.invalid` in it.
  public let value: FieldValue?
  /// Every error and warning, in order of place. Any error refuses the document.
  public let diagnostics: [Diagnostic]
  /// Keys that nobody knows at their place.
  public let unknownKeys: [UnknownKey]

  public struct UnknownKey: Sendable {
    public let key: String
    /// How deep: 0 is the document's own mapping.
    public let depth: Int
    /// The known key that was probably meant.
    public let meant: String?
  }
}

/// Reads a YAML document whose mapping has `fields`; all that is wrong is found in one go.
public func readDocument(bytes: [UInt8], file: String, fields: [Field]) -> DocumentReading {
  let document = YAMLDocument.read(bytes: bytes, file: file)
  var reader = FieldReader(file: file)
  var value: FieldValue?
  if let root = document.root { value = reader.read(root, as: .record(fields), path: "") }
  // Where reading broke off, what stands in that line is not what was meant.
  let found = reader.diagnostics.filter { document.breakPlace?.line != $0.line }
  return DocumentReading(
    document: document, value: value,
    diagnostics: (document.diagnostics + found).sortedByPlace(),
    unknownKeys: reader.unknownKeys)
}

/// Holds nodes against their description.
struct FieldReader {
  let file: String
  private(set) var diagnostics: [Diagnostic] = []
  private(set) var unknownKeys: [DocumentReading.UnknownKey] = []
  private var depth = 0

  init(file: String) { self.file = file }

  private mutating func report(_ place: Place, _ path: String, _ message: String) {
    guard diagnostics.count < YAMLDocument.diagnosticLimit else { return }
    diagnostics.append(
      Diagnostic(
        file: file, line: place.line, column: place.column, path: path, message: message))
  }

  mutating func read(_ node: YAMLNode, as type: FieldType, path: String) -> FieldValue {
    func value(_ content: FieldValue.Content) -> FieldValue {
      FieldValue(place: node.place, path: path, content: content)
    }
    if case .unreadable = node.content { return value(.invalid) }
    if case .anything = type { return value(.invalid) }
    guard type.takes(node), !node.isNull || !type.isContainer else {
      report(node.place, path, "\(kind(node)) (\(type.allowed))")
      return value(.invalid)
    }
    switch type {
    case .either(let types, _):
      guard let first = types.first(where: { $0.takes(node) }) else { return value(.invalid) }
      return read(node, as: first, path: path)
    case .list(let item, let count):
      return value(list(node, item, count, path: path))
    case .record(let fields):
      return value(record(node, fields, path: path))
    case .map(let key, let item, let count):
      return value(map(node, key, item, count, path: path))
    default:
      guard case .scalar(let text, let isPlain) = node.content else { return value(.invalid) }
      switch readScalar(text, isPlain: isPlain, isNull: node.isNull, as: type) {
      case .success(let content): return value(content)
      case .failure(let refusal):
        report(node.place, path, refusal.message)
        return value(.invalid)
      }
    }
  }

  private mutating func list(
    _ node: YAMLNode, _ item: FieldType, _ count: ClosedRange<Int>, path parent: String
  ) -> FieldValue.Content {
    depth += 1
    defer { depth -= 1 }
    let items = node.items
    if items.count > count.upperBound {
      report(node.place, parent, "has \(items.count) items (at most \(count.upperBound))")
    } else if items.count < count.lowerBound, node.isWhole {
      report(node.place, parent, "is empty (at least \(count.lowerBound))")
    }
    return .list(
      items.prefix(count.upperBound).enumerated().map { index, element in
        read(element, as: item, path: path(parent, index: index))
      })
  }

  private mutating func record(
    _ node: YAMLNode, _ fields: [Field], path parent: String
  ) -> FieldValue.Content {
    depth += 1
    defer { depth -= 1 }
    var values: [String: FieldValue] = [:]
    for pair in node.pairs {
      let here = path(parent, key: pair.key)
      guard let field = fields.first(where: { $0.name == pair.key }) else {
        unknown(pair, fields, path: here)
        continue
      }
      switch field.support {
      case .supported:
        let value = read(pair.value, as: field.type, path: here)
        // Of a key that stands twice (reported) the first counts.
        if values[field.name] == nil { values[field.name] = value }
      case .notYet:
        _ = read(pair.value, as: field.type, path: here)
        report(pair.place, here, "is not supported yet")
        values[field.name] = FieldValue(place: pair.place, path: here, content: .invalid)
      case .never(let reason):
        report(pair.place, here, "cannot stand here: \(reason)")
        values[field.name] = FieldValue(place: pair.place, path: here, content: .invalid)
      }
    }
    for field in fields
    where field.isRequired && node.isWhole && !node.pairs.contains(where: { $0.key == field.name })
    {
      report(node.place, path(parent, key: field.name), "is missing (\(field.type.allowed))")
    }
    return .record(values)
  }

  private mutating func unknown(_ pair: YAMLPair, _ fields: [Field], path: String) {
    // Beyond the last diagnostic nobody reads a suggestion, and a hostile text pays for none.
    let isRead = diagnostics.count < YAMLDocument.diagnosticLimit
    let meant = isRead ? nearest(to: pair.key, among: fields.map(\.name)) : nil
    unknownKeys.append(.init(key: pair.key, depth: depth - 1, meant: meant))
    let hint = meant.map { "did you mean `\($0)`?" } ?? allowedKeys(fields)
    report(pair.place, path, "is not a known key (\(hint))")
  }

  private mutating func map(
    _ node: YAMLNode, _ key: TextRule, _ item: TextRule, _ count: ClosedRange<Int>,
    path parent: String
  ) -> FieldValue.Content {
    depth += 1
    defer { depth -= 1 }
    if !count.contains(node.pairs.count), node.isWhole || node.pairs.count > count.upperBound {
      report(
        node.place, parent,
        "has \(node.pairs.count) entries (\(count.lowerBound)–\(count.upperBound))")
    }
    var values: [String: FieldValue] = [:]
    for pair in node.pairs.prefix(count.upperBound) {
      let here = path(parent, key: pair.key)
      if let problem = key.problem(pair.key) {
        report(pair.place, here, message(problem, key, pair.key))
      }
      let value = read(pair.value, as: .text(item), path: here)
      if values[pair.key] == nil { values[pair.key] = value }
    }
    return .record(values)
  }

  private func kind(_ node: YAMLNode) -> String {
    switch node.content {
    case .sequence: "is a list"
    case .mapping: "is a mapping"
    case .scalar(let text, _): node.isNull ? "has no value" : "\(excerpt(text)) is a single value"
    case .unreadable: "cannot be read"
    }
  }
}

extension FieldType {
  fileprivate var isContainer: Bool {
    switch self {
    case .list, .record, .map: true
    case .either(let types, _): types.allSatisfy(\.isContainer)
    default: false
    }
  }
}
