/// Changes of domain: who may become what, and by which program.
extension DenialJudge {
  /// A change of domain that was refused, whoever asked for it; `nil` where it is none.
  func transition(_ denial: Denial) -> DenialJudgement? {
    if denial.targetClass == "process2",
      denial.permissions.contains(where: { $0.hasSuffix("_transition") })
    {
      return boundTransition(denial)
    }
    guard denial.targetClass == "process", denial.permissions.contains("transition"),
      TypeKinds.isContainer(denial.targetType) || TypeKinds.engines.contains(denial.sourceType)
    else { return nil }
    if let found = person(denial, becomes: denial.target) { return found }
    guard TypeKinds.engines.contains(denial.sourceType) else { return engineOutside(denial) }
    guard TypeKinds.isContainer(denial.targetType), !TypeKinds.isMachine(denial.targetType) else {
      return notForContainers(denial)
    }
    return nil
  }

  /// `no_new_privs` (prctl(2)) and nosuid mounts: the kernel asks `nnp_transition`, `nosuid_transition` since 4.14.
  private func boundTransition(_ denial: Denial) -> DenialJudgement? {
    guard denial.targetType != domain else { return nil }
    let isNosuid = denial.permissions.allSatisfy { $0 == "nosuid_transition" }
    let why =
      isNosuid
      ? "The program lies on a mount with nosuid"
      : "The process has no_new_privs (a container's no-new-privileges, a unit's NoNewPrivileges= or what implies it, as DynamicUser=)"
    return judgement(
      denial, TypeKinds.isContainer(denial.targetType) ? .engine : .unit,
      "\(why), and the policy does not let \(denial.sourceType) become \(denial.targetType) under that, though it may otherwise. No file and no label is wrong.",
      [
        Remedy(
          .update, "Update the policies together: newer ones let engines do it.",
          ["dnf upgrade container-selinux selinux-policy-targeted"]),
        isNosuid
          ? Remedy(
            .place, "Or keep the program, or the engine's storage, on a mount without nosuid.")
          : Remedy(
            .unit,
            "Until then, start just this one without it (a unit: NoNewPrivileges=no in a drop-in; a container: without the option). It gives a protection away."
          ),
      ], .covered("update the policy"), .medium)
  }

  /// Users and roles change only where a constraint lets them, whatever the rules for types say.
  private func person(_ denial: Denial, becomes target: SecurityContext?) -> DenialJudgement? {
    guard let source = denial.source, let target,
      source.user != target.user || source.role != target.role,
      !["system_u", "unconfined_u"].contains(source.user)
    else { return nil }
    return judgement(
      denial, .engine,
      "The container was to run as \(target.user):\(target.role), and was started from the session of a confined login (\(source.user):\(source.role)). A constraint forbids that change of user and role, whatever the rules for types say: a module for it links, and changes nothing.",
      [
        Remedy(
          .update, "Update the policies: newer ones know containers of confined logins.",
          ["dnf upgrade container-selinux selinux-policy-targeted"]),
        Remedy(
          .unit, "Let a system service start the container, not a login.",
          ["systemctl start NAME.service"]),
        Remedy(
          .boolean, "Or, where the policy has the switch, let confined logins run containers.",
          ["setsebool -P user_t_run_containers on   # getsebool -a | grep run_containers"]),
      ], .useless("a rule does not override the constraint on users and roles"))
  }

  /// The engine runs in a domain that is not an engine's.
  private func engineOutside(_ denial: Denial) -> DenialJudgement {
    judgement(
      denial, .engine,
      "Not the container: its engine runs as \(denial.sourceType), which is no engine's domain and may not start containers in \(denial.targetType). Its program bears the wrong label (it was installed by hand, in another folder, or before container-selinux), so systemd did not move it into its own. The container does not start.",
      [
        Remedy(
          .update, "Install or update the policy that knows the engine.",
          ["dnf install container-selinux   # or: dnf upgrade container-selinux"]),
        Remedy(
          .label, "Give the engine's programs their label, and restart the engine.",
          [
            "restorecon -v /usr/bin/dockerd /usr/bin/containerd /usr/bin/podman /usr/bin/runc /usr/bin/crun /usr/bin/conmon",
            "semanage fcontext -a -t container_runtime_exec_t PATH && restorecon -v PATH   # only if it lies elsewhere",
            "ps -eZ | grep -E 'dockerd|containerd|podman|conmon'   # container_runtime_t",
          ]),
      ], .covered("label the engine's programs"))
  }

  /// `label=type:` names what is no container's.
  private func notForContainers(_ denial: Denial) -> DenialJudgement {
    judgement(
      denial, .engine,
      "The engine was told to run a container as \(denial.targetType), which is \(TypeKinds.isMachine(denial.targetType) ? "a virtual machine's domain" : "no container's domain"): policy keeps it from doing so on purpose.",
      [
        Remedy(
          .container,
          "Take the option label=type:\(denial.targetType) out; container_t is the default, and a domain of one's own is made with udica."
        )
      ], .covered("name a container's domain"))
  }

  /// A program that systemd, or a domain, may not start because of its label.
  func programLabel(_ denial: Denial) -> DenialJudgement {
    let type = denial.targetType
    let path = denial.path.map(Remedy.quoted)
    let isTor = denial.command == "(tor)" || denial.command == "tor" || denial.sourceType == domain
    let label = isTor ? "tor_exec_t" : "bin_t"
    let isHome = TypeKinds.homes.contains(type) || TypeKinds.temporary.contains(type)
    var remedies = [
      Remedy(
        .place,
        isHome
          ? "Install it with the distribution's package, or copy it to /usr/local/bin (a copy takes the label of its new place; mv keeps the old one)."
          : "Install it with the distribution's package, whose paths the policy knows."),
      Remedy(
        .label, "If it is where the package puts it, set the label that policy has for it.",
        path.map { ["restorecon -v \($0)"] } ?? find(denial) + ["restorecon -v PATH"]),
    ]
    if !isHome {
      remedies.append(
        Remedy(
          .label, "If it is to stay where it is, name its place to the policy.",
          [
            "semanage fcontext -a -t \(label) \(path ?? "PATH")", "restorecon -v \(path ?? "PATH")",
          ]))
    }
    return judgement(
      denial, .wrongLabel,
      denial.permissions.contains("entrypoint")
        ? "\(denial.sourceType) is entered only by programs that bear its label (\(label)); this one bears \(type)."
        : "It is the program itself that may not be started: it bears \(type), which services are not started from. tor's own directories are not the matter.",
      remedies, .covered("label the program"))
  }
}
