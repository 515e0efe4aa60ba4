/// A webhook's file or address that cannot be used. Never holds a secret or a URL's path.
public struct ReportingError: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Code: String, Sendable {
    /// The secret file is missing, readable by others, or not of the right form.
    case secret
    /// An address that must not be used.
    case address
    /// An event could not be written as JSON.
    case encoding
    /// The journal did not answer.
    case journal
  }

  public var code: Code
  public var operation: String
  /// What is wrong, where, and what to do.
  public var message: String

  public init(_ code: Code, _ operation: String, _ message: String) {
    self.code = code
    self.operation = operation
    self.message = message
  }

  public var description: String { "\(operation): \(message)" }
}
