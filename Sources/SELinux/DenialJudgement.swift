/// What kind of trouble a denial is, why, and what mends it.
public struct DenialJudgement: Hashable, Sendable {
  public enum Trouble: String, Hashable, Sendable, Codable, CaseIterable {
    /// An audited grant: nothing was refused.
    case granted
    /// Categories or levels do not fit: no allow rule overrides a constraint.
    case constraint
    /// A right thing with a label that is not tor's.
    case wrongLabel
    /// A place that tor must not use, whatever its label.
    case wrongPlace
    /// A container's mount without `:Z`.
    case unlabelledMount
    /// The engine's own storage has lost its labels.
    case storageLabel
    /// A port that policy does not know as tor's.
    case portLabel
    /// Owner or mode: a capability was tried only because ordinary rights did not suffice.
    case ownership
    /// What systemd prepares for the unit.
    case unit
    /// A program that goes on by itself without it.
    case selfFallingBack
    /// What must not be granted.
    case dangerous
    /// Labels are right; a newer policy allows it.
    case policyUpdate
    /// A unix socket: two checks, of its file and of who listens.
    case socket
    /// The engine was refused: its policy and it are out of step.
    case engine
    /// Somebody set, or a file bears, a label that this policy does not know.
    case unknownLabel
    /// Another program's, or a person's own tor.
    case notTorsDomain
    case unknown
  }

  public enum Confidence: String, Hashable, Sendable, Codable { case high, medium, low }

  /// Whether a rule of one's own is the answer.
  public enum RuleUse: Hashable, Sendable {
    /// Nothing less mends it.
    case needed
    /// A lesser remedy mends it: it says which.
    case covered(String)
    /// It must not be granted: it says why.
    case dangerous(String)
    /// It would change nothing, or cannot be written: it says why.
    case useless(String)
  }

  public var denial: Denial
  public var trouble: Trouble
  /// What happened, a sentence.
  public var summary: String
  /// Why, a sentence or two.
  public var cause: String
  /// From the least to the most that is given away.
  public var remedies: [Remedy]
  public var rule: PolicyRule?
  public var ruleUse: RuleUse
  /// Permissions that are asked next, once this one is granted.
  public var followers: [String] = []
  public var confidence: Confidence

  /// It was logged and not refused, so it is not why something fails now.
  public var wasLetThrough: Bool { denial.wasLetThrough || denial.isGranted }
}

/// What is known of the host's policy; everything `nil` is unknown, not absent.
public struct PolicyKnowledge: Hashable, Sendable {
  /// Switches of the loaded policy.
  public var booleans: [String: Bool]?
  /// All of them: one that is not among them does not exist.
  public var isWhole: Bool

  public init(booleans: [String: Bool]? = nil, isWhole: Bool = true) {
    self.booleans = booleans
    self.isWhole = isWhole
  }

  /// `nil`: unknown; `.some(nil)`: the loaded policy has no such switch.
  func boolean(_ name: String) -> Bool?? {
    guard let booleans, isWhole || booleans[name] != nil else { return nil }
    return .some(booleans[name])
  }
}
