public import OnionModel

/// Which events an endpoint wants: `*`, `drift.*`, or one kind.
public struct EventPattern: Hashable, Sendable, Codable, CustomStringConvertible {
  public let text: String

  /// `nil` unless at least one kind fits: a slip of the pen must not silence an endpoint for ever.
  public init?(_ text: String) {
    self.text = text
    guard EventKind.allCases.contains(where: matches) else { return nil }
  }

  public static let all = EventPattern(unchecked: "*")

  private init(unchecked text: String) { self.text = text }

  public func matches(_ kind: EventKind) -> Bool {
    if text == "*" || text == kind.rawValue { return true }
    return text.hasSuffix(".*") && kind.rawValue.hasPrefix(text.dropLast())
  }

  public var description: String { text }

  public init(from decoder: any Decoder) throws {
    // Not validated: a pattern that a later version knew must not make the row unreadable.
    text = try decoder.singleValueContainer().decode(String.self)
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(text)
  }
}
