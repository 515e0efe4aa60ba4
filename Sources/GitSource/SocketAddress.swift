import Dispatch
import Glibc
import Synchronization

/// One address of a server, as the kernel takes it.
struct SocketAddress: Sendable {
  private let family: Int32
  private let bytes: [UInt8]

  /// More addresses of one name than this are not tried.
  private static let limit = 8

  /// Resolves `host` on a thread that may be left behind: `getaddrinfo` has no bound of its own.
  ///
  /// - Throws: `.unreachable` if there is no such name, `.timeout`, or the conversation's failure.
  static func resolve(
    _ host: String, port: Int, for transfer: Transfer
  ) throws(GitError) -> [SocketAddress] {
    let answer = Answer()
    DispatchQueue.global().async {
      answer.give(lookUp(host, port))
    }
    let expiry = min(.now + transfer.limits.connect, transfer.deadline)
    while ContinuousClock.now < expiry {
      if let failure = transfer.failure { throw failure }
      // Short slices, so that a cancelled task is not kept waiting by a slow resolver.
      guard let result = answer.wait(.milliseconds(50)) else { continue }
      switch result {
      case .success(let addresses): return addresses
      case .failure(let error):
        throw GitError(
          .unreachable, transfer.operation, "cannot resolve \(host): \(error.reason)")
      }
    }
    throw GitError(
      .timeout, transfer.operation,
      "the name \(host) was not resolved within \(transfer.limits.connect)")
  }

  /// A connected, non-blocking socket that the transfer has adopted.
  func connect(for transfer: Transfer) -> Result<Int32, GitError> {
    func failure(_ code: GitError.Code, _ text: String) -> Result<Int32, GitError> {
      .failure(transfer.failure ?? GitError(code, transfer.operation, text))
    }
    let kind = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
    let socket = Glibc.socket(family, kind, 0)
    guard socket >= 0 else { return failure(.unreachable, errorText(errno)) }
    guard transfer.adopt(socket) else {
      close(socket)
      return failure(.cancelled, "ended")
    }
    var on: Int32 = 1
    setsockopt(
      socket, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
    if start(socket) { return .success(socket) }
    var problem = errno
    if problem == EINPROGRESS {
      switch waitUntilReady(socket, POLLOUT, upTo: transfer.limits.connect, transfer) {
      case .aborted: problem = ECONNABORTED
      case .expired: problem = ETIMEDOUT
      case .ready:
        var size = socklen_t(MemoryLayout<Int32>.size)
        guard getsockopt(socket, SOL_SOCKET, SO_ERROR, &problem, &size) == 0 else {
          problem = errno
          break
        }
        if problem == 0 { return .success(socket) }
      }
    }
    transfer.release(socket)
    return failure(problem == ETIMEDOUT ? .timeout : .unreachable, errorText(problem))
  }

  private func start(_ socket: Int32) -> Bool {
    bytes.withUnsafeBytes { raw in
      guard let base = raw.baseAddress else { return false }
      // getaddrinfo made these bytes as the sockaddr of `family`.
      let address = base.assumingMemoryBound(to: sockaddr.self)
      return Glibc.connect(socket, address, socklen_t(raw.count)) == 0
    }
  }

  private struct Failure: Error {
    let reason: String
  }

  private static func lookUp(_ host: String, _ port: Int) -> Result<[SocketAddress], Failure> {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    hints.ai_flags = AI_NUMERICSERV
    var list: UnsafeMutablePointer<addrinfo>?
    let result = getaddrinfo(host, String(port), &hints, &list)
    guard result == 0 else {
      return .failure(Failure(reason: String(cString: gai_strerror(result))))
    }
    defer { freeaddrinfo(list) }
    var addresses: [SocketAddress] = []
    var next = list
    while let entry = next, addresses.count < limit {
      if let address = entry.pointee.ai_addr {
        let raw = UnsafeRawBufferPointer(start: address, count: Int(entry.pointee.ai_addrlen))
        addresses.append(SocketAddress(family: entry.pointee.ai_family, bytes: Array(raw)))
      }
      next = entry.pointee.ai_next
    }
    return .success(addresses)
  }

  /// Where the resolving thread leaves its answer, whether or not anybody still waits.
  private final class Answer: Sendable {
    private let value = Mutex<Result<[SocketAddress], Failure>?>(nil)
    private let given = DispatchSemaphore(value: 0)

    func give(_ result: Result<[SocketAddress], Failure>) {
      value.withLock { $0 = result }
      given.signal()
    }

    func wait(_ time: DispatchTimeInterval) -> Result<[SocketAddress], Failure>? {
      _ = given.wait(timeout: .now() + time)
      return value.withLock { $0 }
    }
  }
}

extension Transfer {
  /// A socket to the server, or through the proxy to it.
  ///
  /// - Throws: `.unreachable`, `.timeout`, or the conversation's failure.
  func connect() throws(GitError) -> Int32 {
    guard let via else { return try dial(address.host, address.port, named: address.place) }
    let socket = try dial(via.host, via.port, named: "the proxy \(via.place) (repository.via)")
    // Until the proxy has answered, silence is no sign of the server's.
    isAtProxy = true
    do throws(GitError) {
      try SOCKSHandshake(socket: socket, proxy: via, transfer: self)
        .connect(to: address.host, address.port)
    } catch {
      release(socket)
      throw error
    }
    isAtProxy = false
    return socket
  }

  /// Tries the addresses of `host` one after another.
  private func dial(
    _ host: String, _ port: Int, named place: String
  ) throws(GitError) -> Int32 {
    var reason = "no address"
    for address in try SocketAddress.resolve(host, port: port, for: self) {
      switch address.connect(for: self) {
      case .success(let socket): return socket
      case .failure(let error):
        if failure != nil { throw error }
        reason = error.message
      }
    }
    throw GitError(.unreachable, operation, "cannot connect to \(place): \(reason)")
  }
}
