import Foundation
import Glibc
import Synchronization

/// Listens until it is stopped or released.
public final class StubServer: Sendable {
  public enum Endpoint: Sendable {
    /// A free port of 127.0.0.1.
    case loopback
    /// A path of at most 107 bytes.
    case unix(String)
  }

  public struct Failure: Error, CustomStringConvertible {
    public var description: String
    public init(description: String) { self.description = description }
  }

  private struct State {
    var open: Set<Int32> = []
    var isStopped = false
    var connections = 0
    var requests: [StubRequest] = []
  }

  /// Of a server on loopback.
  public let port: Int
  public var url: String { "http://127.0.0.1:\(port)" }
  private let listener: Int32
  private let state = Mutex(State())

  /// - Parameter handler: runs on a thread of its own for each connection; the connection closes when it returns.
  public init(
    _ endpoint: Endpoint = .loopback, handler: @escaping @Sendable (StubConnection) throws -> Void
  ) throws {
    (listener, port) = try Self.listen(endpoint)
    let descriptor = listener
    Thread.detachNewThread { [weak self] in
      while true {
        let connection = accept(descriptor, nil, nil)
        guard connection >= 0 else { return }
        // A child of another test must not keep it open.
        _ = fcntl(connection, F_SETFD, FD_CLOEXEC)
        guard let self, self.admit(connection) else {
          close(connection)
          return
        }
        Thread.detachNewThread {
          // A client that goes away in the midst is part of many tests.
          try? handler(StubConnection(connection, server: self))
          self.release(connection)
        }
      }
    }
  }

  /// Answers every request with what `answer` makes of it, and keeps connections alive.
  public convenience init(
    _ endpoint: Endpoint = .loopback, answer: @escaping @Sendable (StubRequest) -> String
  ) throws {
    try self.init(endpoint) { connection in
      while let request = try connection.readRequest() { try connection.send(answer(request)) }
    }
  }

  deinit { stop() }

  /// How many connections have come.
  public var connectionCount: Int { state.withLock { $0.connections } }

  /// What has been asked so far, in order.
  public var requests: [StubRequest] { state.withLock { $0.requests } }

  /// Ends the listener and every connection.
  public func stop() {
    let descriptors = state.withLock { state -> Set<Int32>? in
      guard !state.isStopped else { return nil }
      state.isStopped = true
      // Under the lock: a connection's own thread closes its descriptor only after taking it out of the set.
      for descriptor in state.open { shutdown(descriptor, Int32(SHUT_RDWR)) }
      return state.open
    }
    guard descriptors != nil else { return }
    shutdown(listener, Int32(SHUT_RDWR))
    close(listener)
  }

  func note(_ request: StubRequest) { state.withLock { $0.requests.append(request) } }

  private func admit(_ connection: Int32) -> Bool {
    state.withLock { state in
      guard !state.isStopped else { return false }
      state.open.insert(connection)
      state.connections += 1
      return true
    }
  }

  private func release(_ connection: Int32) {
    state.withLock { state in
      state.open.remove(connection)
      close(connection)
    }
  }

  private static func listen(_ endpoint: Endpoint) throws -> (Int32, Int) {
    switch endpoint {
    case .loopback:
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
      let descriptor = try bind(AF_INET, &address)
      var length = socklen_t(MemoryLayout<sockaddr_in>.size)
      _ = withUnsafeMutablePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          getsockname(descriptor, $0, &length)
        }
      }
      return (descriptor, Int(UInt16(bigEndian: address.sin_port)))
    case .unix(let path):
      var address = sockaddr_un()
      address.sun_family = sa_family_t(AF_UNIX)
      let bytes = Array(path.utf8)
      guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
        throw Failure(description: "\(path) is too long for a socket")
      }
      withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
      return (try bind(AF_UNIX, &address), 0)
    }
  }

  private static func bind<Address>(_ family: Int32, _ address: inout Address) throws -> Int32 {
    let descriptor = socket(family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.bind(descriptor, $0, socklen_t(MemoryLayout<Address>.size))
      }
    }
    guard descriptor >= 0, result == 0, Glibc.listen(descriptor, 64) == 0 else {
      throw Failure(description: "cannot listen: \(String(cString: strerror(errno)))")
    }
    return descriptor
  }
}

public struct StubRequest: Sendable {
  public var method: String
  /// Path and query as they came.
  public var target: String
  /// Names in lower case.
  public var headers: [String: String]
  public var body: [UInt8]
}
