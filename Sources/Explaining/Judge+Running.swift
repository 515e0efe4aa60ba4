/// Ports, the network, the clock, targets.
extension Judge {
  func runningFindings(except claimed: Set<Int>) -> [Finding] {
    var found: [Finding] = []
    for (index, group) in facts.log.groups.enumerated() where !claimed.contains(index) {
      if let finding = running(group) { found.append(finding) }
    }
    return found
  }

  private func running(_ group: TorLog.Group) -> Finding? {
    let reason = group.captures["reason"] ?? ""
    switch group.topic {
    case .bind: return bind(group, group.captures["address"] ?? "?", reason)
    case .sandbox:
      return blocked(
        group, "sandbox.call",
        "tor's own sandbox stopped a system call (\(group.captures["call"] ?? "unknown")).",
        "`Sandbox 1` allows a fixed list of calls; a newer C library, a kernel or a path outside of its list asks for more. It is tor's filter, not SELinux.",
        stage: .running,
        fixes: [
          Fix(.update, "Install the newest tor of this distribution: the list is kept with it."),
          Fix(
            .configuration,
            "Or set `Sandbox 0`, and let the unit's or the container's seccomp filter confine tor."),
        ], check: restartCheck)
    case .clock:
      return blocked(
        group, "clock",
        "This host's clock is wrong (\(group.captures["offset"] ?? "by an unknown time")).",
        "A descriptor is signed for a time: with a wrong clock it is not found, or circuits fail, however well tor runs.",
        stage: .running, impact: .limits,
        fixes: [
          Fix(
            .configuration,
            "Set the clock by NTP, and look at the time zone of a machine that was restored.",
            ["timedatectl set-ntp true"])
        ],
        check: ["timedatectl    # System clock synchronized: yes"])
    case .bootstrap:
      return blocked(
        group, "network.bootstrap",
        group.captures["phase"].map {
          "tor does not get onto the Tor network: it is stuck at \($0)."
        }
          ?? "tor has no current list of the Tor network's relays, so it cannot publish a descriptor.",
        "\(reason.isEmpty ? "" : reason + ". ")A firewall that lets nothing out, no route or no name service in the container's network, a wrong clock, or a network that blocks Tor. Rights and labels are not the matter.",
        stage: .running, confidence: .medium, impact: .limits,
        fixes: [
          Fix(
            .configuration,
            "Let tor's user (or container) make outgoing TCP connections; where the network blocks Tor, use bridges."
          ),
          Fix(.configuration, "Look at the clock as well."),
        ], check: ["journalctl -u \(unitWord) -n 50 --no-pager | grep Bootstrapped", "timedatectl"])
    case .target:
      return targetDown(group, group.captures["target"] ?? "?", reason)
    case .transport:
      return blocked(
        group, "transport.launch",
        "The pluggable transport \(group.captures["path"] ?? "") did not start.",
        "The program is missing, not executable for tor's user, or tor's confinement (the unit, or SELinux) does not let it start another program.",
        stage: .running, confidence: .low, impact: .limits,
        fixes: [
          Fix(
            .update,
            "Install the transport from the distribution's package, and bring its SELinux policy up to date."
          )
        ], check: ["ls -lZ \(quoted(group.captures["path"] ?? "<program>"))"] + hiddenDenials)
    case .diskFull:
      return blocked(
        group, "disk.full", "The disk is full.",
        "tor cannot write its state, and what it writes half is worse than nothing.", stage: .user,
        fixes: [
          Fix(.configuration, "Make room; the service directories are not what fills a disk.")
        ],
        check: ["df -h <DataDirectory>; df -i <DataDirectory>"])
    case .outOfMemory:
      return blocked(
        group, "memory", "The kernel ended tor for lack of memory.",
        "The unit's or container's memory limit, or the host's memory, is too small for the load; under attack tor needs more.",
        stage: .running,
        fixes: [
          Fix(.unit, "Raise the limit (unit: MemoryMax), or set MaxMemInQueues lower in the torrc.")
        ],
        check: ["journalctl -k -g 'oom|Out of memory' --no-pager | tail"])
    default: return warning(group)
    }
  }

  private func bind(_ group: TorLog.Group, _ address: String, _ reason: String) -> Finding {
    let port = address.split(separator: ":").last.flatMap { Int($0) }
    // The second text of each is musl's, which Alpine's tor writes.
    if reason.has("already in use") || reason.has("Address in use") {
      return blocked(
        group, "port.used", "Something else listens on \(address).",
        "Mostly a second tor: the distribution's own unit beside this one, or one that has not ended; or two lines of the torrc (and of its defaults file) that name the same address. No right is missing.",
        stage: .listeners,
        fixes: [
          Fix(
            .configuration, "Find it, and stop it or give this tor another port.",
            port.map { ["ss -ltnp 'sport = :\($0)'"] } ?? [])
        ], check: restartCheck)
    }
    if reason.has("Cannot assign requested address") || reason.has("Address not available") {
      return blocked(
        group, "port.address", "This host (or container) does not have the address of \(address).",
        "The address belongs to another machine, or comes up after tor.", stage: .listeners,
        fixes: [
          Fix(
            .configuration,
            "Listen on an address that is there, as 127.0.0.1; or start tor after the network (`After=network-online.target`)."
          )
        ],
        check: ["ip -brief address"])
    }
    if reason.has("Permission denied"), let port, port < 1024 {
      return blocked(
        group, "port.low", "tor may not listen on \(address): ports below 1024 need a capability.",
        "A HiddenServicePort does not listen on this host at all, so a service on port 80 needs no such listener: only SocksPort, ControlPort, ORPort and the like do."
          + (isSELinuxOff ? "" : " If a denial `name_bind` is logged, SELinux refuses it besides."),
        stage: .listeners, confidence: .medium,
        fixes: [
          Fix(.configuration, "Use a port from 1024 on."),
          Fix(
            .unit,
            "Or leave the unit CAP_NET_BIND_SERVICE (AmbientCapabilities, where it starts tor as its user)."
          ),
        ], check: hiddenDenials.prefix(1) + restartCheck)
    }
    if address.hasPrefix("/") || address.hasPrefix("unix:") {
      return blocked(
        group, "port.socket", "tor cannot make its socket \(address): \(reason).",
        "The folder is missing, belongs to another user, or is closed to tor.", stage: .listeners,
        confidence: .medium,
        fixes: [
          Fix(
            .ownership,
            "Make a folder for it that tor's user owns, mode 0700 (or `RuntimeDirectory=tor` in the unit)."
          )
        ],
        check: restartCheck)
    }
    return blocked(
      group, "port.refused", "tor may not listen on \(address): \(reason).",
      isSELinuxOff || isInContainer(group)
        ? "The unit (RestrictAddressFamilies, SocketBindDeny) or AppArmor refuses it."
        : "SELinux lets tor listen only on ports of the type tor_port_t, which the audit record (`name_bind`) would show; or the unit (RestrictAddressFamilies, SocketBindDeny) refuses it.",
      stage: .listeners, confidence: .medium,
      fixes: [
        Fix(.configuration, "Use a port that tor may have: 9050, 9051."),
        isSELinuxOff || port == nil || isInContainer(group)
          ? nil
          : Fix(
            .port, "Or give this one port tor's label.",
            ["semanage port -a -t tor_port_t -p tcp \(port ?? 0)"]),
      ].compactMap { $0 }, check: hiddenDenials.prefix(1) + restartCheck)
  }

  private func targetDown(_ group: TorLog.Group, _ target: String, _ reason: String) -> Finding {
    if TorrcFacts.isLoopback(target), isInContainer(group) || facts.containers.hint != nil {
      return blocked(
        group, "target.loopback",
        "Nothing answers at \(target), which in a container is the container itself.",
        "Loopback is one for each network namespace: 127.0.0.1 in tor's container is not the host, and not the other container.",
        stage: .running, impact: .limits, fixes: loopbackFixes, check: loopbackCheck)
    }
    return blocked(
      group, "target.down", "The backend \(target) does not answer: \(reason).",
      "tor and its descriptor are well; what they lead to is not. The program does not run, listens on another address, or a firewall"
        + (isSELinuxOff ? "" : " (or, for tor's domain, SELinux: `name_connect`)")
        + " stands between.",
      stage: .running, confidence: .medium, impact: .limits,
      fixes: [
        Fix(.configuration, "Start the backend, or mend the target of the HiddenServicePort.")
      ],
      check: [
        "runuser -u \(torUserWord) -- sh -c 'exec 3<>/dev/tcp/<address>/<port>' ; ss -ltn    # from where tor runs"
      ])
  }

  var loopbackFixes: [Fix] {
    [
      Fix(
        .configuration,
        "Name the address that the backend really has, seen from tor: the other container's fixed address on a shared network, or the host's gateway address of tor's network (and let the backend listen there)."
      ),
      Fix(
        .configuration, "Or a unix socket in a folder that both see: `unix:/run/<name>/app.sock`."),
      Fix(
        .container,
        "Or put backend and tor into one network namespace (a pod, `network_mode: service:<name>`): then loopback is theirs alone."
      ),
    ]
  }

  var loopbackCheck: [String] {
    [
      "docker exec <tor's container> sh -c 'nc -z <address> <port>'    # from tor's namespace; a test from the host proves nothing"
    ]
  }
}
