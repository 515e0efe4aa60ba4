/// What a torrc shows by itself, without a line of a log.
extension Judge {
  func torrcFindings(besides found: [Finding]) -> [Finding] {
    let codes = Set(found.map(\.code))
    var mine: [Finding] = []
    mine += duplicates(isKnown: codes.contains("config.duplicate"))
    if !codes.contains("keys.shared") { mine += sharedVolumes() }
    if !codes.contains("target.loopback") { mine += loopbacks() }
    if !codes.contains("config.target-name") { mine += names() }
    mine += serviceOptions(codes)
    mine += torrcValueFindings(codes)
    mine += places(codes)
    return mine
  }

  func finding(
    _ code: String, _ impact: Impact, _ stage: Finding.Stage, _ title: String, _ cause: String,
    _ confidence: Confidence, _ evidence: [Evidence], _ position: Int, _ fixes: [Fix],
    _ check: [String]
  ) -> Finding {
    var list = EvidenceList()
    for line in evidence { list.add(line) }
    return Finding(
      code, impact, stage, title, cause: cause, confidence: confidence, evidence: list,
      position: position, fixes: fixes, check: check)
  }

  var verifyTorrc: [String] { ["tor -f /etc/tor/torrc --verify-config    # as tor's user"] }

  /// One file that two includes read, one directory that two lines of one file name.
  private func duplicates(isKnown: Bool) -> [Finding] {
    var mine: [Finding] = []
    let includes = facts.torrc.includes
    for (index, include) in includes.enumerated() {
      let folder = TorrcFacts.normal(include.path)
      guard
        let other = includes.enumerated().first(where: {
          $0.offset != index && $0.element.evidence.file == include.evidence.file
            && ($0.element.path.hasPrefix(folder + "/")
              || $0.offset > index && TorrcFacts.normal($0.element.path) == folder)
            && !$0.element.path.dropFirst(folder.utf8.count + 1).contains("/")
        })
      else { continue }
      mine.append(
        finding(
          "config.duplicate", .blocks, .configuration, "\(other.element.path) is included twice.",
          "\(include.path) already brings every file in it (but dot files and folders), and the file is included again by name. Each service in it then stands there twice, and tor ends with `Another hidden service is already configured for directory`.",
          .high, [include.evidence, other.element.evidence], include.position,
          [
            Fix(
              .configuration,
              "Take one of the two %include lines out. The services' directories are not to be touched."
            )
          ], verifyTorrc))
    }
    guard !isKnown else { return mine }
    var places: [String: TorrcFacts.Service] = [:]
    for service in facts.torrc.services {
      let key = "\(service.evidence.file) \(service.directory)"
      if let first = places[key] {
        mine.append(
          finding(
            "config.duplicate", .blocks, .configuration,
            "\(service.directory) is configured twice.",
            "Two HiddenServiceDir lines name one directory; tor refuses the whole torrc.", .high,
            [first.evidence, service.evidence], first.position,
            [
              Fix(
                .configuration,
                "Put all ports behind one of them, and take the other out. The directory itself is not to be touched."
              )
            ], verifyTorrc))
      }
      places[key] = places[key] ?? service
    }
    return mine
  }

  private func sharedVolumes() -> [Finding] {
    var bySource: [String: (TorrcFacts.Service, ContainerFacts.Mount)] = [:]
    var mine: [Finding] = []
    for service in facts.torrc.services {
      guard let mount = facts.containers.mount(of: service.directory),
        mount.destination == service.directory
      else { continue }
      if let (other, first) = bySource[mount.source], other.directory != service.directory {
        mine.append(
          finding(
            "keys.shared", .limits, .keys,
            "\(other.directory) and \(service.directory) are one volume (\(mount.source)), so both services have one key.",
            "tor compares the names of directories only. It loads the same key twice, registers the first service and drops the second: its ports (\(service.ports.map(\.virtual).joined(separator: ", "))) never answer.",
            .high, [first.evidence, mount.evidence, other.evidence, service.evidence],
            other.position,
            [
              Fix(
                .configuration,
                "Make it one service: one HiddenServiceDir with all the ports (\((other.ports + service.ports).map(\.virtual).joined(separator: ", "))). The address stays."
              ),
              Fix(
                .container,
                "Or give the second a volume of its own; then it gets a key, and an address, of its own. Never copy the key."
              ),
            ],
            [
              "stat -c '%d:%i' \(quoted(other.directory)) \(quoted(service.directory))    # in the container: two different"
            ]))
      } else {
        bySource[mount.source] = (service, mount)
      }
    }
    return mine
  }

  private func loopbacks() -> [Finding] {
    guard let hint = facts.containers.hint, !facts.containers.isHostNetwork else { return [] }
    let ports = facts.torrc.services.flatMap(\.ports).filter { TorrcFacts.isLoopback($0.target) }
    guard let first = ports.first else { return [] }
    return [
      finding(
        "target.loopback", .limits, .running,
        ports.count == 1
          ? "The target \(first.target) is tor's own container, not the host and not another container."
          : "\(ports.count) targets (\(ports.prefix(4).map(\.target).joined(separator: ", "))\(ports.count > 4 ? "…" : "")) are tor's own container, not the host and not another container.",
        "The torrc is valid and the descriptor is published; then nobody answers, and tor says nothing of it at its usual level. Loopback is one for each network namespace.",
        .high, ports.prefix(3).map(\.evidence) + [hint], facts.torrc.services.first?.position ?? 0,
        loopbackFixes, loopbackCheck)
    ]
  }

  private func names() -> [Finding] {
    let named = facts.torrc.namedTargets
    guard let first = named.first else { return [] }
    return [
      finding(
        "config.target-name", .limits, .configuration,
        "\(named.count == 1 ? "The target \(first.target) is a name" : "\(named.count) targets are names (\(named.prefix(3).map(\.target).joined(separator: ", ")))"): tor looks it up once, while it reads the torrc.",
        "If the name does not resolve then, in tor's own network, tor does not start; and it keeps the address that it found for as long as it runs, whatever becomes of the peer.",
        .medium, named.prefix(3).map(\.evidence), facts.torrc.services.first?.position ?? 0,
        [
          Fix(
            .configuration,
            "Write an address that stays, or a unix socket; else start tor after the peer, on one network with it, and restart it when the peer is made anew."
          )
        ],
        [
          "docker exec <tor's container> getent hosts \(TorrcFacts.host(of: first.target) ?? "<name>")"
        ])
    ]
  }

  private func serviceOptions(_ codes: Set<String>) -> [Finding] {
    var mine: [Finding] = []
    for service in facts.torrc.services {
      if let option = service.options["hiddenserviceauthorizeclient"],
        !codes.contains("config.authorize-client"), !codes.contains("clients.open")
      {
        mine.append(
          finding(
            "clients.open", .risk, .running,
            "\(service.directory) asks for client authorization in the way of version 2, which protects nothing now.",
            "A tor before 0.4.6 refuses HiddenServiceAuthorizeClient for a version 3 service; a newer one skips the line and runs the service open to everybody.",
            .high, [option.evidence, service.evidence], service.position,
            [
              Fix(
                .configuration,
                "Write one file for each client into authorized_clients first: NAME.auth, mode 0600, one line `descriptor:x25519:<the client's PUBLIC key in base32>`. Then take the line out."
              )
            ], ["ls -l \(quoted(service.directory + "/authorized_clients"))"]))
      }
      if let option = service.options["hiddenserviceversion"], option.value != "3",
        !codes.contains("config.version2")
      {
        mine.append(
          finding(
            "config.version2", .blocks, .configuration,
            "\(service.directory) asks for version \(option.value); tor has only version 3.",
            "Version 2 ended in 2021, and its keys and addresses with it.", .high,
            [option.evidence, service.evidence], service.position,
            [
              Fix(
                .configuration,
                "Take the line out, and give the service a directory of its own; it gets a new address."
              )
            ], verifyTorrc))
      }
      if service.ports.isEmpty, !codes.contains("config.ports.missing") {
        mine.append(
          finding(
            "config.ports.missing", .blocks, .configuration,
            "The service \(service.directory) has no HiddenServicePort.",
            "tor refuses a service without a port. If only a part of the torrc was given, the line may be elsewhere.",
            .medium,
            [service.evidence], service.position,
            [Fix(.configuration, "Add its `HiddenServicePort` behind its `HiddenServiceDir`.")],
            verifyTorrc))
      }
    }
    // A file of an include directory goes on where the one before it ended.
    if let stray = facts.torrc.strays.first, !codes.contains("config.stray"),
      facts.torrc.includes.isEmpty,
      facts.torrc.services.contains(where: { $0.evidence.file == stray.evidence.file })
    {
      mine.append(
        finding(
          "config.stray", .blocks, .configuration,
          "A service's option stands before any HiddenServiceDir (\(stray.evidence.text.words.first.map(String.init) ?? stray.name)).",
          "An option of a service belongs to the HiddenServiceDir above it; this one has none, and tor does not start.",
          .medium,
          [stray.evidence], stray.position,
          [Fix(.configuration, "Move the line behind its service's HiddenServiceDir.")], verifyTorrc
        ))
    }
    return mine
  }

  /// What a unit beside the torrc will not let it do.
  private func places(_ codes: Set<String>) -> [Finding] {
    guard let unit = facts.units.tor, !codes.contains("unit.hides"),
      !codes.contains("unit.readonly")
    else { return [] }
    let home = ["yes", "true", "1", "on", "tmpfs"].contains(
      unit.last("ProtectHome")?.lowercased() ?? "")
    let isStrict =
      unit.last("ProtectSystem")?.lowercased() == "strict"
      || unit.paths("ReadOnlyDirectories", "ReadOnlyPaths").contains("/")
    let writable =
      unit.paths("ReadWritePaths", "ReadWriteDirectories")
      + unit.paths("StateDirectory").map { "/var/lib/\($0)" }
      + unit.paths("BindPaths").compactMap { $0.split(separator: ":").last.map(String.init) }
    var mine: [Finding] = []
    for service in facts.torrc.services {
      let isHome = ["/home/", "/root/", "/run/user/"].contains { service.directory.hasPrefix($0) }
      if home, isHome {
        mine.append(
          finding(
            "unit.hides", .blocks, .directory, "The unit hides \(service.directory) from tor.",
            "ProtectHome makes everything there unreachable for this service, whoever owns it.",
            .high,
            [service.evidence] + unit.evidence(of: "ProtectHome").lines, service.position,
            [
              Fix(
                .configuration,
                "Keep the service's directory below tor's own folder, as /var/lib/tor/NAME.")
            ], restartCheck))
      } else if isStrict,
        !writable.contains(where: {
          service.directory == $0 || service.directory.hasPrefix($0 + "/")
        }), !writable.isEmpty || unit.last("ProtectSystem") != nil
      {
        mine.append(
          finding(
            "unit.readonly", .limits, .directory, "The unit leaves \(service.directory) read-only.",
            "ProtectSystem=strict leaves only the unit's ReadWritePaths and its state folder writable. A directory that is complete works all the same; a new one cannot be made.",
            .medium,
            [service.evidence] + unit.evidence(of: "ProtectSystem", "ReadWritePaths").lines,
            service.position,
            [
              Fix(
                .configuration,
                "Keep the service below a folder that is writable already\(writable.first.map { " (\($0))" } ?? "")."
              ),
              Fix(
                .unit, "Or add this one folder with a drop-in.",
                ["systemctl edit \(unitWord)    # [Service] ReadWritePaths=\(service.directory)"]),
            ], restartCheck))
      }
    }
    return mine
  }
}
