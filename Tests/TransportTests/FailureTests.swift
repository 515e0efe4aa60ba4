import Foundation
import StubServer
import Testing
import Transport

@Suite struct FailureTests {
  private func code(
    _ request: HTTPRequest, client: HTTPClient? = nil
  ) async throws -> TransportError.Code? {
    do {
      _ = try await (client ?? makeClient()).send(request)
      return nil
    } catch let error as TransportError {
      // The path of a webhook may be its secret.
      #expect(!error.description.contains("sesame"))
      return error.code
    }
  }

  @Test(arguments: [
    ("SSH-2.0-OpenSSH_9.2\r\n", TransportError.Code.malformed),
    ("HTTP/1.1 abc\r\n\r\n", .malformed),
    ("", .interrupted),
    ("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", .interrupted),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", .interrupted),
    ("HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\nabc", .tooLarge),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", .interrupted),
  ])
  func badAnswers(text: String, expected: TransportError.Code) async throws {
    let body = expected == .tooLarge ? text + String(repeating: "x", count: 1997) : text
    let server = try StubServer { connection in
      _ = try connection.readRequest()
      try connection.send(body)
    }
    let limits = HTTPLimits(answer: 1000)
    let found = try await code(HTTPRequest("GET", "\(server.url)/sesame", limits: limits))
    #expect(found == expected)
  }

  @Test func endlessHeads() async throws {
    let server = try StubServer { connection in
      _ = try connection.readRequest()
      try connection.send("HTTP/1.1 200 OK\r\n")
      while true { try connection.send("X-Filler: \(String(repeating: "x", count: 500))\r\n") }
    }
    #expect(try await code(HTTPRequest("GET", server.url)) == .tooLarge)
  }

  @Test func nobodyThere() async throws {
    let server = try StubServer { _ in stubAnswer(200, "") }
    let url = server.url
    server.stop()
    #expect(try await code(HTTPRequest("GET", "\(url)/sesame")) == .connect)
    let request = HTTPRequest("GET", "http://e/", route: .unixSocket("/tmp/ok-no-such-socket"))
    #expect(try await code(request) == .connect)
    let long = HTTPRequest(
      "GET", "http://e/", route: .unixSocket("/" + String(repeating: "x", count: 200)))
    #expect(try await code(long) == .connect)
  }

  @Test func refusedConnectionsSayWhy() async throws {
    let request = HTTPRequest("GET", "http://e/", route: .unixSocket("/tmp/ok-no-such-socket"))
    let error = await #expect(throws: TransportError.self) { try await makeClient().send(request) }
    #expect(error?.operation == "GET unix:/tmp/ok-no-such-socket")
    #expect(error?.message.contains("No such file or directory") == true)
  }

  @Test func silenceIsATimeout() async throws {
    let server = try StubServer { try $0.waitForEnd() }
    let total = HTTPLimits(total: .milliseconds(200))
    #expect(try await code(HTTPRequest("GET", server.url, limits: total)) == .timeout)
    let idle = HTTPLimits(total: nil, idle: .milliseconds(200))
    #expect(try await code(HTTPRequest("GET", server.url, limits: idle)) == .timeout)
  }

  @Test func silenceInTheMidstIsATimeout() async throws {
    let server = try StubServer { connection in
      _ = try connection.readRequest()
      try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
      try connection.waitForEnd()
    }
    let limits = HTTPLimits(total: nil, idle: .milliseconds(200))
    #expect(try await code(HTTPRequest("GET", server.url, limits: limits)) == .timeout)
  }

  @Test func cancellationEndsTheConnection() async throws {
    let end = Flag()
    let server = try StubServer { connection in
      _ = try connection.readRequest()
      try connection.waitForEnd()
      end.raise()
    }
    let client = try makeClient()
    let url = server.url
    let task = Task {
      try await client.send(HTTPRequest("GET", url, limits: HTTPLimits(total: nil)))
    }
    #expect(await eventually { server.requests.count == 1 })
    task.cancel()
    let error = await #expect(throws: TransportError.self) { try await task.value }
    #expect(error?.code == .cancelled)
    #expect(await eventually { end.isRaised })
  }

  @Test func cancelledTasksSendNothing() async throws {
    let server = try StubServer { _ in stubAnswer(200, "") }
    let (client, url) = (try makeClient(), server.url)
    let task = Task { () -> TransportError.Code? in
      while !Task.isCancelled { await Task.yield() }
      do throws(TransportError) {
        _ = try await client.send(HTTPRequest("GET", url))
        return nil
      } catch {
        return error.code
      }
    }
    task.cancel()
    #expect(await task.value == .cancelled)
    #expect(server.connectionCount == 0)
  }

  @Test func tooManyAtOnceAreRefused() async throws {
    let server = try StubServer { try $0.waitForEnd() }
    let (client, url) = (try makeClient(), server.url)
    let codes = await withTaskGroup(of: TransportError.Code?.self) { group in
      for _ in 0..<300 {
        group.addTask {
          do throws(TransportError) {
            _ = try await client.send(HTTPRequest("GET", url, limits: HTTPLimits(total: nil)))
            return nil
          } catch {
            return error.code
          }
        }
      }
      var codes: [TransportError.Code?] = []
      for await code in group {
        codes.append(code)
        // The surplus fails at once; the others would wait for ever.
        if codes.count == 44 {
          // The silent server keeps every one: the rest wait for a connection.
          #expect(server.connectionCount <= 64)
          group.cancelAll()
        }
      }
      return codes
    }
    #expect(codes.filter { $0 == .overloaded }.count == 44)
    #expect(codes.filter { $0 == .cancelled }.count == 256)
  }

  @Test(arguments: [
    HTTPRequest("get", "http://x/"), HTTPRequest("GET\r\nX: y", "http://x/"),
    HTTPRequest("", "http://x/"), HTTPRequest("GET", "ftp://x/"),
    HTTPRequest("GET", "file:///etc/passwd"),
    HTTPRequest("GET", "http:x"), HTTPRequest("GET", "http://user:sesame@x/"),
    HTTPRequest("GET", "http://x/a b"), HTTPRequest("GET", "http://x/\r\nX: y"),
    HTTPRequest("GET", "http://x/", headers: ["X": "a\r\nY: b"]),
    HTTPRequest("GET", "http://x/", headers: ["X:": "a"]),
    HTTPRequest("GET", "http://x/", headers: ["": "a"]),
    HTTPRequest("GET", "http://x/", route: .socks("x/y:1")),
    HTTPRequest("GET", "http://x/", route: .unixSocket("/a\u{0}b")),
  ])
  func dangerousRequests(request: HTTPRequest) async throws {
    #expect(try await code(request) == .invalidRequest)
  }

  @Test func bodiesThatCannotBeRead() async throws {
    let server = try StubServer { _ in stubAnswer(200, "") }
    let folder = try TemporaryPath()
    defer { folder.remove() }
    #expect(mkfifo(folder.appending("pipe"), 0o600) == 0)
    for path in [folder.path, folder.appending("none"), folder.appending("pipe")] {
      let request = HTTPRequest("POST", server.url, body: .file(path))
      #expect(try await code(request) == .unreadableBody)
    }
    #expect(server.requests.isEmpty)
  }

  @Test func fileThatShrinksWhileItIsSent() async throws {
    let folder = try TemporaryPath()
    defer { folder.remove() }
    let path = folder.appending("body")
    try Data(count: 64 << 20).write(to: URL(fileURLWithPath: path))
    let server = try StubServer { connection in
      // The client is stuck with most of the file unsent when it is cut.
      _ = try connection.readHead()
      guard truncate(path, 100) == 0 else { return }
      try connection.waitForEnd()
    }
    #expect(try await code(HTTPRequest("POST", server.url, body: .file(path))) == .unreadableBody)
  }
}
