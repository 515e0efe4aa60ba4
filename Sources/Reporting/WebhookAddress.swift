/// The address of a webhook, taken apart and judged. Pure: the host file's parser and `webhook test` use it.
public struct WebhookAddress: Hashable, Sendable {
  /// As it is sent to. Its path may be a secret.
  public let url: String
  /// Name, IPv4 address, or IPv6 address without brackets.
  public let host: String
  public let isEncrypted: Bool

  /// - Parameter isProxied: requests go through a SOCKS proxy (`via`), which an onion address needs.
  /// - Throws: `.address` with the reason and what is allowed.
  public init(_ url: String, isProxied: Bool = false) throws(ReportingError) {
    func refuse(_ reason: String) -> ReportingError {
      ReportingError(.address, "webhook url", reason)
    }
    guard url.utf8.count <= 2048, url.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
      throw refuse("it must be at most 2048 printable ASCII characters without blanks")
    }
    let scheme = url.prefix { $0 != ":" }.lowercased()
    guard scheme == "https" || scheme == "http", url.dropFirst(scheme.count).hasPrefix("://") else {
      throw refuse("it must begin with https:// (or http:// for this machine and private networks)")
    }
    guard !url.contains("#") else { throw refuse("it must not have a fragment (#)") }
    let authority = url.dropFirst(scheme.count + 3).prefix { !"/?".contains($0) }
    guard !authority.contains("@") else {
      throw refuse("it must not hold a user or password: use secretFile")
    }
    guard let (host, port) = Self.split(authority), port.map({ (1...65_535).contains($0) }) ?? true
    else { throw refuse("its host or port is not valid") }
    self.url = url
    self.host = host
    isEncrypted = scheme == "https"
    let isOnion = host.hasSuffix(".onion")
    if isOnion && !isProxied {
      throw refuse("an onion address needs `via: socks5h://HOST:PORT`")
    }
    guard isEncrypted || isOnion || Self.isPrivate(host) else {
      throw refuse(
        "http:// is only for this machine, private networks and onion addresses: use https://")
    }
  }

  private static func split(_ authority: Substring) -> (host: String, port: Int?)? {
    let text = authority.lowercased()
    let host: String
    let rest: Substring
    if text.hasPrefix("[") {
      guard let end = text.firstIndex(of: "]") else { return nil }
      host = String(text[text.index(after: text.startIndex)..<end])
      rest = text[text.index(after: end)...]
      guard host.contains(":"), IPAddress(host) != nil else { return nil }
    } else {
      host = String(text.prefix { $0 != ":" })
      rest = text.dropFirst(host.count)
      let isName = host.utf8.allSatisfy {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0)
          || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
          || [UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_")].contains($0)
      }
      guard (1...253).contains(host.utf8.count), isName else { return nil }
    }
    if rest.isEmpty { return (host, nil) }
    let digits = rest.dropFirst()
    guard rest.hasPrefix(":"), digits.allSatisfy(\.isASCII), digits.allSatisfy(\.isNumber),
      let port = Int(digits)
    else { return nil }
    return (host, port)
  }

  /// This machine, RFC 1918, RFC 4193. Not link-local: that is where clouds keep their metadata.
  private static func isPrivate(_ host: String) -> Bool {
    if host == "localhost" || host.hasSuffix(".localhost") { return true }
    return IPAddress(host)?.isPrivate ?? false
  }
}

/// Where requests go through: `socks5h://HOST:PORT`. The proxy resolves the names, so that nobody else learns them.
public struct WebhookProxy: Hashable, Sendable {
  /// `HOST:PORT`
  public let authority: String

  /// - Throws: `.address` with the reason.
  public init(_ text: String) throws(ReportingError) {
    let schemes = ["socks5h://", "socks5://"]
    guard let scheme = schemes.first(where: text.hasPrefix) else {
      throw ReportingError(.address, "webhook via", "it must be socks5h://HOST:PORT")
    }
    authority = String(text.dropFirst(scheme.count))
    let parts = authority.split(separator: ":", omittingEmptySubsequences: false)
    let host = parts.dropLast().joined(separator: ":")
    guard parts.count >= 2, !host.isEmpty, let port = Int(parts[parts.count - 1]),
      (1...65_535).contains(port),
      host.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != 0x2f && $0 != 0x40 })
    else { throw ReportingError(.address, "webhook via", "it must be socks5h://HOST:PORT") }
  }
}
