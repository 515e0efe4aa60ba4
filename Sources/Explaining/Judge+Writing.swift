/// What tor may not make, or not write.
extension Judge {
  func create(_ group: TorLog.Group) -> Finding {
    let path = group.captures["path"] ?? "the directory"
    let reason = group.captures["reason"] ?? ""
    let parent = path.split(separator: "/").dropLast().reduce("") { "\($0)/\($1)" }
    let above = parent.isEmpty ? "/" : parent
    if reason.has("No such file") {
      return blocked(
        group, "directory.parent.missing", "\(above) does not exist, so tor cannot make \(path).",
        "tor makes one level of directories only. If the folder is on a disk of its own, the disk may not be mounted: then tor must not start.",
        fixes: [
          Fix(
            .ownership, "Mount what belongs there; or make the folder above, for tor's user.",
            ["install -d -m 0700 -o \(torUserWord) \(quoted(above))"])
        ], check: ["findmnt -T \(quoted(above)); ls -ld \(quoted(above))"] + restartCheck)
    }
    if let finding = readOnly(group, path, reason) { return finding }
    return blocked(
      group, "directory.create", "tor may not make \(path): \(reason).",
      "The folder above belongs to another user, or is labelled for something else. What was given does not tell which.",
      confidence: .low,
      fixes: [
        Fix(
          .ownership,
          "Make the directory for tor beforehand: then nothing above it needs to be opened.",
          ["install -d -m 0700 -o \(torUserWord) \(quoted(path))"]),
        isSELinuxOff
          ? nil
          : Fix(
            .label, "On a host with SELinux, label it too.",
            [
              "semanage fcontext -a -t tor_var_lib_t \(fcontext(path))",
              "restorecon -Rv \(quoted(path))",
            ]),
      ].compactMap { $0 }, check: ["ls -ldZ \(quoted(above))"] + hiddenDenials)
  }

  /// `Read-only file system`: the unit, the container or the disk.
  func readOnly(_ group: TorLog.Group, _ path: String, _ reason: String) -> Finding? {
    guard reason.has("Read-only file system") else { return nil }
    if isInContainer(group) {
      return blocked(
        group, "container.readonly",
        "\(path) is read-only in the container, and tor wanted to write there.",
        "Either the mount is read-only on purpose and the directory is not complete (key pair, hostname, authorized_clients), so that tor wanted to add to it, or the path lies on the container's read-only root.",
        confidence: .medium,
        fixes: [
          Fix(
            .ownership,
            "If the mount is meant to be read-only: complete the directory from the host, from a backup of this address."
          ),
          Fix(.container, "Otherwise mount that one folder writable; the root may stay read-only."),
        ], check: ["docker inspect -f '{{json .Mounts}}' <container>"])
    }
    let unit = facts.units.tor
    var evidence = EvidenceList()
    if let unit {
      evidence.add(
        unit.evidence(of: "ProtectSystem", "ReadWritePaths", "ReadOnlyDirectories", "ReadOnlyPaths")
      )
    }
    return blocked(
      group, "unit.readonly", "\(path) is read-only for tor.",
      "The unit's ProtectSystem (or ReadOnlyDirectories=/) leaves only the folders of ReadWritePaths writable, and this is none of them; or the disk itself is mounted read-only. Owner, mode and label cannot help.",
      confidence: unit.map {
        $0.last("ProtectSystem") != nil || !$0.paths("ReadOnlyDirectories", "ReadOnlyPaths").isEmpty
      } ?? false ? .high : .medium,
      evidence: evidence,
      fixes: [
        Fix(
          .configuration,
          "Keep the service below a folder that is writable already, as /var/lib/tor/NAME."),
        Fix(
          .unit, "Or add this one folder with a drop-in.",
          ["systemctl edit \(unitWord)    # [Service] ReadWritePaths=\(path)"]),
      ],
      check: [
        "findmnt -T \(quoted(path)); systemctl show \(unitWord) -p ProtectSystem -p ReadWritePaths"
      ] + restartCheck)
  }
}
