/// Directories that tor refuses: owner, mode, access.
extension Judge {
  func directoryFindings(except claimed: Set<Int>) -> [Finding] {
    var found: [Finding] = []
    for (_, group) in groups(.owner, except: claimed) { found.append(owner(group)) }
    for (_, group) in groups(.group, except: claimed) { found.append(groupOwner(group)) }
    for (_, group) in groups(.mode, except: claimed) { found.append(mode(group)) }
    for (_, group) in groups(.unreadable, .dataDirectory, except: claimed) {
      found.append(unreadable(group))
    }
    for (_, group) in groups(.create, except: claimed) { found.append(create(group)) }
    for (_, group) in groups(.missing, except: claimed) {
      found.append(
        blocked(
          group, "directory.missing", "\(path(group)) is not there.",
          "tor makes its directories when it starts, but not while it only verifies, and not on a disk that is not mounted: then a start would make a new key, and with it another address.",
          confidence: .medium,
          fixes: [
            Fix(
              .configuration,
              "If the service has been there before: mount its disk, or restore the directory from a backup, before tor starts.",
              ["findmnt -T \(quoted(path(group)))"]),
            Fix(
              .ownership, "If it is new: make the directory, for tor alone.",
              ["install -d -m 0700 -o \(torUserWord) \(quoted(path(group)))"]),
          ], check: ["ls -ld \(quoted(path(group)))"] + restartCheck))
    }
    for (_, group) in groups(.chmod, except: claimed) { found.append(chmod(group)) }
    for (_, group) in groups(.notDirectory, except: claimed) {
      found.append(
        blocked(
          group, "directory.kind", "\(path(group)) is no directory.",
          "tor wants a directory there and found a file.",
          fixes: [
            Fix(
              .configuration,
              "Name the service's directory in the torrc, or move the file out of the way (look into it first: it may be the key)."
            )
          ], check: ["ls -ld \(quoted(path(group)))"]))
    }
    for (_, group) in groups(.controlFolder, except: claimed) {
      found.append(
        blocked(
          group, "directory.control",
          "The folder \(path(group)) of the control socket is missing or open to others.",
          "tor makes its control socket only in a folder that its own user alone can enter.",
          fixes: [
            Fix(
              .ownership, "Make the folder tor's, for tor alone.",
              ["install -d -m 0700 -o \(torUserWord) \(quoted(path(group)))"]),
            Fix(
              .configuration,
              "If the folder is /run or the like, add `RelaxDirModeCheck` to the ControlSocket line; a folder of its own is better."
            ),
          ], check: ["ls -ld \(quoted(path(group)))"] + restartCheck))
    }
    return found
  }

  private func path(_ group: TorLog.Group) -> String { group.captures["path"] ?? "the directory" }

  func blocked(
    _ group: TorLog.Group, _ code: String, _ title: String, _ cause: String,
    stage: Finding.Stage = .directory, confidence: Confidence = .high, impact: Impact = .blocks,
    evidence: EvidenceList = EvidenceList(), fixes: [Fix], check: [String]
  ) -> Finding {
    var lines = group.evidence
    lines.add(evidence)
    return Finding(
      code, impact, stage, title, cause: cause, confidence: confidence, evidence: lines,
      position: group.position, consequences: group.consequences, fixes: fixes, check: check)
  }

  // MARK: - Owner

  private func owner(_ group: TorLog.Group) -> Finding {
    let path = path(group)
    let user = group.captures["user"] ?? "?"
    let uid = number(group.captures["uid"])
    let owner = group.captures["owner"] ?? "?"
    let ownerID = number(group.captures["ownerID"])
    let isUnnamed = owner == "<unknown>"
    let named = isUnnamed ? "uid \(ownerID), which has no name here" : "\(owner) (\(ownerID))"
    let title = "\(path) belongs to \(named), and tor runs as \(user) (\(uid))."
    if uid == "0", isInContainer(group) { return containerOwnerOfRoot(group, title, ownerID) }
    if uid == "0" {
      return blocked(
        group, "directory.owner.root", title,
        "tor was started by root without being told to become \(isUnnamed ? "another user" : owner): it then wants every directory to be root's. "
          + "The directory is right, the start is wrong. It happens when tor is started by hand, or with a torrc that lacks the line `User`. SELinux has no part in this.",
        fixes: [
          Fix(
            .configuration,
            "Start tor as \(isUnnamed ? "its own user" : owner); the directory keeps its owner. By hand:",
            [
              "runuser -u \(isUnnamed ? "<user>" : quoted(owner)) -- tor -f /etc/tor/torrc --verify-config"
            ]),
          Fix(
            .configuration,
            "Or add the line `User \(isUnnamed ? "<user>" : owner)` to the torrc that is really read (packages keep it in a defaults file that a start by hand does not name)."
          ),
          Fix(
            .unit, "Or let systemd start it so, with a drop-in; then root is never needed.",
            [
              "systemctl edit \(unitWord)    # [Service] User=\(isUnnamed ? "<user>" : owner)"
            ]),
        ], check: ["ps -o user,args -C tor"] + restartCheck)
    }
    if isInContainer(group) { return containerOwner(group, title, uid: uid, ownerID: ownerID) }
    return blocked(
      group, "directory.owner", title,
      (isUnnamed
        ? "The owner's number has no name on this machine: files restored from another machine, or a package that was installed anew and got another number. "
        : owner == "root"
          ? "It was made, or copied, by root. " : "It was made by another user. ")
        + "tor takes a service's directory only if its own user owns it. This is plain ownership; SELinux has no part in it.",
      fixes: [
        Fix(
          .ownership,
          "Give this one directory, and the files in it, to \(user), for \(user) alone. (If the log is a container's, its path and its numbers are the container's: change the mount's source on the host.)",
          [
            Self.hostUsers.contains(user)
              ? "chown -R \(user): \(quoted(path))"
              : "chown -R \(uid) \(quoted(path))    # \(user)",
            "chmod 0700 \(quoted(path))",
          ])
      ], check: ["ls -ldn \(quoted(path))    # uid \(uid), drwx------"] + restartCheck)
  }

  /// A user's number, which a command may hold; a log may say anything in its place.
  private func number(_ text: String?) -> String {
    text.flatMap { UInt32($0) }.map { String($0) } ?? "<number>"
  }

  /// tor runs as the container's root, and the directory is another's.
  private func containerOwnerOfRoot(_ group: TorLog.Group, _ title: String, _ ownerID: String)
    -> Finding
  {
    let path = path(group)
    var evidence = EvidenceList()
    if let mount = facts.containers.mount(of: path) { evidence.add(mount.evidence) }
    return blocked(
      group, "directory.owner.root", title,
      "The container starts tor as its root, which then wants every directory to be root's; the directory is \(ownerID)'s. Numbers are the container's. The start is wrong, not the directory: tor needs no root at all.",
      evidence: evidence,
      fixes: [
        Fix(
          .container,
          "Start the container as the directory's owner; take a `User` line out of its torrc then. The directory keeps its owner.",
          [
            "docker run --user \(ownerID):\(ownerID) …    # compose: user: \"\(ownerID):\(ownerID)\""
          ])
      ],
      check: [
        "docker exec <container> ps -o user,args",
        "start the container again: no new [warn] line",
      ])
  }

  private func containerOwner(_ group: TorLog.Group, _ title: String, uid: String, ownerID: String)
    -> Finding
  {
    let path = path(group)
    let mount = facts.containers.mount(of: path)
    let onHost = facts.containers.hostPath(path)
    let place = onHost.map(quoted) ?? "<the host's side of \(path)>"
    var evidence = EvidenceList()
    if let mount { evidence.add(mount.evidence) }
    let volume = mount.map { !$0.isPath } ?? false
    return blocked(
      group, "directory.owner", title,
      "Plain ownership. The numbers are those of the container, whose tor is \(uid)"
        + (onHost.map { "; the directory is \($0) on the host" } ?? "")
        + ". No right of the container is missing: the owner of the directory is wrong.",
      evidence: evidence,
      fixes: [
        Fix(
          .ownership,
          (volume
            ? "In the volume's folder on the host (`podman volume inspect`, `docker volume inspect`)"
            : "On the host")
            + ", give this one directory to uid \(uid), for that user alone. Where the engine remaps user ids (userns-remap), add the first number of its range in /etc/subuid.",
          ["chown -R \(uid) \(place)", "chmod 0700 \(place)"]),
        Fix(
          .ownership, "With rootless Podman, from inside its user namespace:",
          ["podman unshare chown -R \(uid) \(place)"]),
      ],
      check: [
        "ls -ldn \(place)    # owner \(uid), or \(uid) plus the offset; drwx------",
        "start the container again: no new [warn] line",
      ])
  }

  private func groupOwner(_ group: TorLog.Group) -> Finding {
    let path = path(group)
    let gid = number(group.captures["uid"])
    return blocked(
      group, "directory.group",
      "The group of \(path) is \(group.captures["owner"] ?? "?") (\(group.captures["ownerID"] ?? "?")), and tor's is \(group.captures["user"] ?? "?") (\(gid)).",
      "With a directory that its group may read (HiddenServiceDirGroupReadable, DataDirectoryGroupReadable) tor wants the group to be its own, or root's.",
      fixes: [
        Fix(.ownership, "Set the group.", ["chgrp \(gid) \(quoted(path))"]),
        Fix(
          .configuration,
          "Or take the GroupReadable option out, if nobody else needs to read there."),
      ], check: ["ls -ldn \(quoted(path))"] + restartCheck)
  }

  /// Names that distributions give tor's user; images have others, or the same with other numbers.
  private static let hostUsers: Set<String> = ["debian-tor", "toranon", "_tor"]

  // MARK: - Mode

  private func mode(_ group: TorLog.Group) -> Finding {
    let path = path(group)
    let place = isInContainer(group) ? facts.containers.hostPath(path) ?? path : path
    let isService =
      facts.torrc.options["datadirectory"].map { TorrcFacts.normal($0.value) != path } ?? true
    return blocked(
      group, "directory.mode", "The mode of \(path) lets others than tor's user in.",
      "tor takes a directory only if neither group nor others have any right to it, at a normal start and with --verify-config alike. "
        + "The modes of the key files in it are not looked at.",
      fixes: [
        Fix(
          .ownership,
          "Close this one directory; the folders above and the files in it stay as they are.",
          ["chmod 0700 \(quoted(place))"]),
        Fix(
          .configuration,
          (isService
            ? "If another program must read `hostname` there: `HiddenServiceDirGroupReadable 1` for the service"
            : "If a group must read there: `DataDirectoryGroupReadable 1`")
            + ", then mode 0750 with tor's group. Better is to hand the address on some other way."),
      ],
      check: [
        "stat -c '%a %U' \(quoted(place))    # 700; if it stays wide, the file system (exFAT, NTFS, a share) keeps no modes: move the directory to one that does"
      ] + restartCheck)
  }

  private func chmod(_ group: TorLog.Group) -> Finding {
    let path = path(group)
    return blocked(
      group, "directory.mode",
      "tor could not set the mode of \(path): \(group.captures["reason"] ?? "").",
      "tor's user does not own the directory, or the file system is read-only or keeps no modes.",
      confidence: .medium,
      fixes: [
        Fix(
          .ownership, "Give the directory to tor's user, for that user alone.",
          ["chown \(torUserWord) \(quoted(path))", "chmod 0700 \(quoted(path))"])
      ], check: ["stat -c '%a %U' \(quoted(path)); findmnt -T \(quoted(path))"] + restartCheck)
  }
}
