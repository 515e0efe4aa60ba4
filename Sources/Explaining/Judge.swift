import SELinux

/// From facts to findings. Each kind of trouble has its file; what one has explained, no other explains again.
struct Judge {
  let facts: Facts
  let host: HostAnswers?

  /// More than that, and nobody reads any.
  static let findingLimit = 100

  func findings() -> [Finding] {
    let denials = denialFindings()
    var found = denials.findings
    var claimed = denials.claimed
    found += otherModuleFindings(&claimed)
    found += directoryFindings(except: claimed)
    found += configurationFindings()
    found += keyFindings(except: claimed)
    found += runningFindings(except: claimed)
    found += torrcFindings(besides: found)
    if found.allSatisfy({ $0.impact == .notice }), let orphans = orphanFinding() {
      found.append(orphans)
    }
    return Array(found.sorted(by: Finding.isBefore).prefix(Self.findingLimit))
  }

  func notes() -> [String] {
    var notes: [String] = []
    func count(_ number: Int, _ text: String) {
      if number > 0 { notes.append("\(number) \(text)") }
    }
    count(facts.cutLines, "lines were longer than \(LineSplitter.limit) bytes and were cut")
    count(facts.binaryLines, "lines held NUL bytes")
    count(facts.audit.counts.broken, "audit records are cut off or damaged and were not used")
    count(
      facts.audit.counts.dropped,
      "denials beyond the \(AuditReader.denialLimit)th kind were only counted")
    count(
      facts.log.overflow,
      "log lines beyond \(TorLogLimits.groups) different troubles were only counted")
    count(facts.suspicious.overflow, "more lines look like trouble and are not known here")
    for text in host?.silent ?? [] { notes.append(text) }
    return notes
  }

  // MARK: - What several kinds share

  func groups(_ topics: Saying.Topic..., except claimed: Set<Int> = []) -> [(Int, TorLog.Group)] {
    facts.log.groups.enumerated().filter {
      topics.contains($0.element.topic) && !claimed.contains($0.offset)
    }.map { ($0.offset, $0.element) }
  }

  /// Nothing of SELinux can be the cause.
  var isSELinuxOff: Bool {
    facts.state.mode?.value == .disabled || host?.mode == "disabled"
      || !facts.audit.notices.isEmpty
        && facts.audit.notices.allSatisfy { $0.kind == .appArmor }
        && facts.audit.denials.isEmpty
  }

  /// Somebody looked and saw no denial, or there is no SELinux to make one.
  var hasNoDenials: Bool { facts.state.noDenials != nil || isSELinuxOff }

  /// Whom tor runs as once it has started, as far as anything says.
  var torUser: String? {
    facts.torrc.user ?? facts.units.tor?.user
      ?? host?.unit["User"].flatMap { $0.isEmpty ? nil : $0 }
  }

  /// The same, for a command that is to be typed.
  var torUserWord: String { torUser ?? "<tor's user>" }

  /// The name of tor's unit, for a command.
  var unitWord: String {
    let name = host?.unitName ?? facts.units.tor?.name
    guard let name, name.hasSuffix(".service") else { return "tor" }
    return String(name.dropLast(8))
  }

  /// The line came out of a container, or lies in a mount of one.
  func isInContainer(_ group: TorLog.Group) -> Bool {
    if group.container != nil { return true }
    // The journal's and syslog's tor is the host's.
    guard group.program == nil, let path = group.captures["path"] else { return false }
    return facts.containers.mount(of: path) != nil
  }

  /// How to see denials that policy keeps out of the log.
  var hiddenDenials: [String] {
    isSELinuxOff
      ? []
      : [
        "ausearch -m AVC,USER_AVC,SELINUX_ERR -ts recent -i    # the denial, if policy lets it be logged",
        "semodule -DB; systemctl restart \(unitWord); ausearch -m AVC -ts recent -i; semodule -B    # those that `dontaudit` hides",
      ]
  }

  /// Whether tor takes its directory now.
  var restartCheck: [String] {
    [
      "systemctl restart \(unitWord) && journalctl -u \(unitWord) -n 20 --no-pager    # no new [warn] line"
    ]
  }

  func quoted(_ path: String) -> String {
    path.utf8.allSatisfy {
      (0x30...0x39).contains($0) || (0x61...0x7a).contains($0 | 0x20)
        || "/._-@+,:".utf8.contains($0)
    }
      ? path
      : "'"
        + path.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''")
        + "'"
  }

  /// Only the lines that say that something failed were given.
  private func orphanFinding() -> Finding? {
    guard facts.log.orphans.count > 0 else { return nil }
    return Finding(
      "cause.missing", .blocks, .later,
      "tor did not start, and the line that says why is not among what was given.",
      cause:
        "These lines only repeat that something before them failed. tor writes the reason in a [warn] line just above.",
      confidence: .low, evidence: facts.log.orphans, position: facts.log.orphanPosition,
      check: [
        "journalctl -u \(unitWord) -b --no-pager | grep -B5 'Reading config failed'",
        "tor --verify-config -f /etc/tor/torrc    # as the unit starts it: `systemctl cat \(unitWord)` shows how",
      ])
  }
}
