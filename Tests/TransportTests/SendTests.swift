import Foundation
import StubServer
import Testing
import Transport

@Suite struct SendTests {
  @Test(arguments: [200, 204, 301, 304, 404, 418, 500, 599])
  func anyStatusIsAnAnswer(status: Int) async throws {
    let server = try StubServer { request in
      let body = status == 204 || status == 304 ? "" : "\(request.method) \(request.target)"
      return stubAnswer(status, body, headers: ["X-Kind": "pot", "Location": "/x"])
    }
    let response = try await makeClient().send(HTTPRequest("GET", "\(server.url)/a/../b?c=d"))
    #expect(response.status == status)
    #expect(response.headers["x-kind"] == "pot")
    #expect(response.isSuccess == (status < 300))
    if status != 204 && status != 304 {
      #expect(String(decoding: response.body, as: UTF8.self) == "GET /a/../b?c=d")
    }
  }

  @Test func redirectsAreNotFollowed() async throws {
    let other = try StubServer { _ in stubAnswer(200, "stolen") }
    let server = try StubServer { _ in stubAnswer(302, "", headers: ["Location": other.url]) }
    let response = try await makeClient().send(HTTPRequest("GET", server.url))
    #expect(response.status == 302)
    #expect(response.headers["Location"] == other.url)
    #expect(other.connectionCount == 0)
  }

  @Test func bodiesGoOutWhole() async throws {
    let server = try StubServer { request in
      let expect = request.headers["expect"] ?? "none"
      let length = request.headers["content-length"] ?? "none"
      let type = request.headers["content-type"] ?? "none"
      let sum = request.body.reduce(0) { ($0 &* 31 &+ Int($1)) & 0xffff_ffff }
      return stubAnswer(200, "\(request.method) \(length) \(sum) \(expect) \(type)")
    }
    let client = try makeClient()
    let bytes = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    let sum = bytes.reduce(0) { ($0 &* 31 &+ Int($1)) & 0xffff_ffff }
    let folder = try TemporaryPath()
    defer { folder.remove() }
    try Data(bytes).write(to: URL(fileURLWithPath: folder.appending("body")))
    let cases: [(HTTPRequest, String)] = [
      (HTTPRequest("POST", server.url), "POST 0 0 none none"),
      (HTTPRequest("GET", server.url), "GET none 0 none none"),
      (
        HTTPRequest("PUT", server.url, headers: ["Content-Type": "x/y"], body: .bytes(bytes)),
        "PUT 3000000 \(sum) none x/y"
      ),
      (
        HTTPRequest("POST", server.url, body: .file(folder.appending("body"))),
        "POST 3000000 \(sum) none none"
      ),
    ]
    for (request, expected) in cases {
      let response = try await client.send(request)
      #expect(String(decoding: response.body, as: UTF8.self) == expected)
    }
  }

  @Test func unixSocketsAreReached() async throws {
    let folder = try TemporaryPath()
    defer { folder.remove() }
    let server = try StubServer(.unix(folder.appending("s"))) { stubAnswer(200, $0.target) }
    let request = HTTPRequest("GET", "http://engine/x", route: .unixSocket(folder.appending("s")))
    let response = try await makeClient().send(request)
    #expect(String(decoding: response.body, as: UTF8.self) == "/x")
    #expect(server.requests.first?.headers["host"] == "engine")
  }

  @Test func chunkedAnswersAndInterimHeadsAreRead() async throws {
    let server = try StubServer { connection in
      _ = try connection.readRequest()
      try connection.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
      try connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Last: no\r\n\r\n")
      for part in ["hello ", "world"] {
        try connection.send("\(String(part.utf8.count, radix: 16))\r\n\(part)\r\n")
      }
      try connection.send("0\r\nX-Trailer: late\r\n\r\n")
    }
    let response = try await makeClient().send(HTTPRequest("GET", server.url))
    #expect(response.status == 200)
    #expect(String(decoding: response.body, as: UTF8.self) == "hello world")
    #expect(response.headers["link"] == nil)
    #expect(response.headers["x-trailer"] == nil)
    #expect(response.headers["x-last"] == "no")
  }

  @Test func headHasNoBody() async throws {
    let server = try StubServer { connection in
      while try connection.readRequest() != nil {
        try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n")
      }
    }
    let response = try await makeClient().send(HTTPRequest("HEAD", server.url))
    #expect(response.status == 200)
    #expect(response.body.isEmpty)
  }

  @Test func connectionsAreKeptAndReplaced() async throws {
    let server = try StubServer { connection in
      // Two answers a connection, then it closes without saying so.
      for _ in 0..<2 {
        guard let request = try connection.readRequest() else { return }
        try connection.send(stubAnswer(200, String(decoding: request.body, as: UTF8.self)))
      }
    }
    let client = try makeClient()
    for round in 0..<6 {
      let request = HTTPRequest("POST", server.url, body: .bytes(Array("\(round)".utf8)))
      let response = try await client.send(request)
      #expect(String(decoding: response.body, as: UTF8.self) == "\(round)")
    }
    #expect(server.connectionCount == 3)
  }

  @Test func manyAtOnce() async throws {
    let server = try StubServer { stubAnswer(200, $0.target) }
    let client = try makeClient()
    let url = server.url
    try await withThrowingTaskGroup(of: Bool.self) { group in
      for number in 0..<200 {
        group.addTask {
          let response = try await client.send(HTTPRequest("GET", "\(url)/\(number)"))
          return String(decoding: response.body, as: UTF8.self) == "/\(number)"
        }
      }
      for try await isRight in group { #expect(isRight) }
    }
  }
}
