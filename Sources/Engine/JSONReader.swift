import FoundationEssentials

/// Strict JSON: types must match, nothing may follow, depth is bounded by the decoder (512).
enum JSONReader {
  static func decode<Value: Decodable>(_ type: Value.Type, from bytes: [UInt8]) throws -> Value {
    try JSONDecoder().decode(type, from: Data(bytes))
  }

  /// With sorted keys: the same value gives the same bytes.
  static func encode(_ value: some Encodable) throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return Array(try encoder.encode(value))
  }

  /// Where the first fault is, for people: `[3].State: not a string`. Never the value itself.
  static func explain(_ error: any Error) -> String {
    func place(_ context: DecodingError.Context, _ key: (any CodingKey)? = nil) -> String {
      let keys = context.codingPath + (key.map { [$0] } ?? [])
      let text = keys.map { $0.intValue.map { "[\($0)]" } ?? ".\($0.stringValue.prefix(60))" }
      return text.isEmpty ? "the answer" : text.joined()
    }
    switch error as? DecodingError {
    case .keyNotFound(let key, let context): return "\(place(context, key)) is missing"
    case .typeMismatch(let type, let context): return "\(place(context)) is not \(type)"
    case .valueNotFound(let type, let context): return "\(place(context)) is null, not \(type)"
    case .dataCorrupted(let context) where !context.codingPath.isEmpty:
      return "\(place(context)) cannot be read: \(context.debugDescription.prefix(100))"
    default: return "the answer is not JSON"
    }
  }
}
