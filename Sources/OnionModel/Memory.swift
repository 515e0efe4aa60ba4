/// What the journal remembers of one service inside an instance that was proven running.
public struct AppliedService: Hashable, Sendable, Codable {
  public var address: OnionAddress
  public var access: Access
  /// What `ob_config` said; tor reads it only then.
  public var onionBalanceMaster: OnionAddress?

  public init(address: OnionAddress, access: Access, onionBalanceMaster: OnionAddress? = nil) {
    self.address = address
    self.access = access
    self.onionBalanceMaster = onionBalanceMaster
  }
}

/// What a running tor has read: noted after a proof, so that the next plan knows whether a reload is enough.
public struct AppliedConfiguration: Hashable, Sendable, Codable {
  public var containerID: String
  /// SHA-256 of the torrc that it read.
  public var torrc: String
  public var services: [ServiceName: AppliedService]

  public init(containerID: String, torrc: String, services: [ServiceName: AppliedService]) {
    self.containerID = containerID
    self.torrc = torrc
    self.services = services
  }
}

/// Something that failed, and when it is tried again.
public struct Retry: Hashable, Sendable, Codable {
  /// In a row.
  public var failures: Int
  public var at: Timestamp

  public init(failures: Int, at: Timestamp) {
    self.failures = failures
    self.at = at
  }
}

/// What the journal remembers of one instance.
public struct InstanceMemory: Hashable, Sendable, Codable {
  /// Containers that we made and have not seen gone.
  public var containerIDs: Set<String>
  /// The specification of the last container that was proven; what a failed new one is replaced by.
  public var proven: ContainerSpecification?
  /// A specification that failed its proof, by digest: not tried again before `retryAt`.
  public var failedSpecification: String?
  public var applied: AppliedConfiguration?
  /// Failures in a row, and when to try again.
  public var failures: Int
  public var retryAt: Timestamp?
  /// When drift repair interrupted a running tor: those within the last hour count against the budget.
  public var interruptions: [Timestamp]
  /// Its categories for life.
  public var level: String?
  /// The services that it carried when last proven.
  public var services: [ServiceName]
  /// What its tor last read of each service: one whose removal or move waits is served on just so.
  public var configured: [ConfiguredService]?
  /// Container of a target to the address that its tor last had for it.
  public var containers: [String: String]?
  /// Services whose key could not be opened or backed up.
  public var keyRetries: [ServiceName: Retry]?

  public init(
    containerIDs: Set<String> = [], proven: ContainerSpecification? = nil,
    failedSpecification: String? = nil, applied: AppliedConfiguration? = nil, failures: Int = 0,
    retryAt: Timestamp? = nil, interruptions: [Timestamp] = [], level: String? = nil,
    services: [ServiceName] = [], configured: [ConfiguredService]? = nil,
    containers: [String: String]? = nil, keyRetries: [ServiceName: Retry]? = nil
  ) {
    self.containerIDs = containerIDs
    self.proven = proven
    self.failedSpecification = failedSpecification
    self.applied = applied
    self.failures = failures
    self.retryAt = retryAt
    self.interruptions = interruptions
    self.level = level
    self.services = services
    self.configured = configured
    self.containers = containers
    self.keyRetries = keyRetries
  }
}

/// A person's waiver; works once, expires in 24 hours, for one revision.
public struct Approval: Hashable, Sendable, Codable {
  public enum Kind: String, Sendable, Codable, CaseIterable {
    case removals, rewind, newKeys, engine, host
  }
  public var kind: Kind
  public var revision: CommitID
  public var expires: Timestamp

  public init(kind: Kind, revision: CommitID, expires: Timestamp) {
    self.kind = kind
    self.revision = revision
    self.expires = expires
  }
}

/// What the planner knows from before: the journal's part of a pass.
public struct Memory: Hashable, Sendable, Codable {
  public var agent: AgentID
  public var instances: [InstanceName: InstanceMemory]
  /// Services that this host was given by an accepted revision and that are not yet put away.
  public var services: [ServiceName: InstanceName]
  /// `Desired.identity` when `services` was last settled; `nil` before the first time.
  public var identity: String?
  /// Service names that the accepted revision before the present one defined, on whatever host.
  public var previouslyDefined: Set<ServiceName>
  /// The journal was made anew while keys were already there: nobody gets a new key without an approval.
  public var isRebuilt: Bool
  public var approvals: [Approval]
  /// The engine that was pinned at set-up.
  public var engine: EngineIdentity?
  /// Paused by hand (`onionkeeper pause NAME`), beside those that their definition pauses.
  public var paused: Set<ServiceName>
  /// Services whose last definition said `prune: hold`: their removal waits for a person.
  public var heldFromPruning: Set<ServiceName>

  public init(
    agent: AgentID, instances: [InstanceName: InstanceMemory] = [:],
    services: [ServiceName: InstanceName] = [:], identity: String? = nil,
    previouslyDefined: Set<ServiceName> = [], isRebuilt: Bool = false, approvals: [Approval] = [],
    engine: EngineIdentity? = nil, paused: Set<ServiceName> = [],
    heldFromPruning: Set<ServiceName> = []
  ) {
    self.agent = agent
    self.instances = instances
    self.services = services
    self.identity = identity
    self.previouslyDefined = previouslyDefined
    self.isRebuilt = isRebuilt
    self.approvals = approvals
    self.engine = engine
    self.paused = paused
    self.heldFromPruning = heldFromPruning
  }
}
