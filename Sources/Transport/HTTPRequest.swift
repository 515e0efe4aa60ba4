/// One request with its limits.
public struct HTTPRequest: Sendable {
  /// `GET`, `POST`, … as it goes on the wire.
  public var method: String
  /// `http://` or `https://`, without a user or password in it.
  public var url: String
  public var headers: HTTPHeaders
  public var body: HTTPBody
  public var route: HTTPRoute
  public var limits: HTTPLimits
  /// A PEM file of the authorities to trust instead of the system's.
  public var authorities: String?

  public init(
    _ method: String, _ url: String, headers: HTTPHeaders = [:], body: HTTPBody = .none,
    route: HTTPRoute = .direct, limits: HTTPLimits = HTTPLimits(), authorities: String? = nil
  ) {
    self.method = method
    self.url = url
    self.headers = headers
    self.body = body
    self.route = route
    self.limits = limits
    self.authorities = authorities
  }
}

/// What is sent after the head.
public enum HTTPBody: Sendable {
  /// No body; `POST`, `PUT` and `PATCH` then say `Content-Length: 0`.
  case none
  case bytes([UInt8])
  /// A regular file by its path, read as it is sent; its length at the start is its `Content-Length`.
  case file(String)
}

/// How the host is reached. What the environment says of proxies is ignored.
public enum HTTPRoute: Hashable, Sendable {
  case direct
  /// A Unix socket by its path (at most 107 bytes); the URL's host is only a name.
  case unixSocket(String)
  /// A SOCKS5 proxy `host:port` that resolves the names itself, as tor does. `user` isolates circuits.
  case socks(String, user: String? = nil)
}

/// The limits of one request. `nil` is without limit.
public struct HTTPLimits: Hashable, Sendable {
  /// Name resolution, connection and TLS together.
  public var connect: Duration
  /// From the call to the last byte.
  public var total: Duration?
  /// Without a byte in either direction; a stream that waits for its reader is not idle.
  public var idle: Duration?
  /// Bytes of the answer's body.
  public var answer: Int?

  public init(
    connect: Duration = .seconds(10), total: Duration? = .seconds(60), idle: Duration? = nil,
    answer: Int? = 1 << 20
  ) {
    self.connect = connect
    self.total = total
    self.idle = idle
    self.answer = answer
  }
}

extension HTTPRequest {
  /// The request without anything that could be secret: for errors.
  var operation: String {
    if case .unixSocket(let path) = route { return "\(method.prefix(16)) unix:\(path)" }
    let scheme = url.prefix(while: { $0 != ":" })
    let authority = url.dropFirst(scheme.count + 3).prefix { !"/?#".contains($0) }
    let host = authority.split(separator: "@", omittingEmptySubsequences: false).last ?? ""
    return "\(method.prefix(16)) \(scheme.prefix(8))://\(host.prefix(300))"
  }

  /// Refuses what would send something else than it says.
  func check() throws(TransportError) {
    func refuse(_ message: String) -> TransportError {
      TransportError(.invalidRequest, operation: operation, message: message)
    }
    let isMethod = method.utf8.allSatisfy { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) }
    guard isMethod, (1...16).contains(method.utf8.count) else {
      throw refuse("the method must be 1 to 16 capital letters")
    }
    let scheme = url.prefix(while: { $0 != ":" })
    guard scheme == "http" || scheme == "https", url.dropFirst(scheme.count).hasPrefix("://") else {
      throw refuse("the URL must begin with http:// or https://")
    }
    guard url.utf8.count <= 8192, url.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
      throw refuse("the URL must be at most 8192 printable ASCII characters without blanks")
    }
    guard !url.dropFirst(scheme.count + 3).prefix(while: { !"/?#".contains($0) }).contains("@")
    else { throw refuse("the URL must not hold a user or password") }
    for field in headers.fields {
      guard !field.name.isEmpty, field.name.utf8.allSatisfy(isFieldNameByte) else {
        throw refuse("a header name may only hold letters, digits and '-_.'")
      }
      guard field.value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f || $0 == 0x09 }) else {
        throw refuse("the header \(field.name) holds a control character")
      }
    }
    for path in [socketPath, authorities].compactMap(\.self) where path.utf8.contains(0) {
      throw refuse("a path holds a zero byte")
    }
  }

  private var socketPath: String? {
    if case .unixSocket(let path) = route { path } else { nil }
  }
}

private func isFieldNameByte(_ byte: UInt8) -> Bool {
  switch byte {
  case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"),
    UInt8(ascii: "."):
    true
  default: false
  }
}
