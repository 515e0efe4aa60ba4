public import OnionModel

/// What this host's owner lets targets be: `allow.targets` of the host file. It has no default: empty allows nothing.
public struct AllowList: Sendable {
  private enum Entry: Hashable, Sendable {
    case gateway
    case network(IPNetwork)
    case unix(glob: String)
    case container(glob: String)
  }

  private let entries: [Entry]
  private let forbidden: ForbiddenPlaces

  private static let containerLetters = Set(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-*?".utf8)

  static let forms = "host, 192.0.2.0/24, 2001:db8::/32, unix:/run/app/*, container:web-*"

  /// The rule for one entry of `allow.targets`.
  public static let rule = TextRule(
    noun: "an entry of allow.targets", allowed: forms,
    pattern:
      "^(?:host|(?:[0-9]+(?:\\.[0-9]+){3}|[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*)(?:/\(numberPattern(0...128)))?"
      + "|unix:\(TargetText.pathPattern("A-Za-z0-9._@+=~%*?-"))"
      + "|container:[A-Za-z0-9_.*?-]{1,\(TargetText.containerNameLimit)})$"
  ) { text in
    do throws(TextProblem) {
      _ = try entry(text)
      return nil
    } catch { return error }
  }

  /// - Parameters:
  ///   - entries: as written in the host file.
  ///   - ownPaths: absolute paths of this agent's own (key and state directories, sockets): never allowed.
  /// - Throws: the first entry's problem; `AllowList.rule` finds them one by one.
  public init(_ entries: [String], ownPaths: [String] = []) throws(TextProblem) {
    var read: [Entry] = []
    for text in entries { read.append(try AllowList.entry(text)) }
    self.entries = read
    forbidden = ForbiddenPlaces.standard.adding(own: ownPaths)
  }

  /// Why `target` may not be on this host, naming the rule; `nil` if it may.
  public func refusal(of target: Target) -> String? {
    switch judgement(of: target) {
    case .allowed: nil
    case .never(let reason): "target \(target) \(reason)"
    case .missing(let entry, let reached):
      "target \(target) "
        + (reached.map { "reaches \($0), which is not in allow.targets" }
          ?? "is not in allow.targets")
        + ": add \"\(entry)\" to allow it"
    }
  }

  /// The entry that is missing for `target`, the narrowest; `nil` where it is allowed, or no entry allows it.
  public func missingEntry(for target: Target) -> String? {
    if case .missing(let entry, _) = judgement(of: target) { entry } else { nil }
  }

  private enum Judgement {
    case allowed
    /// - reached: the address that is meant, where it is another than the target says.
    case missing(entry: String, reached: String?)
    case never(String)
  }

  private func judgement(of target: Target) -> Judgement {
    switch target {
    case .gateway:
      return entries.contains(.gateway) ? .allowed : .missing(entry: "host", reached: nil)
    case .address(let text, _):
      guard let address = IPAddress(text) else { return .never("is no address") }
      guard allows(address) else { return .missing(entry: address.entry, reached: nil) }
      // What a translator may make of it must be allowed as well: `::/0` opens no IPv4.
      guard let reached = address.translated, !allows(reached) else { return .allowed }
      return .missing(entry: reached.entry, reached: reached.text)
    case .container(let name, _):
      let isAllowed = entries.contains {
        if case .container(let glob) = $0 { globMatches(glob, name) } else { false }
      }
      return isAllowed ? .allowed : .missing(entry: "container:\(name)", reached: nil)
    case .unixSocket(let path):
      if let socket = target.socket, let reason = forbidden.refusal(directory: socket.directory) {
        return .never("is never allowed: \(reason)")
      }
      let isAllowed = entries.contains {
        if case .unix(let glob) = $0 {
          globMatches(glob, path, separator: UInt8(ascii: "/"))
        } else {
          false
        }
      }
      return isAllowed ? .allowed : .missing(entry: "unix:\(path)", reached: nil)
    }
  }

  private func allows(_ address: IPAddress) -> Bool {
    entries.contains {
      if case .network(let network) = $0 { network.contains(address) } else { false }
    }
  }

  private static func entry(_ text: String) throws(TextProblem) -> Entry {
    if text == "host" { return .gateway }
    if text.hasPrefix("unix:") {
      let glob = String(text.dropFirst(5))
      try TargetText.checkPath(glob, what: "unix:", alsoAllowed: "*?")
      return .unix(glob: glob)
    }
    if text.hasPrefix("container:") {
      let glob = String(text.dropFirst(10))
      guard (1...TargetText.containerNameLimit).contains(glob.utf8.count),
        glob.utf8.allSatisfy(containerLetters.contains)
      else { throw .notOne }
      return .container(glob: glob)
    }
    guard let network = IPNetwork(text) else { throw .notOne }
    guard network.isExact else {
      throw .because("\(excerpt(text)) has bits behind its length (\(network.text))")
    }
    return .network(network)
  }
}

extension IPAddress {
  /// The entry that allows just this one.
  fileprivate var entry: String { "\(text)/\(bytes.count * 8)" }
}
