/// A repository URL of a kind that is supported, taken apart.
struct RemoteAddress: Sendable, Equatable {
  enum Scheme: String, Sendable {
    case https
    case http
    case ssh
    case git
    case file

    var defaultPort: Int {
      switch self {
      case .https: 443
      case .http: 80
      case .ssh: 22
      case .git: 9418
      case .file: 0
      }
    }

    /// Whether who answers is proven: by a certificate, a pinned key, or the kernel.
    var isAuthentic: Bool {
      switch self {
      case .https, .ssh, .file: true
      case .http, .git: false
      }
    }
  }

  let scheme: Scheme
  /// Lower case, without brackets; empty for `.file`.
  let host: String
  let port: Int
  /// The user in an ssh URL.
  let user: String?
  /// The folder of a `.file` repository.
  let localPath: String
  /// What libgit2 is given.
  let url: String

  /// - Throws: `.configuration`, naming what is wrong. The text of a URL that holds a password is
  ///   never repeated.
  init(_ text: String) throws(GitError) {
    guard !text.isEmpty, text.utf8.count <= 2048, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f })
    else {
      throw Self.wrong("is empty, too long, or has spaces, control or non-ASCII characters")
    }
    guard let mark = text.firstRange(of: "://") else {
      try self.init(withoutScheme: text)
      return
    }
    let name = text[..<mark.lowerBound].lowercased()
    guard let scheme = Scheme(rawValue: name) else {
      throw Self.wrong("has the scheme '\(name)', which is not supported (\(Self.supported))")
    }
    let rest = text[mark.upperBound...]
    guard !rest.contains("?"), !rest.contains("#") else {
      throw Self.wrong("has a query or a fragment; give the plain address of the repository")
    }
    if scheme == .file {
      try self.init(file: String(rest), url: text)
      return
    }
    let slash = rest.firstIndex(of: "/") ?? rest.endIndex
    guard rest[slash...].count > 1 else { throw Self.wrong("has no path to a repository") }
    try self.init(scheme, authority: rest[..<slash], url: text)
  }

  /// The name under which `known_hosts` lists this server.
  var knownHostsName: String { port == 22 ? host : "[\(host)]:\(port)" }

  /// Safe to print: scheme, host and port.
  var place: String {
    switch scheme {
    case .file: localPath
    default: "\(scheme.rawValue)://\(host.contains(":") ? "[\(host)]" : host):\(port)"
    }
  }

  /// A path, or ssh's short form `user@host:path`.
  private init(withoutScheme text: String) throws(GitError) {
    if text.hasPrefix("/") {
      try self.init(file: text, url: text)
      return
    }
    guard let colon = text.firstIndex(of: ":"), !text[..<colon].contains("/") else {
      throw Self.wrong("is a relative path; give the whole one, or a URL (\(Self.supported))")
    }
    guard text.index(after: colon) < text.endIndex else { throw Self.wrong("has no path") }
    try self.init(.ssh, authority: text[..<colon], url: text)
  }

  private init(file path: String, url: String) throws(GitError) {
    guard path.hasPrefix("/"), path.count > 1, !path.contains("%") else {
      throw Self.wrong("must be file:/// and an absolute path without percent signs")
    }
    self.init(scheme: .file, host: "", port: 0, user: nil, localPath: path, url: url)
  }

  private init(_ scheme: Scheme, authority: Substring, url: String) throws(GitError) {
    var place = authority
    var user: String?
    if let at = authority.lastIndex(of: "@") {
      let information = authority[..<at]
      place = authority[authority.index(after: at)...]
      guard scheme == .ssh, !information.contains(":"), Self.isPlain(information) else {
        throw Self.wrong(
          "has a user name or password in it, where logs and process lists would show it; "
            + "use credentials.tokenFile (and credentials.user)")
      }
      user = String(information)
    }
    var host = place
    var digits: Substring?
    if place.hasPrefix("[") {
      guard let end = place.firstIndex(of: "]") else { throw Self.wrong("lacks a ']'") }
      host = place[place.index(after: place.startIndex)..<end]
      let tail = place[place.index(after: end)...]
      guard tail.isEmpty || tail.hasPrefix(":"), host.allSatisfy({ $0.isHexDigit || $0 == ":" })
      else { throw Self.wrong("has a bad IPv6 address") }
      if !tail.isEmpty { digits = tail.dropFirst() }
    } else if let colon = place.firstIndex(of: ":") {
      host = place[..<colon]
      digits = place[place.index(after: colon)...]
    }
    guard place.hasPrefix("[") || Self.isPlain(host) else {
      throw Self.wrong("has a bad host name")
    }
    var port = scheme.defaultPort
    if let digits {
      guard let number = Int(digits), (1...65535).contains(number),
        digits.allSatisfy(\.isNumber)
      else { throw Self.wrong("has a bad port") }
      port = number
    }
    self.init(
      scheme: scheme, host: host.lowercased(), port: port, user: user, localPath: "", url: url)
  }

  private init(
    scheme: Scheme, host: String, port: Int, user: String?, localPath: String, url: String
  ) {
    self.scheme = scheme
    self.host = host
    self.port = port
    self.user = user
    self.localPath = localPath
    self.url = url
  }

  private static let supported = "https, http, ssh, user@host:path, git, file, or an absolute path"

  /// Letters, digits, `.`, `_` and `-`, not led by a dash.
  private static func isPlain(_ text: Substring) -> Bool {
    !text.isEmpty && !text.hasPrefix("-")
      && text.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"),
          UInt8(ascii: "-"):
          true
        default: false
        }
      }
  }

  private static func wrong(_ what: String) -> GitError {
    GitError(.configuration, "repository.url", "the repository URL " + what)
  }
}

/// `text` fit for a log line: one line, no control characters, at most `limit` characters.
func printable(_ text: some StringProtocol, limit: Int = 300) -> String {
  var line = ""
  for scalar in text.unicodeScalars.prefix(limit) {
    line.unicodeScalars.append(
      scalar.properties.generalCategory == .control || scalar.properties.generalCategory == .format
        ? "\u{fffd}" : scalar)
  }
  return line
}
