/// A directory of the host inside a container. Never a file: a file replaced by rename would stay the old one inside.
public struct Mount: Hashable, Sendable, Codable, Comparable {
  public var source: String
  public var destination: String
  public var isReadOnly: Bool

  public init(source: String, destination: String, isReadOnly: Bool) {
    self.source = source
    self.destination = destination
    self.isReadOnly = isReadOnly
  }

  public static func < (left: Mount, right: Mount) -> Bool {
    (left.destination, left.source) < (right.destination, right.source)
  }
}

/// The SELinux label of an instance: its domain and its pair of categories, the same for life.
public struct ContainerLabel: Hashable, Sendable, Codable {
  /// Every container's domain.
  public static let commonType = "container_t"
  /// Our containers' own, tighter one: of `policies/onionkeeper_container.cil`.
  public static let ownType = "onionkeeper_container_t"

  /// One of these two.
  public var type: String
  /// `s0:c12,c345`
  public var level: String

  public init(type: String, level: String) {
    self.type = type
    self.level = level
  }
}

/// Everything that a container is created with; the hash of it, not an engine's echo, tells whether it moved.
public struct ContainerSpecification: Hashable, Sendable, Codable {
  /// Raised whenever the meaning of a field or the canonical form changes.
  public static let version = 1

  /// `PREFIX-INSTANCE`
  public var name: String
  public var instance: InstanceName
  /// A local image, by the tag that holds its recipe's digest: `onionkeeper-tor:0123456789ab`.
  public var image: String
  /// The engine's network to join.
  public var network: String
  /// The numeric user and group that tor runs as, as the container sees them.
  public var user: Int
  public var entrypoint: [String]
  public var mounts: [Mount]
  /// Paths that get a small tmpfs, noexec, nosuid, nodev.
  public var tmpfs: [String]
  public var limits: ContainerLimits
  public var label: ContainerLabel?
  /// Seconds between SIGTERM and SIGKILL at a stop.
  public var stopTimeout: Int
  public var openFiles: Int
  /// RLIMIT_NPROC counts per host user, and all our tors share one: the real cap is `limits.pids`.
  public var processes: Int

  public init(
    name: String, instance: InstanceName, image: String, network: String, user: Int,
    entrypoint: [String], mounts: [Mount], tmpfs: [String] = ["/tmp"], limits: ContainerLimits,
    label: ContainerLabel? = nil, stopTimeout: Int = 33, openFiles: Int = 4096,
    processes: Int = 4096
  ) {
    self.name = name
    self.instance = instance
    self.image = image
    self.network = network
    self.user = user
    self.entrypoint = entrypoint
    self.mounts = mounts.sorted()
    self.tmpfs = tmpfs.sorted()
    self.limits = limits
    self.label = label
    self.stopTimeout = stopTimeout
    self.openFiles = openFiles
    self.processes = processes
  }

  /// The canonical form: one `field=value` a line in a fixed order. Golden files in the tests hold it still.
  public var canonicalText: String {
    var lines = [
      "version=\(Self.version)", "name=\(name)", "instance=\(instance)", "image=\(image)",
      "network=\(network)", "user=\(user):\(user)",
    ]
    lines += entrypoint.map { "entrypoint=\($0)" }
    lines += mounts.map { "mount=\($0.source)=>\($0.destination) \($0.isReadOnly ? "ro" : "rw")" }
    lines += tmpfs.map { "tmpfs=\($0)" }
    lines += [
      "memory=\(limits.memory)", "milliCPUs=\(limits.milliCPUs)", "pids=\(limits.pids)",
      "label=\(label.map { "\($0.type) \($0.level)" } ?? "none")", "stopTimeout=\(stopTimeout)",
      "openFiles=\(openFiles)", "processes=\(processes)",
    ]
    return lines.joined(separator: "\n") + "\n"
  }

  /// `v1:<sha256 of the canonical form>`: goes into a create-time label.
  public var digest: String { "v\(Self.version):\(sha256(canonicalText))" }

  /// The labels given at create, by which a container is known as ours.
  public func labels(agent: AgentID) -> [String: String] {
    [
      ContainerLabelKey.agent: agent.text, ContainerLabelKey.instance: instance.text,
      ContainerLabelKey.specification: digest,
    ]
  }
}

/// The keys of the labels that we give at create; never set in an image.
public enum ContainerLabelKey {
  public static let agent = "onionkeeper.agent"
  public static let instance = "onionkeeper.instance"
  public static let specification = "onionkeeper.specification"
}
