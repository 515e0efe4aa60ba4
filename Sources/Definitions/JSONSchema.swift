/// The JSON Schema (2020-12) of a document, from the description that the reader checks it against.
///
/// It says all that a schema can say: kinds, known keys, ranges (of sizes and durations as patterns), forms of texts,
/// lengths, what is required. What only a look at several fields tells, or a checksum, it leaves to `check`.
/// - Parameters:
///   - fields: the keys of the document's own mapping.
///   - title: what the document is, for people.
public func jsonSchema(of fields: [Field], title: String) -> JSONValue {
  .object(
    [
      .init("$schema", .string("https://json-schema.org/draft/2020-12/schema")),
      .init("title", .string(title)),
    ] + recordSchema(fields))
}

private func recordSchema(_ fields: [Field]) -> [JSONValue.Member] {
  var members: [JSONValue.Member] = [
    .init("type", .string("object")),
    .init("properties", .object(fields.map { .init($0.name, $0.schema) })),
    .init("additionalProperties", .boolean(false)),
  ]
  let required = fields.filter(\.isRequired).map { JSONValue.string($0.name) }
  if !required.isEmpty { members.append(.init("required", .array(required))) }
  return members
}

extension Field {
  fileprivate var schema: JSONValue {
    switch support {
    case .supported:
      var members: [JSONValue.Member] = [.init("description", .string(schemaDescription))]
      if let defaultText { members.append(.init("default", type.literal(defaultText))) }
      return .object(members + type.schema)
    case .notYet:
      return .object([
        .init("description", .string("Not supported yet: \(summary)")), .init("not", .object([])),
      ])
    case .never(let reason):
      return .object([
        .init("description", .string("Never here: \(reason).")), .init("not", .object([])),
      ])
    }
  }

  /// The sentence, and for a single value its form, which a pattern says badly.
  private var schemaDescription: String {
    switch type {
    case .text, .size, .duration, .thousandths, .integer: "\(summary) Allowed: \(type.allowed)."
    default: summary
    }
  }
}

extension FieldType {
  fileprivate var schema: [JSONValue.Member] {
    switch self {
    case .boolean: return [.init("type", .string("boolean"))]
    case .onlyFalse: return [.init("const", .boolean(false))]
    case .integer(let range, _):
      return [
        .init("type", .string("integer")), .init("minimum", .integer(range.lowerBound)),
        .init("maximum", .integer(range.upperBound)),
      ]
    case .thousandths(let range, _):
      return [
        .init("type", .string("number")),
        .init("minimum", .number(thousandthsText(range.lowerBound))),
        .init("maximum", .number(thousandthsText(range.upperBound))),
      ]
    case .size(let range): return text(quantityPattern(range, units: sizeUnits))
    case .duration(let range): return text(quantityPattern(range, units: durationUnits))
    case .text(let rule): return text(rule.pattern)
    case .choice(let choices):
      return [.init("enum", .array(choices.filter(\.isSupported).map { .string($0.word) }))]
    case .list(let item, let count):
      return [
        .init("type", .string("array")), .init("items", .object(item.schema)),
        .init("minItems", .integer(count.lowerBound)),
        .init("maxItems", .integer(count.upperBound)),
      ]
    case .record(let fields): return recordSchema(fields)
    case .map(let key, let value, let count):
      return [
        .init("type", .string("object")),
        .init("propertyNames", .object(text(key.pattern))),
        .init("additionalProperties", .object(text(value.pattern))),
        .init("minProperties", .integer(count.lowerBound)),
        .init("maxProperties", .integer(count.upperBound)),
      ]
    case .either(let types, _):
      return [.init("anyOf", .array(firstOfEachKind(types).map { .object($0.schema) }))]
    case .anything: return []
    }
  }

  private func text(_ pattern: String?) -> [JSONValue.Member] {
    [.init("type", .string("string"))] + (pattern.map { [.init("pattern", .string($0))] } ?? [])
  }

  /// A default as a document writes it: a text stays a text whatever it looks like.
  fileprivate func literal(_ text: String) -> JSONValue {
    switch self {
    case .boolean, .onlyFalse: .boolean(text == "true")
    case .integer, .thousandths: .number(text)
    default: .string(text)
    }
  }
}

/// The reader takes the first that fits a value's kind; a later one of the same kind is never asked.
private func firstOfEachKind(_ types: [FieldType]) -> [FieldType] {
  var taken: Set<ValueKind> = []
  return types.filter { type in
    let kinds = type.kinds
    defer { taken.formUnion(kinds) }
    return !kinds.isSubset(of: taken)
  }
}
