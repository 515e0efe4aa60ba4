/// A value that was read against its description, with its place and path.
public struct FieldValue: Sendable {
  public enum Content: Sendable {
    case boolean(Bool)
    /// Integers; bytes of a size, seconds of a duration, thousandths of a decimal.
    case integer(Int)
    case text(String)
    case list([FieldValue])
    case record([String: FieldValue])
    /// Reported: nothing more is known of it.
    case invalid
  }

  public let place: Place
  /// `ports[0].virtual`
  public let path: String
  public let content: Content

  /// A record's field; `nil` if it was not written.
  public subscript(_ name: String) -> FieldValue? { fields[name] }

  public var boolean: Bool? { if case .boolean(let value) = content { value } else { nil } }
  public var integer: Int? { if case .integer(let value) = content { value } else { nil } }
  public var text: String? { if case .text(let value) = content { value } else { nil } }
  /// The items of a list, else none.
  public var list: [FieldValue] { if case .list(let items) = content { items } else { [] } }
  /// The fields of a record or map, else none.
  public var fields: [String: FieldValue] {
    if case .record(let fields) = content { fields } else { [:] }
  }
  public var isRecord: Bool { if case .record = content { true } else { false } }
  /// The texts of a list of texts.
  public var texts: [String] { list.compactMap(\.text) }
  /// The entries of a map of texts.
  public var textMap: [String: String] { fields.compactMapValues(\.text) }
}
