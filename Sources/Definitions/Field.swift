/// The description of a document: what the reader checks against, and what a JSON Schema is printed from.

/// One key of a mapping.
public struct Field: Sendable {
  public enum Support: Sendable {
    case supported
    /// Described and not in this version: refused by name, never ignored.
    case notYet
    /// Known elsewhere and refused here, with the reason.
    case never(because: String)
  }

  public let name: String
  public let type: FieldType
  public let isRequired: Bool
  public let support: Support
  /// What counts where it is not written, as it would be written; `nil` where that is nothing, or told by `summary`.
  public let defaultText: String?
  /// One sentence for people.
  public let summary: String

  public init(
    _ name: String, _ type: FieldType, isRequired: Bool = false, support: Support = .supported,
    default defaultText: String? = nil, summary: String
  ) {
    self.name = name
    self.type = type
    self.isRequired = isRequired
    self.support = support
    self.defaultText = defaultText
    self.summary = summary
  }

  /// A field that this version refuses by name, whatever its value; what its type says against the value is told too.
  public static func notYet(_ name: String, _ type: FieldType, summary: String) -> Field {
    Field(name, type, support: .notYet, summary: summary)
  }

  /// A field that is known elsewhere and never allowed here.
  public static func never(_ name: String, because reason: String) -> Field {
    Field(name, .anything, support: .never(because: reason), summary: reason)
  }
}

/// What a value must be.
public indirect enum FieldType: Sendable {
  /// `true` or `false`, no other word.
  case boolean
  /// `false`: what `true` would ask for is not in this version and is refused by name.
  case onlyFalse
  /// Decimal digits only. The noun is for messages: "a port".
  case integer(ClosedRange<Int>, noun: String)
  /// A decimal number with up to three places, read as thousandths.
  case thousandths(ClosedRange<Int>, noun: String)
  /// An integer with KiB, MiB or GiB, read as bytes.
  case size(ClosedRange<Int>)
  /// An integer with s, m, h or d, read as seconds.
  case duration(ClosedRange<Int>)
  case text(TextRule)
  case choice([Choice])
  case list(FieldType, count: ClosedRange<Int>)
  /// A mapping with known keys.
  case record([Field])
  /// A mapping with keys of the reader's own.
  case map(key: TextRule, value: TextRule, count: ClosedRange<Int>)
  /// The first of these that takes the value's kind (scalar, list, mapping).
  case either([FieldType], allowed: String)
  /// Not looked at: for fields that are refused by name.
  case anything

  /// What is allowed, in few words.
  public var allowed: String {
    switch self {
    case .boolean: "true|false"
    case .onlyFalse: "false"
    case .integer(let range, _):
      range.count == 1 ? "\(range.lowerBound)" : "\(range.lowerBound)–\(range.upperBound)"
    case .thousandths(let range, _):
      "\(thousandthsText(range.lowerBound))–\(thousandthsText(range.upperBound))"
    case .size(let range): "\(sizeText(range.lowerBound))–\(sizeText(range.upperBound))"
    case .duration(let range):
      "\(durationText(range.lowerBound))–\(durationText(range.upperBound))"
    case .text(let rule): rule.allowed
    case .choice(let choices): choices.map(\.word).joined(separator: "|")
    case .list(let item, _): "a list of: \(item.allowed)"
    case .record(let fields): "a mapping: \(allowedKeys(fields))"
    case .map(let key, let value, _): "a mapping of \(key.noun) to \(value.noun)"
    case .either(_, let allowed): allowed
    case .anything: "anything"
    }
  }

  /// The kinds of values that this type reads.
  var kinds: Set<ValueKind> {
    switch self {
    case .boolean, .onlyFalse, .integer, .thousandths, .size, .duration, .text, .choice: [.scalar]
    case .list: [.list]
    case .record, .map: [.mapping]
    case .either(let types, _): types.reduce(into: []) { $0.formUnion($1.kinds) }
    case .anything: Set(ValueKind.allCases)
    }
  }

  /// Whether this type reads values of the node's kind at all.
  func takes(_ node: YAMLNode) -> Bool {
    switch (self, node.content) {
    case (_, .unreadable), (.anything, _): true
    case (.list, .sequence), (.record, .mapping), (.map, .mapping): true
    case (.list, _), (.record, _), (.map, _): false
    case (.either(let types, _), _): types.contains { $0.takes(node) }
    case (_, .scalar): true
    case (_, .sequence), (_, .mapping): false
    }
  }
}

/// The kinds that YAML and JSON values are of.
enum ValueKind: CaseIterable { case scalar, list, mapping }

/// One word of a choice.
public struct Choice: Sendable {
  public let word: String
  public let isSupported: Bool

  public init(_ word: String, isSupported: Bool = true) {
    self.word = word
    self.isSupported = isSupported
  }
}

/// What is wrong with a text.
public enum TextProblem: Error, Hashable, Sendable {
  /// Just not one: the rule's noun and what is allowed say it.
  case notOne
  /// In its own words, complete.
  case because(String)
}

/// A text with a form of its own: an address, a target, a name.
public struct TextRule: Sendable {
  /// With its article: "a host name".
  public let noun: String
  /// "1 to 64 of a–z, 0–9, `-` and `.`"
  public let allowed: String
  /// An ECMA 262 expression for the JSON Schema; at least as wide as `problem`.
  public let pattern: String?
  /// False where the text may be a secret that was put into the wrong place: messages do not show it.
  public let isShown: Bool
  /// Words that are meant though YAML reads them otherwise: `off`.
  public var plainWords: Set<String> = []
  /// `nil` for a text that is right.
  public let problem: @Sendable (String) -> TextProblem?

  public init(
    noun: String, allowed: String, pattern: String? = nil, isShown: Bool = true,
    problem: @escaping @Sendable (String) -> TextProblem?
  ) {
    self.noun = noun
    self.allowed = allowed
    self.pattern = pattern
    self.isShown = isShown
    self.problem = problem
  }

  /// A text that is right if `isRight` says so.
  public init(
    noun: String, allowed: String, pattern: String? = nil,
    where isRight: @escaping @Sendable (String) -> Bool
  ) {
    self.init(noun: noun, allowed: allowed, pattern: pattern) { isRight($0) ? nil : .notOne }
  }
}

/// `hosts, address, key, …`: the keys that may be written.
func allowedKeys(_ fields: [Field]) -> String {
  fields.filter { if case .supported = $0.support { true } else { false } }.map(\.name)
    .joined(separator: ", ")
}
