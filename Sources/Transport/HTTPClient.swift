/// Bounded HTTP. Many callers may share one; it has one thread, which ends with it.
public final class HTTPClient: Sendable {
  private let loop: CurlLoop

  /// Starts the client's thread.
  /// - Throws: `.failed` if libcurl or a thread cannot be had.
  public init() throws(TransportError) { loop = try CurlLoop() }

  deinit { loop.stop() }

  /// Sends a request and brings the whole answer, whatever its status.
  /// - Throws: `TransportError`; `.cancelled` at once when the task is cancelled.
  public func send(_ request: HTTPRequest) async throws(TransportError) -> HTTPResponse {
    try request.check()
    let ticket = Ticket()
    let result: Result<HTTPResponse, TransportError> = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        loop.start(Job(ticket: ticket, request: request, sink: .whole(continuation)))
      }
    } onCancel: {
      loop.cancel(ticket)
    }
    return try result.get()
  }

  /// Sends a request and brings the head of the answer; the body follows as it is read.
  /// `limits.answer` bounds the body here too, unless it is `nil`.
  /// - Throws: `TransportError` for what fails before the head is whole.
  public func open(_ request: HTTPRequest) async throws(TransportError) -> HTTPStream {
    try request.check()
    let ticket = Ticket()
    let loop = loop
    let buffer = StreamBuffer(operation: request.operation) { loop.resume(ticket) }
    let result: Result<ResponseHead, TransportError> = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        loop.start(Job(ticket: ticket, request: request, sink: .stream(continuation, buffer)))
      }
    } onCancel: {
      loop.cancel(ticket)
    }
    return HTTPStream(head: try result.get(), buffer: buffer, client: self) { loop.cancel(ticket) }
  }
}
