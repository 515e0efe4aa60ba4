/// One thing that is wrong in a file of the repository or in the host file.
public struct Diagnostic: Hashable, Sendable, Codable, CustomStringConvertible {
  public enum Severity: String, Sendable, Codable { case error, warning }

  public var severity: Severity
  /// Path in the repository, or of the host file.
  public var file: String
  /// From 1; `nil` where the trouble has no place in a text.
  public var line: Int?
  /// From 1, in characters.
  public var column: Int?
  /// The path in the document: `ports[0].virtual`; empty for the whole.
  public var path: String
  /// What is wrong, and in parentheses what is allowed.
  public var message: String
  /// The one host that it arises on, where several were asked; `nil` for what is wrong everywhere.
  public var host: HostName?

  public init(
    severity: Severity = .error, file: String, line: Int? = nil, column: Int? = nil,
    path: String = "", message: String, host: HostName? = nil
  ) {
    self.severity = severity
    self.file = file
    self.line = line
    self.column = column
    self.path = path
    self.message = message
    self.host = host
  }

  /// `services/blog.yaml:14:11: ports[0].virtual: 70000 is not a port (1–65535)`
  public var description: String {
    var text = file
    if let line { text += ":\(line)" }
    if line != nil, let column { text += ":\(column)" }
    text += severity == .warning ? ": warning: " : ": "
    if !path.isEmpty { text += "\(path): " }
    if let host { text += "on host \(host): " }
    return text + message
  }
}
