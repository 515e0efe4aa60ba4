import SELinux

/// SELinux's denials: judged by `DenialJudge`, put together with the log lines that tell of the same refusal.
extension Judge {
  func denialFindings() -> (findings: [Finding], claimed: Set<Int>) {
    let judgements = DenialJudge(knowledge: knowledge).judge(facts.audit.denials)
    var order: [String] = []
    var clusters: [String: [DenialJudgement]] = [:]
    for judgement in judgements {
      let key = clusterKey(judgement)
      if clusters[key] == nil { order.append(key) }
      clusters[key, default: []].append(judgement)
    }
    var claimed: Set<Int> = []
    let findings = order.compactMap { key -> Finding? in
      clusters[key].flatMap { finding($0, claimed: &claimed) }
    }
    return (findings, claimed)
  }

  private var knowledge: PolicyKnowledge {
    if let host, host.mode == "enforcing" || host.mode == "permissive" {
      return PolicyKnowledge(booleans: host.booleans)
    }
    let given = facts.state.booleans.mapValues(\.isOn)
    // `getsebool -a` prints hundreds; somebody who pasted a few pasted those.
    return PolicyKnowledge(booleans: given.isEmpty ? nil : given, isWhole: given.count > 100)
  }

  /// One trouble is one finding, however many checks it met. Two checks of one connection belong together, and so do the two
  /// capabilities that the kernel tries for one access.
  private func clusterKey(_ judgement: DenialJudgement) -> String {
    let denial = judgement.denial
    let head = "\(judgement.trouble) \(judgement.wasLetThrough) \(denial.sourceType)"
    switch judgement.trouble {
    case .socket: return head
    case .ownership where denial.targetClass.has("capability"): return head + " capability"
    case .constraint, .unlabelledMount, .wrongLabel, .wrongPlace:
      let object = denial.inode.map { "\($0) \(denial.device ?? "")" } ?? denial.path ?? ""
      return head + " \(denial.target?.description ?? "") \(object)"
    default: return head + " \(denial.targetClass) \(judgement.cause)"
    }
  }

  private func finding(_ cluster: [DenialJudgement], claimed: inout Set<Int>) -> Finding? {
    guard
      let lead = cluster.first(where: { $0.denial.permissions.contains("dac_read_search") })
        ?? cluster.max(by: { $0.remedies.count < $1.remedies.count })
    else { return nil }
    let mine = lead.wasLetThrough ? [] : matching(cluster).filter { !claimed.contains($0) }
    var lines = EvidenceList()
    for judgement in cluster {
      lines.add(evidence(judgement.denial.evidence, count: judgement.denial.count))
    }
    var consequences = 0
    var path: String?
    for index in mine {
      claimed.insert(index)
      let group = facts.log.groups[index]
      lines.add(group.evidence)
      consequences += group.consequences
      path = path ?? group.captures["path"]
    }
    // A capability's record names no object; its event's neighbour does.
    if lead.denial.targetClass == "capability" { path = path ?? lead.denial.path }
    let isDone = isAllowedNow(lead.denial)
    let impact: Impact = isDone ? .notice : mine.isEmpty ? impact(lead) : .blocks
    return Finding(
      "selinux.\(lead.trouble.rawValue)", impact, stage(lead.denial), title(cluster, path),
      cause: cause(lead, path: path, isDone: isDone),
      confidence: Confidence(rawValue: lead.confidence.rawValue) ?? .low, evidence: lines,
      position: facts.position(lead.denial.evidence.first), consequences: consequences,
      fixes: fixes(cluster, lead, path), check: checks(lead, path))
  }

  // MARK: - What is said

  private func title(_ cluster: [DenialJudgement], _ path: String?) -> String {
    let summaries = cluster.map(\.summary)
    var text = "SELinux: \(summaries.first ?? "")"
    if summaries.count == 2, cluster[0].trouble == .socket {
      text += "; \(summaries[1])"
    } else if summaries.count > 1 {
      text += " (and \(summaries.count - 1) more of the same)"
    }
    if let path { text += ", so it could not use \(path)" }
    return text + "."
  }

  private func cause(_ lead: DenialJudgement, path: String?, isDone: Bool) -> String {
    var text = lead.cause
    let source = lead.denial.sourceType
    if lead.trouble == .engine, let title = lead.denial.title { text += " It was `\(title)`." }
    if isDone {
      text += " The policy that this host has loaded allows it: the record is of an earlier time."
    }
    if lead.denial.isGranted { return text }
    if lead.denial.permissive == true {
      text +=
        " The record carries permissive=1: the kernel let it through, so it is not the cause of a failure now. Whether the whole system or only \(source) is permissive, it does not say; enforcing, it would be refused."
    } else if lead.denial.succeeded == true {
      text += " The system call succeeded all the same, so nothing failed by it."
    }
    if !lead.followers.isEmpty {
      text += " Asked next, once this is granted: \(lead.followers.joined(separator: ", "))."
    }
    return text
  }

  private func fixes(_ cluster: [DenialJudgement], _ lead: DenialJudgement, _ path: String?)
    -> [Fix]
  {
    var fixes: [Fix] = []
    var seen: Set<String> = []
    let rules = Set(
      cluster.compactMap { judgement -> PolicyRule? in
        switch judgement.ruleUse {
        case .needed: judgement.rule
        case .covered where judgement == lead: judgement.rule
        case .covered, .dangerous, .useless: nil
        }
      }
    ).sorted()
    for remedy in remedies(cluster, lead) {
      guard seen.insert(remedy.text).inserted else { continue }
      var commands = remedy.commands.map { filled($0, lead.denial, path) }
      if mount(of: lead.denial) != nil { commands.removeAll { $0.hasPrefix("find / -xdev") } }
      if remedy.kind == .rule {
        let file = facts.inputName(of: lead.denial.evidence.first)
        commands = rules.map(\.text) + ["onionkeeper policy from-audit \(quoted(file))"]
      }
      if remedy.kind == .container, lead.trouble == .socket, commands.isEmpty {
        commands = Set(cluster.compactMap(\.rule)).sorted().map { own($0).text }
      }
      fixes.append(Fix(Self.levels[remedy.kind] ?? .policy, remedy.text, commands))
    }
    return fixes
  }

  /// The lead's, and what the others of the cluster add, in the order of what is given away.
  private func remedies(_ cluster: [DenialJudgement], _ lead: DenialJudgement) -> [Remedy] {
    let more = cluster.flatMap(\.remedies).filter { remedy in
      remedy.kind != .nothing && !lead.remedies.contains { $0.text == remedy.text }
    }
    guard !more.isEmpty else { return lead.remedies }
    let kinds = Remedy.Kind.allCases
    return (lead.remedies + more).enumerated().sorted { left, right in
      let ranks = (
        kinds.firstIndex(of: left.element.kind), kinds.firstIndex(of: right.element.kind)
      )
      return (ranks.0 ?? 0, left.offset) < (ranks.1 ?? 0, right.offset)
    }.map(\.element)
  }

  /// A rule for a domain that one container has for itself.
  private func own(_ rule: PolicyRule) -> PolicyRule {
    var rule = rule
    rule.source = "<its own type>"
    return rule
  }

  private static let levels: [Remedy.Kind: Fix.Level] = [
    .nothing: .nothing, .update: .update, .ownership: .ownership, .place: .configuration,
    .label: .label, .port: .port, .configuration: .configuration, .unit: .unit,
    .mount: .container, .container: .container, .boolean: .boolean, .rule: .policy,
  ]

  /// What the record does not say and other lines do.
  private func filled(_ command: String, _ denial: Denial, _ path: String?) -> String {
    var text = command
    // `HOST-DIRECTORY` is another one: that of a mount's source.
    if let path, !text.has("HOST-DIRECTORY") { text = text.putting(path, for: "DIRECTORY") }
    if let mount = mount(of: denial) {
      text = text.putting(mount.source, for: "HOST-DIRECTORY")
      text = text.putting(mount.destination, for: "/IN-CONTAINER")
    }
    return text
  }

  /// The mount that a container's denial is about; by its source's name where the record has only that.
  private func mount(of denial: Denial) -> ContainerFacts.Mount? {
    if let inside = denial.path {
      return facts.containers.mount(of: inside).flatMap { $0.isPath ? $0 : nil }
    }
    guard let name = denial.name else { return nil }
    let found = facts.containers.mounts.filter {
      $0.isPath && $0.source.split(separator: "/").last.map(String.init) == name
    }
    return found.count == 1 ? found.first : nil
  }

  private func checks(_ lead: DenialJudgement, _ path: String?) -> [String] {
    if lead.denial.isGranted || lead.trouble == .selfFallingBack { return [] }
    if lead.trouble == .engine {
      return [
        "restart the engine and start the container again: no new record (ausearch -m AVC -ts recent)"
      ]
    }
    if lead.trouble == .notTorsDomain {
      return ["ps -eZ | grep -w tor    # tor's service runs in tor_t"]
    }
    var checks: [String] = []
    let kinds = Set(lead.remedies.map(\.kind))
    if kinds.contains(.label), let place = path ?? lead.denial.path,
      lead.trouble != .unlabelledMount, lead.trouble != .storageLabel
    {
      checks.append("matchpathcon -V \(quoted(place))    # verified")
    }
    if kinds.contains(.port) { checks.append("semanage port -l | grep -w tor_port_t") }
    if kinds.contains(.boolean), lead.denial.targetClass == "capability" {
      checks.append("getsebool tor_can_onion_services; sesearch -A -s tor_t -t tor_t -c capability")
    }
    if kinds.contains(.mount) || lead.trouble == .constraint {
      checks.append(
        "ls -dZ <the mount's source>; ps -eZ | grep container_t    # the same categories")
    }
    let command = lead.denial.command.map { " -c \(quoted($0))" } ?? ""
    return checks + ["ausearch -m AVC -ts recent\(command)    # no new record after the next start"]
  }

  // MARK: - How much it matters

  private func impact(_ judgement: DenialJudgement) -> Impact {
    if judgement.wasLetThrough { return .notice }
    let denial = judgement.denial
    switch judgement.trouble {
    case .granted, .selfFallingBack, .notTorsDomain: return .notice
    case .policyUpdate, .socket, .unknown, .dangerous, .unknownLabel: return .limits
    case .portLabel: return denial.permissions.contains("name_connect") ? .limits : .blocks
    case .constraint, .wrongLabel, .wrongPlace, .unlabelledMount, .storageLabel, .ownership, .unit,
      .engine:
      return .blocks
    }
  }

  private func stage(_ denial: Denial) -> Finding.Stage {
    switch denial.targetClass {
    case "tcp_socket", "udp_socket":
      return denial.permissions.contains("name_connect") ? .running : .listeners
    case "sock_file", "unix_stream_socket":
      return denial.permissions.contains("mounton") ? .launch : .running
    case "filesystem", "process": return .running
    default: return denial.permissions.contains("mounton") ? .launch : .directory
    }
  }

  private func isAllowedNow(_ denial: Denial) -> Bool {
    guard let allowed = host?.allowed, !denial.permissions.isEmpty else { return false }
    return denial.permissions.allSatisfy {
      allowed["\(denial.sourceType) \(denial.targetType) \(denial.targetClass) \($0)"] == true
    }
  }

  // MARK: - Log lines of the same refusal

  private func matching(_ cluster: [DenialJudgement]) -> [Int] {
    facts.log.groups.indices.filter { index in
      let group = facts.log.groups[index]
      return cluster.contains { isSame(group, $0.denial) }
    }
  }

  private func isSame(_ group: TorLog.Group, _ denial: Denial) -> Bool {
    let isContainers =
      denial.sourceType.hasPrefix("container") || denial.sourceType.has("onionkeeper")
    guard
      isInContainer(group)
        ? isContainers : denial.sourceType == "tor_t" || denial.command == "tor" && !isContainers
    else { return false }
    switch group.topic {
    case .unreadable, .create, .fileUnreadable, .fileUnwritable, .logFile, .dataDirectory:
      let reason = group.captures["reason"] ?? "Permission denied"
      guard reason.has("Permission denied") else { return false }
      if denial.targetClass.has("capability") {
        return group.topic == .unreadable && denial.permissions.contains { $0.hasPrefix("dac_") }
          && !isInContainer(group) && !isBoundedOut(group)
      }
      return isSame(path: group.captures["path"] ?? "", denial)
    case .bind:
      guard let port = denial.sourcePort else { return false }
      return group.captures["address"]?.hasSuffix(":\(port)") ?? false
    case .target:
      guard let port = denial.destinationPort else { return false }
      return group.captures["target"]?.has(":\(port)") ?? false
    case .transport: return denial.permissions.contains("execute")
    default: return false
    }
  }

  /// The object is the path, a folder on the way, or a file in it.
  private func isSame(path: String, _ denial: Denial) -> Bool {
    guard ["dir", "file", "lnk_file"].contains(denial.targetClass) else { return false }
    if let object = denial.path {
      return object == path || path.hasPrefix(object + "/") || object.hasPrefix(path + "/")
    }
    guard let name = denial.name, name != "/" else { return false }
    // In a container the record has the host's name for it.
    if let place = facts.containers.hostPath(path),
      place.split(separator: "/").contains(Substring(name))
    {
      return true
    }
    return path.split(separator: "/").contains { $0 == name } || name == "hs_ed25519_secret_key.tmp"
  }
}
