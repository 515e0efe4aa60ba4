import FoundationEssentials

/// Values as canonical JSON text: sorted keys, so that equal values are equal texts.
enum JSON {
  static func text(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(value), as: UTF8.self)
  }

  /// - Parameter place: the table and key, for the error. The content stays out of it.
  static func value<Value: Decodable>(
    _ text: String, as type: Value.Type = Value.self, place: String
  ) throws -> Value {
    do {
      return try JSONDecoder().decode(type, from: Data(text.utf8))
    } catch {
      throw JournalError(
        .badRow, "read",
        "\(place): this version cannot read the row: put a copy of the journal back, or install the version that wrote it"
      )
    }
  }
}

/// A validated text of the model from a column.
func parsed<Value>(_ value: Value?, place: String) throws -> Value {
  guard let value else {
    throw JournalError(
      .badRow, "read", "\(place): the row holds a value that this version does not know")
  }
  return value
}
