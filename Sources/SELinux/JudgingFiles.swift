extension DenialJudge {
  /// A file or folder that tor was refused: most often its label or its place is wrong.
  func file(_ denial: Denial) -> DenialJudgement {
    let target = denial.targetType
    if denial.target == nil { return unlabelledInTheAlert(denial) }
    if denial.permissions.contains("execute") || denial.permissions.contains("execute_no_trans") {
      return program(denial)
    }
    if target.hasPrefix("tor_") || target == domain { return ownFile(denial) }
    if TypeKinds.free.contains(target) { return sessions(denial) }
    if TypeKinds.containerFiles.contains(target) { return containersFile(denial) }
    if TypeKinds.unlabelledFileSystems.contains(target) { return unlabelledMount(denial) }
    if TypeKinds.isKernels(target) || Self.kernelDevices.contains(denial.device ?? "") {
      return kernelFile(denial)
    }
    if let path = denial.path, Self.standardPlaces.contains(where: { path.hasPrefix($0) }) {
      return moved(denial, "\(path) is in a place that policy knows, with a label from elsewhere")
    }
    if TypeKinds.temporary.contains(target) { return temporary(denial) }
    if TypeKinds.homes.contains(target) { return home(denial) }
    if danger(of: denial) != nil || TypeKinds.isSystem(target) { return systemFile(denial) }
    return TypeKinds.generic.contains(target) || target.hasSuffix("_content_t")
      || target.hasSuffix("_var_lib_t") || target.hasSuffix("_log_t")
      || target.hasSuffix("_cache_t")
      ? generic(denial) : otherFile(denial)
  }

  /// Where `restorecon` alone suffices: policy has tor's types for them.
  private static let standardPlaces = [
    "/var/lib/tor", "/etc/tor", "/run/tor", "/var/run/tor", "/var/log/tor",
  ]

  /// Folders that hold other people's things too: a label on them is no remedy.
  private static let shared: Set<String> = [
    "/", "/mnt", "/tmp", "/var", "/var/tmp", "/home", "/root", "/srv", "/opt", "/etc", "/usr",
    "/usr/local", "/var/lib", "/media", "/run", "/data",
  ]

  private static let directive = "HiddenServiceDir /var/lib/tor/SERVICE/"

  private var move: Remedy {
    Remedy(
      .place,
      "Keep it below /var/lib/tor, where labels are right by themselves, and name the new place in torrc; copy the directory as it is: its key is the service's address.",
      [
        "cp -a --no-preserve=context OLD /var/lib/tor/SERVICE",
        "restorecon -Rv /var/lib/tor/SERVICE",
      ])
  }

  // MARK: - tor's own

  private func ownFile(_ denial: Denial) -> DenialJudgement {
    if denial.targetType == "tor_etc_t", danger(of: denial) != nil {
      return judgement(
        denial, .wrongPlace,
        "A service's directory, or something else that tor writes, lies among its configuration (/etc/tor), which tor may only read.",
        [move], .covered("move it to /var/lib/tor"))
    }
    let isMap = denial.permissions.contains("map")
    return judgement(
      denial, .policyUpdate,
      isMap
        ? "The label is right. The kernel checks map since 4.13, and this policy is older than that check."
        : "The label is right; this policy does not know yet that tor does this.",
      [update(), ruleRemedy("Until then, allow just that.")], .needed, isMap ? .high : .medium)
  }

  /// A pipe, or a process's entry below /proc, of who is not confined.
  private func sessions(_ denial: Denial) -> DenialJudgement {
    judgement(
      denial, .dangerous,
      denial.targetClass == "fifo_file"
        ? "The pipe belongs to the session that started tor (\(denial.targetType)): what tor writes there is lost, tor itself runs."
        : "tor was to look at a process that is not confined (\(denial.targetType)).",
      [
        Remedy(.nothing, "Nothing, if tor works: the refusal is right."),
        Remedy(
          .unit, "Start tor by its unit, not from a login.", ["systemctl restart tor.service"]),
      ], .dangerous("reaches into an unconfined process"))
  }

  /// Only setroubleshoot's sentence: it names no label.
  private func unlabelledInTheAlert(_ denial: Denial) -> DenialJudgement {
    let isStandard =
      denial.path.map { path in Self.standardPlaces.contains { path.hasPrefix($0) } } ?? false
    var remedies = [
      Remedy(
        .label, "See the label that it bears, and the one that policy has for its place.",
        denial.path.map { ["ls -ldZ \(Remedy.quoted($0))", "matchpathcon \(Remedy.quoted($0))"] }
          ?? ["ausearch -m AVC -ts today -i"]),
      Remedy(.label, "If they differ, set the label.", restore(denial)),
    ]
    if !isStandard {
      remedies.insert(move, at: 0)
      if let folder = folder(of: denial) {
        remedies.append(
          Remedy(
            .label, "Or keep it there and give it tor's label (\(type(for: denial))).",
            Remedy.relabel(folder, type(for: denial))))
      }
    }
    return judgement(
      denial, .wrongLabel,
      "The alert's sentence says what was refused, and not which label it bears: the records behind it do (`sealert -l ID`, or `ausearch -m AVC -ts today -i`).",
      remedies, .useless("the record does not say who asked for what"), .low)
  }

  private func program(_ denial: Denial) -> DenialJudgement {
    if danger(of: denial) != nil {
      return judgement(
        denial, .wrongPlace,
        "tor was to start a program that lies where tor or anybody can write (\(denial.targetType)).",
        [
          Remedy(
            .place,
            "Install pluggable transports as packages, below /usr/bin, and name them so in torrc.")
        ], .covered("install it below /usr/bin"))
    }
    return judgement(
      denial, .policyUpdate,
      "tor was to start a program, most likely a pluggable transport. Its label is right; newer policies allow it (2018 on Fedora). execute alone is not enough: execute_no_trans, open, read and map follow.",
      [
        update(),
        ruleRemedy("Until then, allow tor to run such programs in its own domain."),
      ], .covered("update selinux-policy"),
      followers: ["execute", "execute_no_trans", "getattr", "map", "open", "read"])
  }

  private static let kernelDevices: Set<String> = [
    "proc", "sysfs", "cgroup", "cgroup2", "debugfs", "tracefs", "securityfs", "selinuxfs",
  ]

  /// Below /proc and /sys: the policy alone gives these labels, by the file's name.
  private func kernelFile(_ denial: Denial) -> DenialJudgement {
    judgement(
      denial, danger(of: denial) == nil ? .policyUpdate : .dangerous,
      "It is a setting or a report of the kernel (\(denial.targetType)), not a file of tor's: no restorecon changes its label, and its place is not the matter. tor and its libraries look at a few and go on without.",
      [Remedy(.nothing, "Nothing, if tor works."), update()]
        + (danger(of: denial) == nil
          ? [ruleRemedy("If tor fails without it, allow just that.")] : []),
      .covered("update the policy, or do without"), .medium)
  }

  // MARK: - Others' places

  private func containersFile(_ denial: Denial) -> DenialJudgement {
    judgement(
      denial, .wrongLabel,
      "It was labelled for a container (`:z` or `:Z`, \(denial.target?.level ?? "")), and now the host's own tor uses it. One of the two should.",
      [
        Remedy(
          .label, "If the container is gone, give it back to the host's tor.",
          denial.path.map { Remedy.relabel($0, "tor_var_lib_t") } ?? find(denial)
            + [
              "semanage fcontext -a -t tor_var_lib_t 'DIRECTORY(/.*)?'",
              "restorecon -FRv DIRECTORY",
            ]),
        Remedy(
          .container, "If the container is to serve it, stop the host's tor: one key, one tor."),
      ], .covered("label it"))
  }

  private func unlabelledMount(_ denial: Denial) -> DenialJudgement {
    judgement(
      denial, .wrongLabel,
      "The file system (\(denial.targetType)) keeps no labels of its own: the mount has one for all.",
      [
        move,
        Remedy(
          .label, "Or mount it for tor alone with tor's label.",
          ["mount -o context=system_u:object_r:tor_var_lib_t:s0 DEVICE DIRECTORY"]),
      ], .covered("move it, or mount it with context="))
  }

  private func moved(_ denial: Denial, _ why: String) -> DenialJudgement {
    judgement(
      denial, .wrongLabel,
      "\(why) (\(denial.targetType)): it was moved here with mv, which keeps labels, or written by something that sets its own.",
      [Remedy(.label, "Set the label that policy has for its place.", restore(denial))],
      .covered("restorecon"))
  }

  private func temporary(_ denial: Denial) -> DenialJudgement {
    let isRoot = denial.name == "/" && denial.path == nil
    if isRoot, denial.targetType == "tmpfs_t" {
      return judgement(
        denial, .wrongLabel,
        "A tmpfs was mounted without a label for tor (the name / is its root, not the host's).",
        [
          Remedy(
            .label, "Mount it with tor's label.",
            [
              "mount -o remount,rootcontext=system_u:object_r:tor_var_lib_t:s0 DIRECTORY   # or in fstab"
            ]),
          Remedy(
            .place, "Keys on a tmpfs are gone after the next start: keep them below /var/lib/tor."),
        ], .covered("mount it with rootcontext="))
    }
    return judgement(
      denial, .wrongPlace,
      "tor was to use a temporary directory (\(denial.targetType)), which belongs to everybody and is emptied. Keys do not belong there.",
      [move], .covered("move it to /var/lib/tor"))
  }

  private func home(_ denial: Denial) -> DenialJudgement {
    let keyFiles = ["hs_ed25519_secret_key", "hs_ed25519_public_key", "hostname"]
    let isKeyFile = denial.name.map(keyFiles.contains) ?? false
    if denial.path == nil, denial.targetClass == "file", isKeyFile {
      return judgement(
        denial, .wrongLabel,
        "A key file bears the label of a home directory: it was moved from there with mv, which keeps labels, or the whole directory still is there.",
        [
          Remedy(
            .label, "Set the label that policy has for its place, if that is below /var/lib/tor.",
            find(denial) + ["restorecon -Rv /var/lib/tor"]),
          move,
        ], .covered("restorecon"))
    }
    if let path = denial.path, !isHome(path), !Self.shared.contains(path) {
      return moved(denial, "\(path) bears the label of a home directory")
    }
    return judgement(
      denial, .wrongPlace,
      "It is in a home directory, or was moved from one (\(denial.targetType)). Services have no business in homes, and the way there is barred too.",
      [
        Remedy(
          .label, "If it lies below /var/lib/tor already, its label alone is wrong.",
          find(denial) + ["restorecon -Rv /var/lib/tor"]),
        move,
      ], .covered("move it to /var/lib/tor"))
  }

  private func isHome(_ path: String) -> Bool {
    path == "/root" || path.hasPrefix("/home/") || path.hasPrefix("/root/") || path == "/home"
      || path.hasPrefix("/var/home/")
  }

  private func systemFile(_ denial: Denial) -> DenialJudgement {
    let isWrite = denial.permissions.contains(where: Danger.isChange)
    if let reason = danger(of: denial), !isWrite {
      return judgement(
        denial, .dangerous,
        "tor was to use what no tor needs (\(denial.targetType)): it \(reason). Either a wrong path stands in the torrc or in the unit, or what runs here as tor is not only tor.",
        [
          Remedy(.nothing, "Nothing, if tor works: the refusal is right."),
          Remedy(
            .configuration, "Find what asks for it, and take it out.",
            ["systemctl cat tor.service; grep -rn '^[^#]*/' /etc/tor"]),
        ], .dangerous(reason))
    }
    return judgement(
      denial, isWrite ? .wrongPlace : .unknown,
      isWrite
        ? "tor was to write among the system's own files (\(denial.targetType)): its directory is in the wrong place."
        : "tor was to read a part of the system (\(denial.targetType)) that its policy does not let it.",
      isWrite
        ? [move]
        : [update(), ruleRemedy("If tor fails without it, allow just that.")],
      isWrite ? .covered("move it to /var/lib/tor") : .needed, isWrite ? .high : .low)
  }

  private func generic(_ denial: Denial) -> DenialJudgement {
    let isWay =
      denial.targetClass == "dir" && Set(denial.permissions).isSubset(of: ["search", "getattr"])
    if isWay {
      return judgement(
        denial, .wrongPlace,
        "tor may not even pass through \(denial.object) (\(denial.targetType)) on the way to its directory: a label on that directory alone does not help.",
        [move], .covered("move it to /var/lib/tor"))
    }
    let type = type(for: denial)
    let folder = folder(of: denial)
    var remedies = [move]
    remedies.append(
      Remedy(
        .label, "Or keep it there and give it tor's label (\(type)).",
        folder.map { Remedy.relabel($0, type) } ?? find(denial)
          + ["semanage fcontext -a -t \(type) 'DIRECTORY(/.*)?'", "restorecon -Rv DIRECTORY"]))
    return judgement(
      denial, .wrongLabel,
      "It lies where policy expects no tor, and bears the label of that place (\(denial.targetType)).",
      remedies, .covered("semanage fcontext and restorecon"))
  }

  /// Labels of other services: whose it is, the log does not say.
  private func otherFile(_ denial: Denial) -> DenialJudgement {
    let isTree = denial.targetClass == "dir" || denial.targetClass == "file"
    guard isTree else { return unknown(denial) }
    return judgement(
      denial, .wrongLabel,
      "It bears another service's label (\(denial.targetType)). If it is meant for tor, its label is wrong; if it is the other's, tor has no business there.",
      [
        Remedy(
          .label, "See what it is, and what policy has for its place.",
          denial.path.map { ["ls -ldZ \(Remedy.quoted($0))", "matchpathcon \(Remedy.quoted($0))"] }
            ?? find(denial) + ["matchpathcon PATH"]),
        Remedy(.label, "If it is tor's, set the label.", restore(denial)),
        ruleRemedy("If tor is to use another service's file, allow just that."),
      ], .covered("see whose it is"), .medium)
  }

  /// The folder to label: never a shared one, never a guess.
  private func folder(of denial: Denial) -> String? {
    guard let path = denial.path else { return nil }
    var folder = path
    if denial.targetClass != "dir", let slash = path.lastIndex(of: "/"), slash > path.startIndex {
      folder = String(path[..<slash])
    }
    return Self.shared.contains(folder) ? nil : folder
  }

  /// By what it looks like: data is the rule.
  private func type(for denial: Denial) -> String {
    let text = denial.path ?? denial.name ?? ""
    if text.hasSuffix(".log") || text.hasPrefix("/var/log") { return "tor_var_log_t" }
    if denial.targetClass == "sock_file" || text.hasSuffix(".pid") || text.hasPrefix("/run/") {
      return "tor_var_run_t"
    }
    if text.contains("torrc") || text.hasSuffix(".conf") { return "tor_etc_t" }
    return "tor_var_lib_t"
  }
}
