import Descriptors
import Glibc

/// Dials addresses to see whether anybody listens, and says nothing to who answers.
actor Dialer {
  enum Answer: Hashable, Sendable {
    case connected
    case refused
    /// Nobody said anything in time: a firewall, or another network.
    case silent
    /// The kernel's word.
    case failed(String)
  }

  struct Address: Hashable, Sendable {
    /// IPv4 or IPv6, without brackets.
    var host: String
    var port: Int
  }

  /// Milliseconds for a whole round: neighbours answer in one, other continents in 300.
  private static let patience = 2000
  /// At once; a host may have 500 services.
  private static let batch = 100

  /// Waits in its calls: never on Swift's pool.
  private let executor = QueueExecutor(label: "onionkeeper.dialer")
  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  func dial(_ addresses: Set<Address>) -> [Address: Answer] {
    var answers: [Address: Answer] = [:]
    var rest = Array(addresses)[...]
    while !rest.isEmpty {
      answers.merge(round(Array(rest.prefix(Self.batch)))) { first, _ in first }
      rest = rest.dropFirst(Self.batch)
    }
    return answers
  }

  private func round(_ addresses: [Address]) -> [Address: Answer] {
    var answers: [Address: Answer] = [:]
    var open: [(address: Address, number: Int32)] = []
    defer { for entry in open { close(entry.number) } }
    for address in addresses {
      switch begin(address) {
      case .success(let number): open.append((address, number))
      case .failure(let failure): answers[address] = failure.answer
      }
    }
    let end = milliseconds() + Self.patience
    var waiting = open
    while !waiting.isEmpty {
      let left = end - milliseconds()
      guard left > 0 else { break }
      var polls = waiting.map { pollfd(fd: $0.number, events: Int16(POLLOUT), revents: 0) }
      let count = poll(&polls, nfds_t(polls.count), Int32(left))
      if count < 0, errno != EINTR { break }
      for (entry, answer) in zip(waiting, polls) where answer.revents != 0 {
        answers[entry.address] = result(entry.number)
      }
      waiting = waiting.filter { answers[$0.address] == nil }
    }
    for entry in waiting { answers[entry.address] = .silent }
    return answers
  }

  private struct Failed: Error { var answer: Answer }

  private func begin(_ address: Address) -> Result<Int32, Failed> {
    guard let port = UInt16(exactly: address.port) else {
      return .failure(Failed(answer: .failed("no port")))
    }
    let isLong = address.host.contains(":")
    let number = socket(
      isLong ? AF_INET6 : AF_INET,
      Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard number >= 0 else { return .failure(Failed(answer: .failed(reason(errno)))) }
    let status =
      isLong ? connectLong(number, address.host, port) : connectShort(number, address.host, port)
    guard let status else {
      close(number)
      return .failure(Failed(answer: .failed("no address")))
    }
    guard status != 0, errno != EINPROGRESS else { return .success(number) }
    let failure = errno
    close(number)
    return .failure(
      Failed(answer: failure == ECONNREFUSED ? .refused : .failed(reason(failure))))
  }

  private func connectShort(_ number: Int32, _ host: String, _ port: UInt16) -> Int32? {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    guard inet_pton(AF_INET, host, &address.sin_addr) == 1 else { return nil }
    return withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(number, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
  }

  private func connectLong(_ number: Int32, _ host: String, _ port: UInt16) -> Int32? {
    var address = sockaddr_in6()
    address.sin6_family = sa_family_t(AF_INET6)
    address.sin6_port = port.bigEndian
    guard inet_pton(AF_INET6, host, &address.sin6_addr) == 1 else { return nil }
    return withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(number, $0, socklen_t(MemoryLayout<sockaddr_in6>.size))
      }
    }
  }

  private func result(_ number: Int32) -> Answer {
    var failure: Int32 = 0
    var size = socklen_t(MemoryLayout<Int32>.size)
    guard getsockopt(number, SOL_SOCKET, SO_ERROR, &failure, &size) == 0 else {
      return .failed(reason(errno))
    }
    switch failure {
    case 0: return .connected
    case ECONNREFUSED: return .refused
    case ETIMEDOUT: return .silent
    default: return .failed(reason(failure))
    }
  }

  private func reason(_ number: Int32) -> String { String(cString: strerror(number)) }

  private func milliseconds() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_BOOTTIME, &time)
    return Int(time.tv_sec) * 1000 + Int(time.tv_nsec) / 1_000_000
  }
}

extension Dialer {
  /// Connects to a Unix socket by its directory's descriptor, so that no path is too long, and says nothing.
  /// - Returns: `nil` if there is no such directory or name.
  func dial(directory: String, file: String) -> Answer? {
    do {
      let folder = try Descriptor.folder(at: directory, links: false)
      guard try folder.status(of: FileName(file)) != nil else { return nil }
      let number = socket(
        AF_UNIX,
        Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
          | Int32(SOCK_CLOEXEC.rawValue), 0)
      guard number >= 0 else { return .failed(reason(errno)) }
      defer { close(number) }
      let path = Array("/proc/self/fd/\(folder.number)/\(file)".utf8)
      var address = sockaddr_un()
      address.sun_family = sa_family_t(AF_UNIX)
      guard path.count < MemoryLayout.size(ofValue: address.sun_path) else {
        return .failed("its name is too long")
      }
      withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path) }
      let status = withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          connect(number, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
        }
      }
      if status == 0 { return .connected }
      return errno == ECONNREFUSED ? .refused : .failed(reason(errno))
    } catch {
      return error.isAbsence ? nil : .failed(error.reason)
    }
  }
}

/// The addresses of this network namespace.
func localAddresses() -> Set<String> {
  var first: UnsafeMutablePointer<ifaddrs>?
  guard getifaddrs(&first) == 0 else { return [] }
  defer { freeifaddrs(first) }
  var found: Set<String> = []
  var next = first
  while let entry = next {
    next = entry.pointee.ifa_next
    guard let address = entry.pointee.ifa_addr else { continue }
    let family = Int32(address.pointee.sa_family)
    let size =
      family == AF_INET
      ? MemoryLayout<sockaddr_in>.size
      : family == AF_INET6 ? MemoryLayout<sockaddr_in6>.size : 0
    guard size > 0 else { continue }
    var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
    guard
      getnameinfo(
        address, socklen_t(size), &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0
    else { continue }
    let bytes = text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
    found.insert(String(decoding: bytes, as: UTF8.self))
  }
  return found
}
