import Synchronization

/// What has come and was not yet read: filled by the loop's thread, emptied by one reader.
/// When it is full the loop pauses the transfer, so a slow reader slows the sender and no memory grows.
final class StreamBuffer: Sendable {
  /// Enough for a whole burst of events; curl adds at most 16 KiB after it is reached.
  static let capacity = 256 << 10

  private typealias Reader = CheckedContinuation<Result<[UInt8]?, TransportError>, Never>

  private struct State {
    var bytes: [UInt8] = []
    var isPaused = false
    var end: Result<[UInt8]?, TransportError>?
    var reader: Reader?
  }

  private enum Found {
    case nothing
    case bytes([UInt8], wasPaused: Bool)
    case end(Result<[UInt8]?, TransportError>)
    case secondReader
  }

  private let state = Mutex(State())
  private let operation: String
  private let resume: @Sendable () -> Void

  /// - Parameter resume: asks the loop to go on after a pause.
  init(operation: String, resume: @escaping @Sendable () -> Void) {
    self.operation = operation
    self.resume = resume
  }

  /// From the loop: takes the bytes, or `false` when it is full and the transfer must pause.
  func append(_ bytes: UnsafeRawBufferPointer) -> Bool {
    let content = Array(bytes)
    let (isTaken, reader) = state.withLock { state -> (Bool, Reader?) in
      if let reader = state.reader {
        state.reader = nil
        return (true, reader)
      }
      guard state.bytes.count < Self.capacity else {
        state.isPaused = true
        return (false, nil)
      }
      state.bytes += content
      return (true, nil)
    }
    reader?.resume(returning: .success(content))
    return isTaken
  }

  /// From the loop: nothing more comes. What is buffered is still read first, unless the caller gave up.
  func finish(_ error: TransportError?) {
    let end: Result<[UInt8]?, TransportError> = error.map { .failure($0) } ?? .success(nil)
    let reader = state.withLock { state -> Reader? in
      state.end = end
      if error?.code == .cancelled { state.bytes = [] }
      defer { state.reader = nil }
      return state.reader
    }
    reader?.resume(returning: end)
  }

  func next() async -> Result<[UInt8]?, TransportError> {
    await withCheckedContinuation { continuation in
      switch state.withLock({ Self.take(&$0, else: continuation) }) {
      case .nothing: break
      case .bytes(let bytes, let wasPaused):
        if wasPaused { resume() }
        continuation.resume(returning: .success(bytes))
      case .end(let end): continuation.resume(returning: end)
      case .secondReader:
        let error = TransportError(
          .invalidRequest, operation: operation, message: "a stream has only one reader at a time")
        continuation.resume(returning: .failure(error))
      }
    }
  }

  private static func take(_ state: inout State, else reader: Reader) -> Found {
    if !state.bytes.isEmpty {
      defer {
        state.bytes = []
        state.isPaused = false
      }
      return .bytes(state.bytes, wasPaused: state.isPaused)
    }
    if let end = state.end { return .end(end) }
    if state.reader != nil { return .secondReader }
    state.reader = reader
    return .nothing
  }
}
