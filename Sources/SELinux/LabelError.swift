/// Why a label or the mode could not be read or set.
public struct LabelError: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Code: String, Hashable, Sendable {
    /// SELinux is off: a label would be kept without a meaning.
    case disabled
    /// Not a context, or not what the kernel writes.
    case malformed
    /// The operating system refused.
    case system
  }

  public var code: Code
  public var operation: String
  /// What happened, and what to do next.
  public var message: String

  public init(_ code: Code, _ operation: String, _ message: String) {
    self.code = code
    self.operation = operation
    self.message = message
  }

  public var description: String { "SELinux, \(operation): \(message)" }
}
