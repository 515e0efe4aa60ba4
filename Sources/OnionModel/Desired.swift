/// Which containers, folders and names are this agent's.
public struct AgentLayout: Hashable, Sendable, Codable {
  /// Prefix of container, network and image names.
  public var prefix: String
  /// `/var/lib/onionkeeper/keys`
  public var keys: String
  /// `/var/lib/onionkeeper/state`
  public var state: String

  public init(prefix: String, keys: String, state: String) {
    self.prefix = prefix
    self.keys = keys
    self.state = state
  }

  public func containerName(_ instance: InstanceName) -> String { "\(prefix)-\(instance)" }
  public func instanceFolder(_ instance: InstanceName) -> String {
    "\(state)/instances/\(instance)"
  }
  public func keyFolder(_ instance: InstanceName) -> String { "\(keys)/\(instance)" }
}

/// What the accepted revision wants of this host.
public struct Desired: Hashable, Sendable, Codable {
  public var host: HostName
  /// The accepted revision; `nil` before the first.
  public var revision: CommitID?
  public var layout: AgentLayout
  /// Valid definitions (or last good ones) that name this host.
  public var services: [OnionService]
  /// Those of them that stay at the last good definition, and why the file of now is rejected.
  public var kept: [ServiceName: String]
  /// Must not run, and why: rejected, and the last good definition might be more open.
  public var stopped: [ServiceName: String]
  /// Defined here or perhaps here, but without a usable definition: not started, and not a removal either.
  public var unsettled: Set<ServiceName>
  /// Every service that the repository defines, on whatever host.
  public var defined: Set<ServiceName>
  public var recipe: ImageRecipe
  public var network: TorNetwork
  /// A digest of the host's own identity and source (name, labels, url, branch, path): removals after it moved wait.
  public var identity: String
  /// The signers moved, and nobody of them signed the accepted revision: it is kept in force, and wants nothing new.
  public var isDistrusted = false
  /// `Onionkeeper-Remove: N` of the accepted revision matched the number of definition files that it deletes.
  public var removalsAnnounced: Bool
  /// Sealed keys that services of this host name and the revision has, by file.
  public var sealedKeys: [String: SealedKey]
  /// The file that opens sealed keys, from the host file.
  public var ageIdentity: String?
  /// age recipients (`age1…`) that each key is sealed to, from the host file.
  public var backupRecipients: [String]

  public init(
    host: HostName, revision: CommitID?, layout: AgentLayout, services: [OnionService],
    kept: [ServiceName: String] = [:], stopped: [ServiceName: String] = [:],
    unsettled: Set<ServiceName> = [],
    defined: Set<ServiceName>? = nil, recipe: ImageRecipe, network: TorNetwork, identity: String,
    removalsAnnounced: Bool = false, sealedKeys: [String: SealedKey] = [:],
    ageIdentity: String? = nil, backupRecipients: [String] = []
  ) {
    self.host = host
    self.revision = revision
    self.layout = layout
    self.services = services.sorted { $0.name < $1.name }
    self.kept = kept
    self.stopped = stopped
    self.unsettled = unsettled
    self.defined = defined ?? Set(services.map(\.name)).union(unsettled).union(stopped.keys)
    self.recipe = recipe
    self.network = network
    self.identity = identity
    self.removalsAnnounced = removalsAnnounced
    self.sealedKeys = sealedKeys
    self.ageIdentity = ageIdentity
    self.backupRecipients = backupRecipients
  }

  /// All targets that a plan may ask about: of the services here, and of those that a tor of ours still serves.
  public func targets(knowing memory: Memory) -> Set<Target> {
    let served = memory.instances.values.flatMap { $0.configured ?? [] }
    return Set((services.flatMap(\.ports) + served.flatMap(\.ports)).map(\.target))
  }
}
