public import OnionModel

/// A YAML text read into nodes: only the part of YAML that cannot surprise.
///
/// Refused, each where it stands: anchors, aliases, tags, merge keys, directives, duplicate keys, tabs, several
/// documents, anything but UTF-8, control characters and line breaks in values, and what is over the limits.
/// Reading goes on after each of these; libyaml itself stops at the first text that is no YAML.
public struct YAMLDocument: Sendable {
  /// `nil` where nothing could be read.
  public let root: YAMLNode?
  /// Whether the text was read to its end.
  public let isWhole: Bool
  /// Where libyaml could read no further.
  let breakPlace: Place?
  /// Whether a key was dropped that could have said anything: a merge key, an alias, a list as a key.
  let hasRefusedKeys: Bool
  /// Everything that is wrong with it as YAML. Any error refuses the document.
  public let diagnostics: [Diagnostic]

  /// product.md §2. A definition is a few hundred bytes.
  public static let byteLimit = 256 << 10
  /// The deepest field of ours is at 4.
  public static let depthLimit = 32
  /// 256 clients and 128 ports are under 2,000.
  public static let nodeLimit = 20_000
  /// Bytes. The longest value of ours is a path.
  public static let scalarLimit = 16 << 10
  /// Enough to mend a file by, and no flood of events from a hostile one.
  static let diagnosticLimit = 100

  /// Reads `bytes`; `file` is what the diagnostics call it.
  public static func read(bytes: [UInt8], file: String) -> YAMLDocument {
    guard bytes.count <= byteLimit else {
      let message = "is \(bytes.count) bytes long (at most \(byteLimit))"
      return YAMLDocument(unreadable: [Diagnostic(file: file, message: message)])
    }
    let text = YAMLText(bytes)
    var builder = YAMLBuilder(file: file)
    if !text.fatal.isEmpty {
      for finding in text.fatal { builder.report(finding.place, finding.message, path: "") }
      return YAMLDocument(unreadable: builder.diagnostics)
    }
    for finding in text.tabs { builder.report(finding.place, finding.message, path: "") }
    let failure = forEachYAMLEvent(text.bytes) { builder.take($0) }
    if let failure {
      builder.isWhole = false
      if text.tabs.isEmpty {
        let (place, message) = plainWords(failure, in: text.bytes)
        builder.report(place, message, path: "")
      }
    }
    let root = builder.finish()
    if root == nil, builder.diagnostics.isEmpty {
      builder.report(Place(line: 1, column: 1), "is empty (key: value)", path: "")
    }
    return YAMLDocument(
      root: root, isWhole: builder.isWhole, breakPlace: failure?.place,
      hasRefusedKeys: builder.hasRefusedKeys, diagnostics: builder.diagnostics.sortedByPlace())
  }

  private init(
    root: YAMLNode?, isWhole: Bool, breakPlace: Place?, hasRefusedKeys: Bool,
    diagnostics: [Diagnostic]
  ) {
    self.root = root
    self.isWhole = isWhole
    self.breakPlace = breakPlace
    self.hasRefusedKeys = hasRefusedKeys
    self.diagnostics = diagnostics
  }

  private init(unreadable diagnostics: [Diagnostic]) {
    self.init(
      root: nil, isWhole: false, breakPlace: nil, hasRefusedKeys: false, diagnostics: diagnostics)
  }
}

/// Says what libyaml says, for people.
private func plainWords(_ failure: YAMLFailure, in bytes: [UInt8]) -> (Place, String) {
  if follows("]", failure.place, in: bytes) {
    return (failure.place, "text after `]` (an IPv6 target needs quotes: \"[2001:db8::1]:80\")")
  }
  switch failure.problem {
  case "mapping values are not allowed in this context":
    return (failure.place, "a `:` that cannot stand here (a value that holds `: ` needs quotes)")
  case "could not find expected ':'":
    return (failure.place, "a line without `:` before this (key: value)")
  case "did not find expected key":
    return (failure.place, "not a key of the mapping around it (key: value, indented as above)")
  case "did not find expected '-' indicator":
    return (failure.place, "not an item of the list around it (`- `, indented as above)")
  case "did not find expected ',' or ']'":
    return (failure.contextPlace, "a list that is not closed (`,` between items, `]` at the end)")
  case "did not find expected ',' or '}'":
    return (failure.contextPlace, "a mapping that is not closed (`,` between, `}` at the end)")
  case "did not find expected node content":
    return (failure.place, "something is missing before this (a value)")
  case "found unexpected end of stream":
    return (failure.contextPlace, "a text whose closing quote is missing")
  case "found character that cannot start any token":
    return (failure.place, "a character that cannot begin a value (quote the value)")
  case "block sequence entries are not allowed in this context":
    return (failure.place, "a list item that cannot stand here (a line of its own, or [a, b])")
  case "did not find expected <document start>":
    return (failure.place, "text after the end of the document (one document)")
  case "found unknown escape character":
    return (failure.place, "an unknown escape after `\\` (single quotes take `\\` as it is)")
  default:
    return (failure.place, "is not YAML: \(failure.problem)")
  }
}

/// Whether the character before `place` is `character`, which is ASCII.
private func follows(_ character: Unicode.Scalar, _ place: Place, in bytes: [UInt8]) -> Bool {
  guard place.column > 1 else { return false }
  var line = 1
  var start = 0
  while line < place.line, let end = bytes[start...].firstIndex(of: 0x0a) {
    start = end + 1
    line += 1
  }
  guard line == place.line else { return false }
  // A character begins with any byte but one that continues another (RFC 3629 §3).
  var column = 0
  for byte in bytes[start...] where byte & 0xc0 != 0x80 {
    column += 1
    if column == place.column - 1 { return UInt32(byte) == character.value }
  }
  return false
}

extension Array where Element == Diagnostic {
  /// By file, then place, then message: the order of a list for people.
  func sortedByPlace() -> [Diagnostic] {
    sorted { left, right in
      let (leftPlace, rightPlace) = (
        (left.file, left.line ?? 0, left.column ?? 0),
        (right.file, right.line ?? 0, right.column ?? 0)
      )
      if leftPlace != rightPlace { return leftPlace < rightPlace }
      return (left.path, left.message, left.host?.text ?? "")
        < (right.path, right.message, right.host?.text ?? "")
    }
  }

  var hasErrors: Bool { contains { $0.severity == .error } }
}
