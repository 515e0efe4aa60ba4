import Engine
import OnionModel
import SELinux

/// What SELinux means for our containers on this host.
struct SELinuxCheck {
  let policy: HostPolicy
  /// The engine that is used; `nil` if none answers.
  let engine: EngineDescription?
  /// Whether the loaded policy has containers' domain and files; absent where SELinux is off.
  let knowsContainers: Observation<Bool>

  /// Modules that Onionkeeper brings (`policies/`).
  static let ours = ["onionkeeper", "onionkeeper_container", "tor_onion", "tor_onion_min"]

  var findings: [DoctorFinding] {
    switch policy.mode {
    case .unknown(let reason):
      return [DoctorFinding(.selinux, .unknown, "the mode cannot be read: \(reason)")]
    case .absent, .present(.disabled): return [off]
    case .present(.permissive): return [permissive] + switchedOn(.risk)
    case .present(.enforcing): return [enforcing] + switchedOn(.broken)
    }
  }

  /// A host whose distribution has none of it is not to be scolded; one where somebody switched it off is.
  private var off: DoctorFinding {
    guard policy.configuredMode.value != nil || policy.name.value != nil else {
      return DoctorFinding(
        .selinux, .note,
        "not on this host: nothing is labelled; tor is confined by its user, no capabilities and seccomp"
      )
    }
    return DoctorFinding(
      .selinux, .risk,
      "switched off, though policy \(policy.name.value ?? "of some name") is installed",
      mend: [
        "set SELINUX=permissive in /etc/selinux/config, and take selinux=0 off the kernel's command line"
          + " (Debian: selinux-activate does both)",
        "fixfiles -F onboot && reboot   # labels all files anew: enforcing before that, it may not boot",
        "once `ausearch -m AVC -ts boot` is quiet: set SELINUX=enforcing, setenforce 1",
      ])
  }

  private var permissive: DoctorFinding {
    DoctorFinding(
      .selinux, .risk, "permissive: denials are logged and nothing is refused (\(name))",
      mend: ["setenforce 1"] + lasting)
  }

  private var enforcing: DoctorFinding {
    guard let next = policy.configuredMode.value, next != .enforcing else {
      return DoctorFinding(.selinux, .ok, "enforcing, \(name)")
    }
    return DoctorFinding(
      .selinux, .risk, "enforcing, but \(next.rawValue) after the next boot", mend: lasting)
  }

  private var lasting: [String] {
    policy.configuredMode.value == .enforcing || policy.configuredMode.isAbsent
      ? [] : ["sed -i 's/^SELINUX=.*/SELINUX=enforcing/' /etc/selinux/config"]
  }

  private var name: String {
    var words = ["policy \(policy.name.value ?? "of unknown name")"]
    if let version = policy.formatVersion.value { words.append("format \(version)") }
    if let modules = policy.modules.value { words.append("\(modules.count) modules") }
    return words.joined(separator: ", ")
  }

  /// - Parameter weight: of what does not work.
  private func switchedOn(_ weight: DoctorFinding.Weight) -> [DoctorFinding] {
    var found: [DoctorFinding] = []
    if let engine, let refusal = engine.labelRefusal {
      found.append(DoctorFinding(.selinux, weight, refusal.message, mend: [refusal.setting]))
    }
    switch knowsContainers {
    case .present(false):
      found.append(
        DoctorFinding(
          .selinux, weight,
          "the loaded policy has no container_t and container_file_t: no container can be confined",
          mend: ["install container-selinux (Debian: the container module of selinux-policy-src)"]))
    case .unknown(let reason):
      found.append(
        DoctorFinding(
          .selinux, .unknown, "whether the policy knows containers cannot be asked: \(reason)"))
    case .present(true), .absent: break
    }
    return found + [modules] + booleans
  }

  private var modules: DoctorFinding {
    switch policy.modules {
    case .unknown(let reason):
      return DoctorFinding(.selinux, .unknown, "the modules cannot be listed: \(reason)")
    case .absent: return DoctorFinding(.selinux, .unknown, "no module store was found")
    case .present(let all):
      let there = all.filter { Self.ours.contains($0.name) && $0.isEnabled }.map(\.name)
      guard !there.contains("onionkeeper_container") else {
        return DoctorFinding(
          .selinux, .ok, "modules of ours: \(there.joined(separator: ", "))")
      }
      return DoctorFinding(
        .selinux, .note,
        "module onionkeeper_container is not installed: containers run as container_t",
        mend: ["onionkeeper policy install policies/onionkeeper_container.cil"])
    }
  }

  /// It matters to a tor outside of containers alone, and only where the policy has it.
  private var booleans: [DoctorFinding] {
    switch policy.boolean("tor_can_onion_services") {
    case .present(let isOn):
      return [
        DoctorFinding(
          .selinux, .note,
          "boolean tor_can_onion_services is \(isOn ? "on" : "off"): it matters to a tor outside of containers alone"
        )
      ]
    case .absent: return []
    case .unknown(let reason):
      return [DoctorFinding(.selinux, .unknown, "booleans cannot be read: \(reason)")]
    }
  }
}

extension EngineDescription {
  /// Why no container of this engine is labelled, and the setting that changes it; `nil` if it labels them. It matters
  /// where SELinux is on: there an unlabelled container runs in the engine's own domain, unconfined.
  var labelRefusal: (message: String, setting: String)? {
    guard !hasSELinux else { return nil }
    switch identity.kind {
    case .docker:
      return (
        "SELinux is on and Docker does not label its containers: they run unconfined",
        "\"selinux-enabled\": true in /etc/docker/daemon.json, then systemctl restart docker"
      )
    case .podman:
      return (
        "SELinux is on and Podman does not label its containers: they run unconfined",
        "label = true under [containers] in /etc/containers/containers.conf, then systemctl restart podman"
      )
    }
  }
}
