import Glibc
import StubServer
import Synchronization
import Testing
import Transport

/// Something that happened on another thread.
final class Flag: Sendable {
  private let value = Atomic<Bool>(false)
  var isRaised: Bool { value.load(ordering: .acquiring) }
  func raise() { value.store(true, ordering: .releasing) }
}

final class Counter: Sendable {
  private let count = Atomic<Int>(0)
  var value: Int { count.load(ordering: .acquiring) }
  func add(_ more: Int) { count.add(more, ordering: .acquiringAndReleasing) }
}

@Suite struct StreamTests {
  private let endless = HTTPLimits(total: nil, answer: nil)

  @Test func bytesComeAsTheyAreSent() async throws {
    let go = Flag()
    let server = try StubServer { connection in
      _ = try connection.readRequest()
      try connection.send("HTTP/1.1 200 OK\r\nX-A: b\r\n\r\n")
      try connection.send("one")
      while !go.isRaised { sched_yield() }
      try connection.send("two")
    }
    let stream = try await makeClient().open(HTTPRequest("GET", server.url, limits: endless))
    #expect(stream.status == 200)
    #expect(stream.headers["x-a"] == "b")
    var iterator = stream.makeAsyncIterator()
    #expect(try await iterator.next() == Array("one".utf8))
    go.raise()
    #expect(try await iterator.next() == Array("two".utf8))
    #expect(try await iterator.next() == nil)
    #expect(try await iterator.next() == nil)
  }

  @Test func failingStatusesAreAnswersToo() async throws {
    let server = try StubServer { _ in stubAnswer(500, "why") }
    let stream = try await makeClient().open(HTTPRequest("GET", server.url))
    #expect(stream.status == 500)
    var text = ""
    for try await bytes in stream { text += String(decoding: bytes, as: UTF8.self) }
    #expect(text == "why")
  }

  @Test func slowReadersSlowTheSender() async throws {
    let size = 48 << 20
    let sent = Counter()
    let server = try StubServer { connection in
      _ = try connection.readRequest()
      try connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(size)\r\n\r\n")
      let chunk = [UInt8](repeating: 7, count: 64 << 10)
      for _ in 0..<(size / chunk.count) {
        try connection.send(chunk)
        sent.add(chunk.count)
      }
    }
    // Idle does not run while the reader is the slow one.
    let limits = HTTPLimits(total: nil, idle: .seconds(5), answer: nil)
    let stream = try await makeClient().open(HTTPRequest("GET", server.url, limits: limits))
    // Stuck: the same count for a while. What the kernel and the buffer hold is far below the whole.
    var last = -1
    var equal = 0
    let isStuck = await eventually {
      equal = sent.value == last ? equal + 1 : 0
      last = sent.value
      return equal >= 5
    }
    #expect(isStuck)
    #expect(last < size / 2)
    var received = 0
    for try await bytes in stream { received += bytes.count }
    #expect(received == size)
  }

  @Test func limitsHoldForStreams() async throws {
    let server = try StubServer { _ in stubAnswer(200, String(repeating: "x", count: 5000)) }
    let limits = HTTPLimits(answer: 1000)
    let stream = try await makeClient().open(HTTPRequest("GET", server.url, limits: limits))
    let error = await #expect(throws: TransportError.self) { for try await _ in stream {} }
    #expect(error?.code == .tooLarge)
  }

  @Test func brokenStreamsSaySo() async throws {
    let server = try StubServer { connection in
      _ = try connection.readRequest()
      try connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
    }
    let stream = try await makeClient().open(HTTPRequest("GET", server.url, limits: endless))
    var iterator = stream.makeAsyncIterator()
    #expect(try await iterator.next() == Array("abc".utf8))
    let error = await #expect(throws: TransportError.self) { try await iterator.next() }
    #expect(error?.code == .interrupted)
  }

  @Test func droppedStreamsEndTheConnection() async throws {
    let end = Flag()
    let server = try endlessServer(end)
    let client = try makeClient()
    var stream: HTTPStream? = try await client.open(HTTPRequest("GET", server.url, limits: endless))
    #expect(stream?.status == 200)
    stream = nil
    #expect(await eventually { end.isRaised })
  }

  @Test func cancelledReadersEndTheConnection() async throws {
    let end = Flag()
    let server = try endlessServer(end)
    let stream = try await makeClient().open(HTTPRequest("GET", server.url, limits: endless))
    let task = Task { () -> TransportError.Code? in
      var iterator = stream.makeAsyncIterator()
      do throws(TransportError) {
        while try await iterator.next() != nil {}
        return nil
      } catch {
        return error.code
      }
    }
    task.cancel()
    #expect(await task.value == .cancelled)
    #expect(await eventually { end.isRaised })
  }

  @Test func oneReaderAtATime() async throws {
    let end = Flag()
    let server = try endlessServer(end)
    let stream = try await makeClient().open(HTTPRequest("GET", server.url, limits: endless))
    let codes = await withTaskGroup(of: TransportError.Code?.self) { group in
      for _ in 0..<2 {
        group.addTask {
          var iterator = stream.makeAsyncIterator()
          do throws(TransportError) {
            _ = try await iterator.next()
            return nil
          } catch {
            return error.code
          }
        }
      }
      let first = await group.next()
      group.cancelAll()
      let second = await group.next()
      return [first ?? nil, second ?? nil]
    }
    #expect(codes == [.invalidRequest, .cancelled])
  }

  @Test func streamsOutliveTheirClientsName() async throws {
    let server = try StubServer { connection in
      _ = try connection.readRequest()
      try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc")
    }
    let stream = try await openAndForgetClient(server.url)
    var bytes: [UInt8] = []
    for try await more in stream { bytes += more }
    #expect(bytes == Array("abc".utf8))
  }

  private func openAndForgetClient(_ url: String) async throws -> HTTPStream {
    try await makeClient().open(HTTPRequest("GET", url))
  }

  private func endlessServer(_ end: Flag) throws -> StubServer {
    try StubServer { connection in
      _ = try connection.readRequest()
      try connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
      try connection.waitForEnd()
      end.raise()
    }
  }
}
