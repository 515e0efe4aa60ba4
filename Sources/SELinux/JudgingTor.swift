extension DenialJudge {
  /// What tor itself was refused.
  func tor(_ denial: Denial) -> DenialJudgement {
    switch denial.targetClass {
    case "capability", "cap_userns": return capability(denial)
    case "capability2", "cap2_userns": return kernelCapability(denial)
    case "process" where !denial.permissions.filter(isMemory).isEmpty: return memory(denial)
    case "file" where denial.permissions.contains("execmod"): return memory(denial)
    case "file" where denial.permissions.contains("entrypoint"): return programLabel(denial)
    case "process", "process2": return process(denial)
    case "tcp_socket", "udp_socket", "sctp_socket", "dccp_socket", "rawip_socket":
      return network(denial)
    case "unix_stream_socket", "unix_dgram_socket", "sock_file": return socket(denial)
    case "filesystem": return filesystem(denial)
    default:
      return ObjectClass.isFile(denial.targetClass) ? file(denial) : unknown(denial)
    }
  }

  private func isMemory(_ permission: String) -> Bool {
    ["execmem", "execstack", "execheap"].contains(permission)
  }

  func unknown(_ denial: Denial) -> DenialJudgement {
    judgement(
      denial, .unknown,
      "Labels look as they should, and no lesser remedy is known for it. If nothing fails, it needs none.",
      [
        Remedy(
          .update, "See whether a newer policy allows it.",
          ["dnf upgrade selinux-policy-targeted   # Debian: apt install selinux-policy-default"]),
        ruleRemedy("If tor fails without it, allow just that."),
      ], .needed, .low)
  }

  // MARK: - Capabilities

  private func capability(_ denial: Denial) -> DenialJudgement {
    switch denial.permissions.first {
    case "dac_read_search": return readSearch(denial)
    case "dac_override":
      return others.contains { isReadSearch($0, like: denial) }
        ? secondTry(denial) : override(denial)
    case "chown", "fowner", "fsetid":
      return judgement(
        denial, .ownership,
        "tor, still root, was to change owner or mode of something. It need not where they are right already.",
        [ownership(denial)], .covered("set owner and mode"), .medium)
    default: return otherCapability(denial)
    }
  }

  private func isReadSearch(_ other: Denial, like denial: Denial) -> Bool {
    other.permissions.contains("dac_read_search") && other.sourceType == denial.sourceType
      && other.targetClass == denial.targetClass
      && (other.command == denial.command || other.process == denial.process)
  }

  private var torsPlaces: String { "/var/lib/tor" }

  private func ownership(_ denial: Denial) -> Remedy {
    // Whatever else root could not look at is not to become tor's.
    if let path = denial.path, !path.hasPrefix("/var/lib/tor/") {
      return Remedy(
        .ownership,
        "See whose \(path) is. If it is a service's directory, give it to the user that tor runs as (toranon on Fedora and EL, debian-tor on Debian), mode 0700; if not, tor has no business there.",
        ["namei -l \(Remedy.quoted(path))"])
    }
    let path = denial.path.map(Remedy.quoted) ?? "/var/lib/tor/SERVICE"
    return Remedy(
      .ownership,
      "Give the directory to the user that tor runs as (toranon on Fedora and EL, debian-tor on Debian), mode 0700; use mv and cp as that user, not as root.",
      ["ls -ldZ \(path)", "chown -R toranon:toranon \(path)", "chmod 0700 \(path)"])
  }

  private func readSearch(_ denial: Denial) -> DenialJudgement {
    var remedies = [
      Remedy(
        .unit,
        "Start tor as its own user, so that root need not look at all (a drop-in with User=; ports below 1024 then need AmbientCapabilities=CAP_NET_BIND_SERVICE).",
        ["systemctl edit tor.service"])
    ]
    var use = DenialJudgement.RuleUse.needed
    let boolean = knowledge.boolean("tor_can_onion_services")
    switch boolean {
    case .some(.some(false)):
      remedies.append(onionBoolean("This host's policy has a switch for it, which is off."))
      use = .covered("setsebool -P tor_can_onion_services on")
    case .none:
      remedies.append(
        onionBoolean("Fedora's policy has a switch for it, where `getsebool` knows it."))
    case .some(.none), .some(.some(true)): break
    }
    remedies += [
      Remedy(
        .container, "Run tor in a container as a plain user: then this question does not arise."),
      ruleRemedy(
        "Allow this one capability (policies/tor_onion_min.cil). dac_override, which is logged beside it, is not needed."
      ),
    ]
    return judgement(
      denial, .ownership,
      "tor starts as root and looks at its service directory, which is 0700 and belongs to tor's own user, before it becomes that user. Root without the capability dac_read_search is an ordinary user there, and this policy does not give it to tor.",
      remedies, use)
  }

  private func onionBoolean(_ text: String) -> Remedy {
    Remedy(.boolean, text, ["setsebool -P tor_can_onion_services on"])
  }

  private func secondTry(_ denial: Denial) -> DenialJudgement {
    judgement(
      denial, .ownership,
      "The kernel tries dac_override for the same access after dac_read_search was refused: with that one granted, it is not asked for.",
      [Remedy(.nothing, "See dac_read_search, which was refused for the same access.")],
      .covered("dac_read_search, refused for the same access, suffices"))
  }

  private func override(_ denial: Denial) -> DenialJudgement {
    judgement(
      denial, .ownership,
      "tor, still root, was to write (on kernels before 4.14 also: to read) something whose owner or mode does not let it. Root without dac_override is an ordinary user there.",
      [
        ownership(denial),
        Remedy(
          .unit, "Or start tor as its own user (User= in a drop-in).",
          ["systemctl edit tor.service"]),
        Remedy(.container, "Or run tor in a container as a plain user."),
      ], .covered("set owner and mode"), .medium)
  }

  private func otherCapability(_ denial: Denial) -> DenialJudgement {
    let name = denial.permissions.first ?? "?"
    if name == "net_bind_service" {
      return judgement(
        denial, .portLabel, "tor was to listen on a port below 1024.",
        [
          Remedy(
            .configuration,
            "Use a port above 1023 in torrc; an onion service's virtual port needs none."),
          ruleRemedy("Or allow the capability."),
        ], .covered("choose a port above 1023"), .medium)
    }
    if danger(of: denial) != nil {
      return judgement(
        denial, .dangerous,
        "tor needs no such thing to serve onions: an option of torrc or of the unit asks for it, or tor is not what runs here.",
        [
          Remedy(.nothing, "Nothing, if tor works."),
          Remedy(
            .configuration,
            "Remove the option that asks for it (TransPort, HeartBeat of a plugin, Sandbox)."),
        ], .covered("do without"), .medium)
    }
    return judgement(
      denial, .unknown, "tor was to use the capability \(name), which its policy does not give it.",
      [
        Remedy(.nothing, "Nothing, if tor works: some are tried and not needed."),
        ruleRemedy("If tor fails without it, allow just that."),
      ], .needed, .low)
  }

  private func kernelCapability(_ denial: Denial) -> DenialJudgement {
    judgement(
      denial, danger(of: denial) == nil ? .unknown : .dangerous,
      "A capability of the kernel's own affairs, which tor does not need.",
      [Remedy(.nothing, "Nothing, if tor works.")], .covered("do without"), .medium)
  }

  // MARK: - Processes

  private func memory(_ denial: Denial) -> DenialJudgement {
    judgement(
      denial, .selfFallingBack,
      "tor's proof of work (equi-x) compiles its hash function into memory. With CompiledProofOfWorkHash auto a refusal means its slower interpreter, and nothing fails; only with 1 does tor insist.",
      [
        Remedy(.nothing, "Nothing, if tor works."),
        Remedy(
          .configuration, "Stop the attempts in torrc.",
          ["echo 'CompiledProofOfWorkHash 0' >> /etc/tor/torrc"]),
      ], .dangerous("runs memory that it wrote itself: what an exploit needs"), .medium)
  }

  private func process(_ denial: Denial) -> DenialJudgement {
    if denial.sourceType == denial.targetType {
      return judgement(
        denial, danger(of: denial) == nil ? .policyUpdate : .dangerous,
        "tor acts on its own process in a way that this policy does not know yet.",
        [update(), ruleRemedy("Until then, allow just that, if tor fails without it.")], .needed,
        .medium)
    }
    return judgement(
      denial, danger(of: denial) == nil ? .unknown : .dangerous,
      "tor reaches for a process of \(denial.targetType).",
      [Remedy(.configuration, "See which option of torrc starts or signals it.")],
      .covered("do without"), .low)
  }

  func update() -> Remedy {
    Remedy(
      .update, "Update the policy: newer ones allow this.",
      [
        "dnf upgrade selinux-policy selinux-policy-targeted   # Debian: apt install selinux-policy-default"
      ])
  }

  private func filesystem(_ denial: Denial) -> DenialJudgement {
    judgement(
      denial, .policyUpdate,
      "tor, or a library in it, asks a file system for its size and kind (statfs). The name / in the record is the root of that device, not the host's root directory; no label is wrong. Newer policies allow it.",
      [update(), ruleRemedy("If no update is to be had, allow just that.")], .needed)
  }

  // MARK: - Sockets

  private func socket(_ denial: Denial) -> DenialJudgement {
    let isConnection = denial.permissions.contains("connectto")
    if denial.targetClass == "unix_dgram_socket" {
      return judgement(
        denial, .policyUpdate,
        "tor speaks to \(denial.targetType), most likely its log or systemd's notifications.",
        [update(), ruleRemedy("If tor fails without it, allow just that.")], .needed, .medium)
    }
    guard isConnection || denial.targetClass == "sock_file" else { return unknown(denial) }
    if denial.targetClass == "sock_file", !denial.permissions.contains("write") {
      return file(denial)
    }
    let other = others.contains {
      $0.sourceType == denial.sourceType
        && (isConnection
          ? $0.targetClass == "sock_file" : $0.permissions.contains("connectto"))
    }
    let second =
      other
      ? "Both were refused here, and both rules are needed."
      : isConnection
        ? "The socket's own label passed."
        : "The second, connectto, is refused next, once this one passes."
    return judgement(
      denial, .socket,
      "A connection to a unix socket is checked twice: write on the socket's file (its label), and connectto on who listens (its domain). \(second) A new label on the socket's file does not mend connectto.",
      [
        Remedy(
          .configuration,
          "Let the target listen on 127.0.0.1 and name that in HiddenServicePort: tor may connect to ports."
        ),
        Remedy(.container, "Run tor and its target in containers on one network."),
        ruleRemedy("Or allow exactly this pair of rules."),
      ], .needed)
  }

  // MARK: - Ports

  private func network(_ denial: Denial) -> DenialJudgement {
    if denial.permissions.contains("name_bind") { return bind(denial) }
    if denial.permissions.contains("name_connect") {
      return judgement(
        denial, .portLabel,
        "tor may not connect to \(denial.port.map { "port \($0)" } ?? "ports") labelled \(denial.targetType): the target of a service, or a proxy.",
        [
          Remedy(
            .configuration, "Let the target listen on a port that tor may use.",
            ["sesearch -A -s \(domain) -c tcp_socket -p name_connect"]),
          ruleRemedy("Or allow just this kind of port."),
        ], .needed, .medium)
    }
    return unknown(denial)
  }

  private func bind(_ denial: Denial) -> DenialJudgement {
    let kind = denial.targetClass == "udp_socket" ? "udp" : "tcp"
    let number = denial.port.map(String.init) ?? "PORT"
    let isFree = TypeKinds.freePorts.contains(denial.targetType)
    let use = DenialJudgement.RuleUse.covered("semanage port, or another port")
    var remedies = [
      Remedy(
        .configuration,
        "Use a port that is tor's already (9050, 9051, 9150, 9001, 9030), or a unix socket below /run/tor.",
        ["semanage port -l | grep tor_port_t"])
    ]
    if isFree {
      remedies.append(
        Remedy(
          .port, "Or give this port to tor.",
          ["semanage port -a -t tor_port_t -p \(kind) \(number)"]))
      let boolean = knowledge.boolean("tor_bind_all_unreserved_ports")
      if denial.targetType == "unreserved_port_t", boolean != .some(.none) {
        remedies.append(
          Remedy(
            .boolean, "Or, much wider: let tor listen on every port that nobody has claimed.",
            ["setsebool -P tor_bind_all_unreserved_ports on"]))
      }
    } else if (denial.port ?? 0) >= 1024 {
      remedies.append(
        Remedy(
          .port,
          "Or take this port from its service (\(denial.targetType)), if that does not run here.",
          ["semanage port -m -t tor_port_t -p \(kind) \(number)"]))
    }
    return judgement(
      denial, .portLabel,
      isFree
        ? "The port is nobody's, and policy lets tor listen only on its own."
        : "The port belongs to another service (\(denial.targetType)).", remedies, use)
  }
}
