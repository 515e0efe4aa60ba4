import Transport

/// The last lines that a container wrote, stdout and stderr as they came.
public struct ContainerLog: Hashable, Sendable {
  public var lines: [String]
  /// There was more than the limit; the lines are the first of what was asked for.
  public var isTruncated: Bool

  public init(lines: [String], isTruncated: Bool = false) {
    self.lines = lines
    self.isTruncated = isTruncated
  }
}

extension EngineClient {
  /// - Parameter tail: how many lines from the end; at most 1,000.
  /// - Throws: `.notFound`; `.malformed` if the answer is not framed as the API says.
  public func logs(_ container: String, tail: Int) async throws(EngineError) -> ContainerLog {
    let lines = max(1, min(tail, 1000))
    let query = [("stdout", "1"), ("stderr", "1"), ("tail", String(lines))]
    let call = EngineCall("GET", try path(container, "/logs"), query: query).answering(upTo: nil)
    let stream = try await calls.open(call)
    var bytes: [UInt8] = []
    do throws(TransportError) {
      var iterator = stream.makeAsyncIterator()
      while bytes.count <= logSizeLimit, let more = try await iterator.next() { bytes += more }
    } catch {
      throw EngineError(error, operation: call.operation)
    }
    let isTruncated = bytes.count > logSizeLimit
    guard let text = LogFrames.text(bytes.prefix(logSizeLimit), mayEndEarly: isTruncated) else {
      throw EngineError(.malformed, operation: call.operation, message: "a log frame is broken")
    }
    return ContainerLog(lines: text, isTruncated: isTruncated)
  }
}

/// 1,000 of tor's longest lines; a container's whole log is kept to 2 MiB.
private let logSizeLimit = 1 << 20

/// Frames of a container without a terminal: stream (0, 1, 2), three zeros, a big-endian length, the bytes.
enum LogFrames {
  /// - Parameter mayEndEarly: the input was cut, so its last frame may be short.
  /// - Returns: lines; `nil` for anything that is not framed so.
  static func text(_ input: ArraySlice<UInt8>, mayEndEarly: Bool) -> [String]? {
    // One line may be cut in two frames, and those of the other stream come between: each is put together by itself.
    var lines: [String] = []
    var open: [UInt8: [UInt8]] = [:]
    var rest = input
    while !rest.isEmpty {
      guard rest.count >= 8 else { return mayEndEarly ? finish(lines, open) : nil }
      let head = Array(rest.prefix(8))
      guard head[0] <= 2, head[1...3].allSatisfy({ $0 == 0 }) else { return nil }
      let length = head[4...].reduce(0) { $0 << 8 | Int($1) }
      rest = rest.dropFirst(8)
      guard rest.count >= length || mayEndEarly else { return nil }
      for byte in rest.prefix(length) {
        if byte == UInt8(ascii: "\n") {
          lines.append(line(open.removeValue(forKey: head[0]) ?? []))
        } else {
          open[head[0], default: []].append(byte)
        }
      }
      rest = rest.dropFirst(length)
    }
    return finish(lines, open)
  }

  private static func finish(_ lines: [String], _ open: [UInt8: [UInt8]]) -> [String] {
    lines + open.sorted { $0.key < $1.key }.map { line($0.value) }
  }

  private static func line(_ bytes: [UInt8]) -> String {
    String(decoding: bytes.last == 0x0d ? bytes.dropLast() : bytes[...], as: UTF8.self)
  }
}
