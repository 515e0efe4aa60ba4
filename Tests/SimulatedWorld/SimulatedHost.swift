public import OnionModel

/// The whole host as a value.
public struct SimulatedHost: Hashable, Sendable {
  public struct Network: Hashable, Sendable {
    public var gateway: String
    public var isOurs: Bool
  }

  /// `etc/` of an instance.
  public struct Folder: Hashable, Sendable {
    public var files: [String: String]
    public var flaws: [Deviation] = []
  }

  /// A container of somebody else that a target names.
  public struct Target: Hashable, Sendable {
    public var address: String
    public var network: String
    public var isRunning = true
  }

  /// What is out of order around the agent and may come back into order by itself.
  public struct Trouble: Hashable, Sendable {
    public var engineSilent = false
    /// The list call fails, the rest of the engine answers.
    public var listFails = false
    public var keyRootUnmounted = false
    public var keyRootForeign = false
    public var stateRootUnmounted = false
    public var pinsUnreadable = false
    public var retiredUnreadable = false
    public var diskFull = false
    public var buildFails = false
    public var imageUnknown = false
    public var networksUnknown = false
    /// The backend's socket directory is not there.
    public var socketDirectoriesGone = false
    public var controlSilent: Set<InstanceName> = []
    /// No `age` on this host: nothing is opened or sealed.
    public var ageMissing = false
    public var backupsUnreadable = false
    public var targetsUnknown = false

    public init() {}
  }

  /// Which part of the world let a tor read its files.
  public enum Launcher: Hashable, Sendable { case agent, engine }

  /// A tor read its files, or ran on with what it had read.
  public struct Reading: Hashable, Sendable {
    public var launcher: Launcher
    public var instance: InstanceName
    public var service: ServiceName
    public var served: SimulatedTor.Served
    /// What was served before, and what the agent had written, under the same instance.
    public var before: [Access]
  }

  public let agent: AgentID
  public let layout: AgentLayout
  public let engine: EngineIdentity
  public var keys: [KeyPlace: SimulatedKeyDirectory] = [:]
  public var pins: [ServiceName: OnionAddress] = [:] {
    didSet { everPinned.formUnion(pins.values) }
  }
  /// A key that the agent died over before it was pinned was never anybody's.
  private(set) var everPinned: Set<OnionAddress> = []
  public var retired: [String: SimulatedRetiredKey] = [:]
  public var folders: [InstanceName: Folder] = [:]
  public var containers: [String: SimulatedContainer] = [:]
  public var images: [String: String] = [:]
  public var networks: [String: Network] = [:]
  public var trouble = Trouble()
  /// File names in `backup/`.
  public var backups: Set<String> = []
  /// By name. No other is ever there.
  public var targets: [String: Target] = [
    "web": Target(address: "10.9.0.1", network: "web-net"),
    "db": Target(address: "10.8.0.1", network: "db-net"),
  ]
  /// Secrets that a fault took away, to be brought back.
  public var stolen: [KeyPlace: OnionAddress] = [:]
  /// Containers that somebody copied from ours, labels and all, under another name: not ours once their instance is gone.
  public var copies: Set<String> = []
  /// Directories that nobody ever gave to the agent.
  public var unowned: Set<KeyPlace> = []
  var readings: [Reading] = []
  var lastServed: [InstanceName: [ServiceName: Access]] = [:]
  /// What the agent last wrote into `etc/`: an engine that starts a container by itself starts it with that.
  var written: [InstanceName: [ServiceName: Access]] = [:]
  private var counter: UInt64

  public init(agent: AgentID, layout: AgentLayout, engine: EngineIdentity, seed: UInt64) {
    self.agent = agent
    self.layout = layout
    self.engine = engine
    counter = seed &* 1_000_003
    for name in Self.targetNetworks { networks[name] = Network(gateway: "10.0.0.1", isOurs: false) }
  }

  /// Networks of the engine that are not ours.
  static let targetNetworks = ["web-net", "db-net", "other-net"]

  /// The network that the agent makes for an instance.
  func ownNetwork(_ instance: InstanceName) -> String {
    engine.kind == .docker ? layout.prefix : layout.containerName(instance)
  }

  /// Processes of our tors, by container: a restart is another number.
  public var pids: [String: Int] {
    containers.filter { $0.value.agent == agent && $0.value.isRunning }.mapValues(\.facts.pid)
  }

  mutating func number() -> UInt64 {
    counter &+= 1
    return counter
  }

  mutating func newAddress() -> OnionAddress {
    var random = SplitMix64(seed: number())
    return OnionAddress(publicKey: (0..<32).map { _ in UInt8(truncatingIfNeeded: random.next()) })
  }

  /// Addresses whose secret is whole, wherever it lies.
  public var wholeSecrets: Set<OnionAddress> {
    Set(keys.values.compactMap(\.address)).union(retired.values.compactMap(\.directory.address))
  }

  public func ours(_ instance: InstanceName) -> [SimulatedContainer] {
    containers.values.filter { $0.agent == agent && $0.instance == instance }
      .sorted { $0.id < $1.id }
  }

  /// Which process of which container serves a service, and with whom.
  public struct Process: Hashable, Sendable {
    public var instance: InstanceName
    public var container: String
    public var number: Int
    public var served: Set<ServiceName>
  }

  public var servers: [ServiceName: Process] {
    var servers: [ServiceName: Process] = [:]
    for container in containers.values where container.isRunning {
      let served = Set(container.tor?.served.keys ?? [:].keys)
      for name in served {
        servers[name] = Process(
          instance: container.instance, container: container.id, number: container.facts.pid,
          served: served)
      }
    }
    return servers
  }

  func container(_ idOrName: String) -> SimulatedContainer? {
    containers[idOrName] ?? containers.values.first { $0.name == idOrName }
  }
}
