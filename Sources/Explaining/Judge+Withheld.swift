/// A denial that policy keeps out of the log, told by what is left.
extension Judge {
  /// tor starts as root, its unit leaves it the capability, the directory is its user's and closed to others, SELinux enforces: then
  /// SELinux withheld the capability, whether or not a record was seen (`dontaudit`).
  func withheldCapability(_ group: TorLog.Group, _ path: String) -> Finding? {
    guard isEnforcing, let unit = facts.units.tor, unit.user == nil,
      hasReadCapability(unit),
      let entry = facts.listing.entry(at: path), entry.isFolder,
      entry.owner != "root", entry.owner != "0", entry.mode & 0o7 == 0,
      entry.type.map({ $0.hasPrefix("tor_") }) ?? true
    else { return nil }
    let boolean = facts.state.booleans["tor_can_onion_services"]
    guard boolean?.isOn != true else { return nil }
    var evidence = EvidenceList()
    evidence.add(entry.evidence)
    evidence.add(unit.evidence(of: "CapabilityBoundingSet"))
    if let boolean { evidence.add(boolean.evidence) }
    if let mode = facts.state.mode { evidence.add(mode.evidence) }
    return blocked(
      group, "selinux.withheld",
      "SELinux withholds from tor the capability dac_read_search, without which root may not enter \(path).",
      "It is what is left: the directory is \(entry.owner)'s with mode \(entry.octal)\(entry.type.map { " and the label \($0)" } ?? ""), as it should be; the unit starts tor as root, which looks there before it becomes \(torUser ?? entry.owner); "
        + "the unit leaves root the capability; and SELinux enforces."
        + (boolean == nil ? "" : " The policy's switch for it, tor_can_onion_services, is off.")
        + (facts.state.noDenials == nil
          ? "" : " That no denial is logged says nothing: policy hides this one (`dontaudit`)."),
      confidence: .medium, evidence: evidence,
      fixes: [
        Fix(
          .unit,
          "Start tor as its own user, so that root need not look at all (ports below 1024 then need AmbientCapabilities=CAP_NET_BIND_SERVICE); take the `User` line out of the torrc and of its defaults file.",
          ["systemctl edit \(unitWord)    # [Service] User=\(entry.owner)"]),
        Fix(
          .container,
          "Or run tor in a container as a plain user: then this question does not arise."),
        Fix(
          .boolean,
          boolean == nil
            ? "Or turn the policy's switch for it on, where `getsebool` knows it (Fedora, EL 9)."
            : "Or turn the policy's switch for it on.",
          ["setsebool -P tor_can_onion_services on"]),
        Fix(
          .policy,
          "Or allow this one capability (policies/tor_onion_min.cil); dac_override is not needed.",
          ["(allow tor_t self (capability (dac_read_search)))"]),
      ],
      check: [
        "semodule -DB; systemctl restart \(unitWord); ausearch -m AVC -ts recent -i; semodule -B    # the hidden denial",
        "sesearch -A -s tor_t -t tor_t -c capability    # dac_read_search is not among them",
      ] + restartCheck)
  }

  private var isEnforcing: Bool {
    facts.state.mode?.value == .enforcing || facts.state.mode == nil && host?.mode == "enforcing"
  }
}
