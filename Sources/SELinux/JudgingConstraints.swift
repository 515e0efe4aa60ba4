extension DenialJudge {
  /// Categories that do not fit, where they decide: domains of containers and virtual machines are kept apart by them.
  func constraint(_ denial: Denial) -> DenialJudgement? {
    guard let source = denial.source, let target = denial.target,
      let own = Categories(upperOf: source.level), let theirs = Categories(upperOf: target.level),
      !own.dominates(theirs)
    else { return nil }
    guard own.sensitivity == theirs.sensitivity else {
      return judgement(
        denial, .constraint,
        "The levels differ (\(source.level), \(target.level)): the policy's levels forbid it, whatever its rules say.",
        [Remedy(.label, "Give the object a level that the process may use.")],
        .useless("a rule does not override levels"), .medium)
    }
    guard TypeKinds.isContainer(source.type) else { return nil }
    let pair = "\(source.level) may not use \(target.level)"
    if denial.targetClass == "fifo_file" || denial.targetClass == "fd" {
      return judgement(
        denial, .constraint,
        "The categories differ: \(pair). The pipe belongs to the session that started the container, so its output is lost; the container itself runs.",
        [
          Remedy(.nothing, "Nothing, where the container logs through its engine."),
          Remedy(.container, "Start it detached (-d), or from a systemd unit, not from a login."),
        ], .useless("a rule does not override categories"))
    }
    guard
      TypeKinds.containerFiles.contains(target.type) || source.type == target.type
        || TypeKinds.isContainer(target.type)
    else { return nil }
    guard ObjectClass.isFile(denial.targetClass) else {
      return judgement(
        denial, .constraint,
        "It reaches for another container, and categories keep containers apart: \(pair).",
        [Remedy(.container, "Let them speak over a network that both are joined to.")],
        .useless("a rule does not override categories"))
    }
    return judgement(
      denial, .constraint,
      "The types agree and the categories do not: \(pair). What it reaches for belongs to another container, or to an earlier life of this one (each `:Z` without a fixed level picks new categories).",
      [
        Remedy(
          .mount,
          "If this container alone uses it, mount it with `:Z` again, or better give the container fixed categories, so that a new one keeps them.",
          ["docker run --security-opt label=level:\(target.level) …   # those of the directory"]),
        Remedy(
          .label, "Or set the directory's categories to the container's.",
          ["chcon -R -l \(Remedy.quoted(source.level)) HOST-DIRECTORY"]),
        Remedy(
          .mount,
          "Two containers share a directory with `:z` (no categories). Never do that to keys: every container could read them."
        ),
      ], .useless("a rule does not override categories"))
  }

  /// `mac_admin` is asked of who sets a label that the policy does not know.
  func unknownLabel(_ denial: Denial) -> DenialJudgement? {
    let setsUnknown =
      ObjectClass.isCapability(denial.targetClass) && denial.permissions == ["mac_admin"]
      && denial.sourceType != domain
    guard setsUnknown || denial.rawTarget != nil || denial.targetType == "unlabeled_t" else {
      return nil
    }
    if setsUnknown {
      return judgement(
        denial, .unknownLabel,
        "\(denial.command ?? "A program") set a label that this policy does not know (see the SELINUX_ERR record beside it): a module is missing, or the type is misspelt.",
        [
          Remedy(
            .label, "Install the module that defines the type, or use a type that is there.",
            ["seinfo -t | grep NAME"])
        ], .useless("the type would still be unknown"))
    }
    let raw = denial.rawTarget.map { " (\($0))" } ?? ""
    return judgement(
      denial, .unknownLabel,
      "The object bears no label, or one that the loaded policy does not know\(raw): it was made while SELinux was off, or by a module that is gone.",
      [
        Remedy(.label, "Set the label that policy has for its place.", restore(denial)),
        Remedy(
          .label, "A whole system that ran without SELinux is labelled at the next start.",
          ["fixfiles -F onboot && reboot"]),
      ], .covered("label it"))
  }

  /// `restorecon` on what is known of it.
  func restore(_ denial: Denial) -> [String] {
    if let path = denial.path { return ["restorecon -Rv \(Remedy.quoted(path))"] }
    return find(denial) + ["restorecon -Rv PATH"]
  }

  /// How the path is found where the record has only a name: it is not guessed.
  func find(_ denial: Denial) -> [String] {
    guard denial.path == nil, let inode = denial.inode else { return [] }
    let device = denial.device.map { "   # on device \($0); on Btrfs search each subvolume" } ?? ""
    return ["find / -xdev -inum \(inode) 2>/dev/null\(device)"]
  }
}
