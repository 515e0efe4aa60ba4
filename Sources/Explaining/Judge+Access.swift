/// `Directory … cannot be read`, `Error creating directory …`: several causes write the same line.
extension Judge {
  func unreadable(_ group: TorLog.Group) -> Finding {
    let path = group.captures["path"] ?? "the directory"
    let reason = group.captures["reason"] ?? "Permission denied"
    if reason.has("symbolic links") || reason.has("Symbolic link loop") {
      return blocked(
        group, "directory.link", "\(path) is a symbolic link.",
        "tor opens a private directory without following links, so that nobody can put another in its place.",
        fixes: [
          Fix(
            .configuration, "Name the directory itself in the torrc.",
            ["readlink -f \(quoted(path))"]),
          Fix(.configuration, "Or put it in place with a bind mount, if its name must stay."),
        ], check: ["stat -c %F \(quoted(path))    # directory"] + restartCheck)
    }
    if reason.has("Operation not permitted") { return sandboxed(group, path) }
    if ["Input/output", "I/O error", "Stale", "not connected"].contains(where: reason.has) {
      return blocked(
        group, "directory.storage", "The storage under \(path) does not answer: \(reason).",
        "No right is missing: the disk, the share or its mount is broken.",
        fixes: [
          Fix(
            .configuration,
            "Mend the mount before tor starts again; without its key a service would get another address."
          )
        ],
        check: ["findmnt -T \(quoted(path)); dmesg | tail -20"])
    }
    if isInContainer(group) { return containerUnreadable(group, path) }
    return unitHides(group, path) ?? boundingSet(group, path) ?? listedOwner(group, path)
      ?? hostSteps(group, path) ?? withheldCapability(group, path) ?? unknownAccess(group, path)
  }

  private func sandboxed(_ group: TorLog.Group, _ path: String) -> Finding {
    var evidence = EvidenceList()
    if let option = facts.torrc.options["sandbox"] { evidence.add(option.evidence) }
    return blocked(
      group, "directory.sandbox", "tor's own sandbox kept it from reading \(path).",
      "With `Sandbox 1` a running tor may not open a service's directory again, so a reload fails and ends it. SELinux answers `Permission denied`, never this.",
      confidence: facts.torrc.options["sandbox"]?.value == "1" ? .high : .medium,
      evidence: evidence,
      fixes: [
        Fix(.configuration, "Restart instead of reloading.", ["systemctl restart \(unitWord)"]),
        Fix(
          .unit,
          "Or set `Sandbox 0` and let systemd or the container's seccomp filter confine tor, which a reload survives."
        ),
      ], check: restartCheck)
  }

  // MARK: - The unit

  /// A unit that hides or bars the folder.
  private func unitHides(_ group: TorLog.Group, _ path: String) -> Finding? {
    guard let unit = facts.units.tor else { return nil }
    let home = unit.last("ProtectHome")?.lowercased() ?? "no"
    let isHome = ["/home/", "/root/", "/run/user/"].contains { (path + "/").hasPrefix($0) }
    let barred = unit.paths("InaccessiblePaths", "InaccessibleDirectories").first {
      path == $0 || path.hasPrefix($0 + "/")
    }
    guard isHome && ["yes", "true", "1", "on", "tmpfs"].contains(home) || barred != nil else {
      return nil
    }
    let key = barred == nil ? "ProtectHome=\(home)" : "InaccessiblePaths=\(barred ?? "")"
    return blocked(
      group, "unit.hides", "The unit hides \(path) from tor.",
      "\(key) makes everything there unreachable for this service, whoever owns it. The kernel writes no record of that.",
      evidence: unit.evidence(of: barred == nil ? "ProtectHome" : "InaccessiblePaths"),
      fixes: [
        Fix(
          .configuration,
          "Keep the service's directory below tor's own folder, as /var/lib/tor/NAME, and name it in the torrc."
        ),
        Fix(
          .unit,
          "Or show the unit this one directory at another place, and name that place in the torrc.",
          ["systemctl edit \(unitWord)    # [Service] BindPaths=\(path):/var/lib/tor/<name>"]),
      ], check: restartCheck)
  }

  /// Whether the unit leaves root what lets it into a folder of somebody else.
  func hasReadCapability(_ unit: UnitFacts) -> Bool {
    unit.bounds("CAP_DAC_READ_SEARCH") ?? true || unit.bounds("CAP_DAC_OVERRIDE") ?? true
  }

  /// Whether tor is started as root with a bounding set in which nothing lets root into another's directory.
  func isBoundedOut(_ group: TorLog.Group) -> Bool {
    guard !isInContainer(group) else { return false }
    if let unit = facts.units.tor { return unit.user == nil && !hasReadCapability(unit) }
    if let bits = facts.state.boundingSet?.bits { return bits & 0b110 == 0 && torUser != nil }
    if let set = host?.unit["CapabilityBoundingSet"], host?.unit["User"]?.isEmpty ?? true {
      let lower = set.lowercased()
      return !lower.has("cap_dac_read_search") && !lower.has("cap_dac_override")
    }
    return false
  }

  private func boundingSet(_ group: TorLog.Group, _ path: String) -> Finding? {
    guard isBoundedOut(group) else { return nil }
    var evidence = EvidenceList()
    let unit = facts.units.tor
    if let unit { evidence.add(unit.evidence(of: "CapabilityBoundingSet")) }
    if let bits = facts.state.boundingSet { evidence.add(bits.evidence) }
    let entry = facts.listing.entry(at: path)
    if let entry { evidence.add(entry.evidence) }
    if let user = facts.torrc.options["user"] { evidence.add(user.evidence) }
    let user = torUser ?? entry.flatMap { $0.owner == "root" ? nil : $0.owner }
    let isProven = user != nil || entry.map { $0.owner != "root" } ?? false
    return blocked(
      group, "unit.capabilities",
      "The unit takes from root the capability to enter \(path), which is \(user ?? "another user")'s.",
      "tor starts as root and checks the directory before it becomes \(user ?? "its own user"). A root without CAP_DAC_READ_SEARCH is an ordinary user before a 0700 directory of somebody else, "
        + "and the unit's CapabilityBoundingSet lacks it. The kernel refuses that before any security module is asked"
        + (hasNoDenials
          ? ", which is why there is no audit record." : "; so there is no audit record of it."),
      confidence: isProven ? .high : .medium, evidence: evidence,
      fixes: [
        Fix(
          .unit,
          "Start the unit as \(user ?? "tor's user"): then root is never needed, and the set can shrink. (Take the `User` line out of the torrc then; ports below 1024 need AmbientCapabilities=CAP_NET_BIND_SERVICE.)",
          ["systemctl edit \(unitWord)    # [Service] User=\(user ?? torUserWord)"]),
        Fix(
          .unit,
          "Or add that one capability with a drop-in; it lets root read and enter, not write. The other hardening stays.",
          [
            "systemctl edit \(unitWord)    # [Service] CapabilityBoundingSet=CAP_DAC_READ_SEARCH    (a drop-in adds to the set)"
          ]),
      ],
      check: [
        "systemctl show \(unitWord) -p User -p CapabilityBoundingSet"
      ] + restartCheck)
  }

  // MARK: - Owners along the path

  private func listedOwner(_ group: TorLog.Group, _ path: String) -> Finding? {
    guard let user = torUser else { return nil }
    var part = ""
    for name in path.split(separator: "/") {
      part += "/\(name)"
      guard let entry = facts.listing.entry(at: part), entry.isFolder, entry.owner != user else {
        continue
      }
      let isLast = part == path
      // Of another's folder only the last three bits, or the group's, help.
      let needed = isLast ? 0o5 : 0o1
      let others = entry.mode & 0o7
      let groups = entry.group == user ? entry.mode >> 3 & 0o7 : 0
      guard others & needed != needed, groups & needed != needed else { continue }
      var evidence = EvidenceList()
      evidence.add(entry.evidence)
      return blocked(
        group, isLast ? "directory.owner" : "directory.parent",
        isLast
          ? "\(path) belongs to \(entry.owner) with mode \(entry.octal), and tor runs as \(user)."
          : "\(user) may not pass through \(part), which is \(entry.owner)'s with mode \(entry.octal).",
        "Plain ownership: the listing shows it. SELinux has no part in it.",
        evidence: evidence,
        fixes: [
          isLast
            ? Fix(
              .ownership, "Give this one directory to \(user).",
              ["chown -R \(user): \(quoted(path))", "chmod 0700 \(quoted(path))"])
            : Fix(
              .ownership, "Let \(user) pass, and only pass, through that one folder.",
              ["setfacl -m u:\(user):x \(quoted(part))"]),
          Fix(.configuration, "Or keep the service below tor's own folder, as /var/lib/tor/NAME."),
        ], check: ["runuser -u \(user) -- ls -d \(quoted(path))"] + restartCheck)
    }
    return nil
  }

  /// tor's user, if only by this host having one of the usual ones.
  private var hostTorUser: String? {
    if let torUser { return torUser }
    guard let users = host?.users, users.count == 1 else { return nil }
    return users.keys.first
  }

  private enum HostWay { case notAsked, missing, open }

  /// Whether tor's user gets there by owner and mode, after `hostSteps` found nothing in its way.
  private func hostWay(to path: String) -> HostWay {
    guard let steps = host?.paths[path], let last = steps.last else { return .notAsked }
    guard last.path == path else { return .missing }
    guard let user = hostTorUser, host?.users[user] != nil else { return .notAsked }
    return .open
  }

  private func hostSteps(_ group: TorLog.Group, _ path: String) -> Finding? {
    guard let steps = host?.paths[path], let user = hostTorUser, let uid = host?.users[user] else {
      return nil
    }
    for step in steps where step.uid != uid && step.isFolder {
      let isLast = step.path == path
      let needed = isLast ? 0o5 : 0o1
      guard step.mode & needed != needed else { continue }
      return blocked(
        group, isLast ? "directory.owner" : "directory.parent",
        "\(step.path) belongs to uid \(step.uid) with mode 0\(String(step.mode & 0o7777, radix: 8)) on this host, and tor runs as \(user) (\(uid)).",
        "Plain ownership, as this host shows it now.",
        fixes: [
          isLast
            ? Fix(
              .ownership, "Give this one directory to \(user).",
              ["chown -R \(user): \(quoted(path))", "chmod 0700 \(quoted(path))"])
            : Fix(
              .ownership, "Let \(user) pass, and only pass, through that one folder.",
              ["setfacl -m u:\(user):x \(quoted(step.path))"])
        ], check: ["runuser -u \(user) -- ls -d \(quoted(path))"] + restartCheck)
    }
    return nil
  }

  // MARK: - Containers

  private func containerUnreadable(_ group: TorLog.Group, _ path: String) -> Finding {
    let mount = facts.containers.mount(of: path)
    let place = facts.containers.hostPath(path).map(quoted) ?? "<the host's side of \(path)>"
    var evidence = EvidenceList()
    if let mount { evidence.add(mount.evidence) }
    let isUnlabelled = mount.map { $0.isPath && !$0.isPrivate && !$0.isShared } ?? true
    var fixes = [
      Fix(
        .ownership,
        "If the owner is another than the container's tor: give it this one directory (with the offset of /etc/subuid where ids are remapped).",
        ["chown -R <uid of tor in the container> \(place)", "chmod 0700 \(place)"])
    ]
    if isUnlabelled, !isSELinuxOff {
      fixes.append(
        Fix(
          .container,
          "If the host enforces SELinux: label the directory for this one container, by `:Z` at the end of this one mount."
        ))
    }
    return blocked(
      group, "container.access", "The container's tor may not read \(path).",
      "Either the directory, or one above it, belongs to another user than tor's in the container, or SELinux on the host refuses it because the mount is not labelled for the container. What was given does not tell which.",
      confidence: .low, evidence: evidence, fixes: fixes,
      check: ["ls -ldnZ \(place)    # owner and label"] + hiddenDenials.prefix(1))
  }

  // MARK: - Not to be told from the line

  private func unknownAccess(_ group: TorLog.Group, _ path: String) -> Finding {
    let way = hostWay(to: path)
    var causes = ["a unit that takes CAP_DAC_READ_SEARCH from root"]
    if way != .open { causes.insert("an owner or mode along the path", at: 0) }
    if !isSELinuxOff { causes.append("SELinux (a label, or a capability that tor's domain lacks)") }
    // What was given rules some out.
    if let unit = facts.units.tor, hasReadCapability(unit) {
      causes.removeAll { $0.has("CAP_DAC_READ_SEARCH") }
    }
    if group.program == nil, way != .open {
      causes.insert("a start by hand by somebody who is neither root nor tor's user", at: 0)
    }
    // A kernel enforces one of the two.
    if facts.state.mode?.value != .enforcing { causes.append("AppArmor") }
    let count = ["One cause writes", "Two causes write", "Three causes write", "Four causes write"]
    let last = causes.removeLast()
    var cause =
      "\(causes.count < count.count ? count[causes.count] : "Five causes write") this line: "
      + (causes.isEmpty ? "" : causes.joined(separator: ", ") + ", or ") + "\(last)."
    switch way {
    case .open:
      cause += " Owners and modes are right all along the path, as this host shows it now."
    case .missing:
      cause +=
        " On this host it is not to be seen: the log is another host's, its disk is not mounted, or you are not root."
    case .notAsked: break
    }
    if !isSELinuxOff, facts.state.noDenials != nil {
      cause += " Nobody saw a denial in the audit log, but policy may hide one (`dontaudit`)."
    }
    return blocked(
      group, "directory.unreadable",
      "tor may not read \(path), and what was given does not show why.", cause,
      confidence: .low, fixes: accessFixes(path, isOwnerRight: way == .open),
      check: [
        "namei -l \(quoted(path))    # each owner and mode on the way",
        "systemctl show \(unitWord) -p User -p CapabilityBoundingSet -p ProtectHome",
      ]
        + (isSELinuxOff
          ? ["journalctl -k -g apparmor= --no-pager | tail"]
          : ["ls -dZ \(quoted(path)); ps -eZ | grep -w tor"] + hiddenDenials))
  }

  private func accessFixes(_ path: String, isOwnerRight: Bool) -> [Fix] {
    var fixes: [Fix] = []
    if !isOwnerRight {
      fixes.append(
        Fix(
          .ownership,
          "If the directory is not tor's user's, or a folder above it does not let that user pass: mend that one.",
          [
            "chown -R \(hostTorUser ?? torUserWord): \(quoted(path))",
            "chmod 0700 \(quoted(path))",
          ]))
    }
    if !isSELinuxOff {
      fixes.append(
        Fix(
          .label,
          "If a denial names the directory with another type than tor_var_lib_t: label it, for good.",
          [
            "semanage fcontext -a -t tor_var_lib_t \(fcontext(path))",
            "restorecon -Rv \(quoted(path))",
          ]))
    }
    if facts.units.tor.map({ !hasReadCapability($0) }) ?? true {
      fixes.append(
        Fix(
          .unit,
          "If tor starts as root and its unit's CapabilityBoundingSet lacks CAP_DAC_READ_SEARCH: start the unit as tor's user, or add that capability."
        ))
    }
    if !isSELinuxOff {
      if facts.state.booleans["tor_can_onion_services"]?.isOn == false {
        fixes.append(
          Fix(
            .boolean,
            "If a denial names the capability dac_read_search: this policy's switch for it, which is off.",
            ["setsebool -P tor_can_onion_services on"]))
      }
      fixes.append(
        Fix(
          .policy,
          "If a denial names the capability dac_read_search: the one rule for it, once the loaded policy is seen to lack it.",
          ["onionkeeper policy from-audit"]))
    }
    return fixes
  }

  /// The pattern for `semanage fcontext`.
  func fcontext(_ path: String) -> String { "'\(path.split(separator: "'").joined())(/.*)?'" }
}
