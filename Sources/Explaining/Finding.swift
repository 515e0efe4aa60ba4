/// How much a finding matters, from what keeps tor down to what is merely said.
public enum Impact: String, Hashable, Sendable, CaseIterable, Encodable {
  /// tor, or the service, does not start while this holds.
  case blocks
  /// It runs, and something dangerous is true: another address, open to everybody, a key about to be replaced.
  case risk
  /// It runs, and a part of it does not work.
  case limits
  /// Not the cause of a failure; said so that nobody takes it for one.
  case notice

  var rank: Int { Self.allCases.firstIndex(of: self) ?? 0 }
}

public enum Confidence: String, Hashable, Sendable, Encodable {
  /// What was given proves it.
  case high
  /// The usual cause of what was given; the check tells.
  case medium
  /// What was given cannot show the cause; the check says how to see it.
  case low
}

/// One way to mend it. A finding lists the one that gives away least first.
public struct Fix: Hashable, Sendable, Encodable {
  public enum Level: String, Hashable, Sendable, CaseIterable, Encodable {
    /// Nothing needs to be done.
    case nothing
    /// A newer package holds the answer.
    case update
    /// torrc, start order, network: no right changes hands.
    case configuration
    /// Owner or mode of one directory.
    case ownership
    /// `semanage fcontext` and `restorecon`.
    case label
    /// `semanage port`.
    case port
    /// A systemd drop-in, an AppArmor profile.
    case unit
    /// A switch of the loaded policy.
    case boolean
    /// Mounts and settings of a container.
    case container
    /// A rule that this host did not have.
    case policy
  }

  public var level: Level
  /// One or two sentences.
  public var action: String
  /// To be typed as they stand, but for `<…>`.
  public var commands: [String]

  public init(_ level: Level, _ action: String, _ commands: [String] = []) {
    self.level = level
    self.action = action
    self.commands = commands
  }
}

/// A line that was given.
public struct Evidence: Hashable, Sendable, Encodable {
  /// As the caller named the input.
  public var file: String
  /// From 1.
  public var line: Int
  /// Printable, cut, without keys and passwords.
  public var text: String
}

/// Some of the lines that a finding rests on, and how many there were.
public struct EvidenceList: Hashable, Sendable, Encodable {
  /// A reader looks at the first few; a day of restarts repeats them by the thousand.
  public static let limit = 4

  public private(set) var count = 0
  public private(set) var lines: [Evidence] = []

  public mutating func add(_ evidence: @autoclosure () -> Evidence) {
    count += 1
    if lines.count < Self.limit { lines.append(evidence()) }
  }

  /// Lines that were counted elsewhere and are not at hand.
  mutating func count(more: Int) { count += max(0, more) }

  mutating func add(_ other: EvidenceList) {
    count += other.count
    for line in other.lines where lines.count < Self.limit && !lines.contains(line) {
      lines.append(line)
    }
  }
}

/// What happened, why, and what to do.
public struct Finding: Hashable, Sendable, Encodable {
  /// Stable and dotted: `directory.owner`.
  public var code: String
  public var impact: Impact
  /// What happened, in one sentence.
  public var title: String
  /// Why.
  public var cause: String
  public var confidence: Confidence
  public var evidence: EvidenceList
  /// Lines that follow from it: they are no trouble of their own.
  public var consequences: Int
  /// From least to most privilege.
  public var fixes: [Fix]
  /// How to see that the fix worked, or where the cause shows.
  public var check: [String]

  /// Where in a start this happens; what comes first blocks all that comes later.
  var stage: Stage
  /// Of its first line, over all input.
  var position: Int

  enum CodingKeys: String, CodingKey {
    case code, impact, title, cause, confidence, evidence, consequences, fixes, check
  }

  init(
    _ code: String, _ impact: Impact, _ stage: Stage, _ title: String, cause: String,
    confidence: Confidence, evidence: EvidenceList, position: Int, consequences: Int = 0,
    fixes: [Fix] = [], check: [String] = []
  ) {
    self.code = code
    self.impact = impact
    self.stage = stage
    self.title = title
    self.cause = cause
    self.confidence = confidence
    self.evidence = evidence
    self.position = position
    self.consequences = consequences
    self.fixes = fixes
    self.check = check
  }

  /// The order of a start.
  enum Stage: Int, Comparable, Sendable {
    case launch, configuration, user, directory, keys, listeners, running, later

    static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
  }

  static func isBefore(_ left: Finding, _ right: Finding) -> Bool {
    (left.impact.rank, left.stage.rawValue, left.position, left.code)
      < (right.impact.rank, right.stage.rawValue, right.position, right.code)
  }
}
