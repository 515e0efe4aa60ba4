import Transport

/// A call of the engine that brought nothing, or something that cannot be used.
public struct EngineError: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Code: Hashable, Sendable {
    /// Nobody answers at the socket, or the connection ended in the midst.
    case unreachable
    /// It accepted the call and gave no answer in time.
    case timeout
    /// The caller's task was cancelled.
    case cancelled
    /// No such container, image or network.
    case notFound
    /// A name in use, something in use, or a state that forbids it.
    case conflict
    /// This engine has no such call or is too old or too new.
    case unsupported
    /// The answer is not what the API promises, or is larger than it can be.
    case malformed
    /// The request cannot be expressed; nothing was sent.
    case invalid
    /// A build, pull or import began and failed: status 200 with an error in its output.
    case workFailed
    /// Any other status.
    case failed(Int)
  }

  public var code: Code
  /// `POST /containers/NAME/start`
  public var operation: String
  /// The engine's own `message`, or what was wrong with the answer.
  public var message: String

  public init(_ code: Code, operation: String, message: String) {
    self.code = code
    self.operation = operation
    self.message = String(message.prefix(Self.messageLimit))
  }

  public var description: String { "\(operation): \(message)" }

  /// Worth another try without anybody doing anything.
  public var isTransient: Bool {
    switch code {
    case .unreachable, .timeout, .cancelled, .malformed, .failed, .workFailed: true
    case .notFound, .conflict, .unsupported, .invalid: false
    }
  }

  /// A few lines for people; engines write whole outputs of hooks into their messages.
  private static let messageLimit = 500
}

extension EngineError {
  init(_ error: TransportError, operation: String) {
    let code: Code =
      switch error.code {
      case .connect, .interrupted: .unreachable
      case .timeout: .timeout
      case .cancelled: .cancelled
      case .tooLarge, .malformed: .malformed
      case .invalidRequest, .unreadableBody: .invalid
      case .tls, .overloaded, .failed: .unreachable
      }
    self.init(code, operation: operation, message: error.message)
  }

  /// The meaning of an answer that is no success.
  init(_ response: HTTPResponse, operation: String) {
    let words = ErrorWords(response.body)
    let message = words.message ?? "status \(response.status) without a message"
    self.init(
      Self.code(response.status, words), operation: operation,
      message: message.split(whereSeparator: \.isNewline).joined(separator: " "))
  }

  /// Podman 4.3 answers 500 where Docker says 409 or 403; its `cause` is a constant of libpod/define/errors.go.
  private static func code(_ status: Int, _ words: ErrorWords) -> Code {
    switch (status, words.cause) {
    case (404, _):
      // A router's own "Not Found" and Docker's "page not found" mean the call, not its object.
      words.message == nil || words.message == "page not found" ? .unsupported : .notFound
    case (409, _), (403, _), (500, "that name is already in use"),
      (500, "network already exists"), (500, "network is being used"),
      (500, "container state improper"), (500, "image is in use by a container"):
      .conflict
    case (501, _): .unsupported
    default: .failed(status)
    }
  }
}

/// `{"message": …}` of Docker, `{"cause": …, "message": …}` of Podman; anything else has no words.
private struct ErrorWords {
  var message: String?
  var cause: String?

  private struct Wire: Decodable {
    var message: String?
    var cause: String?
  }

  init(_ body: [UInt8]) {
    // A body that is no JSON is a router's or a proxy's page: no words of the engine.
    do {
      let wire = try JSONReader.decode(Wire.self, from: body)
      (message, cause) = (wire.message, wire.cause)
    } catch {
      return
    }
  }
}
