import Descriptors
import Glibc

/// One connection to a control socket, used by one thread, over when the deadline is.
struct ControlConnection: ~Copyable {
  private let socket: Int32
  private let deadline: Deadline
  private var parser = ReplyParser()

  /// Connects to the socket that `path` names now: `/proc/self/fd/N` of a checked descriptor.
  /// - Parameter owner: The user that must have begun to listen there.
  /// - Throws: `.absent` or `.unreachable` if nobody listens, `.untrusted` if another user does.
  init(path: String, owner: Int, deadline: Deadline) throws(ControlError) {
    self.deadline = deadline
    socket = OwnContext.lowSocket(
      AF_UNIX,
      Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue))
    guard socket >= 0 else { throw systemError("socket", errno) }
    try Self.connect(socket, to: path)
    // The file's owner says who made the socket; this says who listens (unix(7), SO_PEERCRED).
    var credentials: [UInt32] = [0, .max, .max]  // struct ucred: pid, uid, gid
    var length = socklen_t(MemoryLayout<UInt32>.stride * 3)
    guard getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &length) == 0 else {
      throw systemError("getsockopt", errno)
    }
    guard credentials[1] == owner else {
      throw ControlError(
        .untrusted, "connect",
        "user \(credentials[1]) listens on the control socket, tor's user is \(owner)")
    }
  }

  deinit { if socket >= 0 { close(socket) } }

  /// Sends one command and reads its reply.
  mutating func ask(_ command: String, as operation: String) throws(ControlError) -> ControlReply {
    guard !command.utf8.contains(where: { $0 == 0x0A || $0 == 0x0D || $0 == 0 }) else {
      throw ControlError(.invalid, operation, "a command must be one line")
    }
    return try exchange(Array("\(command)\r\n".utf8), as: operation)
  }

  /// Sends `+COMMAND` with a block of text and reads the reply. Lines of the text end with a line feed.
  mutating func ask(
    _ command: String, text: String, as operation: String
  ) throws(ControlError) -> ControlReply {
    var bytes = Array("+\(command)\r\n".utf8)
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    if lines.last?.isEmpty == true { lines.removeLast() }
    for line in lines {
      // A lone dot would end the block: control-spec doubles each dot that begins a line.
      if line.utf8.first == UInt8(ascii: ".") { bytes.append(UInt8(ascii: ".")) }
      bytes += line.utf8
      bytes += "\r\n".utf8
    }
    bytes += ".\r\n".utf8
    return try exchange(bytes, as: operation)
  }

  private mutating func exchange(
    _ bytes: [UInt8], as operation: String
  ) throws(ControlError) -> ControlReply {
    guard parser.isIdle else {
      throw ControlError(.malformed, operation, "the control port spoke without being asked")
    }
    try send(bytes, as: operation)
    while true {
      if let reply = parser.takeReply() { return reply }
      try parser.append(try receive(as: operation))
    }
  }

  private func send(_ bytes: [UInt8], as operation: String) throws(ControlError) {
    var sent = 0
    while sent < bytes.count {
      let count = bytes[sent...].withUnsafeBytes {
        Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      let code = errno
      if count > 0 {
        sent += count
      } else if code == EAGAIN {
        try wait(for: POLLOUT, as: operation)
      } else if code == EPIPE || code == ECONNRESET {
        throw closed(operation)
      } else if code != EINTR {
        throw systemError(operation, code)
      }
    }
  }

  private func receive(as operation: String) throws(ControlError) -> ArraySlice<UInt8> {
    var buffer = [UInt8](repeating: 0, count: 16 * 1024)
    while true {
      // Waiting first keeps the deadline even with a server that never stops sending.
      try wait(for: POLLIN, as: operation)
      let count = buffer.withUnsafeMutableBytes { read(socket, $0.baseAddress, $0.count) }
      let code = errno
      if count > 0 { return buffer[..<count] }
      if count == 0 || code == ECONNRESET { throw closed(operation) }
      if code != EINTR, code != EAGAIN { throw systemError(operation, code) }
    }
  }

  private func wait(for events: Int32, as operation: String) throws(ControlError) {
    while true {
      let left = deadline.milliseconds
      guard left > 0 else {
        throw ControlError(
          .timedOut, operation, "no whole answer in time; tor may be stopped or overloaded")
      }
      var entry = pollfd(fd: socket, events: Int16(events), revents: 0)
      let count = poll(&entry, 1, left)
      if count > 0 { return }
      let code = errno
      if count < 0, code != EINTR { throw systemError(operation, code) }
    }
  }

  private func closed(_ operation: String) -> ControlError {
    ControlError(.closed, operation, "tor closed the connection; it may have ended")
  }

  private static func connect(_ socket: Int32, to path: String) throws(ControlError) {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
      throw ControlError(.invalid, "connect", "the path of the socket is too long")
    }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    let result = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(socket, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    guard result != 0 else { return }
    switch errno {
    case ECONNREFUSED:
      throw ControlError(
        .unreachable, "connect", "nobody listens on the control socket: tor has ended")
    case EAGAIN:
      throw ControlError(
        .unreachable, "connect", "tor takes no more connections: it may be stopped")
    case ENOENT:
      throw ControlError(.absent, "connect", "the control socket is gone")
    case let code: throw systemError("connect", code)
    }
  }
}

func systemError(_ operation: String, _ code: Int32) -> ControlError {
  ControlError(.system, operation, String(cString: strerror(code)))
}
