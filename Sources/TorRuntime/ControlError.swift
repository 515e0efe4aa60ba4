/// Why an exchange with a tor's control port did not succeed. Never holds the cookie, a key or a whole reply.
public struct ControlError: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Code: String, Hashable, Sendable {
    /// No socket or no cookie: this tor does not run, or has not come that far.
    case absent
    /// Cookie, socket or the process behind it are not what tor makes. Nothing was sent to it.
    case untrusted
    /// Nobody listens, or the socket does not take a connection.
    case unreachable
    /// The whole session took longer than its limit.
    case timedOut
    /// The other end closed the connection.
    case closed
    /// A line or a reply is longer than its limit.
    case oversized
    /// Not the control protocol, or an answer that does not fit the question.
    case malformed
    /// The other end does not know the cookie, or says that we do not.
    case unauthenticated
    /// Tor said no; `status` has its number.
    case refused
    /// The connection was lost while tor loaded a configuration: it ended over something that it checks too late.
    case died
    /// Tor took the configuration and says something else when asked for it.
    case notApplied
    /// The question itself cannot be sent.
    case invalid
    /// The operating system refused something.
    case system
  }

  public var code: Code
  /// What was done: `GETINFO`, `connect`, `open cookie`.
  public var operation: String
  /// What happened, and what to do next.
  public var message: String
  /// Tor's three-digit reply code, if it gave one (control-spec, "Replies").
  public var status: Int?

  public init(_ code: Code, _ operation: String, _ message: String, status: Int? = nil) {
    self.code = code
    self.operation = operation
    self.message = message
    self.status = status
  }

  public var description: String { "control port, \(operation): \(message)" }
}
