/// An IPv4 or IPv6 address as bytes. An IPv4-mapped IPv6 address is the IPv4 address that it reaches.
struct IPAddress: Hashable, Sendable {
  /// 4 or 16, in network order.
  let bytes: [UInt8]

  var isIPv4: Bool { bytes.count == 4 }

  /// A strict dotted quad, or RFC 4291 §2.2 without a zone; `nil` for anything else.
  init?(_ text: String) {
    guard text.utf8.count <= 45 else { return nil }
    if let bytes = IPAddress.quad(text) {
      self.bytes = bytes
      return
    }
    guard text.contains(":"), let bytes = IPAddress.sixteen(text) else { return nil }
    let mapped: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]
    self.bytes = bytes.starts(with: mapped) ? Array(bytes[12...]) : bytes
  }

  /// Where it means the machine that dials: loopback, or "this host" (RFC 1122 §3.2.1.3, RFC 4291 §2.5.2–3).
  var isSelf: Bool {
    isIPv4
      ? bytes[0] == 127 || bytes[0] == 0
      : bytes[..<15].allSatisfy { $0 == 0 } && bytes[15] <= 1
  }

  /// No single machine's: multicast, broadcast, reserved.
  var isNoMachine: Bool { isIPv4 ? bytes[0] >= 224 : bytes[0] == 0xff }

  /// Where it means something on one link only, named by a zone that tor does not know (RFC 4291 §2.5.6).
  var needsZone: Bool { !isIPv4 && bytes[0] == 0xfe && bytes[1] & 0xc0 == 0x80 }

  /// The IPv4 address that a translator on the way may reach for it: NAT64 (RFC 6052 §2.1), IPv4-translated
  /// (RFC 7915), IPv4-compatible (RFC 4291 §2.5.5.1), 6to4 (RFC 3056 §2). Prefixes of a network's own are not known.
  var translated: IPAddress? {
    guard !isIPv4 else { return nil }
    let lastFour: [[UInt8]] = [
      [0x00, 0x64, 0xff, 0x9b] + Array(repeating: 0, count: 8),
      Array(repeating: 0, count: 8) + [0xff, 0xff, 0, 0], Array(repeating: 0, count: 12),
    ]
    if lastFour.contains(where: bytes.starts(with:)) {
      return IPAddress(bytes: Array(bytes[12...]))
    }
    return bytes.starts(with: [0x20, 0x02]) ? IPAddress(bytes: Array(bytes[2..<6])) : nil
  }

  /// The dotted quad, or RFC 5952's one spelling.
  var text: String {
    if isIPv4 { return bytes.map(String.init).joined(separator: ".") }
    let groups = stride(from: 0, to: 16, by: 2).map { Int(bytes[$0]) << 8 | Int(bytes[$0 + 1]) }
    var longest = 0..<0
    var start = 0
    while start < 8 {
      let end = groups[start...].firstIndex { $0 != 0 } ?? 8
      if end - start > longest.count { longest = start..<end }
      start = max(end, start + 1)
    }
    func join(_ part: ArraySlice<Int>) -> String {
      part.map { String($0, radix: 16) }.joined(separator: ":")
    }
    guard longest.count >= 2 else { return join(groups[...]) }
    return "\(join(groups[..<longest.lowerBound]))::\(join(groups[longest.upperBound...]))"
  }

  private static func quad(_ text: some StringProtocol) -> [UInt8]? {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 4 else { return nil }
    var bytes: [UInt8] = []
    for part in parts {
      guard let value = decimalInteger(part), let byte = UInt8(exactly: value) else { return nil }
      bytes.append(byte)
    }
    return bytes
  }

  private static func sixteen(_ text: String) -> [UInt8]? {
    guard let gap = firstGap(text) else {
      return groups(text).flatMap { $0.count == 16 ? $0 : nil }
    }
    let left = text[..<gap.lowerBound]
    let right = text[gap.upperBound...]
    guard let head = left.isEmpty ? [] : groups(left),
      let tail = right.isEmpty ? [] : groups(right),
      !left.contains("."), head.count + tail.count <= 14
    else { return nil }
    return head + Array(repeating: 0, count: 16 - head.count - tail.count) + tail
  }

  private static func firstGap(_ text: String) -> Range<String.Index>? {
    guard
      let start = text.indices.first(where: { index in
        text[index] == ":" && text[text.index(after: index)...].first == ":"
      })
    else { return nil }
    return start..<text.index(start, offsetBy: 2)
  }

  /// Groups between colons; the last may be a dotted quad.
  private static func groups(_ text: some StringProtocol) -> [UInt8]? {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    var bytes: [UInt8] = []
    for (index, part) in parts.enumerated() {
      if index == parts.count - 1, let quad = quad(part) {
        bytes += quad
      } else {
        guard (1...4).contains(part.utf8.count), part.allSatisfy(\.isHexDigit),
          part.utf8.count == part.count,
          let value = UInt16(part, radix: 16)
        else { return nil }
        bytes += [UInt8(value >> 8), UInt8(value & 0xff)]
      }
    }
    return bytes
  }
}

/// A network: an address and how many of its leading bits count.
struct IPNetwork: Hashable, Sendable {
  let address: IPAddress
  let length: Int

  /// `nil` unless `text` is `address/length`, or an address alone.
  init?(_ text: String) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count <= 2, let first = parts.first, let address = IPAddress(String(first)) else {
      return nil
    }
    let width = address.bytes.count * 8
    guard let length = parts.count == 2 ? decimalInteger(parts[1]) : width, length <= width else {
      return nil
    }
    // `::ffff:0:0/96` became IPv4 above, where its length means something else.
    guard !(address.isIPv4 && first.contains(":") && parts.count == 2) else { return nil }
    self.address = address
    self.length = length
  }

  func contains(_ other: IPAddress) -> Bool {
    address.bytes.count == other.bytes.count && masked(other.bytes) == masked(address.bytes)
  }

  /// Whether every bit behind the length is zero.
  var isExact: Bool { masked(address.bytes) == address.bytes }

  /// The same network as it should be written.
  var text: String {
    let network = IPAddress(bytes: masked(address.bytes))
    return "\(network.text)/\(length)"
  }

  private func masked(_ bytes: [UInt8]) -> [UInt8] {
    bytes.enumerated().map { index, byte in
      let kept = min(8, max(0, length - index * 8))
      return kept == 0 ? 0 : byte & (0xff << UInt8(8 - kept))
    }
  }
}

extension IPAddress {
  fileprivate init(bytes: [UInt8]) { self.bytes = bytes }
}
