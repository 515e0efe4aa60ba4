import Engine
import OnionModel
import StubServer
import Testing

@Suite struct LogTests {
  private static func frame(_ stream: UInt8, _ text: String) -> [UInt8] {
    let size = text.utf8.count
    return [stream, 0, 0, 0] + [24, 16, 8, 0].map { UInt8(size >> $0 & 255) } + Array(text.utf8)
  }

  private func logs(_ bytes: [UInt8]) async throws(EngineError) -> ContainerLog {
    let engine: StubEngine
    do {
      engine = try await StubEngine(.docker) { connection, _ in
        try connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(bytes.count)\r\n\r\n")
        try connection.send(bytes)
      }
    } catch {
      throw EngineError(.unreachable, operation: "stub", message: "\(error)")
    }
    return try await engine.client.logs("x", tail: 20)
  }

  @Test func framesAreTakenApart() async throws {
    let bytes =
      Self.frame(1, "out\n") + Self.frame(2, "er") + Self.frame(1, "one\r\ntwo\n")
      + Self.frame(2, "r\n")
      + Self.frame(1, "last")
    let log = try await logs(bytes)
    #expect(log == ContainerLog(lines: ["out", "one", "two", "err", "last"]))
    #expect(try await logs([]) == ContainerLog(lines: []))
  }

  @Test(arguments: [
    [1, 0, 0], [9, 0, 0, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0, 0, 9, 65],
    [1, 7, 0, 0, 0, 0, 0, 1, 65],
    [1, 0, 0, 0, 255, 255, 255, 255, 65], Array("plain text\n".utf8),
  ])
  func brokenFramesAreErrors(bytes: [UInt8]) async throws {
    #expect(
      await EngineError.code { () async throws(EngineError) in try await logs(bytes) } == .malformed
    )
  }

  @Test func longLogsAreCut() async throws {
    let line = Self.frame(1, String(repeating: "x", count: 999) + "\n")
    let log = try await logs(Array((0..<2000).map { _ in line }.joined()))
    #expect(log.isTruncated)
    #expect((1000...1050).contains(log.lines.count))
  }
}
