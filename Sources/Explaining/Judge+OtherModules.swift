import SELinux

/// What looks like SELinux and is not: AppArmor, system call filters, systemd's steps.
extension Judge {
  /// - Parameter claimed: log lines that are explained, to which those of the same refusal are added.
  func otherModuleFindings(_ claimed: inout Set<Int>) -> [Finding] {
    var found: [Finding] = []
    var profiles: [String: Int] = [:]
    for notice in facts.audit.notices where notice.kind == .appArmor {
      guard notice.fields["apparmor"] != "STATUS", notice.fields["apparmor"] != "AUDIT" else {
        continue
      }
      var finding = appArmor(notice)
      for index in sameRefusal(notice) where claimed.insert(index).inserted {
        finding.evidence.add(facts.log.groups[index].evidence)
        finding.consequences += facts.log.groups[index].consequences
      }
      // The kernel's line and the audit daemon's are one event.
      let key = "\(finding.code) \(finding.title)"
      if let known = profiles[key] {
        found[known].evidence.add(finding.evidence)
      } else {
        profiles[key] = found.count
        found.append(finding)
      }
    }
    let seccomp = facts.audit.notices.filter {
      $0.kind == .seccomp && $0.fields["comm"]?.has("tor") ?? true
    }
    let killed = groups(.killedBySystemCall).map(\.1)
    if let first = seccomp.first {
      found.append(
        filtered(
          evidence(first), position: facts.position(first.evidence.first),
          call: first.fields["syscall"])
      )
    } else if let first = killed.first {
      found.append(filtered(first.evidence, position: first.position, call: nil))
    }
    for (_, group) in groups(.unitPath) { found.append(unitPath(group)) }
    for (_, group) in groups(.step) {
      if group.captures["step"] == "NAMESPACE",
        let known = found.firstIndex(where: { $0.code == "systemd.namespace" })
      {
        found[known].evidence.add(group.evidence)
        found[known].consequences += group.consequences
        continue
      }
      if group.captures["step"] == "APPARMOR",
        let known = found.firstIndex(where: { $0.code == "apparmor.profile" })
      {
        found[known].evidence.add(group.evidence)
        found[known].consequences += group.consequences
      } else {
        found.append(step(group))
      }
    }
    for notice in facts.audit.notices {
      switch notice.kind {
      case .selinuxError: found.append(selinuxError(notice))
      case .fileAccess, .landlock, .integrity:
        if let finding = otherRefusal(notice) { found.append(finding) }
      case .appArmor, .seccomp, .enforcing, .policyLoaded, .booleanChanged: break
      }
    }
    return found
  }

  func evidence(_ notice: AuditNotice) -> EvidenceList {
    evidence(notice.evidence, count: notice.count)
  }

  func evidence(_ places: [AuditEvidence], count: Int) -> EvidenceList {
    var list = EvidenceList()
    for place in places {
      list.add(Evidence(file: place.file, line: place.line, text: Redaction.shown(place.text)))
    }
    list.count(more: count - places.count)
    return list
  }

  // MARK: - AppArmor

  /// tor's own lines of what a record refused: the same path, or a file in it.
  private func sameRefusal(_ notice: AuditNotice) -> [Int] {
    guard notice.fields["apparmor"] == "DENIED", let name = notice.fields["name"],
      name.hasPrefix("/")
    else { return [] }
    let place = TorrcFacts.normal(name)
    return groups(.unreadable, .create, .fileUnreadable, .fileUnwritable, .dataDirectory, .logFile)
      .filter { _, group in
        guard group.captures["reason"]?.has("Permission denied") ?? true,
          let path = group.captures["path"].map(TorrcFacts.normal), !isInContainer(group)
        else { return false }
        return path == place || path.hasPrefix(place + "/") || place.hasPrefix(path + "/")
      }.map(\.0)
  }

  private func appArmor(_ notice: AuditNotice) -> Finding {
    let fields = notice.fields
    let position = facts.position(notice.evidence.first)
    let isMissing =
      fields["info"]?.has("label not found") ?? false
      || fields["info"]?.has("profile not found") ?? false
    if isMissing || fields["operation"] == "change_onexec" {
      let profile = fields["name"] ?? fields["target"] ?? "system_tor"
      return Finding(
        "apparmor.profile", .blocks, .launch,
        "The unit wants the AppArmor profile \(profile), which is not loaded.",
        cause:
          "This is AppArmor: the record has no contexts, so nothing of SELinux (labels, booleans, modules) has to do with it. `No such file` means the profile, not tor's program; tor's own configuration is not the matter.",
        confidence: .high, evidence: evidence(notice), position: position,
        fixes: [
          Fix(
            .unit, "Load the profile.",
            ["apparmor_parser -r \(quoted("/etc/apparmor.d/" + profile))"]),
          Fix(
            .unit,
            "If that file is not there, install it again with the package that brings it, or from a backup."
          ),
        ], check: ["aa-status | grep -w \(quoted(profile))"] + restartCheck)
    }
    let profile = fields["profile"] ?? "?"
    let name = fields["name"] ?? "?"
    let mask = fields["denied_mask"] ?? fields["requested_mask"] ?? "r"
    if fields["apparmor"] == "ALLOWED" {
      return Finding(
        "apparmor.complain", .notice, .later,
        "AppArmor only notes what \(profile) does with \(name): the profile is in complain mode.",
        cause:
          "Nothing was refused: it is not the cause of a failure. It is no SELinux record either.",
        confidence: .high, evidence: evidence(notice), position: position,
        fixes: [Fix(.nothing, "Nothing is to be done.")])
    }
    let isTor = profile.has("tor") || fields["comm"] == "tor"
    let capability = fields["operation"] == "capable" ? fields["capname"] : nil
    let what = capability.map { "the capability \($0)" } ?? "\(name) (\(mask))"
    // A folder of its own is read, and what is in it is written: hostname, new keys.
    let rules =
      capability.map { ["capability \($0),"] }
      ?? (name.hasSuffix("/")
        ? ["\(name) r,", "\(name)** rwk,"]
        : ["\(name) \(mask.has("w") || mask.has("c") ? "rwk" : "r"),"])
    return Finding(
      "apparmor.denied", isTor ? .blocks : .notice, .directory,
      "AppArmor refused \(profile) \(what).",
      cause:
        "The profile does not name that. This is AppArmor, not SELinux: the record has no contexts, and labels or booleans cannot help."
        + (isTor
          ? " Debian's profile for tor knows /var/lib/tor only." : " It is not tor's profile."),
      confidence: .high, evidence: evidence(notice), position: position,
      fixes: isTor
        ? [
          capability == nil
            ? Fix(.configuration, "Keep the service's directory below /var/lib/tor.")
            : Fix(
              .unit,
              "Start tor as its own user (User= in a drop-in): then it needs no capability of root."
            ),
          Fix(
            .unit,
            "Or add the one \(capability == nil ? "path" : "capability") to the profile's local part.",
            [
              "printf '%s\\n' \(rules.map(quoted).joined(separator: " ")) >> \(quoted("/etc/apparmor.d/local/" + profile))",
              "apparmor_parser -r \(quoted("/etc/apparmor.d/" + profile))",
            ]),
        ] : [],
      check: ["journalctl -k -g apparmor= --no-pager | tail"] + restartCheck)
  }

  // MARK: - Filters and steps

  private func filtered(_ evidence: EvidenceList, position: Int, call: String?) -> Finding {
    Finding(
      "seccomp", .blocks, .running,
      "A system call filter ended tor\(call.map { " (system call \($0))" } ?? "").",
      cause:
        "The unit's SystemCallFilter, the container's seccomp profile, or tor's own `Sandbox 1` does not know the call. No policy or label has to do with it.",
      confidence: .high, evidence: evidence, position: position,
      fixes: [
        Fix(
          .update,
          "Bring engine, libseccomp and tor up to date: their lists grow with the kernel and the C library."
        ),
        Fix(
          .unit, "Or add the one call that the record names to the unit's SystemCallFilter.",
          [
            call.map { "ausyscall \($0)    # its name" }
              ?? "journalctl -k -g 'type=1326' --no-pager | tail"
          ]),
      ], check: restartCheck)
  }

  /// systemd names the path that it could not put into the unit's view.
  private func unitPath(_ group: TorLog.Group) -> Finding {
    let path = PathFacts.outsideOfUnit(group.captures["path"] ?? "?")
    let reason = group.captures["reason"] ?? ""
    let isMissing = reason.has("No such file")
    return blocked(
      group, "systemd.namespace",
      "systemd could not prepare \(path) for the unit: \(reason).",
      isMissing
        ? "A line of the unit (ReadWritePaths, ReadOnlyPaths, BindPaths, InaccessiblePaths, or their old names …Directories) names it, and it is not there. tor has not even been started; rights and labels are not the matter."
        : "A line of the unit names it, and it could not be mounted there. tor has not even been started.",
      stage: .launch,
      fixes: [
        Fix(
          .unit,
          isMissing
            ? "If it is a service's disk, mount it first (`RequiresMountsFor=\(path)` in the unit keeps that order). Otherwise make the folder, or put `-` before the path in the unit, which lets it be absent."
            : "See what lies there, and take the path out of the unit if tor does not need it.",
          ["systemctl cat \(unitWord) | grep -n \(quoted(path))"])
      ], check: ["findmnt -T \(quoted(path)); ls -ld \(quoted(path))"] + restartCheck)
  }

  private func step(_ group: TorLog.Group) -> Finding {
    let step = group.captures["step"] ?? "?"
    let program = group.captures["path"] ?? "the program"
    let reason = group.captures["reason"] ?? ""
    let (cause, fix): (String, String) =
      switch step {
      case "EXEC":
        (
          "The program is missing, not executable, or a security module keeps systemd from starting it.",
          "Install it again, or mend the path in ExecStart; on a host with SELinux also its label: restorecon -v \(program)."
        )
      case "USER", "GROUP":
        (
          "The unit's User= or Group= does not exist.",
          "Name the user that this distribution has for tor."
        )
      case "NAMESPACE":
        (
          "A path that the unit names (ReadWritePaths, BindPaths, InaccessiblePaths) does not exist, or a mount was refused.",
          "Make the folder, or put `-` before the path in the unit."
        )
      case "CHDIR":
        (
          "The unit's WorkingDirectory cannot be entered.",
          "Make the folder for the unit's user, or take the line out."
        )
      case "CAPABILITIES":
        (
          "The capabilities that the unit asks for are not in the set of whoever started systemd (a container).",
          "Ask for fewer capabilities in the unit."
        )
      case "SECCOMP":
        (
          "The kernel or container does not permit a filter here.",
          "See SystemCallFilter= of the unit."
        )
      case "SELINUX_CONTEXT":
        (
          "The policy does not know the context of SELinuxContext=, or does not let systemd enter it.",
          "Correct the context, or take the line out: the policy finds tor's domain by the program's label."
        )
      case "APPARMOR":
        (
          "The profile of AppArmorProfile= is not loaded; that is AppArmor, nothing of SELinux.",
          "Load it: apparmor_parser -r /etc/apparmor.d/<profile>."
        )
      case "STATE_DIRECTORY", "RUNTIME_DIRECTORY", "LOGS_DIRECTORY":
        (
          "systemd could not make the unit's folder, or give it to the unit's user.",
          "See what lies at that path now; a link or a file of another owner is in the way."
        )
      default:
        (
          "systemd could not prepare the process.",
          "`systemd-analyze verify` and the unit's lines tell more."
        )
      }
    return blocked(
      group, "systemd.\(step.lowercased())",
      "systemd could not start \(program): step \(step), \(reason).", cause, stage: .launch,
      confidence: .medium, fixes: [Fix(.unit, fix)],
      check: ["systemctl cat \(unitWord)"] + restartCheck)
  }
}
