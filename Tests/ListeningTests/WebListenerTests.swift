import Foundation
import Synchronization
import Testing

@testable import Listening

@Suite struct WebListenerTests {
  private static let address = ListenAddress.tcp("127.0.0.1", port: 0)

  private func echoing(timeout: Duration = .seconds(10)) throws -> WebListener {
    try WebListener(Self.address, timeout: timeout) { head in
      .answer(WebAnswer(200, "\(head.method) \(head.path) \(head.value("a") ?? "-")"))
    }
  }

  @Test(arguments: [
    ("GET /x?y HTTP/1.1\r\nA: 1\r\n\r\n", "GET /x 1"),
    ("GET / HTTP/1.0\r\na:\t 1 2 \r\n\r\n", "GET / 1 2"),
    ("GET / HTTP/1.1\r\nA: 1\r\nA: 2\r\n\r\n", "GET / -"),
    ("GET / HTTP/1.1\r\n\r\n", "GET / -"),
  ])
  func requestsAreRead(_ request: String, _ answer: String) throws {
    let listener = try echoing()
    let heard = try RawClient(listener).ask(request)
    listener.stop()
    #expect(heard.hasPrefix("HTTP/1.1 200 OK\r\n"))
    #expect(heard.hasSuffix("\r\n\r\n\(answer)\n"))
  }

  @Test(arguments: [
    "\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/2\r\n\r\n", "GET  / HTTP/1.1\r\n\r\n",
    "get / HTTP/1.1\r\n\r\n", "GET x HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nno colon\r\n\r\n",
    "GET / HTTP/1.1\r\n: x\r\n\r\n", "GET / HTTP/1.1\r\nA : x\r\n\r\n",
    "GET / HTTP/1.1\r\nA: 1\r\n folded\r\n\r\n", "GET / HTTP/1.1\r\nA: \u{0}\r\n\r\n",
    "GET / HTTP/1.1\r\n" + String(repeating: "A: 1\r\n", count: 200) + "\r\n",
  ])
  func whatIsNoRequestIsRefused(_ request: String) throws {
    let listener = try echoing()
    #expect(try RawClient(listener).ask(request).hasPrefix("HTTP/1.1 400 "))
    listener.stop()
  }

  @Test func headsAreBounded() throws {
    let listener = try echoing()
    let field = "A: " + String(repeating: "x", count: WebConnection.headLimit)
    #expect(
      try RawClient(listener).ask("GET / HTTP/1.1\r\n\(field)").hasPrefix("HTTP/1.1 431 "))
    #expect(
      try RawClient(listener).ask("GET / HTTP/1.1\r\n\(field)\r\n\r\n").hasPrefix("HTTP/1.1 4"))
  }

  @Test(arguments: [
    "Transfer-Encoding: chunked", "A: 1", "Content-Length: x", "Content-Length: -1",
  ])
  func aBodyTellsItsLength(_ field: String) throws {
    let listener = try WebListener(Self.address) { _ in
      .body(limit: 10, piece: { _ in }, end: { WebAnswer(200, "whole") })
    }
    #expect(
      try RawClient(listener).ask("POST / HTTP/1.1\r\n\(field)\r\n\r\n0\r\n\r\n")
        .hasPrefix("HTTP/1.1 411 "))
    #expect(
      try RawClient(listener).ask("POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc")
        .hasSuffix("whole\n"))
  }

  /// Whoever says nothing, or half, is let go after his time and holds up nobody for longer.
  @Test func silenceEnds() throws {
    let listener = try echoing(timeout: .milliseconds(300))
    let silent = try (0..<WebListener.connectionLimit + 4).map { _ in try RawClient(listener) }
    try silent[0].say("GET / HT")
    #expect(try RawClient(listener).ask("GET / HTTP/1.1\r\n\r\n").hasPrefix("HTTP/1.1 200 "))
    #expect(silent[0].heard().hasPrefix("HTTP/1.1 408 "))
    for client in silent.dropFirst() { _ = client.heard() }
  }

  @Test func unixSocketsComeAndGo() throws {
    let path = "/tmp/ok-listening-\(UUID().uuidString).sock"
    let address = try #require(ListenAddress("unix:\(path)"))
    let first = try WebListener(address) { _ in .answer(WebAnswer(200, "")) }
    var status = stat()
    #expect(lstat(path, &status) == 0 && status.st_mode & 0o777 == 0o666)
    first.stop()
    #expect(lstat(path, &status) != 0)

    // One that was left behind is replaced; anything else is not.
    let left = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(left) }
    var place = sockaddr_un()
    place.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &place.sun_path) { $0.copyBytes(from: path.utf8) }
    let bound = withUnsafePointer(to: &place) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(left, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    try #require(bound == 0)
    try WebListener(address) { _ in .answer(WebAnswer(200, "")) }.stop()
    try Data().write(to: URL(fileURLWithPath: path))
    #expect(throws: ListeningError.self) {
      try WebListener(address) { _ in .answer(WebAnswer(200, "")) }
    }
    unlink(path)
  }

  @Test func aTakenAddressIsAnError() throws {
    let listener = try echoing()
    let port = try #require(listener.port)
    let error = #expect(throws: ListeningError.self) {
      try WebListener(.tcp("127.0.0.1", port: port)) { _ in .answer(WebAnswer(200, "")) }
    }
    #expect(error?.description.contains("127.0.0.1:\(port)") == true)
    listener.stop()
    try WebListener(.tcp("127.0.0.1", port: port)) { _ in .answer(WebAnswer(200, "")) }.stop()
  }

  @Test(arguments: [
    ("127.0.0.1:7943", "127.0.0.1:7943"), ("[::1]:1", "[::1]:1"),
    ("unix:/run/x.sock", "unix:/run/x.sock"),
    ("localhost:80", nil), ("127.0.0.1", nil), ("127.0.0.1:99999", nil), ("unix:x", nil), ("", nil),
    ("unix:/" + String(repeating: "x", count: 107), nil),
  ])
  func addresses(_ text: String, _ read: String?) {
    #expect(ListenAddress(text)?.description == read)
  }
}
