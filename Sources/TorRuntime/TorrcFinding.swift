/// A line of a torrc or of a file that it includes.
public struct TorrcPlace: Hashable, Sendable, Comparable, CustomStringConvertible {
  public var file: String
  /// From 1.
  public var line: Int

  public init(_ file: String, _ line: Int) {
    self.file = file
    self.line = line
  }

  public var description: String { "\(file):\(line)" }

  public static func < (left: Self, right: Self) -> Bool {
    (left.file, left.line) < (right.file, right.line)
  }
}

/// One thing to say of a torrc: where, about which option, why, and what to do.
public struct TorrcFinding: Hashable, Sendable, CustomStringConvertible {
  public enum Severity: String, Hashable, Sendable, Encodable {
    /// A service or a line that matters is left behind until somebody decides.
    case error
    /// Carried in another way than it was, or left behind where that may matter.
    case warning
    /// Left behind, and it does not matter here.
    case note
  }

  public var severity: Severity
  public var place: TorrcPlace?
  /// The option, with its value where that is short and no secret; empty for what is no option's.
  public var subject: String
  /// The reason, and what to do.
  public var message: String
  /// Other lines that it is about.
  public var others: [TorrcPlace]

  public init(
    _ severity: Severity, _ place: TorrcPlace?, _ subject: String, _ message: String,
    others: [TorrcPlace] = []
  ) {
    self.severity = severity
    self.place = place
    self.subject = subject
    self.message = message
    self.others = others
  }

  /// `/etc/tor/torrc:14: HiddenServiceVersion 2: reason, what to do`
  public var description: String {
    var text = place.map { "\($0): " } ?? ""
    if severity != .error { text += "\(severity.rawValue): " }
    if !subject.isEmpty { text += "\(subject): " }
    text += message
    if !others.isEmpty {
      text += " (also \(others.prefix(Self.shown).map(\.description).joined(separator: ", "))"
      if others.count > Self.shown { text += " and \(others.count - Self.shown) more" }
      text += ")"
    }
    return text
  }

  /// So many other lines are named in a text; all are in the value.
  private static let shown = 12
}

extension TorrcFinding: Encodable {
  private enum CodingKeys: String, CodingKey {
    case severity, file, line, subject, message, others
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(severity, forKey: .severity)
    try container.encodeIfPresent(place?.file, forKey: .file)
    try container.encodeIfPresent(place?.line, forKey: .line)
    try container.encode(subject, forKey: .subject)
    try container.encode(message, forKey: .message)
    try container.encode(others.map(\.description), forKey: .others)
  }
}

/// Bytes of a torrc for people: everything but graphic ASCII and spaces as `\xNN`, and no more than `limit`.
func shown(_ bytes: some Collection<UInt8>, limit: Int = 100) -> String {
  var text = ""
  for byte in bytes.prefix(limit) {
    if (0x20..<0x7f).contains(byte) {
      text.unicodeScalars.append(Unicode.Scalar(byte))
    } else {
      text += "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }
  }
  return bytes.count > limit ? text + "…" : text
}
