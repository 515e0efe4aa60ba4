public import OnionModel

/// The spellings of a target.
public enum TargetText {
  static let forms = "ip:port, [v6]:port, host:PORT, unix:/path, container:NAME:PORT"

  /// The rule for a `target:` field.
  public static let rule = TextRule(
    noun: "a target", allowed: forms,
    pattern: "^(?:(?:host|[0-9]+(?:\\.[0-9]+){3}|\\[[0-9A-Fa-f:.]+\\]"
      + "|container:[A-Za-z0-9][A-Za-z0-9_.-]{0,127}):\(numberPattern(1...65535))"
      + "|unix:(?=.{1,\(pathLimit)}$)\(pathPattern("A-Za-z0-9._@+=~%-")))$"
  ) { text in
    do throws(TextProblem) {
      _ = try parse(text)
      return nil
    } catch { return error }
  }

  /// Reads a target; addresses come out in their one spelling.
  public static func parse(_ text: String) throws(TextProblem) -> Target {
    if text.hasPrefix("unix:") { return .unixSocket(try socketPath(String(text.dropFirst(5)))) }
    if text.hasPrefix("container:") { return try container(text.dropFirst(10)) }
    if text.hasPrefix("[") {
      guard let end = text.lastIndex(of: "]") else { throw .notOne }
      let inside = String(text[text.index(after: text.startIndex)..<end])
      let rest = text[text.index(after: end)...]
      guard let address = IPAddress(inside), inside.contains(":") else {
        throw .because("[\(excerpt(inside))] is not an IPv6 address (\(forms))")
      }
      guard rest.first == ":" else { throw .because("\(excerpt(text)) has no port (\(forms))") }
      return try target(address, port: port(rest.dropFirst()), written: "[\(inside)]")
    }
    guard let colon = text.lastIndex(of: ":") else {
      throw IPAddress(text) == nil
        ? .notOne : .because("\(excerpt(text)) has no port (\(forms))")
    }
    let head = String(text[..<colon])
    if text.contains("://") { throw .because("\(excerpt(text)) is a URL (\(forms))") }
    if IPAddress(text) != nil || head.contains(":") {
      throw .because("\(excerpt(text)): an IPv6 address needs brackets ([v6]:port)")
    }
    let port = try port(text[text.index(after: colon)...])
    if head == "host" { return .gateway(port: port) }
    if let address = IPAddress(head) { return try target(address, port: port, written: head) }
    throw nameProblem(head, port: port)
  }

  private static func target(
    _ address: IPAddress, port: Int, written: String
  ) throws(TextProblem) -> Target {
    let reached = address.translated ?? address
    if address.isSelf || reached.isSelf { throw loopback(written, port: port) }
    if address.isNoMachine || reached.isNoMachine {
      throw .because("\(written) is no machine's address (a unicast address)")
    }
    if address.needsZone {
      throw .because("\(written) is link-local, and tor knows no zone (a routed address)")
    }
    return .address(address.text, port: port)
  }

  /// Engines' own form of a name (Docker's `RestrictedNameChars`, Podman's `NameRegex`).
  static let containerNameLimit = 128
  private static let containerLetters = Set(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-".utf8)

  private static func container(_ text: Substring) throws(TextProblem) -> Target {
    guard let colon = text.lastIndex(of: ":") else {
      throw .because("container:\(excerpt(String(text))) has no port (container:NAME:PORT)")
    }
    let name = String(text[..<colon])
    guard (1...containerNameLimit).contains(name.utf8.count),
      name.utf8.allSatisfy(containerLetters.contains), let first = name.first,
      first.isLetter || first.isNumber
    else {
      throw .because(
        "\(excerpt(name)) is not a container's name (1 to \(containerNameLimit) of a–z A–Z 0–9 _ . -, a"
          + " letter or digit first)")
    }
    return .container(name, port: try port(text[text.index(after: colon)...]))
  }

  private static func loopback(_ written: String, port: Int) -> TextProblem {
    .because("write host:\(port): \(written) is the container itself")
  }

  private static func nameProblem(_ head: String, port: Int) -> TextProblem {
    let lower = head.lowercased()
    let name = lower.hasSuffix(".") ? String(lower.dropLast()) : lower
    if name == "localhost" || name.hasSuffix(".localhost") {
      return loopback(excerpt(head), port: port)
    }
    let letters = Array("abcdefghijklmnopqrstuvwxyz0123456789-._".utf8)
    guard !name.isEmpty, name.utf8.allSatisfy(letters.contains) else { return .notOne }
    if name.utf8.allSatisfy({ (0x30...0x39).contains($0) || $0 == UInt8(ascii: ".") }) {
      return .because("\(excerpt(head)) is not an IPv4 address (\(forms))")
    }
    return .because(
      "\(excerpt(head)) is a host name, and tor would look it up where anybody can answer"
        + " (its address: \(forms))")
  }

  private static func port(_ text: Substring) throws(TextProblem) -> Int {
    guard let value = decimalInteger(text), (1...65535).contains(value) else {
      throw .because("\(excerpt(String(text))) is not a port (1–65535)")
    }
    return value
  }

  /// Bytes of a path: sun_path holds 108 with its end (unix(7)), and backends write it too.
  static let pathLimit = 100
  /// Bytes of the socket's own name: inside, it is `/targets/<12 digits>/NAME`.
  static let fileLimit = 80

  /// A path in its one spelling, of a socket whose directory may be mounted.
  private static func socketPath(_ path: String) throws(TextProblem) -> String {
    try checkPath(path, what: "unix:")
    guard path.utf8.count <= pathLimit else {
      throw .because("\(path.utf8.count) bytes long (a socket's path has at most \(pathLimit))")
    }
    if path.hasPrefix("/var/run/") {
      throw .because(
        "write unix:\(path.dropFirst(4)): /var/run is a link, and links are not followed")
    }
    let target = Target.unixSocket(path)
    guard let socket = target.socket, socket.file.utf8.count <= fileLimit else {
      throw .because("a socket's own name of over \(fileLimit) bytes (at most \(fileLimit))")
    }
    if let reason = ForbiddenPlaces.standard.refusal(directory: socket.directory) {
      throw .because("unix:\(path) is never allowed: \(reason)")
    }
    return path
  }

  /// An expression for what `checkPath` takes, without anchors: no part is empty, `.` or `..`.
  /// - Parameter letters: as inside a character class, without `/`.
  static func pathPattern(_ letters: String) -> String {
    "(?:/(?!\\.{1,2}(?:/|$))[\(letters)]+)+"
  }

  /// An absolute path without `.`, `..`, `//`, an ending `/` or letters that a torrc or mount would read otherwise.
  static func checkPath(
    _ path: String, what: String, alsoAllowed: String = ""
  ) throws(TextProblem) {
    let shown = excerpt(path)
    guard path.hasPrefix("/") else {
      throw .because("\(what)\(shown) is not absolute (\(what)/path)")
    }
    let parts = path.utf8.dropFirst().split(
      separator: UInt8(ascii: "/"), omittingEmptySubsequences: false
    ).map { String(Substring($0)) }
    if parts.contains("..") || parts.contains(".") {
      throw .because("\(what)\(shown) holds `.` or `..` (a path without)")
    }
    if parts.contains("") {
      throw .because("\(what)\(shown) holds `//` or ends in `/` (a path without)")
    }
    let letters = Array(
      ("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-@+=~%" + alsoAllowed)
        .utf8)
    guard path.utf8.allSatisfy(letters.contains) else {
      throw .because("\(what)\(shown) holds another character (a–z A–Z 0–9 / . _ - @ + = ~ %)")
    }
  }
}
