import CLinux
import Dispatch
import Glibc
import Synchronization

/// Serves one address until it is let go of or stopped. See README.md for its limits.
public final class WebListener: Sendable {
  /// A forge needs one; more wait in the kernel's queue.
  static let connectionLimit = 8

  public let address: ListenAddress
  /// Of a TCP address, also where the kernel chose it.
  public let port: UInt16?
  /// Its other end closes when this listener is stopped.
  private let stopper: Mutex<Int32?>
  private let ended = DispatchSemaphore(value: 0)

  /// - Parameters:
  ///   - timeout: of one connection, from its beginning to its end.
  ///   - handler: called on the listener's queue; must not block.
  /// - Throws: if the address cannot be had.
  public init(
    _ address: ListenAddress, timeout: Duration = .seconds(10),
    handler: @escaping @Sendable (WebHead) -> WebReception
  ) throws(ListeningError) {
    let socket = try ListeningSocket(address)
    var ends: [Int32] = [0, 0]
    guard clinux_pipe(&ends) == 0 else {
      throw ListeningError(address.description, "pipe: \(String(cString: strerror(errno)))")
    }
    self.address = address
    port = socket.port
    stopper = Mutex(ends[1])
    let (stop, ended, number) = (ends[0], ended, socket.number)
    let queue = DispatchQueue(label: "onionkeeper.listening")
    let kept = KeptSocket(socket)
    queue.async {
      WebLoop(listening: number, stop: stop, timeout: timeout, handler: handler).run()
      close(stop)
      kept.release()
      ended.signal()
    }
  }

  /// Ends all connections; returns when the address is free again, which takes milliseconds.
  public func stop() {
    let number = stopper.withLock { number in
      defer { number = nil }
      return number
    }
    guard let number else { return }
    close(number)
    ended.wait()
  }

  deinit { stop() }
}

/// Carries the socket to the queue that lets go of it.
private final class KeptSocket: Sendable {
  private struct Box: ~Copyable, @unchecked Sendable {
    // Proof: made on one thread, then touched by the listener's queue alone, once, to drop it.
    var socket: ListeningSocket?
  }

  private let box: Mutex<Box>

  init(_ socket: sending ListeningSocket) { box = Mutex(Box(socket: socket)) }

  func release() { box.withLock { $0.socket = nil } }
}

/// poll(2) over the listening socket and its connections.
private struct WebLoop {
  let listening: Int32
  let stop: Int32
  let timeout: Duration
  let handler: (WebHead) -> WebReception

  func run() {
    var connections: [WebConnection] = []
    while true {
      var polled = [pollfd(fd: stop, events: Int16(POLLIN), revents: 0)]
      // Full: the next ones wait in the kernel until one ends, at the latest at its deadline.
      let accepts = connections.count < WebListener.connectionLimit
      polled.append(
        pollfd(fd: accepts ? listening : -1, events: Int16(POLLIN), revents: 0))
      polled += connections.map { pollfd(fd: $0.number, events: $0.interest, revents: 0) }
      let count = poll(&polled, nfds_t(polled.count), wait(connections))
      if count < 0, errno != EINTR { return }
      if polled[0].revents != 0 { return }
      for (connection, entry) in zip(connections, polled[2...]) where entry.revents != 0 {
        connection.advance()
      }
      let now = ContinuousClock.now
      for connection in connections where connection.deadline <= now { connection.expire() }
      connections.removeAll(where: \.isOver)
      if polled[1].revents != 0, let connection = accept(now) { connections.append(connection) }
    }
  }

  /// Milliseconds until the first deadline.
  private func wait(_ connections: [WebConnection]) -> Int32 {
    guard let first = connections.map(\.deadline).min() else { return -1 }
    let left = ContinuousClock.now.duration(to: first) / .milliseconds(1)
    return Int32(max(0, min(left.rounded(.up), 60_000)))
  }

  private func accept(_ now: ContinuousClock.Instant) -> WebConnection? {
    let number = clinux_accept(listening)
    guard number >= 0 else {
      // Out of descriptors: it stays in the queue, and poll would return at once for ever.
      if errno == EMFILE || errno == ENFILE { usleep(100_000) }
      return nil
    }
    return WebConnection(number, deadline: now.advanced(by: timeout), handler: handler)
  }
}
