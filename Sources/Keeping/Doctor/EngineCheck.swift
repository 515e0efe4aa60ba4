import Engine
import OnionModel

/// The engine, its storage, user namespaces and control groups.
struct EngineCheck {
  let engines: [EngineFacts]
  /// Where it is looked for.
  let sockets: [String]
  /// The host file, for messages.
  let file: String
  let isRoot: Bool
  /// The kernel's controllers of control groups version 2; absent on version 1.
  let controllers: Observation<String>

  /// What a container's limits need of control groups.
  private static let needed = ["cpu", "memory", "pids"]
  /// Copy whole layers for each container, or are given up by the engines.
  private static let poorDrivers: Set<String> = ["vfs", "devicemapper", "aufs"]

  var findings: [DoctorFinding] {
    guard let engine = engines.first else {
      return [
        DoctorFinding(
          .engine, .broken, "no engine is there: nothing at \(sockets.joined(separator: " or "))",
          mend: ["systemctl enable --now docker, or podman.socket"])
      ]
    }
    guard engines.count == 1 else {
      return [
        DoctorFinding(
          .engine, .broken,
          "two engines are there: \(engines.map(\.socket).joined(separator: " and "))",
          mend: ["name one in \(file): engine: {socket: \(engine.socket)}"])
      ]
    }
    guard case .present(let description) = engine.description else {
      let reason = engine.description.unknownReason ?? "nothing"
      return [
        isRoot
          ? DoctorFinding(
            .engine, .broken, "\(engine.socket) does not answer: \(reason)",
            mend: [
              "systemctl restart \(engine.socket.contains("podman") ? "podman.socket" : "docker")"
            ])
          : DoctorFinding(
            .engine, .unknown, "\(engine.socket) was not asked: \(reason)",
            mend: ["run doctor as root"])
      ]
    }
    return about(description) + hostFindings(engine.host)
  }

  private func about(_ engine: EngineDescription) -> [DoctorFinding] {
    let identity = engine.identity
    let name = "\(identity.kind.rawValue) \(identity.version)"
    var found = engine.refusals.map {
      DoctorFinding(
        .engine, .broken, "\(name): \($0) is not supported",
        mend: ["use a rootful engine with its default seccomp profile, without userns-remap"])
    }
    if found.isEmpty {
      found.append(DoctorFinding(.engine, .ok, "\(name), API \(engine.apiVersion)"))
    }
    if engine.remapsUsers, let owner = engine.torOwner {
      found.append(
        DoctorFinding(.users, .note, "users are remapped: tor's is \(owner) on this host"))
    } else if !engine.remapsUsers {
      found.append(DoctorFinding(.users, .ok, "no user namespace: tor is \(TorLayout.user)"))
    }
    return found
  }

  private func hostFindings(_ observation: Observation<EngineHost>) -> [DoctorFinding] {
    guard case .present(let host) = observation else {
      return [
        DoctorFinding(
          .storage, .unknown,
          "the engine says nothing of its storage: \(observation.unknownReason ?? "not asked")")
      ]
    }
    var found = [storage(host), controlGroups(host)]
    for limit in host.missingLimits {
      found.append(
        DoctorFinding(
          .cgroups, .broken, "the engine cannot hold a container's \(limit) limit on this kernel",
          mend: ["boot with systemd.unified_cgroup_hierarchy=1 cgroup_enable=memory"]))
    }
    found += host.warnings.map { DoctorFinding(.engine, .note, "the engine warns: \($0)") }
    return found
  }

  private func storage(_ host: EngineHost) -> DoctorFinding {
    let place = host.backingFilesystem.isEmpty ? "" : " on \(host.backingFilesystem)"
    guard !Self.poorDrivers.contains(host.storageDriver) else {
      return DoctorFinding(
        .storage, .risk,
        "storage driver \(host.storageDriver)\(place): every container is a whole copy",
        mend: ["use overlay2 (Docker: \"storage-driver\"; Podman: driver in storage.conf)"])
    }
    return DoctorFinding(.storage, .ok, "\(host.storageDriver)\(place), \(host.dataRoot)")
  }

  private func controlGroups(_ host: EngineHost) -> DoctorFinding {
    switch controllers {
    case .present(let text):
      let there = Set(text.split(whereSeparator: \.isWhitespace).map(String.init))
      let missing = Self.needed.filter { !there.contains($0) }
      guard missing.isEmpty else {
        return DoctorFinding(
          .cgroups, .broken,
          "this kernel offers no control group for \(missing.joined(separator: ", "))",
          mend: ["boot with cgroup_enable=memory, or without cgroup_disable=…"])
      }
      return DoctorFinding(.cgroups, .ok, "version 2, driver \(host.cgroupDriver)")
    case .absent:
      return DoctorFinding(
        .cgroups, .note,
        "version \(host.cgroupVersion ?? 1), driver \(host.cgroupDriver): distributions leave it for version 2"
      )
    case .unknown(let reason):
      return DoctorFinding(.cgroups, .unknown, "/sys/fs/cgroup cannot be read: \(reason)")
    }
  }
}
