/// A named fact about a service: true, false or unknown, a reason, a time.
public struct Condition: Hashable, Sendable, Codable {
  public enum Name: String, Hashable, Sendable, Codable, CaseIterable {
    case accepted = "Accepted"
    case keyReady = "KeyReady"
    case running = "Running"
    case contained = "Contained"
    case configured = "Configured"
    case bootstrapped = "Bootstrapped"
    case published = "Published"
    case targetReady = "TargetReady"
    case stalled = "Stalled"
    case ready = "Ready"
  }

  public enum Status: String, Hashable, Sendable, Codable {
    case yes = "true"
    case no = "false"
    case unknown
  }

  public var name: Name
  public var status: Status
  /// One readable sentence.
  public var reason: String

  public init(_ name: Name, _ status: Status, reason: String) {
    self.name = name
    self.status = status
    self.reason = reason
  }
}
