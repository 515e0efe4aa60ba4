/// What tor warns of while it runs.
extension Judge {
  func warning(_ group: TorLog.Group) -> Finding? {
    let reason = group.captures["reason"] ?? ""
    switch group.topic {
    case .controlOpen:
      return risk(
        group, "control.open", "tor's control port is open to whoever can reach it.",
        "Whoever speaks to it rules this tor: reads its addresses, adds services, changes its configuration. In a container \"local\" is everybody on its network.",
        [
          "Use a unix socket in a folder of tor's own: `ControlSocket /run/tor/control`, `CookieAuthentication 1`.",
          "Or bind it to 127.0.0.1 with `CookieAuthentication 1` or a HashedControlPassword; or take the ControlPort out.",
        ], check: ["ss -ltnp | grep -w tor"])
    case .noGuards:
      return risk(
        group, "guards.off", "The services of this tor are easy to locate: UseEntryGuards is 0.",
        "Without entry guards each circuit begins at another relay, so sooner or later at one that watches.",
        ["Take `UseEntryGuards 0` out of the torrc."])
    case .pinnedGuards:
      return risk(
        group, "guards.pinned", "EntryNodes pins the way into the Tor network.",
        "A service that always enters by the same few relays is told apart by them, and is down with them. tor chooses guards better by itself.",
        ["Take EntryNodes out of the torrc, unless the relays are bridges of your own."])
    case .notAnonymous:
      return risk(
        group, "config.not-anonymous", "The services of this tor do not hide where they are.",
        "HiddenServiceNonAnonymousMode connects straight to the introduction points: faster, and the host's address is known to them.",
        [
          "If the place is to stay hidden: take HiddenServiceNonAnonymousMode and HiddenServiceSingleHopMode out, and give the service a new key, for its place is known by this one."
        ])
    case .sandboxInclude:
      return blocked(
        group, "sandbox.include",
        "tor's own sandbox does not let it read \(group.captures["path"] ?? "a new file").",
        "With `Sandbox 1` a running tor reads only the files that were there when it started; a reload with a new %include fails.",
        stage: .configuration,
        fixes: [
          Fix(.configuration, "Restart instead of reloading.", ["systemctl restart \(unitWord)"])
        ], check: restartCheck)
    case .socketFamily:
      return blocked(
        group, "socket.refused", "tor may not make a socket: \(reason).",
        reason.has("Too many open files")
          ? "The limit of open files is reached."
          : "The unit's RestrictAddressFamilies= (or PrivateNetwork=), the container's seccomp profile, or a kernel without IPv6 refuses the kind of socket. No label has to do with it.",
        stage: .listeners, confidence: .medium,
        fixes: [
          Fix(
            .unit,
            reason.has("Too many open files")
              ? "Raise LimitNOFILE= of the unit (container: --ulimit nofile)."
              : "Let the unit have AF_INET, AF_INET6 and AF_UNIX; or keep tor from IPv6 (`ORPort … IPv4Only`, `ClientUseIPv6 0`)."
          )
        ], check: ["systemctl show \(unitWord) -p RestrictAddressFamilies -p LimitNOFILE"])
    case .connectionLimit:
      return blocked(
        group, "connections.limit", "tor has as many connections as it may have.",
        "The limit of open files (ulimit -n) is too small for the load, or the service is under attack.",
        stage: .running, impact: .limits,
        fixes: [
          Fix(.unit, "Raise LimitNOFILE= of the unit (container: --ulimit nofile)."),
          Fix(
            .configuration,
            "Under attack: HiddenServicePoWDefensesEnabled 1 and HiddenServiceMaxStreams for the service."
          ),
        ], check: ["systemctl show \(unitWord) -p LimitNOFILE"])
    case .circuitLimit:
      return blocked(
        group, "network.circuits", "Circuits to introduction points fail again and again.",
        "The service makes circuits faster than tor allows itself: the network loses them, the clock is wrong, or the service is under attack. Rights and labels are not the matter.",
        stage: .running, confidence: .medium, impact: .limits,
        fixes: [
          Fix(
            .configuration,
            "See that the clock is right and the network steady; under attack set HiddenServicePoWDefensesEnabled 1 and HiddenServiceEnableIntroDoSDefense 1."
          )
        ], check: ["timedatectl", "journalctl -u \(unitWord) -n 100 --no-pager | grep -v notice"])
    case .needsClientKey:
      return blocked(
        group, "client.key",
        "The address that was asked for wants a client key, and this tor has none for it, or a wrong one.",
        "Client side: the service's descriptor is encrypted for its clients. The service itself is well. tor reads `*.auth_private` files of ClientOnionAuthDir when it starts and reloads.",
        stage: .running, confidence: .medium, impact: .limits,
        fixes: [
          Fix(
            .configuration,
            "Put the client's private key into a file NAME.auth_private of ClientOnionAuthDir (`ADDRESS:descriptor:x25519:KEY`, the address without .onion), mode 0600, tor's; and see that the service has its public key."
          )
        ], check: ["ls -l <ClientOnionAuthDir>"])
    case .stateFile:
      return blocked(
        group, "data.state", "tor could not use its state file and began a new one.",
        "It holds the entry guards, no key and no address: the services keep theirs. It breaks by a full disk, a crash, or two tors in one DataDirectory. New guards are chosen, which should not happen often.",
        stage: .user, confidence: .medium, impact: .notice,
        fixes: [
          Fix(.configuration, "Nothing more, unless it comes again: then look at the disk.")
        ], check: ["df -h <DataDirectory>; ps -o pid,user,lstart,args -C tor"])
    default: return nil
    }
  }

  private func risk(
    _ group: TorLog.Group, _ code: String, _ title: String, _ cause: String, _ fixes: [String],
    check: [String] = []
  ) -> Finding {
    blocked(
      group, code, title, cause, stage: .running, impact: .risk,
      fixes: fixes.map { Fix(.configuration, $0) }, check: check + restartCheck)
  }
}
