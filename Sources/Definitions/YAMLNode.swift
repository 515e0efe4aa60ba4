/// A place in a text: both from 1, columns in characters; a byte order mark does not count.
public struct Place: Hashable, Sendable, Comparable, Codable, CustomStringConvertible {
  public var line: Int
  public var column: Int

  public init(line: Int, column: Int) {
    self.line = line
    self.column = column
  }

  public static func < (left: Self, right: Self) -> Bool {
    (left.line, left.column) < (right.line, right.column)
  }

  /// `14:11`
  public var description: String { "\(line):\(column)" }
}

/// One value of a YAML text, with the place where it begins.
public struct YAMLNode: Hashable, Sendable {
  public enum Content: Hashable, Sendable {
    /// Text as it reads after quotes and escapes; plain means without quotes and not a block.
    case scalar(String, isPlain: Bool)
    case sequence([YAMLNode])
    /// In the order of the text. A key that stands twice (reported) is here twice.
    case mapping([YAMLPair])
    /// Something refused stood here and was reported; nobody should complain a second time.
    case unreadable
  }

  public var place: Place
  public var content: Content
  /// False where the text broke off inside this value.
  public var isWhole: Bool

  public init(place: Place, content: Content, isWhole: Bool = true) {
    self.place = place
    self.content = content
    self.isWhole = isWhole
  }

  /// The pairs of a mapping, else none.
  public var pairs: [YAMLPair] {
    if case .mapping(let pairs) = content { pairs } else { [] }
  }

  /// The items of a sequence, else none.
  public var items: [YAMLNode] {
    if case .sequence(let items) = content { items } else { [] }
  }

  /// The text of a scalar.
  public var text: String? {
    if case .scalar(let text, _) = content { text } else { nil }
  }

  /// A plain scalar that says nothing: `key:`, `~`, `null`.
  public var isNull: Bool {
    guard case .scalar(let text, isPlain: true) = content else { return false }
    return ["", "~", "null", "Null", "NULL"].contains(text)
  }
}

/// One `key: value`.
public struct YAMLPair: Hashable, Sendable {
  public var key: String
  public var place: Place
  public var value: YAMLNode

  public init(key: String, place: Place, value: YAMLNode) {
    self.key = key
    self.place = place
    self.value = value
  }
}

/// `ports[0].virtual`, grown from the outside in.
func path(_ parent: String, key: String) -> String {
  let isWord = key.unicodeScalars.allSatisfy {
    $0 == "-" || $0 == "_" || ($0.isASCII && $0.properties.isAlphabetic)
      || ("0"..."9").contains($0)
  }
  if isWord && !key.isEmpty { return parent.isEmpty ? key : "\(parent).\(key)" }
  return "\(parent)[\"\(excerpt(key))\"]"
}

func path(_ parent: String, index: Int) -> String { "\(parent)[\(index)]" }

/// What a message shows of a text: at most 80 characters, control characters as `?`.
func excerpt(_ text: String) -> String {
  let limit = 80
  if text.isEmpty { return "\"\"" }
  var shown = String.UnicodeScalarView()
  for (count, scalar) in text.unicodeScalars.enumerated() {
    if count == limit { return String(shown) + "…" }
    shown.append(isControl(scalar.value) ? "?" : scalar)
  }
  return String(shown)
}
