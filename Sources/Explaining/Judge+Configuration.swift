/// A torrc that tor does not take.
extension Judge {
  func configurationFindings() -> [Finding] {
    var found: [Finding] = []
    for (_, group) in facts.log.groups.enumerated() {
      if let finding = configuration(group) ?? start(group) { found.append(finding) }
    }
    return found
  }

  private var verify: [String] {
    [
      "runuser -u \(torUserWord) -- tor -f /etc/tor/torrc --verify-config    # Configuration was valid"
    ]
  }

  private func refuses(
    _ group: TorLog.Group, _ code: String, _ title: String, _ cause: String,
    confidence: Confidence = .high, impact: Impact = .blocks,
    evidence: EvidenceList = EvidenceList(),
    _ fixes: [String], commands: [String] = [], check: [String]? = nil
  ) -> Finding {
    blocked(
      group, code, title, cause, stage: .configuration, confidence: confidence, impact: impact,
      evidence: evidence,
      fixes: fixes.enumerated().map {
        Fix(.configuration, $0.element, $0.offset == 0 ? commands : [])
      },
      check: check ?? verify)
  }

  private func configuration(_ group: TorLog.Group) -> Finding? {
    let captures = group.captures
    let option = captures["option"] ?? "the option"
    switch group.topic {
    case .unknownOption: return unknownOption(group, option)
    case .incompatible, .authorizeClient: return authorizeClient(group, option)
    case .obsolete: return obsolete(group, option)
    case .version2:
      return refuses(
        group, "config.version2",
        "The torrc asks for a version 2 service, and no tor of today has them.",
        "Version 2 addresses (16 characters) ended in 2021. Their keys cannot become version 3 keys, so the service gets a new address.",
        [
          "Take `HiddenServiceVersion 2` and the options of version 2 (AuthorizeClient, HidServAuth) out, and give the service a directory of its own. Keep the old directory until nobody asks for the old address."
        ])
    case .strayOption:
      return refuses(
        group, "config.stray", "\(option) stands before any HiddenServiceDir.",
        "An option of a service belongs to the HiddenServiceDir above it; this one has none. Included files count in the order in which they are read.",
        ["Move the line behind its service's HiddenServiceDir."])
    case .range:
      return refuses(
        group, "config.range",
        "\(option) is \(captures["value"] ?? "?"), and this tor takes \(captures["low"] ?? "?") to \(captures["high"] ?? "?").",
        "tor refuses a whole torrc for one value out of its range.",
        [
          "Set \(option) to a value from \(captures["low"] ?? "?") to \(captures["high"] ?? "?"), or take the line out."
        ])
    case .choice:
      return refuses(
        group, "config.value",
        "The value of \(option) is none that tor takes (\(captures["value"] ?? "")).",
        "tor refuses a whole torrc for one such value.",
        ["Write the value that the line names, or take the option out."])
    case .targetName: return targetName(group)
    case .port:
      return refuses(
        group, "config.port", "`\(captures["port"] ?? "?")` is no port for a HiddenServicePort.",
        "Virtual port and target port must be numbers from 1 to 65535.",
        [
          "Write `HiddenServicePort <virtual port> <address>:<port>`, or `unix:/absolute/path` as the target."
        ])
    case .portSyntax:
      return refuses(
        group, "config.port", "A HiddenServicePort line cannot be read.",
        "It is `HiddenServicePort VIRTUAL [TARGET]`, one target, no comma.",
        ["Write `HiddenServicePort <virtual port> <address>:<port>`."])
    case .noPorts:
      return refuses(
        group, "config.ports.missing",
        "The service \(captures["path"] ?? "") has no HiddenServicePort.",
        "A service without a port is refused. Where the lines look right, another HiddenServiceDir may stand between them.",
        ["Add its `HiddenServicePort` behind its `HiddenServiceDir`, or take the service out."])
    case .duplicateDirectory: return duplicateDirectory(group)
    case .burst:
      return refuses(
        group, "config.range",
        "A burst (\(captures["burst"] ?? "?")) is smaller than its rate (\(captures["rate"] ?? "?")).",
        "tor refuses a burst below the rate, for introductions and for proof of work alike.",
        ["Raise the burst to the rate, or lower the rate."])
    case .module:
      return refuses(
        group, "config.module", "This tor was built without \(option).",
        "The option is known, but the part of tor that does it was left out when it was built (as `pow` without the GPL modules). tor skips the line: the protection that it asks for is not there.",
        impact: .risk,
        [
          "Install a tor that has the module, or take the line out and say so to whoever counts on it."
        ],
        check: ["tor --list-modules"])
    case .singleHop:
      return refuses(
        group, "config.single-hop", "The two options of a non-anonymous service do not agree.",
        "HiddenServiceSingleHopMode and HiddenServiceNonAnonymousMode must both be 1 or both 0, and with 1 tor must not be a client too. A service so run does not hide where it is.",
        ["Take both out, unless the service shall be found. If it shall: both 1 and `SocksPort 0`."]
      )
    case .torrcUnreadable:
      let path = captures["path"] ?? "the torrc"
      return refuses(
        group, "config.unreadable", "tor cannot read \(path).",
        "The file is not there, or tor's user (or, with SELinux, tor's domain) may not read it. A file that was moved from a home directory keeps that label.",
        confidence: .medium,
        [
          "Put the file where the unit names it (`systemctl cat \(unitWord)`), readable by tor's user."
        ],
        commands: ["chmod 0644 \(quoted(path))"]
          + (isSELinuxOff ? [] : ["restorecon -v \(quoted(path))"]),
        check: ["ls -lZ \(quoted(path))"] + verify)
    case .include:
      return refuses(
        group, "config.include", "An %include cannot be read: \(captures["path"] ?? "?").",
        "The file or folder is not there, not readable for tor's user, or the files include each other.",
        confidence: .medium, ["Mend the %include line, or put the file there."])
    case .listenerSyntax where option.hasSuffix("Port") || option.hasSuffix("Socket"):
      return refuses(
        group, "config.listener", "tor cannot read the \(option) line.",
        "Address, port, path or flags are wrong; or a relay's or a `non-local` address without what it needs. The [warn] line above says which.",
        ["Write `\(option) [address:]port`, or a `unix:` path in quotes if it holds blanks."])
    case .refused:
      return refuses(
        group, "config.refused", "tor refuses its configuration: \(captures["reason"] ?? "").",
        "tor's own words; this reason is not known here in more detail.", confidence: .medium,
        ["Mend the line that the words name (the manual, `man tor`, lists each option's values)."])
    default: return nil
    }
  }

  private func unknownOption(_ group: TorLog.Group, _ option: String) -> Finding {
    if option.utf8.contains(where: { $0 > 0x7e || $0 < 0x21 }) {
      return refuses(
        group, "config.bytes", "An option's name holds bytes that cannot be seen.",
        "A byte order mark at the beginning of the file, or a blank that is none, became a part of the name: tor reads `\(option.filter { $0.isASCII })` with something before or in it.",
        ["Save the file as plain UTF-8 without a byte order mark."],
        commands: ["head -c 3 /etc/tor/torrc | od -An -tx1    # ef bb bf is the mark"])
    }
    let version = group.version ?? facts.log.versions.last
    let since = TorOptionHistory.since.first { $0.key.lowercased() == option.lowercased() }
    if let since, let version, TorOptionHistory.isOlder(version, than: since.value) {
      return refuses(
        group, "config.version",
        "tor \(version) does not know \(since.key), which came with \(since.value).",
        "The name is right, the tor is too old for it. One unknown option stops every service of this tor.",
        [
          "Upgrade tor to \(since.value) or newer.",
          "Or leave the option out on this host, and record that what it protects from is not held off here.",
        ], check: ["tor --version"] + verify)
    }
    if let since {
      return refuses(
        group, "config.version",
        "This tor does not know \(since.key), which came with \(since.value).",
        "The name is right: this tor is older than that, or was built without that part. One unknown option stops every service of this tor.",
        confidence: version == nil ? .medium : .high,
        [
          "Upgrade tor to \(since.value) or newer, from a build that has it (`tor --list-modules`).",
          "Or leave the option out on this host, and record that what it protects from is not held off here.",
        ], check: ["tor --version; tor --list-modules"] + verify)
    }
    let near = TorOptionHistory.nearest(option)
    return refuses(
      group, "config.option", "tor does not know the option \(option).",
      "It is misspelled, or of another tor than this one"
        + (version.map { " (\($0))" } ?? "")
        + ". One unknown option stops every service of this tor.",
      confidence: near == nil ? .medium : .high,
      [
        near.map { "Write `\($0)`." }
          ?? "Look the name up in `man tor` of this host, and mend the line or take it out."
      ],
      check: ["tor --list-torrc-options | grep -i \(quoted(String(option.prefix(60))))"] + verify)
  }

  private var clientFiles: [String] {
    [
      "For each client write one file into the service's authorized_clients folder: NAME.auth, mode 0600, tor's, one line `descriptor:x25519:<the client's PUBLIC key in base32>`; the folder has mode 0700. Only public keys are needed here.",
      "Do it before tor starts: with no valid file there the service is open to everybody, and tor only warns of a file that it cannot use.",
    ]
  }

  private func authorizeClient(_ group: TorLog.Group, _ option: String) -> Finding {
    let path = group.captures["path"] ?? "the service"
    guard option == "HiddenServiceAuthorizeClient" else {
      return refuses(
        group, "config.incompatible",
        "\(option) does not go with a version \(group.captures["version"] ?? "3") service (\(path)).",
        "The option belongs to another version of onion services.", ["Take the line out."])
    }
    return refuses(
      group, "config.authorize-client",
      "\(path) names its clients in the way of version 2, which a version 3 service refuses.",
      "HiddenServiceAuthorizeClient takes names; version 3 takes one file with a public key for each client. One valid file closes the service to everybody else.",
      ["Take the HiddenServiceAuthorizeClient line out of the torrc."] + clientFiles,
      check: ["ls -l \(quoted(path + "/authorized_clients"))"] + verify)
  }

  private func obsolete(_ group: TorLog.Group, _ option: String) -> Finding {
    guard option == "HiddenServiceAuthorizeClient" else {
      return refuses(
        group, "config.obsolete", "tor skips the option \(option), which no longer means anything.",
        "It is not why anything fails.", impact: .notice, ["Take the line out when there is time."])
    }
    return refuses(
      group, "clients.open",
      "The service is open to everybody: tor skips HiddenServiceAuthorizeClient.",
      "The torrc asks for client authorization in the way of version 2. A tor of today skips that line with this warning, and runs the service without any authorization.",
      impact: .risk,
      ["Stop the service until its client files are there."] + clientFiles
        + ["Take the HiddenServiceAuthorizeClient line out."],
      check: ["ls -l <HiddenServiceDir>/authorized_clients/*.auth"])
  }

  private func targetName(_ group: TorLog.Group) -> Finding {
    var evidence = EvidenceList()
    let named = facts.torrc.namedTargets
    for port in named.prefix(2) { evidence.add(port.evidence) }
    let name = named.first.flatMap { TorrcFacts.host(of: $0.target) }
    return refuses(
      group, "config.target-name",
      "The target of a HiddenServicePort did not resolve\(name.map { " (\($0))" } ?? "") when tor read its configuration.",
      "tor looks a target's name up while it reads the torrc, once. The line's form is right; whom it names cannot be found: the other container is not started yet, is on another network, or no such name exists. "
        + "What it found it keeps as long as it runs: a peer that is made again with another address fails later, without any line of configuration trouble.",
      confidence: name == nil ? .medium : .high, evidence: evidence,
      [
        "Write an address instead of the name, and give the peer that address for good (a fixed address in the network, or the host's gateway); or a unix socket.",
        "Or put both on one network and start tor after the peer (compose: `networks`, `depends_on`); and restart tor whenever the peer was made anew.",
      ],
      check: [
        "docker exec <tor's container> getent hosts \(name ?? "<name>")    # from tor's own network, not from the host"
      ])
  }

  private func duplicateDirectory(_ group: TorLog.Group) -> Finding {
    let path = group.captures["path"] ?? "the directory"
    var evidence = EvidenceList()
    for service in facts.torrc.services where service.directory == path {
      evidence.add(service.evidence)
    }
    for include in facts.torrc.includes.prefix(4) { evidence.add(include.evidence) }
    return refuses(
      group, "config.duplicate", "\(path) is configured twice.",
      "The same HiddenServiceDir comes twice: two lines, or one file that is read by two %include lines (a folder, and again a file in it).",
      evidence: evidence,
      ["Leave one of them, with all its ports. The directory itself is not to be touched."],
      commands: ["grep -rn 'HiddenServiceDir\\|^%include' /etc/tor /etc/torrc.d 2>/dev/null"])
  }

  // MARK: - User and data

  private func start(_ group: TorLog.Group) -> Finding? {
    let reason = group.captures["reason"] ?? ""
    switch group.topic {
    case .unknownUser:
      return blocked(
        group, "user.unknown",
        "The user \(group.captures["user"] ?? "?") of the torrc does not exist here.",
        "Distributions name tor's user differently (debian-tor, toranon, tor), and a container has its own list.",
        stage: .user,
        fixes: [
          Fix(
            .configuration,
            "Name the user that this system has, or start tor as that user and take the `User` line out."
          )
        ],
        check: ["getent passwd debian-tor toranon tor _tor"])
    case .userNotRoot:
      return blocked(
        group, "user.twice", "tor is told to become another user, and is not root.",
        "Something else (the unit, the container, runuser) has set the user already.", stage: .user,
        fixes: [
          Fix(
            .configuration,
            "Take the `User` line out of the torrc (and of the defaults file that the package brings: `--defaults-torrc` shows in the unit)."
          )
        ],
        check: restartCheck)
    case .userChange:
      return blocked(
        group, "user.capability", "tor could not become its user: \(reason).",
        "It starts as root without CAP_SETUID and CAP_SETGID: the unit's bounding set, or the container, took them.",
        stage: .user,
        fixes: [
          Fix(
            .unit,
            "Start it as its user at once (unit: `User=`; container: `user: \"<uid>:<gid>\"`) and take the `User` line out of the torrc: fewer rights, and the capabilities are not needed."
          ),
          Fix(.unit, "Or leave CAP_SETUID and CAP_SETGID in the unit's CapabilityBoundingSet."),
        ], check: ["systemctl show \(unitWord) -p User -p CapabilityBoundingSet"] + restartCheck)
    case .runningAsRoot:
      return Finding(
        "user.root", .risk, .running, "tor runs as root.",
        cause:
          "No `User` in the torrc, and nobody started it as another user. Everything that it is tricked into, it does as root.",
        confidence: .high, evidence: group.evidence, position: group.position,
        fixes: [
          Fix(
            .configuration,
            "Give tor a user of its own: `User <user>` in the torrc, or `User=` in the unit; then give the service directories to that user."
          )
        ], check: ["ps -o user,args -C tor"])
    case .locked:
      return blocked(
        group, "data.locked", "Another tor works in the same DataDirectory.",
        "Two starts of one configuration: the distribution's own unit beside another, a container beside the host, or an old process that has not ended.",
        stage: .user,
        fixes: [
          Fix(
            .configuration,
            "Find the other tor and decide which one is to run; with both, give each its own DataDirectory (never one service directory to two).",
            ["ps -o pid,user,lstart,args -C tor"])
        ],
        check: restartCheck)
    case .lockFile:
      return blocked(
        group, "data.lock",
        "tor cannot open its lock file \(group.captures["path"] ?? ""): \(reason).",
        "The DataDirectory is not its user's, or a file in it was left by a start as root.",
        stage: .user,
        confidence: .medium,
        fixes: [
          Fix(
            .ownership, "Give the DataDirectory back to tor's user.",
            ["chown -R \(torUserWord): <DataDirectory>"])
        ],
        check: ["ls -lan <DataDirectory>"] + restartCheck)
    default: return nil
    }
  }
}
