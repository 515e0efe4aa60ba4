/// Judges denials, each in the light of the others.
public struct DenialJudge: Sendable {
  /// The domain that is to be mended.
  public var domain: String
  public var knowledge: PolicyKnowledge
  /// Other denials of the same log.
  var others: [Denial] = []

  public init(domain: String = "tor_t", knowledge: PolicyKnowledge = PolicyKnowledge()) {
    self.domain = domain
    self.knowledge = knowledge
  }

  /// One judgement a denial, in the same order.
  public func judge(_ denials: [Denial]) -> [DenialJudgement] {
    var judge = self
    judge.others = denials
    return denials.map(judge.judge)
  }

  private func judge(_ found: Denial) -> DenialJudgement {
    var denial = found
    denial.path = found.path.map(PathFacts.outsideOfUnit)
    var judgement = opinion(of: denial)
    judgement.rule = judgement.rule ?? rule(for: denial)
    if denial.isGranted { return judgement }
    if judgement.rule == nil {
      judgement.ruleUse = .useless("the record does not say who asked for what")
    } else if judgement.trouble != .constraint, let reason = danger(of: denial) {
      judgement.ruleUse = .dangerous(reason)
      if judgement.trouble == .unknown {
        judgement.trouble = .dangerous
        judgement.cause = "It \(reason). Policy withholds it on purpose."
      }
      judgement.remedies.removeAll { $0.kind == .rule }
    }
    return judgement
  }

  private func opinion(of denial: Denial) -> DenialJudgement {
    if denial.isGranted {
      return DenialJudgement(
        denial: denial, trouble: .granted, summary: summary(denial),
        cause: "Policy allows it and has it logged: nothing was refused.",
        remedies: [Remedy(.nothing, "Nothing is to be done.")],
        ruleUse: .useless("it is allowed already"), confidence: .high)
    }
    if let found = constraint(denial) { return found }
    if let found = unknownLabel(denial) { return found }
    if let found = transition(denial) { return found }
    let source = assumedSource(denial)
    if TypeKinds.engines.contains(source) { return engine(denial) }
    if TypeKinds.isContainer(source) { return container(denial) }
    if TypeKinds.users.contains(source) { return person(denial) }
    return source == domain ? tor(denial) : foreign(denial)
  }

  /// Where only setroubleshoot's sentence is left, tor is taken for the domain.
  private func assumedSource(_ denial: Denial) -> String {
    if let source = denial.source { return source.type }
    return denial.command == "tor" ? domain : "?"
  }

  func rule(for denial: Denial) -> PolicyRule? {
    guard let source = denial.source, let target = denial.target,
      isPolicyName(source.type), isPolicyName(target.type)
    else { return nil }
    return PolicyRule(
      source: source.type, target: target.type, targetClass: denial.targetClass,
      permissions: denial.permissions)
  }

  func danger(of denial: Denial) -> String? {
    for permission in denial.permissions {
      let source = denial.source?.type ?? assumedSource(denial)
      if let reason = Danger.of(
        source: source, target: denial.target?.type ?? source, targetClass: denial.targetClass,
        permission: permission)
      {
        return reason
      }
    }
    return nil
  }

  /// `tor_t (tor) was refused read of dir /srv/onion, labelled var_t`
  func summary(_ denial: Denial) -> String {
    // An alert's sentence names the program alone.
    let subject =
      denial.source == nil
      ? denial.command ?? "a process"
      : denial.sourceType + (denial.command.map { " (\($0))" } ?? "")
    let verb =
      denial.isGranted
      ? "was granted"
      : denial.wasLetThrough ? "would have been refused" : "was refused"
    let asked = denial.permissions.joined(separator: ", ")
    if ObjectClass.isCapability(denial.targetClass) {
      return "\(subject) \(verb) the capability \(asked)"
    }
    if denial.source != nil, denial.sourceType == denial.targetType,
      denial.targetClass.hasPrefix("process")
    {
      return "\(subject) \(verb) \(asked) on itself"
    }
    let object =
      denial.object == denial.targetClass
      ? denial.targetClass : "\(denial.targetClass) \(denial.object)"
    let label = denial.target.map { ", labelled \($0.type)" } ?? ""
    return "\(subject) \(verb) \(asked) of \(object)\(label)"
  }

  func judgement(
    _ denial: Denial, _ trouble: DenialJudgement.Trouble, _ cause: String, _ remedies: [Remedy],
    _ use: DenialJudgement.RuleUse, _ confidence: DenialJudgement.Confidence = .high,
    followers: [String] = []
  ) -> DenialJudgement {
    var judgement = DenialJudgement(
      denial: denial, trouble: trouble, summary: summary(denial), cause: cause, remedies: remedies,
      ruleUse: use, followers: followers.filter { !denial.permissions.contains($0) },
      confidence: denial.source == nil ? .low : confidence)
    if trouble == .policyUpdate || trouble == .socket, let rule = rule(for: denial) {
      judgement.rule = PolicyRule(
        source: rule.source, target: rule.target, targetClass: rule.targetClass,
        permissions: rule.permissions + judgement.followers)
    }
    return judgement
  }

  func ruleRemedy(_ text: String) -> Remedy {
    Remedy(.rule, text, ["onionkeeper policy from-audit LOG > FILE.cil"])
  }
}
