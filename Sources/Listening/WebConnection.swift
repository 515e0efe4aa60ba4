import Glibc

/// One request and its answer, moved on whenever its socket can be read or written. Of the listener's queue alone.
final class WebConnection {
  /// A head of more is no forge's: proxies refuse at 8 to 32 KiB.
  static let headLimit = 16 << 10
  /// After the answer so much is still read and thrown away: closing on unread bytes would take the answer back.
  static let lingerLimit = 1 << 20

  private enum State {
    case head([UInt8])
    case body(left: Int, piece: (ArraySlice<UInt8>) -> Void, end: () -> WebAnswer)
    case answering(ArraySlice<UInt8>)
    case lingering(read: Int)
    case over
  }

  let number: Int32
  let deadline: ContinuousClock.Instant
  private let handler: (WebHead) -> WebReception
  private var state = State.head([])

  init(
    _ number: Int32, deadline: ContinuousClock.Instant, handler: @escaping (WebHead) -> WebReception
  ) {
    self.number = number
    self.deadline = deadline
    self.handler = handler
  }

  deinit { close(number) }

  var isOver: Bool { if case .over = state { true } else { false } }

  /// The events of poll(2) that move it on.
  var interest: Int16 {
    if case .answering = state { Int16(POLLOUT) } else { Int16(POLLIN) }
  }

  /// Answers 408 if nothing was answered yet, without waiting for anybody to read it.
  func expire() {
    switch state {
    case .head, .body:
      start(WebAnswer(408, "the request did not come within its time"))
      write()
    case .answering, .lingering, .over: break
    }
    state = .over
  }

  func advance() {
    if case .answering = state { write() } else { read() }
  }

  private func read() {
    var buffer = [UInt8](repeating: 0, count: 16 << 10)
    let count = buffer.withUnsafeMutableBytes { recv(number, $0.baseAddress, $0.count, 0) }
    if count < 0, errno == EAGAIN || errno == EINTR { return }
    guard count > 0 else {
      state = .over
      return
    }
    take(buffer[..<count])
  }

  private func take(_ bytes: ArraySlice<UInt8>) {
    switch state {
    case .head(let before): takeHead(before + bytes)
    case .body(let left, let piece, let end):
      let part = bytes.prefix(left)
      piece(part)
      if part.count == left {
        start(end())
      } else {
        state = .body(left: left - part.count, piece: piece, end: end)
      }
    case .lingering(let read):
      state = read + bytes.count > Self.lingerLimit ? .over : .lingering(read: read + bytes.count)
    case .answering, .over: break
    }
  }

  private func takeHead(_ bytes: [UInt8]) {
    guard let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) else {
      if bytes.count > Self.headLimit {
        start(WebAnswer(431, "the head is over \(Self.headLimit) bytes"))
      } else {
        state = .head(bytes)
      }
      return
    }
    guard end.lowerBound <= Self.headLimit, let head = WebHead(Array(bytes[..<end.lowerBound]))
    else { return start(WebAnswer(400, "this is no HTTP/1.1 request")) }
    switch handler(head) {
    case .answer(let answer): start(answer)
    case .body(let limit, let piece, let finish):
      guard head.value("transfer-encoding") == nil, let length = head.contentLength else {
        return start(WebAnswer(411, "say the body's length: Content-Length"))
      }
      guard length <= limit else {
        return start(WebAnswer(413, "the body is over \(limit) bytes"))
      }
      if length == 0 { return start(finish()) }
      state = .body(left: length, piece: piece, end: finish)
      if head.value("expect")?.lowercased() == "100-continue", end.upperBound == bytes.count {
        let word = Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)
        _ = word.withUnsafeBytes {
          send(number, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
        }
      }
      let rest = bytes[end.upperBound...]
      if !rest.isEmpty { take(rest) }
    }
  }

  private func start(_ answer: WebAnswer) {
    state = .answering(answer.bytes[...])
  }

  private func write() {
    guard case .answering(let rest) = state else { return }
    let count = rest.withUnsafeBytes {
      send(number, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
    }
    if count < 0, errno == EAGAIN || errno == EINTR { return }
    guard count > 0 else {
      state = .over
      return
    }
    let left = rest.dropFirst(count)
    guard left.isEmpty else {
      state = .answering(left)
      return
    }
    shutdown(number, Int32(SHUT_WR))
    state = .lingering(read: 0)
  }
}
