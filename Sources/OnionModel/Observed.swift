/// Which engine answers.
public struct EngineIdentity: Hashable, Sendable, Codable {
  public enum Kind: String, Sendable, Codable { case docker, podman }
  public var kind: Kind
  public var version: String
  /// The engine's own identifier; another one is another engine.
  public var id: String

  public init(kind: Kind, version: String, id: String) {
    self.kind = kind
    self.version = version
    self.id = id
  }
}

/// A network of ours.
public struct NetworkObservation: Hashable, Sendable {
  public var name: String
  /// The host, as containers in it reach it.
  public var gateway: String
  /// Ours by its create-time label.
  public var isOurs: Bool

  public init(name: String, gateway: String, isOurs: Bool) {
    self.name = name
    self.gateway = gateway
    self.isOurs = isOurs
  }
}

/// An instance's folders under the state directory.
public struct InstanceFolder: Hashable, Sendable {
  /// File name in `etc/` to SHA-256.
  public var digests: [String: String]
  /// Owner, mode, label of `etc/`, `data/`, `run/` and of the files.
  public var flaws: [Deviation]

  public init(digests: [String: String], flaws: [Deviation] = []) {
    self.digests = digests
    self.flaws = flaws
  }
}

/// What a running tor says of itself over its control socket.
public struct TorObservation: Hashable, Sendable, Codable {
  public var version: String
  /// 0 to 100.
  public var bootstrap: Int
  public var bootstrapSummary: String
  /// `GETCONF HiddenServiceOptions`, one `Name value` a line.
  public var serviceOptions: [String]
  /// Established introduction circuits by address identifier (56 characters).
  public var introductions: [String: Int]

  public init(
    version: String, bootstrap: Int, bootstrapSummary: String, serviceOptions: [String],
    introductions: [String: Int]
  ) {
    self.version = version
    self.bootstrap = bootstrap
    self.bootstrapSummary = bootstrapSummary
    self.serviceOptions = serviceOptions
    self.introductions = introductions
  }
}

/// A container that a target names, as our tors can reach it.
public struct TargetContainer: Hashable, Sendable, Codable {
  /// Its address in `network`.
  public var address: String
  /// A network of the engine that it is joined to: a tor must join it too, for engines keep bridges apart.
  public var network: String

  public init(address: String, network: String) {
    self.address = address
    self.network = network
  }
}

/// Everything that one look at this host found.
public struct Observed: Hashable, Sendable {
  public var now: Timestamp
  /// The id in `keys/.onionkeeper/id`.
  public var keyRoot: Observation<AgentID>
  /// The id in `state/.onionkeeper/id`.
  public var stateRoot: Observation<AgentID>
  public var engine: Observation<EngineIdentity>
  /// Ours by label, and whatever bears one of our names.
  public var containers: Observation<[ContainerObservation]>
  /// Running containers that are not ours and mount a key directory of these instances: their names.
  public var keyUsers: [InstanceName: [String]]
  /// By network name; those that a defined or remembered instance wants.
  public var networks: [String: Observation<NetworkObservation>]
  public var image: Observation<ImageObservation>
  /// References of images of ours that are there: previous recipes.
  public var images: Set<String>
  /// Every directory that is there or is defined.
  public var keys: [KeyPlace: Observation<KeyDirectory>]
  public var pins: Observation<[ServiceName: OnionAddress]>
  /// Services whose own pin is there and cannot be read: why, and what to do.
  public var damagedPins: [ServiceName: String]
  public var retired: Observation<[RetiredKey]>
  public var folders: [InstanceName: Observation<InstanceFolder>]
  /// Only of running containers.
  public var tors: [InstanceName: Observation<TorObservation>]
  /// Directories of unix targets, opened without following links.
  public var socketDirectories: [String: Observation<Bool>]
  /// Containers that targets name. Absent: no such container, or it does not run.
  public var targetContainers: [String: Observation<TargetContainer>]
  /// File names in `keys/.onionkeeper/backup/`.
  public var backups: Observation<Set<String>>
  /// How the host's user number for tor is found: 7942, or shifted by a user namespace.
  public var torOwner: Int
  /// SELinux is on: instances get labels.
  public var hasSELinux: Bool
  /// It is on and refuses nothing: labels are kept all the same.
  public var isPermissive = false
  /// Labels of `.onionkeeper/` and the journal that are not of `privateType`; none where SELinux is off.
  public var privateFlaws: [Deviation] = []
  /// The type that no container may read, under the loaded policy; `nil` where SELinux is off.
  public var privateType: String?

  public init(
    now: Timestamp, keyRoot: Observation<AgentID>, stateRoot: Observation<AgentID>,
    engine: Observation<EngineIdentity>, containers: Observation<[ContainerObservation]>,
    keyUsers: [InstanceName: [String]] = [:],
    networks: [String: Observation<NetworkObservation>] = [:],
    image: Observation<ImageObservation>, images: Set<String> = [],
    keys: [KeyPlace: Observation<KeyDirectory>] = [:],
    pins: Observation<[ServiceName: OnionAddress]>, damagedPins: [ServiceName: String] = [:],
    retired: Observation<[RetiredKey]>,
    folders: [InstanceName: Observation<InstanceFolder>] = [:],
    tors: [InstanceName: Observation<TorObservation>] = [:],
    socketDirectories: [String: Observation<Bool>] = [:],
    targetContainers: [String: Observation<TargetContainer>] = [:],
    backups: Observation<Set<String>> = .present([]), torOwner: Int = TorLayout.user,
    hasSELinux: Bool = false
  ) {
    self.now = now
    self.keyRoot = keyRoot
    self.stateRoot = stateRoot
    self.engine = engine
    self.containers = containers
    self.keyUsers = keyUsers
    self.networks = networks
    self.image = image
    self.images = images
    self.keys = keys
    self.pins = pins
    self.damagedPins = damagedPins
    self.retired = retired
    self.folders = folders
    self.tors = tors
    self.socketDirectories = socketDirectories
    self.targetContainers = targetContainers
    self.backups = backups
    self.torOwner = torOwner
    self.hasSELinux = hasSELinux
  }
}
