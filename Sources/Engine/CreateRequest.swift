public import OnionModel

/// The body of `POST /containers/create`: the same for Docker and Podman, and complete, so that nothing is taken from
/// an image's own settings or an engine's defaults.
struct CreateRequest: Encodable {
  struct Healthcheck: Encodable {
    /// An image's own health check would run as a second process in the container.
    var test = ["NONE"]
    enum CodingKeys: String, CodingKey { case test = "Test" }
  }

  var image: String
  var user: String
  var entrypoint: [String]
  /// Never inherited once an entrypoint is given.
  var command: [String] = []
  var workingDirectory = "/"
  var environment = [
    "HOME=/data", "LC_ALL=C", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  ]
  var healthcheck = Healthcheck()
  var stopSignal = "SIGTERM"
  /// Podman's stop kills at once where none is set.
  var stopTimeout: Int
  var labels: [String: String]
  var host: HostConfiguration

  enum CodingKeys: String, CodingKey {
    case image = "Image"
    case user = "User"
    case entrypoint = "Entrypoint"
    case command = "Cmd"
    case workingDirectory = "WorkingDir"
    case environment = "Env"
    case healthcheck = "Healthcheck"
    case stopSignal = "StopSignal"
    case stopTimeout = "StopTimeout"
    case labels = "Labels"
    case host = "HostConfig"
  }
}

struct HostConfiguration: Encodable {
  struct Limit: Encodable {
    var name: String
    var soft: Int
    var hard: Int
    enum CodingKeys: String, CodingKey {
      case name = "Name"
      case soft = "Soft"
      case hard = "Hard"
    }
  }

  struct Log: Encodable {
    var type = "json-file"
    var options = ["max-size": "1m", "max-file": "2"]
    enum CodingKeys: String, CodingKey {
      case type = "Type"
      case options = "Config"
    }
  }

  var isPrivileged = false
  var droppedCapabilities = ["ALL"]
  var securityOptions: [String]
  var isReadOnly = true
  var ipcMode = "private"
  var networkMode: String
  var tmpfs: [String: String]
  var binds: [String]
  /// Both, or Podman asks for a million of the one that is missing (RLIMIT_NPROC needs CAP_SYS_RESOURCE then).
  var limits: [Limit]
  var log = Log()
  var resources: ResourceLimits

  enum CodingKeys: String, CodingKey {
    case isPrivileged = "Privileged"
    case droppedCapabilities = "CapDrop"
    case securityOptions = "SecurityOpt"
    case isReadOnly = "ReadonlyRootfs"
    case ipcMode = "IpcMode"
    case networkMode = "NetworkMode"
    case tmpfs = "Tmpfs"
    case binds = "Binds"
    case limits = "Ulimits"
    case log = "LogConfig"
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(isPrivileged, forKey: .isPrivileged)
    try container.encode(droppedCapabilities, forKey: .droppedCapabilities)
    try container.encode(securityOptions, forKey: .securityOptions)
    try container.encode(isReadOnly, forKey: .isReadOnly)
    try container.encode(ipcMode, forKey: .ipcMode)
    try container.encode(networkMode, forKey: .networkMode)
    try container.encode(tmpfs, forKey: .tmpfs)
    try container.encode(binds, forKey: .binds)
    try container.encode(limits, forKey: .limits)
    try container.encode(log, forKey: .log)
    try resources.encode(to: encoder)
  }
}

/// What `POST /containers/ID/update` can put back as well.
struct ResourceLimits: Encodable {
  struct Policy: Encodable {
    var name: String
    enum CodingKeys: String, CodingKey { case name = "Name" }
  }

  var memory: Int
  /// Memory and swap together: equal means no swap.
  var memoryAndSwap: Int
  var nanoCPUs: Int
  var processes: Int
  var restartPolicy: Policy

  enum CodingKeys: String, CodingKey {
    case memory = "Memory"
    case memoryAndSwap = "MemorySwap"
    case nanoCPUs = "NanoCpus"
    case processes = "PidsLimit"
    case restartPolicy = "RestartPolicy"
  }

  init(_ limits: ContainerLimits, restartPolicy: String) {
    memory = limits.memory
    memoryAndSwap = limits.memory
    nanoCPUs = limits.milliCPUs * 1_000_000
    processes = limits.pids
    self.restartPolicy = Policy(name: restartPolicy)
  }
}

extension CreateRequest {
  /// What a container is made for.
  enum Purpose {
    /// Runs until it is stopped, and again after every end.
    case service
    /// Runs one command once, without a network.
    case check([String])
  }

  /// - Throws: `.invalid` for a mount that the engines' `source:destination:mode` cannot say.
  init(
    _ specification: ContainerSpecification, labels: [String: String], purpose: Purpose
  ) throws(EngineError) {
    image = specification.image
    user = "\(specification.user):\(specification.user)"
    stopTimeout = specification.stopTimeout
    self.labels = labels
    let (network, policy): (String, String)
    switch purpose {
    case .service:
      (entrypoint, network, policy) = (specification.entrypoint, specification.network, "always")
    case .check(let words): (entrypoint, network, policy) = (words, "none", "no")
    }
    host = HostConfiguration(
      securityOptions: Self.securityOptions(specification.label), networkMode: network,
      tmpfs: Dictionary(
        specification.tmpfs.map { ($0, Self.tmpfsOptions) }, uniquingKeysWith: { first, _ in first }
      ),
      binds: try Self.binds(specification.mounts),
      limits: [
        .init(name: "nofile", soft: specification.openFiles, hard: specification.openFiles),
        .init(name: "nproc", soft: specification.processes, hard: specification.processes),
      ],
      resources: ResourceLimits(specification.limits, restartPolicy: policy))
  }

  /// No `uid=`: Podman 4.3 refuses it. The image has the directory with this mode, which runc copies at a restart.
  private static let tmpfsOptions = "rw,noexec,nosuid,nodev,size=16m,mode=1777"

  private static func securityOptions(_ label: ContainerLabel?) -> [String] {
    var options = ["no-new-privileges"]
    if let label { options += ["label=type:\(label.type)", "label=level:\(label.level)"] }
    return options
  }

  /// Never `:z` or `:Z`: labels are set by descriptor before, with categories that stay.
  private static func binds(_ mounts: [Mount]) throws(EngineError) -> [String] {
    var binds: [String] = []
    for mount in mounts {
      for path in [mount.source, mount.destination]
      where !path.hasPrefix("/")
        || path.utf8.contains(where: { $0 == UInt8(ascii: ":") || $0 < 0x20 })
      {
        throw EngineError(
          .invalid, operation: "POST /containers/create",
          message:
            "\(path) cannot be mounted: it must be absolute, without ':' or control characters")
      }
      binds.append("\(mount.source):\(mount.destination):\(mount.isReadOnly ? "ro" : "rw")")
    }
    return binds
  }
}

extension EngineClient {
  /// The JSON of the create request of a service's container, keys in order: what `render` prints.
  /// - Throws: `.invalid` for a mount that cannot be said.
  public static func createRequest(
    _ specification: ContainerSpecification, labels: [String: String]
  ) throws(EngineError) -> [UInt8] {
    let request = try CreateRequest(specification, labels: labels, purpose: .service)
    do {
      return try JSONReader.encode(request)
    } catch {
      throw EngineError(
        .invalid, operation: "POST /containers/create", message: "the request cannot be encoded")
    }
  }
}
