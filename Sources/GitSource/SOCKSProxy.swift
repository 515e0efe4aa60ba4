import CGit2
import Glibc

/// A SOCKS5 proxy (RFC 1928, 1929) that conversations go through, for example Tor's.
///
/// libgit2 knows no SOCKS; `PlainStream` speaks it before it hands the socket over. The proxy gets
/// the server's name, never an address of ours: nothing is looked up on this host. Each repository
/// has a user name of its own, by which Tor keeps its circuits apart from all others.
public struct SOCKSProxy: Sendable, Hashable {
  /// Name, IPv4 address, or IPv6 address without brackets.
  public let host: String
  public let port: Int

  /// `socks5h://HOST:PORT`, or `socks5://` which means the same here.
  public init?(_ text: String) {
    guard let scheme = ["socks5h://", "socks5://"].first(where: text.hasPrefix) else { return nil }
    let rest = text.dropFirst(scheme.count)
    guard let colon = rest.lastIndex(of: ":"), let port = Int(rest[rest.index(after: colon)...]),
      (1...65_535).contains(port)
    else { return nil }
    var host = rest[..<colon]
    if host.hasPrefix("["), host.hasSuffix("]") {
      host = host.dropFirst().dropLast()
    } else if host.contains(":") {
      return nil
    }
    guard !host.isEmpty,
      host.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != 0x2f && $0 != 0x40 })
    else { return nil }
    self.host = String(host)
    self.port = port
  }

  /// For messages.
  var place: String { "socks5h://\(host.contains(":") ? "[\(host)]" : host):\(port)" }
}

/// What is said to the proxy on a connected socket before it is the server's.
struct SOCKSHandshake {
  let socket: Int32
  let proxy: SOCKSProxy
  let transfer: Transfer

  private static let version: UInt8 = 5
  private static let isPlain: UInt8 = 0
  private static let isNamed: UInt8 = 2

  /// Lets the proxy connect to the server.
  ///
  /// - Throws: `.unreachable` with the proxy's reason, `.timeout`, or the conversation's failure.
  func connect(to host: String, _ port: Int) throws(GitError) {
    try send([Self.version, 2, Self.isNamed, Self.isPlain])
    let choice = try receive(2)
    guard choice[0] == Self.version else { throw failure("does not speak SOCKS5") }
    switch choice[1] {
    case Self.isPlain: break
    case Self.isNamed: try giveName()
    default: throw failure("wants another way to log in than a name, or none")
    }
    guard let place = Self.encoded(host) else { throw failure("takes no name as long as \(host)") }
    try send(
      [Self.version, 1, 0] + place
        + [UInt8(truncatingIfNeeded: port >> 8), UInt8(truncatingIfNeeded: port)])
    let answer = try receive(4)
    guard answer[0] == Self.version else { throw failure("answers nonsense") }
    guard answer[1] == 0 else {
      throw failure("cannot reach \(transfer.address.place): \(Self.reason(answer[1]))")
    }
    // Its own address, which is of no use: but what follows it is the server's.
    switch answer[3] {
    case 1: _ = try receive(4 + 2)
    case 3: _ = try receive(Int(try receive(1)[0]) + 2)
    case 4: _ = try receive(16 + 2)
    default: throw failure("answers nonsense")
    }
  }

  /// The name proves nothing; it is what Tor tells streams apart by (`IsolateSOCKSAuth`).
  private func giveName() throws(GitError) {
    let name = Array("onionkeeper-\(transfer.isolation)".utf8)
    let password = Array("git".utf8)
    try send([1, UInt8(name.count)] + name + [UInt8(password.count)] + password)
    guard try receive(2)[1] == 0 else {
      throw failure("refuses the name that keeps circuits apart")
    }
  }

  /// Address type and address; nil if it is too long.
  private static func encoded(_ host: String) -> [UInt8]? {
    var (v4, v6) = (in_addr(), in6_addr())
    if inet_pton(AF_INET, host, &v4) == 1 { return [1] + withUnsafeBytes(of: v4) { Array($0) } }
    if inet_pton(AF_INET6, host, &v6) == 1 { return [4] + withUnsafeBytes(of: v6) { Array($0) } }
    let name = Array(host.utf8)
    return name.count <= 255 ? [3, UInt8(name.count)] + name : nil
  }

  /// RFC 1928 §6, and what Tor adds for onion services (tor's `socks-extensions.txt`).
  private static func reason(_ code: UInt8) -> String {
    switch code {
    case 1: "general failure"
    case 2: "not allowed by its rules"
    case 3: "network unreachable"
    case 4: "host unreachable, or no such name"
    case 5: "connection refused"
    case 6: "it took too long"
    case 0xf0: "the onion service's descriptor was not found (offline, or the wrong address)"
    case 0xf1: "the onion service's descriptor is not valid"
    case 0xf2, 0xf7: "the onion service could not be introduced to"
    case 0xf3: "no rendezvous with the onion service"
    case 0xf4, 0xf5: "the onion service wants a client key, or another"
    case 0xf6: "the onion address is not valid"
    default: "code \(code)"
    }
  }

  // MARK: - the socket

  private func send(_ bytes: [UInt8]) throws(GitError) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes {
        Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      if count >= 0 { rest = rest.dropFirst(count) } else { try wait(POLLOUT) }
    }
  }

  /// Exactly so many: what follows is the server's.
  private func receive(_ count: Int) throws(GitError) -> [UInt8] {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: count)
    while bytes.count < count {
      let got = recv(socket, &buffer, count - bytes.count, 0)
      if got == 0 { throw failure("closed the connection") }
      if got > 0 { bytes += buffer[..<got] } else { try wait(POLLIN) }
    }
    return bytes
  }

  /// After a call that could not go on: waits until it can, if waiting helps.
  private func wait(_ events: Int32) throws(GitError) {
    if errno == EINTR { return }
    guard errno == EAGAIN else { throw failure("broke the connection: \(errorText(errno))") }
    switch waitUntilReady(socket, events, upTo: transfer.limits.proxy, transfer) {
    case .ready: return
    case .aborted: throw transfer.failure ?? failure("was left")
    case .expired:
      throw failure("did not answer within \(transfer.limits.proxy)", code: .timeout)
    }
  }

  private func failure(_ what: String, code: GitError.Code = .unreachable) -> GitError {
    transfer.failure
      ?? GitError(code, transfer.operation, "the proxy \(proxy.place) (repository.via) \(what)")
  }
}
