import Transport

/// An answer of one JSON value a line, read as it comes.
struct JSONLines {
  /// An event carries the labels of its container, a build line what a program wrote at once.
  static let lineLimit = 256 << 10

  private let operation: String
  private var chunks: HTTPStream.Iterator
  private var buffer: [UInt8] = []
  /// How far the buffer has been searched for an end of line.
  private var searched = 0
  private var hasEnded = false

  init(_ stream: HTTPStream, operation: String) {
    chunks = stream.makeAsyncIterator()
    self.operation = operation
  }

  /// The next line that is not empty; `nil` at the end. A last line without an end counts.
  mutating func next(
    isolation actor: isolated (any Actor)? = #isolation
  ) async throws(EngineError) -> [UInt8]? {
    while true {
      if let end = buffer[searched...].firstIndex(of: UInt8(ascii: "\n")) {
        var line = Array(buffer[..<end])
        buffer.removeFirst(end + 1)
        searched = 0
        if line.last == UInt8(ascii: "\r") { line.removeLast() }
        if line.isEmpty { continue }
        return line
      }
      searched = buffer.count
      guard searched <= Self.lineLimit else {
        throw EngineError(
          .malformed, operation: operation, message: "a line is longer than \(Self.lineLimit) bytes"
        )
      }
      guard !hasEnded else {
        defer {
          buffer = []
          searched = 0
        }
        return buffer.isEmpty ? nil : buffer
      }
      do {
        if let bytes = try await chunks.next() { buffer += bytes } else { hasEnded = true }
      } catch {
        throw EngineError(error, operation: operation)
      }
    }
  }
}
