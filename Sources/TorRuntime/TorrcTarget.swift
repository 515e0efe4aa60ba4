import Glibc

/// Where a `HiddenServicePort` leads, as tor takes it (src/feature/hs/hs_common.c, `hs_parse_port_config`).
public enum TorrcTarget: Hashable, Sendable, CustomStringConvertible {
  /// An IPv4 or IPv6 address in its shortest spelling, without brackets.
  case address(String, port: Int)
  /// The machine that tor runs on, by whatever spelling: `127.0.0.1`, `::1`, `0.0.0.0`, `localhost`, or nothing.
  case loopback(String, port: Int)
  /// A name that tor looks up once, when it reads its file.
  case name(String, port: Int)
  /// As written: neither absolute nor there is asked for by tor.
  case unixSocket(String)

  /// In one spelling: what `--target` compares with.
  public var description: String {
    switch self {
    case .address(let host, let port), .loopback(let host, let port), .name(let host, let port):
      host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    case .unixSocket(let path): "unix:\(path)"
    }
  }
}

/// A value of `HiddenServicePort`: `VIRTUAL`, or `VIRTUAL TARGET`.
struct TorrcPortValue: Hashable {
  var virtual: Int
  var target: TorrcTarget

  /// What keeps it from being carried.
  struct Refusal: Error, Hashable {
    var message: String
    /// tor takes it all the same.
    var isOurs = false
  }

  /// Only blanks separate the two: behind a tab tor finds no target, and refuses the port.
  init(_ value: [UInt8]) throws(Refusal) {
    let value = value[...].trimmed
    let field = value.prefix { $0 != .space }
    let first = field.trimmed
    guard let virtual = torInteger(first), (1...65535).contains(virtual) else {
      let hint =
        first.contains(.tab)
        ? " (a tab does not separate it from the target: tor wants blanks)" : ""
      throw Refusal(message: "\(shown(first)) is not a port (1–65535)\(hint)")
    }
    self.virtual = virtual
    let rest = value[field.endIndex...].trimmed
    guard !rest.isEmpty else {
      target = .loopback("127.0.0.1", port: virtual)
      return
    }
    target = try Self.target(rest, virtual)
  }

  private static func target(
    _ text: ArraySlice<UInt8>, _ virtual: Int
  ) throws(Refusal) -> TorrcTarget {
    let prefix = Array("unix:".utf8)
    let isSocket = text.starts(with: prefix)
    if isSocket, text.dropFirst(prefix.count).first == .quote {
      guard let (path, end) = unquoted(text.dropFirst(prefix.count)),
        text[end...].allSatisfy(\.isTorSpace)
      else { throw Refusal(message: "the quoted path does not end, or more stands behind it") }
      return .unixSocket(try utf8(path[...]))
    }
    // `#` can only be here in a quoted value, and tor takes it for a comment.
    let word = text.prefix { !$0.isTorSpace && $0 != .hash }
    guard (text[word.endIndex...].trimmed.first ?? .hash) == .hash else {
      throw Refusal(message: "more stands behind the target")
    }
    if isSocket { return .unixSocket(try utf8(word.dropFirst(prefix.count))) }
    let written = try utf8(word)
    guard written.contains(":") || written.contains(".") else {
      guard let port = torInteger(word), (1...65535).contains(port) else {
        throw Refusal(message: "\(shown(word)) is neither a port (1–65535) nor an address")
      }
      return .loopback("127.0.0.1", port: port)
    }
    return try dialled(written, virtual)
  }

  /// An address or name, with or without a port (src/lib/net/resolve.c, `tor_addr_port_lookup`).
  private static func dialled(_ text: String, _ virtual: Int) throws(Refusal) -> TorrcTarget {
    // Six groups and a port, or eight groups: tor takes the address.
    if let address = numeric(text), text.contains(":") { return target(address, port: virtual) }
    var host = text
    var port = virtual
    if let colon = text.lastIndex(of: ":"), !(text.hasPrefix("[") && text.hasSuffix("]")) {
      host = String(text[..<colon])
      let digits = Array(text[text.index(after: colon)...].utf8)
      guard let number = torInteger(digits[...]), (1...65535).contains(number) else {
        throw Refusal(message: "\(shown(digits)) is not a port (1–65535)")
      }
      port = number
    }
    let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
    let inner = isBracketed ? String(host.dropFirst().dropLast()) : host
    if let address = numeric(inner), address.contains(":") == isBracketed {
      return target(address, port: port)
    }
    guard !inner.isEmpty, !isBracketed, !host.contains(":"), !host.contains("[") else {
      throw Refusal(message: "\(shown(Array(host.utf8))) is no address (IPv6 in brackets)")
    }
    let name = host.lowercased()
    if ["localhost", "ip6-localhost", "ip6-loopback"].contains(name)
      || name.hasSuffix(".localhost")
    {
      return .loopback(host, port: port)
    }
    return .name(host, port: port)
  }

  private static func target(_ address: String, port: Int) -> TorrcTarget {
    let plain =
      address.hasPrefix("::ffff:") && address.contains(".")
      ? String(address.dropFirst("::ffff:".count)) : address
    let isLoopback =
      plain.hasPrefix("127.") || plain.hasPrefix("0.") || plain == "::1" || plain == "::"
    return isLoopback ? .loopback(address, port: port) : .address(plain, port: port)
  }

  /// An address in the spelling of inet_ntop(3), as inet_pton(3) reads it; `nil` for anything else.
  private static func numeric(_ text: String) -> String? {
    var bytes = [UInt8](repeating: 0, count: 16)
    let family = text.contains(":") ? AF_INET6 : AF_INET
    guard text.utf8.count <= 45, inet_pton(family, text, &bytes) == 1 else { return nil }
    var buffer = [CChar](repeating: 0, count: 64)
    guard inet_ntop(family, bytes, &buffer, socklen_t(buffer.count)) != nil else { return nil }
    return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  private static func utf8(_ bytes: ArraySlice<UInt8>) throws(Refusal) -> String {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw Refusal(message: "\(shown(bytes)) is not in UTF-8: write it so", isOurs: true)
    }
    return text
  }
}

/// A whole decimal number as C's `strtol` reads it for tor (src/lib/string/parse_int.c): blanks and a sign before it,
/// zeros in front; `nil` for anything else or what no `Int32` holds.
func torInteger(_ bytes: ArraySlice<UInt8>) -> Int? {
  var digits = bytes.drop { $0.isTorSpace }
  let isNegative = digits.first == UInt8(ascii: "-")
  if isNegative || digits.first == UInt8(ascii: "+") { digits = digits.dropFirst() }
  guard !digits.isEmpty, digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
  let significant = digits.drop { $0 == 0x30 }
  guard significant.count <= 10 else { return nil }
  let value = significant.reduce(0) { $0 * 10 + Int($1 - 0x30) }
  guard value <= Int(Int32.max) else { return nil }
  return isNegative ? -value : value
}

extension ArraySlice<UInt8> {
  /// Without tor's white space at either end.
  var trimmed: ArraySlice<UInt8> {
    var rest = drop { $0.isTorSpace }
    while let last = rest.last, last.isTorSpace { rest = rest.dropLast() }
    return rest
  }
}
