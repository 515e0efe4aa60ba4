extension DenialJudge {
  /// Denials of other programs and of people.
  func foreign(_ denial: Denial) -> DenialJudgement {
    let source = denial.sourceType
    if ["semanage_t", "load_policy_t", "setfiles_t"].contains(source) { return policyTool(denial) }
    if denial.targetClass == "process2", denial.targetType == domain {
      return judgement(
        denial, .unit,
        "The unit has NoNewPrivileges= or a nosuid mount, so systemd may not change into \(domain): tor would stay in \(source).",
        [
          update(),
          Remedy(.unit, "Or set NoNewPrivileges=no in a drop-in.", ["systemctl edit tor.service"]),
        ], .covered("the unit"))
    }
    if source == "init_t" || source == "initrc_t", denial.command?.hasPrefix("(") == true {
      if denial.targetClass == "file", denial.permissions.contains(where: isStart) {
        return programLabel(denial)
      }
      if denial.permissions == ["mounton"], isTors(denial.targetType) { return mountPoint(denial) }
      return judgement(
        denial, .unit,
        "systemd was preparing the sandbox of a unit (\(denial.command ?? "")), before the program ran: a path of the unit (ReadWritePaths=, StateDirectory=, BindPaths=) bears a label that systemd may not use.",
        [
          Remedy(.label, "Set the label that policy has for the path.", restore(denial)),
          Remedy(.unit, "Or take the path out of the unit.", ["systemctl cat tor.service"]),
        ], .covered("the path's label"), .medium)
    }
    if source == "init_t", denial.command == "systemd",
      ["file", "lnk_file", "dir"].contains(denial.targetClass),
      TypeKinds.homes.contains(denial.targetType) || TypeKinds.temporary.contains(denial.targetType)
    {
      return unitFile(denial)
    }
    if denial.permissions == ["execmem"] {
      return judgement(
        denial, .selfFallingBack,
        "A program compiles code into memory; most go on without it. Whether this one does, its own log says. It is not tor.",
        [Remedy(.nothing, "Nothing, if the service works.")], .covered("do without"))
    }
    if source != domain, denial.targetClass == "process", denial.targetType == domain {
      return judgement(
        denial, .notTorsDomain,
        "\(denial.command ?? source) was to put a program into tor's domain by hand, which only systemd may.",
        [Remedy(.unit, "Start tor through systemd.", ["systemctl start tor.service"])],
        .covered("start it through systemd"))
    }
    let ends =
      denial.command == "tor"
      ? "It is called tor, but its domain is \(source), not \(domain): it was started by hand or by something else than tor's unit, and no setting for \(domain) applies."
      : "It is \(denial.command ?? source)'s, not tor's."
    return judgement(
      denial, .notTorsDomain, ends,
      denial.command == "tor"
        ? [
          Remedy(
            .unit, "Start tor by its unit; see that /usr/bin/tor is labelled tor_exec_t.",
            ["restorecon -v /usr/bin/tor", "systemctl restart tor.service", "ps -eZ | grep -w tor"])
        ] : [Remedy(.nothing, "Nothing, as far as tor is concerned.")],
      .covered("not tor's domain"))
  }

  /// systemd reads units itself; one that was written at home and moved with mv keeps that label.
  private func unitFile(_ denial: Denial) -> DenialJudgement {
    judgement(
      denial, .unit,
      "systemd was to read a unit, or a file that a unit names (EnvironmentFile=, a Quadlet's .container), which bears the label of a home or temporary folder (\(denial.targetType)): it was written there and moved with mv, which keeps labels, or it is a link to it. The unit is not loaded, or not as it is written.",
      [
        Remedy(.place, "Copy units into /etc/systemd/system (cp, not mv, and no link to a home)."),
        Remedy(
          .label,
          "Or set the labels that policy has for the place, and let systemd read it again.",
          (denial.path.map { ["restorecon -v \(Remedy.quoted($0))"] }
            ?? find(denial) + ["restorecon -Rv /etc/systemd /etc/containers/systemd"])
            + ["systemctl daemon-reload"]),
      ],
      .covered("restorecon"))
  }

  private func isStart(_ permission: String) -> Bool {
    ["execute", "execute_no_trans", "entrypoint"].contains(permission)
  }

  private func isTors(_ type: String) -> Bool { type.hasPrefix("tor_") }

  /// The label is right, and still systemd may not mount there.
  private func mountPoint(_ denial: Denial) -> DenialJudgement {
    judgement(
      denial, .policyUpdate,
      "systemd was preparing the sandbox of a unit (\(denial.command ?? "")), before the program ran, and wanted to mount on \(denial.object). Its label (\(denial.targetType)) is right; this policy does not let systemd mount there yet.",
      [
        update(),
        Remedy(
          .unit, "Or take the path out of the unit (ReadWritePaths=, StateDirectory=, BindPaths=).",
          ["systemctl cat tor.service"]),
      ], .covered("update the policy"))
  }

  /// A login's own process, a confined user's tor among them.
  func person(_ denial: Denial) -> DenialJudgement {
    var remedies = [
      Remedy(.nothing, "Nothing on a host that serves onions: the system's tor is another process.")
    ]
    if denial.permissions.contains("name_bind") {
      if denial.targetType == "unreserved_port_t" {
        remedies.append(
          Remedy(
            .boolean, "To let every confined login listen on ports that nobody has claimed:",
            ["setsebool -P selinuxuser_tcp_server on"]))
      } else if denial.targetType == "tor_port_t" {
        remedies.append(
          Remedy(
            .configuration, "Use the system's tor (SocksPort 9050) in place of a second one."))
        remedies.append(ruleRemedy("No switch covers tor's own ports: only a rule does."))
      }
    }
    let isTor = denial.command == "tor"
    return judgement(
      denial, .notTorsDomain,
      "\(denial.sourceType) is a person's session\(isTor ? ": this tor was started by hand, or is a browser's; it is not the system's service, and no tor_… setting applies to it" : ", not tor's service").",
      remedies,
      denial.sourceType == domain && remedies.contains { $0.kind == .rule }
        ? .needed : .covered("not tor's domain"))
  }

  private func policyTool(_ denial: Denial) -> DenialJudgement {
    judgement(
      denial, .notTorsDomain,
      "semodule reads modules as \(denial.sourceType), which may not read \(denial.targetType), though you are root.",
      [
        Remedy(
          .place, "Copy the module to your home first.",
          ["cp FILE.cil /root/ && semodule -i /root/FILE.cil"])
      ], .covered("copy the file"))
  }
}
