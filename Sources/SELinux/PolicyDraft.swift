/// `CLASS:PERMISSION`, as `--allow` takes it: what somebody has read and wants all the same.
public struct PolicyGrant: Hashable, Sendable {
  public var targetClass: String
  public var permission: String

  public init?(_ text: String) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 2, parts.allSatisfy(isPolicyName) else { return nil }
    targetClass = parts[0]
    permission = parts[1]
  }

  public var text: String { "\(targetClass):\(permission)" }
}

/// The smallest module for what a log says, and why the rest is not in it.
public struct PolicyDraft: Sendable {
  /// A rule, and the denials that ask for it.
  public struct Written: Sendable {
    public var rule: PolicyRule
    public var judgements: [DenialJudgement]
  }

  /// A denial that no rule is written for.
  public struct Left: Sendable {
    public enum Why: String, Sendable, Codable {
      /// It was logged and not refused.
      case notBlocked
      /// A lesser remedy mends it.
      case covered
      /// It must not be granted unread.
      case dangerous
      /// No rule would help.
      case useless
    }

    public var why: Why
    public var reason: String
    public var judgement: DenialJudgement
    /// What `--allow` would take, of a dangerous one.
    public var grants: [String] = []
  }

  public var domain: String
  public private(set) var written: [Written] = []
  public private(set) var left: [Left] = []
  /// Denials of other domains.
  public private(set) var foreign = 0

  /// - Parameters:
  ///   - isExact: Each denial of the domain becomes a rule, though a lesser remedy mends it, or it was let through; but
  ///     never a dangerous one.
  ///   - allowed: What may be granted though it is dangerous or a lesser remedy mends it.
  public init(
    _ judgements: [DenialJudgement], domain: String, isExact: Bool, allowed: Set<PolicyGrant>
  ) {
    self.domain = domain
    for judgement in judgements where !judgement.denial.isGranted {
      guard judgement.denial.sourceType == domain else {
        foreign += 1
        continue
      }
      take(judgement, isExact, allowed)
    }
    written.sort { $0.rule < $1.rule }
  }

  private mutating func take(
    _ judgement: DenialJudgement, _ isExact: Bool, _ allowed: Set<PolicyGrant>
  ) {
    guard let rule = judgement.rule else {
      leave(judgement, .useless, "the record does not say who asked for what")
      return
    }
    if case .useless(let reason) = judgement.ruleUse {
      leave(judgement, .useless, reason)
      return
    }
    let wanted = rule.permissions.filter { isAllowed(rule, $0, allowed) }
    var refused: [String] = []
    var given = Set(wanted)
    for permission in rule.permissions where !given.contains(permission) {
      if let reason = danger(rule, permission) {
        refused.append(permission)
        if refused.count == 1 { leaveDangerous(judgement, rule, reason) }
      } else if isExact || isNeeded(judgement) {
        given.insert(permission)
      }
    }
    if !given.isEmpty {
      write(rule, given, judgement)
    } else if refused.isEmpty {
      leaveLesser(judgement)
    }
  }

  private func isNeeded(_ judgement: DenialJudgement) -> Bool {
    judgement.ruleUse == .needed && !judgement.wasLetThrough
  }

  private func danger(_ rule: PolicyRule, _ permission: String) -> String? {
    Danger.of(
      source: rule.source, target: rule.target, targetClass: rule.targetClass,
      permission: permission)
  }

  private func isAllowed(
    _ rule: PolicyRule, _ permission: String, _ allowed: Set<PolicyGrant>
  ) -> Bool {
    allowed.contains { $0.targetClass == rule.targetClass && $0.permission == permission }
  }

  private mutating func write(
    _ rule: PolicyRule, _ permissions: Set<String>, _ judgement: DenialJudgement
  ) {
    if let index = written.firstIndex(where: {
      $0.rule.source == rule.source && $0.rule.target == rule.target
        && $0.rule.targetClass == rule.targetClass
    }) {
      written[index].rule.permissions = permissions.union(written[index].rule.permissions).sorted()
      written[index].judgements.append(judgement)
      return
    }
    let rule = PolicyRule(
      source: rule.source, target: rule.target, targetClass: rule.targetClass,
      permissions: permissions)
    written.append(Written(rule: rule, judgements: [judgement]))
  }

  private mutating func leaveLesser(_ judgement: DenialJudgement) {
    if judgement.wasLetThrough {
      leave(judgement, .notBlocked, "it was logged and not refused: it is not why something fails")
    } else if case .covered(let reason) = judgement.ruleUse {
      leave(judgement, .covered, reason)
    } else {
      leave(judgement, .covered, "see the remedies")
    }
  }

  private mutating func leaveDangerous(
    _ judgement: DenialJudgement, _ rule: PolicyRule, _ reason: String
  ) {
    leave(judgement, .dangerous, "it \(reason)")
    left[left.count - 1].grants = rule.permissions.filter { danger(rule, $0) != nil }
      .map { "\(rule.targetClass):\($0)" }
  }

  private mutating func leave(_ judgement: DenialJudgement, _ why: Left.Why, _ reason: String) {
    left.append(Left(why: why, reason: reason, judgement: judgement))
  }
}
