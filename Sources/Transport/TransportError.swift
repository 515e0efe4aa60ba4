/// Why a request brought no answer. Never holds a path, a header, a body or a secret.
public struct TransportError: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Code: String, Hashable, Sendable, Codable {
    /// Nobody listens there, the name is unknown, or the proxy refused.
    case connect
    /// The connect, total or idle limit passed.
    case timeout
    /// A certificate that is not trusted, or a failed handshake.
    case tls
    /// The answer is larger than the request allows.
    case tooLarge
    /// The caller's task was cancelled, or the stream was dropped.
    case cancelled
    /// What came is not HTTP.
    case malformed
    /// The connection ended in the midst of an answer.
    case interrupted
    /// A method, URL, header or path that must not be sent.
    case invalidRequest
    /// The body's file could not be read whole.
    case unreadableBody
    /// More transfers at once than the client takes.
    case overloaded
    /// Anything else that libcurl reports.
    case failed
  }

  public var code: Code
  /// `GET https://host:port` or `GET unix:/run/docker.sock`.
  public var operation: String
  /// What went wrong, in libcurl's or our words.
  public var message: String

  public init(_ code: Code, operation: String, message: String) {
    self.code = code
    self.operation = operation
    self.message = String(message.prefix(Self.messageLimit))
  }

  public var description: String { "\(operation): \(message) (\(code.rawValue))" }

  /// A line for people; libcurl's own messages stay below 256 bytes.
  private static let messageLimit = 500
}
