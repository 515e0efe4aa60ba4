/// An answer whose body is read as it comes. One reader; dropping the stream ends the transfer.
public final class HTTPStream: AsyncSequence, Sendable {
  public let status: Int
  public let headers: HTTPHeaders
  private let buffer: StreamBuffer
  /// Keeps the loop alive for as long as somebody may read.
  private let client: HTTPClient
  private let end: @Sendable () -> Void

  init(
    head: ResponseHead, buffer: StreamBuffer, client: HTTPClient,
    end: @escaping @Sendable () -> Void
  ) {
    status = head.status
    headers = head.headers
    self.buffer = buffer
    self.client = client
    self.end = end
  }

  deinit { end() }

  public var isSuccess: Bool { (200..<300).contains(status) }

  public func makeAsyncIterator() -> Iterator { Iterator(stream: self) }

  public struct Iterator: AsyncIteratorProtocol {
    fileprivate let stream: HTTPStream

    /// The next bytes, as many as are there; `nil` at the end of the body.
    /// - Throws: `.interrupted` if the connection ended before the body did; `.cancelled` with the task.
    public mutating func next(
      isolation actor: isolated (any Actor)? = #isolation
    ) async throws(TransportError) -> [UInt8]? {
      try await stream.next()
    }
  }

  private func next() async throws(TransportError) -> [UInt8]? {
    let (buffer, end) = (buffer, end)
    return try await withTaskCancellationHandler {
      await buffer.next()
    } onCancel: {
      end()
    }.get()
  }
}
