import CGit2
import Glibc

/// The sockets under all of libgit2's transports: http, the TLS of https, and ssh.
///
/// libgit2's own sockets wait for ever. These are non-blocking; every wait ends at the idle limit,
/// at the deadline, or when the conversation is aborted. They connect to the configured host and
/// port and to nothing else, whatever a redirect says.
enum PlainStream {
  static func register() throws(GitError) {
    var registration = git_stream_registration()
    registration.version = GIT_STREAM_VERSION
    registration.`init` = { out, host, port in PlainStream.make(out, host, port) }
    try Libgit2.check(
      git_stream_register(GIT_STREAM_STANDARD, &registration), "libgit2", "no stream of our own",
      meaning: Libgit2.always(.configuration))
  }

  private typealias Stream = UnsafeMutablePointer<cgit2_stream>

  private static func make(
    _ out: UnsafeMutablePointer<UnsafeMutablePointer<git_stream>?>?,
    _ host: UnsafePointer<CChar>?, _ port: UnsafePointer<CChar>?
  ) -> Int32 {
    guard let out, let host, let port, let transfer = Transfer.current else {
      Libgit2.setLastError("a connection outside of a conversation")
      return -1
    }
    let stream = Stream.allocate(capacity: 1)
    stream.initialize(to: cgit2_stream())
    stream.pointee.s = -1
    stream.pointee.host = strdup(host)
    stream.pointee.port = strdup(port)
    stream.pointee.transfer = Unmanaged.passRetained(transfer).toOpaque()
    stream.pointee.parent.version = GIT_STREAM_VERSION
    stream.pointee.parent.connect = { PlainStream.connect($0) }
    stream.pointee.parent.read = { PlainStream.read($0, $1, $2) }
    stream.pointee.parent.write = { stream, bytes, count, _ in
      PlainStream.write(stream, bytes, count)
    }
    stream.pointee.parent.close = { PlainStream.close($0) }
    stream.pointee.parent.free = { PlainStream.free($0) }
    // `parent` is the first member, so the stream's address is its parent's.
    out.pointee = UnsafeMutableRawPointer(stream).assumingMemoryBound(to: git_stream.self)
    return 0
  }

  private static func open(
    _ base: UnsafeMutablePointer<git_stream>?
  ) -> (stream: Stream, transfer: Transfer)? {
    guard let base else { return nil }
    let stream = UnsafeMutableRawPointer(base).assumingMemoryBound(to: cgit2_stream.self)
    guard let payload = stream.pointee.transfer else { return nil }
    return (stream, Unmanaged<Transfer>.fromOpaque(payload).takeUnretainedValue())
  }

  private static func connect(_ base: UnsafeMutablePointer<git_stream>?) -> Int32 {
    guard let (stream, transfer) = open(base), let host = stream.pointee.host,
      let port = stream.pointee.port
    else { return -1 }
    let wanted = transfer.address
    let bare = String(cString: host).filter { $0 != "[" && $0 != "]" }.lowercased()
    guard bare == wanted.host, Int(String(cString: port)) == wanted.port else {
      return fail(
        transfer, .redirect,
        "\(wanted.place) redirects to \(printable(bare)):\(printable(String(cString: port))), "
          + "which is refused; configure the final address")
    }
    do throws(GitError) {
      stream.pointee.s = try transfer.connect()
      return 0
    } catch {
      return fail(transfer, error.code, error.message)
    }
  }

  private static func read(
    _ base: UnsafeMutablePointer<git_stream>?, _ buffer: UnsafeMutableRawPointer?, _ size: Int
  ) -> Int {
    guard let (stream, transfer) = open(base) else { return -1 }
    let socket = stream.pointee.s
    while true {
      let count = recv(socket, buffer, size, 0)
      if count >= 0 {
        transfer.received(count)
        return transfer.failure == nil ? count : Int(fail(transfer, .cancelled, "ended"))
      }
      switch errno {
      case EINTR: continue
      case EAGAIN: if !wait(socket, POLLIN, transfer) { return -1 }
      default: return lost(transfer)
      }
    }
  }

  private static func write(
    _ base: UnsafeMutablePointer<git_stream>?, _ buffer: UnsafePointer<CChar>?, _ size: Int
  ) -> Int {
    guard let (stream, transfer) = open(base) else { return -1 }
    let socket = stream.pointee.s
    while true {
      let count = send(socket, buffer, size, Int32(MSG_NOSIGNAL))
      if count >= 0 { return count }
      switch errno {
      case EINTR: continue
      case EAGAIN: if !wait(socket, POLLOUT, transfer) { return -1 }
      default: return lost(transfer)
      }
    }
  }

  private static func close(_ base: UnsafeMutablePointer<git_stream>?) -> Int32 {
    guard let (stream, transfer) = open(base) else { return -1 }
    if stream.pointee.s >= 0 { transfer.release(stream.pointee.s) }
    stream.pointee.s = -1
    return 0
  }

  private static func free(_ base: UnsafeMutablePointer<git_stream>?) {
    _ = close(base)
    guard let (stream, _) = open(base) else { return }
    if let payload = stream.pointee.transfer {
      Unmanaged<Transfer>.fromOpaque(payload).release()
    }
    Glibc.free(stream.pointee.host)
    Glibc.free(stream.pointee.port)
    stream.deallocate()
  }

  private static func lost(_ transfer: Transfer) -> Int {
    let reason = errorText(errno)
    return Int(
      fail(transfer, .unreachable, "lost the connection to \(transfer.address.place): \(reason)"))
  }

  /// Waits until the socket is ready; false, with the reason recorded, at a limit or an abort.
  private static func wait(_ socket: Int32, _ events: Int32, _ transfer: Transfer) -> Bool {
    switch waitUntilReady(socket, events, upTo: transfer.limits.idle, transfer) {
    case .ready: return true
    case .aborted: break
    case .expired:
      transfer.abort(
        .timeout, "\(transfer.address.place) was silent for \(transfer.limits.idle)")
    }
    _ = fail(transfer, .cancelled, "ended")
    return false
  }

  /// Records the reason (the first one wins) and tells it to libgit2.
  private static func fail(
    _ transfer: Transfer, _ code: GitError.Code, _ message: String
  ) -> Int32 {
    transfer.abort(code, message)
    Libgit2.setLastError(transfer.failure?.message ?? message)
    return -1
  }
}

enum Readiness {
  case ready
  case expired
  case aborted
}

/// Waits for `events`, for the limit, the conversation's deadline, or its end. An abort shuts the
/// socket down, which wakes the poll.
func waitUntilReady(
  _ socket: Int32, _ events: Int32, upTo limit: Duration, _ transfer: Transfer
) -> Readiness {
  let expiry = ContinuousClock.now + limit
  while true {
    if transfer.failure != nil { return .aborted }
    let now = ContinuousClock.now
    if now >= transfer.deadline {
      transfer.abortPastDeadline()
      return .aborted
    }
    guard now < expiry else { return .expired }
    var entry = pollfd(fd: socket, events: Int16(events), revents: 0)
    // In slices: a socket that is not connected yet may sleep through its shutdown.
    let end = min(expiry, transfer.deadline, now + .milliseconds(500))
    let result = poll(&entry, 1, end.milliseconds(from: now))
    if result > 0 { return transfer.failure == nil ? .ready : .aborted }
    if result < 0, errno != EINTR { return .expired }
  }
}

extension ContinuousClock.Instant {
  /// Milliseconds until here, rounded up, at most an hour (poll takes an `Int32`).
  func milliseconds(from start: Self) -> Int32 {
    let (seconds, attoseconds) = (self - start).components
    guard seconds < 3600 else { return 3_600_000 }
    return Int32(seconds * 1000 + attoseconds / 1_000_000_000_000_000 + 1)
  }
}
