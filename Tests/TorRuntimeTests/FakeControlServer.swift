import Dispatch
import Glibc
import Synchronization

/// A real server on a real socket that says what a script tells it to. One connection.
final class FakeControlServer: Sendable {
  private let listener: Int32
  private let finished = DispatchSemaphore(value: 0)
  private let isDone = Mutex(false)

  /// - Parameter script: Runs on a thread of its own; the connection is closed when it returns.
  init(path: String, script: @escaping @Sendable (FakeConnection) -> Void) throws {
    listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    guard listener >= 0 else { throw TestFailure("socket: \(errno)") }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    let room = MemoryLayout.size(ofValue: address.sun_path) - 1
    guard bytes.count <= room else { throw TestFailure("path too long: \(path)") }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    let bound = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    try check(bound, "bind")
    try check(listen(listener, 4), "listen")
    DispatchQueue(label: "fake control server").async { [listener, finished] in
      let accepted = accept(listener, nil, nil)
      if accepted >= 0 {
        script(FakeConnection(socket: accepted))
        close(accepted)
      }
      finished.signal()
    }
  }

  /// Ends the script's thread, if the client has not done so.
  func stop() {
    guard
      isDone.withLock({ done in
        defer { done = true }
        return !done
      })
    else { return }
    shutdown(listener, Int32(SHUT_RDWR))
    finished.wait()
    close(listener)
  }

  deinit { stop() }
}

struct FakeConnection {
  let socket: Int32

  /// `false` once the client has gone.
  @discardableResult func send(_ text: String) -> Bool {
    let bytes = Array(text.utf8)
    var sent = 0
    while sent < bytes.count {
      let count = bytes[sent...].withUnsafeBytes {
        Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { return false }
      sent += count
    }
    return true
  }

  /// One line without its end; `nil` once the client has gone.
  func readLine() -> String? {
    var line: [UInt8] = []
    var byte: UInt8 = 0
    while read(socket, &byte, 1) == 1 {
      if byte == UInt8(ascii: "\n") {
        if line.last == UInt8(ascii: "\r") { line.removeLast() }
        return String(decoding: line, as: UTF8.self)
      }
      line.append(byte)
    }
    return nil
  }

  /// Waits until the client has gone, without saying anything.
  func drain() { while readLine() != nil {} }
}
