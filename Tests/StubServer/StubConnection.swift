import Glibc

/// One connection in the hands of a handler.
public final class StubConnection {
  private let descriptor: Int32
  private let server: StubServer
  private var buffer: [UInt8] = []

  init(_ descriptor: Int32, server: StubServer) {
    self.descriptor = descriptor
    self.server = server
  }

  /// The next request whole; `nil` when the client has ended.
  public func readRequest() throws -> StubRequest? {
    guard let head = try readHead() else { return nil }
    var lines = head.split(separator: "\r\n", omittingEmptySubsequences: true)
    let words = lines.removeFirst().split(separator: " ")
    guard words.count == 3 else { throw StubServer.Failure(description: "not a request line") }
    var headers: [String: String] = [:]
    for line in lines {
      let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      headers[parts[0].lowercased()] = parts.count > 1 ? String(parts[1].drop { $0 == " " }) : ""
    }
    let length = headers["content-length"].flatMap { Int($0) } ?? 0
    while buffer.count < length, try fill() {}
    let body = Array(buffer.prefix(length))
    buffer.removeFirst(min(length, buffer.count))
    let request = StubRequest(
      method: String(words[0]), target: String(words[1]), headers: headers, body: body)
    server.note(request)
    return request
  }

  /// Only the head of a request: its body stays unread.
  public func readHead() throws -> String? {
    let end = Array("\r\n\r\n".utf8)
    while true {
      if let position = buffer.firstRange(of: end) {
        let head = String(decoding: buffer[..<position.lowerBound], as: UTF8.self)
        buffer.removeFirst(position.upperBound)
        return head
      }
      guard try fill() else { return nil }
    }
  }

  /// Exactly so many bytes, for protocols other than HTTP.
  public func read(_ count: Int) throws -> [UInt8] {
    while buffer.count < count {
      guard try fill() else { throw StubServer.Failure(description: "the client has gone") }
    }
    defer { buffer.removeFirst(count) }
    return Array(buffer.prefix(count))
  }

  public func send(_ text: String) throws { try send(Array(text.utf8)) }

  public func send(_ bytes: [UInt8]) throws {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { throw StubServer.Failure(description: "the client has gone") }
      rest = rest.dropFirst(count)
    }
  }

  /// Waits, without answering, until the client or the server's `stop` ends the connection.
  public func waitForEnd() throws { while try fill() {} }

  private func fill() throws -> Bool {
    var chunk = [UInt8](repeating: 0, count: 64 << 10)
    let count = chunk.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress, $0.count, 0) }
    guard count > 0 else { return false }
    buffer += chunk.prefix(count)
    return true
  }
}

/// An answer with its length.
public func stubAnswer(
  _ status: Int, _ body: String, headers: [String: String] = [:]
) -> String {
  let lines = headers.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)\r\n" }.joined()
  return "HTTP/1.1 \(status) Stub\r\n\(lines)Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
}
