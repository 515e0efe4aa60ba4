/// A container's state in the words that Docker and Podman share.
public enum ContainerState: Hashable, Sendable, Codable, CustomStringConvertible {
  case created, running, paused, restarting, exited, dead
  /// A word that this version does not know, or a state in passing (Podman's "stopped", "removing").
  case other(String)

  public init(_ word: String) {
    switch word.lowercased() {
    case "created", "configured", "initialized": self = .created
    case "running": self = .running
    case "paused": self = .paused
    case "restarting": self = .restarting
    case "exited", "stopped": self = .exited
    case "dead": self = .dead
    default: self = .other(word)
    }
  }

  public var description: String {
    switch self {
    case .created: "created"
    case .running: "running"
    case .paused: "paused"
    case .restarting: "restarting"
    case .exited: "exited"
    case .dead: "dead"
    case .other(let word): word
    }
  }
}

/// What both engines say truthfully of a container that exists. Compared field by field with the specification;
/// everything that an engine rewrites in its echo is left out (facts: Podman's CapDrop, Tmpfs, Ulimits, Image).
public struct ContainerFacts: Hashable, Sendable, Codable {
  public var isReadOnly: Bool
  public var isPrivileged: Bool
  /// `7942:7942`
  public var user: String
  public var entrypoint: [String]
  public var mounts: [Mount]
  /// The networks that it is joined to, by name.
  public var networks: [String]
  /// `bridge`, `host`, `none`, `container:…` or a network's name, as the engine says it.
  public var networkMode: String
  /// Bytes; 0 is without limit.
  public var memory: Int
  public var milliCPUs: Int
  public var pids: Int
  /// `always` for ours.
  public var restartPolicy: String
  /// Capabilities added by hand.
  public var addedCapabilities: [String]
  /// What else was given to it by hand that we never give: a namespace of the host, a device, a published port …, in words.
  public var extras: [String]
  /// The image's name as it was given at create; Podman puts a registry before it.
  public var image: String
  /// The engine's identifier of the image that it was made from.
  public var imageID: String
  public var restartCount: Int
  public var exitCode: Int
  public var pid: Int

  public init(
    isReadOnly: Bool, isPrivileged: Bool, user: String, entrypoint: [String], mounts: [Mount],
    networks: [String], networkMode: String, memory: Int, milliCPUs: Int, pids: Int,
    restartPolicy: String, addedCapabilities: [String], extras: [String] = [], image: String,
    imageID: String, restartCount: Int, exitCode: Int, pid: Int
  ) {
    self.isReadOnly = isReadOnly
    self.isPrivileged = isPrivileged
    self.user = user
    self.entrypoint = entrypoint
    self.mounts = mounts.sorted()
    self.networks = networks.sorted()
    self.networkMode = networkMode
    self.memory = memory
    self.milliCPUs = milliCPUs
    self.pids = pids
    self.restartPolicy = restartPolicy
    self.addedCapabilities = addedCapabilities.sorted()
    self.extras = extras.sorted()
    self.image = image
    self.imageID = imageID
    self.restartCount = restartCount
    self.exitCode = exitCode
    self.pid = pid
  }
}

/// What `/proc/<pid>/status` says of a running tor: the proof, whatever was asked for.
public struct ProcessProof: Hashable, Sendable, Codable {
  /// Real, effective, saved and file system user, as the host sees them.
  public var users: [Int]
  public var groups: [Int]
  /// CapInh, CapPrm, CapEff, CapBnd, CapAmb.
  public var capabilities: [UInt64]
  public var hasNoNewPrivileges: Bool
  /// 0 none, 1 strict, 2 filter.
  public var seccomp: Int
  /// `/proc/<pid>/attr/current` where SELinux or AppArmor names one.
  public var label: String?
  /// Field 22 of `/proc/<pid>/stat`: tells a process from the next one with its number.
  public var startTime: UInt64
  /// Where a directory is mounted that has been removed from the host meanwhile: what is made anew in its place, the
  /// process never sees before its container's next start.
  public var lostMounts: [String]
  /// The host's number for the container's user 7942, by `/proc/<pid>/uid_map`; `nil` where the kernel has no such map.
  public var mappedUser: Int?

  public init(
    users: [Int], groups: [Int], capabilities: [UInt64], hasNoNewPrivileges: Bool, seccomp: Int,
    label: String?, startTime: UInt64, lostMounts: [String] = [], mappedUser: Int? = nil
  ) {
    self.users = users
    self.groups = groups
    self.capabilities = capabilities
    self.hasNoNewPrivileges = hasNoNewPrivileges
    self.seccomp = seccomp
    self.label = label
    self.startTime = startTime
    self.lostMounts = lostMounts
    self.mappedUser = mappedUser
  }

  /// Each way in which the process is less confined than promised; empty is good.
  public func breaches(user: Int, label wanted: ContainerLabel?) -> [Deviation] {
    var found: [Deviation] = []
    if users.count != 4 || users.contains(where: { $0 != user }) {
      found.append(Deviation("uid", expected: "\(user)", observed: "\(users)"))
    }
    if groups.count != 4 || groups.contains(where: { $0 != user }) {
      found.append(Deviation("gid", expected: "\(user)", observed: "\(groups)"))
    }
    if let mappedUser, mappedUser != user {
      found.append(
        Deviation("uid_map of \(TorLayout.user)", expected: "\(user)", observed: "\(mappedUser)"))
    }
    for (name, set) in zip(["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"], capabilities)
    where set != 0 {
      found.append(Deviation(name, expected: "0", observed: String(set, radix: 16)))
    }
    if capabilities.count != 5 {
      found.append(Deviation("Cap*", expected: "five sets", observed: "\(capabilities.count)"))
    }
    if !hasNoNewPrivileges { found.append(Deviation("NoNewPrivs", expected: "1", observed: "0")) }
    if seccomp != 2 { found.append(Deviation("Seccomp", expected: "2", observed: "\(seccomp)")) }
    if let wanted, label?.contains(":\(wanted.type):\(wanted.level)") != true {
      found.append(
        Deviation("label", expected: "\(wanted.type):\(wanted.level)", observed: label ?? "none"))
    }
    return found
  }
}

/// One thing that is not as wished: what, what was expected, what was found.
public struct Deviation: Hashable, Sendable, Codable, CustomStringConvertible {
  public var what: String
  public var expected: String
  public var observed: String

  public init(_ what: String, expected: String, observed: String) {
    self.what = what
    self.expected = expected
    self.observed = observed
  }

  public var description: String { "\(what): expected \(expected), found \(observed)" }
}

/// A container as one look found it.
public struct ContainerObservation: Hashable, Sendable {
  public var id: String
  public var name: String
  public var labels: [String: String]
  public var state: ContainerState
  /// From inspect.
  public var facts: Observation<ContainerFacts>
  /// Only of a running one.
  public var proof: Observation<ProcessProof>

  public init(
    id: String, name: String, labels: [String: String], state: ContainerState,
    facts: Observation<ContainerFacts>, proof: Observation<ProcessProof>
  ) {
    self.id = id
    self.name = name
    self.labels = labels
    self.state = state
    self.facts = facts
    self.proof = proof
  }

  public var agent: AgentID? { labels[ContainerLabelKey.agent].flatMap { AgentID($0) } }
  public var instance: InstanceName? {
    labels[ContainerLabelKey.instance].flatMap { InstanceName($0) }
  }
  public var specificationDigest: String? { labels[ContainerLabelKey.specification] }
  /// The engine is about to remove it, which takes Docker seconds: it is as good as gone.
  public var isLeaving: Bool { state == .other("removing") }
}

extension ContainerSpecification {
  /// Each way in which a container differs from this, by facts that both engines give.
  ///
  /// - Parameter others: networks of targets, which it may be joined to beside its own.
  public func deviations(of facts: ContainerFacts, joined others: Set<String> = []) -> [Deviation] {
    var found: [Deviation] = []
    func check<Value: Equatable>(_ what: String, _ expected: Value, _ observed: Value) {
      if expected != observed {
        found.append(Deviation(what, expected: "\(expected)", observed: "\(observed)"))
      }
    }
    check("read-only root", true, facts.isReadOnly)
    check("privileged", false, facts.isPrivileged)
    check("user", "\(user):\(user)", facts.user)
    check("entrypoint", entrypoint, facts.entrypoint)
    let (wanted, there) = (Set(mounts.map(text)), Set(facts.mounts.map(text)))
    if wanted != there {
      // Only what differs: the whole lists are a screen each.
      found.append(
        Deviation(
          "mounts", expected: words(wanted.subtracting(there), or: "no more"),
          observed: words(there.subtracting(wanted), or: "missing")))
    }
    check("networks", [network], facts.networks.filter { $0 == network || !others.contains($0) })
    check("added capabilities", "none", words(Set(facts.addedCapabilities), or: "none"))
    check("options given by hand", "none", words(Set(facts.extras), or: "none"))
    if facts.image != image, !facts.image.hasSuffix("/\(image)") {
      check("image", image, facts.image)
    }
    return found
  }

  /// Limits and the restart policy: what can be put back without a restart where the engine can.
  public func looseLimits(of facts: ContainerFacts) -> [Deviation] {
    var found: [Deviation] = []
    func check(_ what: String, _ expected: String, _ observed: String) {
      if expected != observed {
        found.append(Deviation(what, expected: expected, observed: observed))
      }
    }
    check("memory", "\(limits.memory)", "\(facts.memory)")
    check("cpus", "\(limits.milliCPUs)m", "\(facts.milliCPUs)m")
    check("pids", "\(limits.pids)", "\(facts.pids)")
    check("restart policy", "always", facts.restartPolicy)
    return found
  }

  private func words(_ values: Set<String>, or nothing: String) -> String {
    values.isEmpty ? nothing : values.sorted().joined(separator: ", ")
  }

  private func text(_ mount: Mount) -> String {
    "\(mount.source):\(mount.destination):\(mount.isReadOnly ? "ro" : "rw")"
  }
}
