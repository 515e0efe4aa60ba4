import Glibc

/// Where something listens: `unix:/PATH`, `ADDRESS:PORT` or `[V6]:PORT`. Numbers only: no name is resolved.
public enum ListenAddress: Hashable, Sendable, CustomStringConvertible {
  case unix(String)
  /// IPv4 or IPv6, without brackets. Port 0: any free one.
  case tcp(String, port: UInt16)

  /// `nil` if it is neither.
  public init?(_ text: String) {
    if text.hasPrefix("unix:") {
      let path = String(text.dropFirst(5))
      // sun_path of unix(7), with its NUL.
      guard path.hasPrefix("/"), path.utf8.count < 108 else { return nil }
      self = .unix(path)
      return
    }
    guard let colon = text.lastIndex(of: ":"),
      let port = UInt16(text[text.index(after: colon)...])
    else { return nil }
    var host = String(text[..<colon])
    if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
    var four = in_addr()
    var six = in6_addr()
    guard inet_pton(AF_INET, host, &four) == 1 || inet_pton(AF_INET6, host, &six) == 1 else {
      return nil
    }
    self = .tcp(host, port: port)
  }

  public var description: String {
    switch self {
    case .unix(let path): "unix:\(path)"
    case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
  }
}

/// Why nothing can be listened to.
public struct ListeningError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The address.
  public var place: String
  public var message: String

  public init(_ place: String, _ message: String) {
    self.place = place
    self.message = message
  }

  public var description: String { "listen on \(place): \(message)" }
}

/// A listening socket; a Unix one is removed with it.
final class ListeningSocket {
  let number: Int32
  private let path: String?

  init(_ address: ListenAddress) throws(ListeningError) {
    func failure(_ operation: String) -> ListeningError {
      ListeningError(address.description, "\(operation): \(String(cString: strerror(errno)))")
    }
    let family: Int32
    switch address {
    case .unix: family = AF_UNIX
    case .tcp(let host, _): family = host.contains(":") ? AF_INET6 : AF_INET
    }
    let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    number = socket(family, kind | Int32(SOCK_NONBLOCK.rawValue), 0)
    guard number >= 0 else { throw failure("socket") }
    if case .unix(let path) = address { self.path = path } else { path = nil }
    do throws(ListeningError) {
      try bind(address, failure)
      guard listen(number, 16) == 0 else { throw failure("listen") }
    } catch {
      close(number)
      throw error
    }
  }

  private func bind(
    _ address: ListenAddress, _ failure: (String) -> ListeningError
  ) throws(ListeningError) {
    var storage = sockaddr_storage()
    let size: Int
    switch address {
    case .unix(let path):
      try Self.clear(path, failure)
      size = withUnsafeMutableBytes(of: &storage) { bytes in
        bytes.storeBytes(of: sa_family_t(AF_UNIX), as: sa_family_t.self)
        bytes[2...].copyBytes(from: path.utf8)
        return MemoryLayout<sockaddr_un>.size
      }
    case .tcp(let host, let port):
      size = Self.fill(&storage, host, port)
      var yes: Int32 = 1
      setsockopt(
        number, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
    }
    let result = withUnsafePointer(to: &storage) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.bind(number, $0, socklen_t(size))
      }
    }
    guard result == 0 else { throw failure("bind") }
    // A reverse proxy of another user must reach it; who asks is proven by what it says, not by its uid.
    if case .unix(let path) = address, chmod(path, 0o666) != 0 { throw failure("chmod") }
  }

  /// A socket that an agent before us left behind; nothing else is ever removed.
  private static func clear(
    _ path: String, _ failure: (String) -> ListeningError
  ) throws(ListeningError) {
    var status = stat()
    guard lstat(path, &status) == 0 else {
      guard errno == ENOENT else { throw failure("look at it") }
      return
    }
    guard status.st_mode & S_IFMT == S_IFSOCK else {
      throw ListeningError("unix:\(path)", "something that is no socket is there: move it away")
    }
    guard unlink(path) == 0 else { throw failure("remove the old socket") }
  }

  private static func fill(_ storage: inout sockaddr_storage, _ host: String, _ port: UInt16) -> Int
  {
    withUnsafeMutableBytes(of: &storage) { bytes in
      if host.contains(":") {
        var address = sockaddr_in6()
        address.sin6_family = sa_family_t(AF_INET6)
        address.sin6_port = port.bigEndian
        inet_pton(AF_INET6, host, &address.sin6_addr)
        bytes.storeBytes(of: address, as: sockaddr_in6.self)
        return MemoryLayout<sockaddr_in6>.size
      }
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_port = port.bigEndian
      inet_pton(AF_INET, host, &address.sin_addr)
      bytes.storeBytes(of: address, as: sockaddr_in.self)
      return MemoryLayout<sockaddr_in>.size
    }
  }

  /// The port that the kernel chose; `nil` for a Unix socket.
  var port: UInt16? {
    var storage = sockaddr_storage()
    var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let result = withUnsafeMutablePointer(to: &storage) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(number, $0, &size) }
    }
    guard result == 0, storage.ss_family != sa_family_t(AF_UNIX) else { return nil }
    return withUnsafeBytes(of: &storage) {
      // Both kinds hold it at the same place.
      UInt16(bigEndian: $0.load(fromByteOffset: 2, as: UInt16.self))
    }
  }

  deinit {
    close(number)
    if let path { unlink(path) }
  }
}
