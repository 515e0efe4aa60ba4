public import OnionModel

/// Which hosts a definition is for.
public struct HostSelector: Hashable, Sendable, Codable {
  public enum Pattern: Hashable, Sendable, Codable {
    case name(HostName)
    /// `*` and `?` over the whole name; `*` crosses `.`.
    case glob(String)
    /// All must be equal.
    case labels([String: String])
  }

  /// One that matches is enough.
  public let patterns: [Pattern]

  public init(_ patterns: [Pattern]) { self.patterns = patterns }

  /// Whether a host is meant, by its name and labels.
  public func matches(_ host: HostName, labels: [String: String]) -> Bool {
    patterns.contains { pattern in
      switch pattern {
      case .name(let name): name == host
      case .glob(let glob): globMatches(glob, host.text)
      case .labels(let wanted): wanted.allSatisfy { labels[$0.key] == $0.value }
      }
    }
  }

  /// The one host, where the selector can never mean another.
  public var onlyHost: HostName? {
    guard patterns.count == 1, case .name(let name) = patterns[0] else { return nil }
    return name
  }
}

extension HostSelector.Pattern {
  /// A literal name or a glob; `nil` for neither.
  init?(_ text: String) {
    if let name = HostName(text) {
      self = .name(name)
      return
    }
    let letters = Array("abcdefghijklmnopqrstuvwxyz0123456789.-*?".utf8)
    guard (1...64).contains(text.utf8.count), text.utf8.allSatisfy(letters.contains),
      text.utf8.contains(where: { $0 == UInt8(ascii: "*") || $0 == UInt8(ascii: "?") })
    else { return nil }
    self = .glob(text)
  }
}
