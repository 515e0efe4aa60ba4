import CCurl
import Glibc

/// One request and its answer in libcurl's hands. Lives and is used on the loop's thread only.
final class Transfer {
  /// All field lines of an answer together; servers send a few hundred bytes.
  static let headLimit = 64 << 10

  let job: Job
  let handle: UnsafeMutableRawPointer
  let upload: Upload?
  var fieldList: UnsafeMutablePointer<curl_slist>?
  /// libcurl writes its own words of an error here.
  let errorText: UnsafeMutablePointer<CChar>

  private var head = ResponseHead(status: 0, headers: [:])
  private var headSize = 0
  private var isHeadWhole = false
  private var body: [UInt8] = []
  private var received = 0
  private var failure: TransportError?
  private var lastActivity = SuspendingClock.now
  private var isPaused = false

  init(_ job: Job, handle: UnsafeMutableRawPointer) throws(TransportError) {
    self.job = job
    self.handle = handle
    upload = try Upload(job.request)
    errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
    errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
    try configure()
  }

  deinit {
    curl_slist_free_all(fieldList)
    errorText.deallocate()
  }

  /// Notes why the transfer ends; the first reason counts.
  func fail(_ code: TransportError.Code, _ message: String) {
    if failure == nil {
      failure = TransportError(code, operation: job.request.operation, message: message)
    }
  }

  func resume() {
    guard isPaused else { return }
    isPaused = false
    lastActivity = .now
    // An error shows in the transfer's own result.
    curl_easy_pause(handle, CURLPAUSE_CONT)
  }

  /// `nil` when it cannot become idle.
  func idleTimeLeft(at now: SuspendingClock.Instant) -> Duration? {
    guard let idle = job.request.limits.idle, !isPaused else { return nil }
    return idle - lastActivity.duration(to: now)
  }

  /// Hands the answer or the error over. Called once, after the handle has left the multi handle.
  func finish(_ code: CURLcode) {
    if failure == nil, code != CURLE_OK { failure = error(for: code) }
    if failure == nil, !isHeadWhole { fail(.malformed, "the answer has no head") }
    switch job.sink {
    case .whole(let continuation):
      let response = HTTPResponse(status: head.status, headers: head.headers, body: body)
      continuation.resume(returning: failure.map { .failure($0) } ?? .success(response))
    case .stream(let continuation, let buffer):
      if isHeadWhole {
        buffer.finish(failure)
      } else if let failure {
        continuation.resume(returning: .failure(failure))
      }
    }
  }

  // MARK: Called by libcurl

  /// One line of the head. Fewer bytes than given end the transfer.
  func receive(line: UnsafeRawBufferPointer) -> Int {
    lastActivity = .now
    // Field lines after the body are trailers, which nobody reads.
    guard !isHeadWhole else { return line.count }
    headSize += line.count
    guard headSize <= Self.headLimit else {
      fail(.tooLarge, "the answer's head is larger than \(Self.headLimit) bytes")
      return 0
    }
    let text = String(decoding: line, as: UTF8.self).trimmingLineEnd
    if text.hasPrefix("HTTP/") {
      head = ResponseHead(status: status(of: text), headers: [:])
    } else if text.isEmpty {
      // An interim answer (100, 103) is followed by the real one.
      if head.status >= 200 { completeHead() }
    } else if let colon = text.firstIndex(of: ":") {
      let value = text[text.index(after: colon)...].drop(while: \.isWhitespace)
      head.headers.append(HTTPHeaders.Field(String(text[..<colon]), String(value)))
    }
    return line.count
  }

  func receive(body bytes: UnsafeRawBufferPointer) -> Int {
    lastActivity = .now
    if let limit = job.request.limits.answer, received + bytes.count > limit {
      fail(.tooLarge, "the answer is larger than \(limit) bytes")
      return 0
    }
    switch job.sink {
    case .whole: body.append(contentsOf: bytes)
    case .stream(_, let buffer):
      guard buffer.append(bytes) else {
        isPaused = true
        return ccurl_write_pause()
      }
    }
    received += bytes.count
    return bytes.count
  }

  /// The next bytes of the body, 0 at its end.
  func send(into buffer: UnsafeMutableRawBufferPointer) -> Int {
    lastActivity = .now
    guard let upload else { return 0 }
    do {
      return try upload.read(into: buffer)
    } catch {
      fail(error.code, error.message)
      return ccurl_read_abort()
    }
  }

  private func completeHead() {
    isHeadWhole = true
    if case .stream(let continuation, _) = job.sink {
      continuation.resume(returning: .success(head))
    }
  }

  /// `HTTP/1.1 200 OK` → 200; 0 for anything else, which libcurl refuses itself.
  private func status(of line: String) -> Int {
    let words = line.split(separator: " ", maxSplits: 2)
    return words.count >= 2 ? Int(words[1]) ?? 0 : 0
  }
}

extension String {
  fileprivate var trimmingLineEnd: String {
    var bytes = utf8[...]
    while let last = bytes.last, last == 0x0d || last == 0x0a { bytes = bytes.dropLast() }
    return String(Substring(bytes))
  }
}
