extension DenialJudge {
  /// What a process in a container was refused.
  func container(_ denial: Denial) -> DenialJudgement {
    if ObjectClass.isCapability(denial.targetClass) {
      return judgement(
        denial, danger(of: denial) == nil ? .ownership : .dangerous,
        "A process in the container, root there, needs \(denial.permissions.joined(separator: ", ")): what it uses belongs to another user.",
        [
          Remedy(
            .ownership,
            "Give the mounted directory to the user of the container (as the host numbers it).",
            ["chown -R UID:GID HOST-DIRECTORY"])
        ], .covered("set the owner"), .medium)
    }
    switch denial.targetClass {
    case "sock_file", "unix_stream_socket": return containerSocket(denial)
    case "process" where denial.sourceType == denial.targetType:
      return judgement(
        denial, .selfFallingBack,
        "A program in the container compiles code into memory. Many go on without; whether this one does, its own log says.",
        [
          Remedy(.nothing, "Nothing, if it works."),
          Remedy(.configuration, "Switch its compiler off (tor: CompiledProofOfWorkHash 0)."),
        ], .covered("do without"), .medium)
    default: break
    }
    guard ObjectClass.isFile(denial.targetClass) else { return foreign(denial) }
    if TypeKinds.unlabelledFileSystems.contains(denial.targetType) { return share(denial) }
    if let path = denial.path, isImage(path),
      !TypeKinds.homes.contains(denial.targetType) || denial.targetType == "data_home_t"
        || path.contains(".so")
    {
      return storage(denial, path)
    }
    if TypeKinds.containerFiles.contains(denial.targetType) {
      return judgement(
        denial, .policyUpdate,
        "Label and categories are right; this policy does not let containers do it yet.",
        [
          Remedy(
            .update, "Update container-selinux and selinux-policy together.",
            ["dnf upgrade container-selinux selinux-policy-targeted"])
        ], .covered("update container-selinux"), .medium)
    }
    return mount(denial)
  }

  /// Where an image has its own files; mounts of ours and of most people are elsewhere.
  private func isImage(_ path: String) -> Bool {
    ["/bin/", "/sbin/", "/lib/", "/lib64/", "/usr/bin/", "/usr/lib", "/usr/sbin/"]
      .contains { path.hasPrefix($0) }
  }

  /// Network shares and foreign file systems keep no labels: `:Z` cannot write one there.
  private func share(_ denial: Denial) -> DenialJudgement {
    let type = denial.targetType
    // container-selinux, and what refpolicy (Debian) calls the same.
    let switches: [String: [String]] = [
      "nfs_t": ["virt_use_nfs", "container_use_nfs"],
      "cifs_t": ["virt_use_samba", "container_use_samba"],
      "cephfs_t": ["container_use_cephfs"], "ecryptfs_t": ["container_use_ecryptfs"],
    ]
    let known = switches[type, default: []].filter { knowledge.boolean($0) != .some(.none) }
    var remedies = [
      Remedy(
        .place,
        "Keep keys on a disk of this host, whose file system has labels; a share is no place for them (whoever serves it can read them)."
      ),
      Remedy(
        .mount, "Or mount the share with the label of containers.",
        [
          "mount -o context=system_u:object_r:container_file_t:s0 SOURCE HOST-FOLDER   # or in fstab"
        ]
      ),
    ]
    if let first = known.first {
      remedies.append(
        Remedy(
          .boolean, "Or let all containers use such shares.",
          ["setsebool -P \(first) on"]
            + known.dropFirst().map { "setsebool -P \($0) on   # where policy has this name" }))
    }
    return judgement(
      denial, .unlabelledMount,
      "The file system (\(type)) keeps no labels of its own: the whole mount has one. `:Z` and chcon cannot write another there, and end in `Operation not supported`.",
      remedies, .covered("mount it with context="))
  }

  private func storage(_ denial: Denial, _ path: String) -> DenialJudgement {
    let isHome = TypeKinds.homes.contains(denial.targetType)
    return judgement(
      denial, .storageLabel,
      "\(path) belongs to the image: the engine's storage on the host bears \(denial.targetType) in place of a label of containers. It was made, moved or restored without its labels.",
      [
        Remedy(
          .label, "Set the storage's labels (a storage elsewhere needs its place named first).",
          isHome
            ? [
              "restorecon -RFv ~/.local/share/containers   # as the user whose containers they are",
              "semanage fcontext -a -e /home/USER/.local/share/containers OTHER-STORAGE   # only if it is elsewhere",
            ]
            : [
              "restorecon -RFv /var/lib/containers /var/lib/docker",
              "semanage fcontext -a -e /var/lib/containers OTHER-STORAGE   # only if it is elsewhere",
            ])
      ], .covered("restorecon on the storage"))
  }

  private func mount(_ denial: Denial) -> DenialJudgement {
    let inside = denial.path.map { "\($0) is the path inside the container. " } ?? ""
    let inode =
      denial.path == nil && denial.inode != nil
      ? "The record has only a name: the object is inode \(denial.inode ?? 0) on \(denial.device ?? "its device"). "
      : ""
    return judgement(
      denial, .unlabelledMount,
      "\(inside)\(inode)A directory of the host is mounted into the container with its host's label (\(denial.targetType)), which containers may not use. The label to change is that of the mount's source on the host.",
      [
        Remedy(
          .mount,
          "Mount it with `:Z` (for this container alone). Never `:Z` a whole /tmp, /home, /etc or /var.",
          find(denial) + ["docker run -v HOST-DIRECTORY:/IN-CONTAINER:Z …"]),
        Remedy(
          .label, "Or label the source for good, where the container has fixed categories.",
          [
            "semanage fcontext -a -t container_file_t 'HOST-DIRECTORY(/.*)?'",
            "restorecon -Rv HOST-DIRECTORY",
          ]),
      ]
        + (TypeKinds.temporary.contains(denial.targetType)
          ? [Remedy(.place, "Keys do not belong in a temporary directory: move them first.")] : []),
      .covered("mount it with :Z"))
  }

  private func containerSocket(_ denial: Denial) -> DenialJudgement {
    if danger(of: denial) != nil {
      return judgement(
        denial, .dangerous,
        "The container speaks to the engine's own socket, or to an unconfined process: whoever may do that is root on the host.",
        [Remedy(.mount, "Do not mount that socket into a container.")], .covered("do not mount it"))
    }
    let isConnection = denial.permissions.contains("connectto")
    let other = others.contains {
      $0.sourceType == denial.sourceType
        && (isConnection ? $0.targetClass == "sock_file" : $0.permissions.contains("connectto"))
    }
    if !isConnection, !denial.permissions.contains("write") { return mount(denial) }
    return judgement(
      denial, .socket,
      "A connection to a unix socket is checked twice: write on the socket's file (its label), and connectto on who listens (its domain). \(other || isConnection ? "Both rules are needed." : "The second, connectto, is refused next, once this one passes.") A new label on the socket's file does not mend connectto.",
      [
        Remedy(.configuration, "Prefer a target on a port, or in a container on the same network."),
        Remedy(
          .container,
          "Or give this one container a domain of its own (udica) with exactly these two rules; do not widen \(denial.sourceType), which is every container's."
        ),
      ], .covered("a port, or a domain of its own"), .high)
  }

  /// The engine itself, or what it starts containers with.
  func engine(_ denial: Denial) -> DenialJudgement {
    let isEngineSocket =
      TypeKinds.engineSockets.contains(denial.targetType)
      || (denial.path ?? "").hasSuffix("docker.sock")
      || (denial.path ?? "").hasSuffix("podman.sock")
    var remedies = [
      Remedy(
        .update,
        "Update the engine's policy together with the policy: they are out of step, often after an upgrade of the system.",
        [
          "dnf upgrade container-selinux selinux-policy-targeted   # Debian: a module for the engine is missing"
        ])
    ]
    if isEngineSocket {
      remedies.append(
        Remedy(
          .mount,
          "Do not mount the engine's socket into a container: whoever may use it is root on the host."
        ))
      remedies.append(
        Remedy(
          .label, "Set the socket's own label.",
          ["restorecon -v /run/docker.sock /run/podman/podman.sock"]))
    } else if denial.permissions.contains("relabelfrom") || denial.permissions.contains("relabelto")
    {
      remedies.append(
        Remedy(
          .label, "Or label the directory yourself and leave `:Z` away.",
          [
            "semanage fcontext -a -t container_file_t 'HOST-DIRECTORY(/.*)?'",
            "restorecon -Rv HOST-DIRECTORY",
          ]))
    }
    return judgement(
      denial, .engine,
      "Not the container: the engine (\(denial.sourceType)) was refused, so the container does not start, or not as it was asked to. Nothing in tor or its directories is wrong.",
      remedies, .covered("update container-selinux"), .medium)
  }
}
