/// A service's name: the stem of its definition file, `[a-z0-9][a-z0-9-]{0,47}`.
public struct ServiceName: Hashable, Sendable, Comparable, CustomStringConvertible {
  public let text: String

  /// `nil` unless `text` is a valid name.
  public init?(_ text: String) {
    guard isName(text, limit: 48) else { return nil }
    self.text = text
  }

  public var description: String { text }

  public static func < (left: Self, right: Self) -> Bool { left.text < right.text }
}

/// An instance's name: one tor process in one container. The same form as a service's.
public struct InstanceName: Hashable, Sendable, Comparable, CustomStringConvertible {
  public let text: String

  /// `nil` unless `text` is a valid name.
  public init?(_ text: String) {
    guard isName(text, limit: 48) else { return nil }
    self.text = text
  }

  /// A service that names no instance has one of its own, under its own name.
  public init(_ service: ServiceName) { text = service.text }

  public var description: String { text }

  public static func < (left: Self, right: Self) -> Bool { left.text < right.text }
}

/// The host's own name, from its host file: 1 to 64 of `[a-z0-9.-]`, never taken from the system.
public struct HostName: Hashable, Sendable, CustomStringConvertible {
  public let text: String

  /// `nil` unless `text` is a valid host name.
  public init?(_ text: String) {
    let bytes = text.utf8
    guard (1...64).contains(bytes.count), let first = bytes.first, isLowerAlphanumeric(first),
      bytes.allSatisfy({
        isLowerAlphanumeric($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ".")
      })
    else { return nil }
    self.text = text
  }

  public var description: String { text }
}

/// The random identity that `setup` writes beside keys and state: 32 lower-case hexadecimal digits.
public struct AgentID: Hashable, Sendable, CustomStringConvertible {
  public let text: String

  /// `nil` unless `text` is 32 lower-case hexadecimal digits.
  public init?(_ text: String) {
    guard text.utf8.count == 32, text.utf8.allSatisfy(isLowerHexadecimal) else { return nil }
    self.text = text
  }

  public var description: String { text }
}

/// A commit's full object name: 40 lower-case hexadecimal digits.
public struct CommitID: Hashable, Sendable, CustomStringConvertible {
  public let text: String

  /// `nil` unless `text` is 40 lower-case hexadecimal digits.
  public init?(_ text: String) {
    guard text.utf8.count == 40, text.utf8.allSatisfy(isLowerHexadecimal) else { return nil }
    self.text = text
  }

  public var description: String { text }

  /// The first twelve digits, for people.
  public var short: String { String(text.prefix(12)) }
}

/// A validated text as one JSON string.
protocol TextCoded: Codable, CodingKeyRepresentable {
  var text: String { get }
  init?(_ text: String)
}

extension TextCoded {
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    let text = try container.decode(String.self)
    guard let value = Self(text) else {
      throw DecodingError.dataCorruptedError(
        in: container, debugDescription: "not a valid \(Self.self)")
    }
    self = value
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(text)
  }

  public var codingKey: any CodingKey { TextKey(stringValue: text) }

  public init?<Key: CodingKey>(codingKey: Key) { self.init(codingKey.stringValue) }
}

struct TextKey: CodingKey {
  let stringValue: String
  var intValue: Int? { nil }
  init(stringValue: String) { self.stringValue = stringValue }
  init?(intValue: Int) { nil }
}

extension ServiceName: TextCoded {}
extension InstanceName: TextCoded {}
extension HostName: TextCoded {}
extension AgentID: TextCoded {}
extension CommitID: TextCoded {}
extension OnionAddress: TextCoded {}

private func isName(_ text: String, limit: Int) -> Bool {
  let bytes = text.utf8
  guard (1...limit).contains(bytes.count), let first = bytes.first, isLowerAlphanumeric(first)
  else { return false }
  return bytes.allSatisfy { isLowerAlphanumeric($0) || $0 == UInt8(ascii: "-") }
}

private func isLowerAlphanumeric(_ byte: UInt8) -> Bool {
  (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
}

private func isLowerHexadecimal(_ byte: UInt8) -> Bool {
  (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
}
