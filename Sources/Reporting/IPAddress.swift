import Glibc

/// A literal IPv4 or IPv6 address, in network order. Numeric forms that only resolvers know (`127.1`, `0x7f000001`) are none.
struct IPAddress {
  private var bytes: [UInt8]

  init?(_ text: String) {
    var four = in_addr()
    var six = in6_addr()
    if inet_pton(AF_INET, text, &four) == 1 {
      bytes = withUnsafeBytes(of: four) { Array($0) }
    } else if inet_pton(AF_INET6, text, &six) == 1 {
      bytes = withUnsafeBytes(of: six) { Array($0) }
      // ::ffff:a.b.c.d is the IPv4 address.
      if bytes.prefix(12) == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff] { bytes.removeFirst(12) }
    } else {
      return nil
    }
  }

  /// Loopback, RFC 1918 or RFC 4193.
  var isPrivate: Bool {
    guard bytes.count == 4 else {
      return bytes[0] & 0xfe == 0xfc || bytes == Array(repeating: 0, count: 15) + [1]
    }
    return bytes[0] == 127 || bytes[0] == 10 || (bytes[0] == 172 && bytes[1] & 0xf0 == 16)
      || (bytes[0] == 192 && bytes[1] == 168)
  }
}
