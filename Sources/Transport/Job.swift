import Synchronization

/// The identity of one transfer, and whether its caller has given up. The flag is set before the loop is told, so a
/// transfer that is started after its cancellation is seen to be cancelled.
final class Ticket: Sendable {
  private let cancelled = Atomic<Bool>(false)

  var isCancelled: Bool { cancelled.load(ordering: .acquiring) }
  func cancel() { cancelled.store(true, ordering: .releasing) }
}

/// A request on its way to the loop, and where its answer goes.
struct Job: Sendable {
  enum Sink: Sendable {
    case whole(CheckedContinuation<Result<HTTPResponse, TransportError>, Never>)
    case stream(CheckedContinuation<Result<ResponseHead, TransportError>, Never>, StreamBuffer)
  }

  var ticket: Ticket
  var request: HTTPRequest
  var sink: Sink

  func fail(_ error: TransportError) {
    switch sink {
    case .whole(let continuation): continuation.resume(returning: .failure(error))
    case .stream(let continuation, _): continuation.resume(returning: .failure(error))
    }
  }

  func fail(_ code: TransportError.Code, _ message: String) {
    fail(TransportError(code, operation: request.operation, message: message))
  }
}
