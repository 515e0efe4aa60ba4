/// Why a step is there.
public enum Cause: String, Hashable, Sendable, Codable {
  /// What is desired moved.
  case change
  /// What is there moved, and nobody desired it.
  case drift
}

/// One action, said completely: the executor adds nothing.
public enum Action: Hashable, Sendable, Codable {
  case buildImage(ImageRecipe)
  case ensureNetwork(name: String)
  case removeNetwork(name: String)
  /// Gives `.onionkeeper/` of both folders and the journal an SELinux type that no container may read.
  case labelPrivate(type: String)

  /// Makes a key where none is, with its client files, and pins it; fails if anything is there.
  case generateKey(KeyPlace, owner: Int, CompanionFiles, ContainerLabel?)
  /// Opens a sealed key with the identity file and puts it where none is, and pins it; fails if anything is there, or if
  /// it does not make the address, where one is given.
  case unsealKey(
    KeyPlace, SealedKey, identity: String, OnionAddress?, owner: Int, CompanionFiles,
    ContainerLabel?)
  /// Seals the key there, which must make the address, to age recipients, into `.onionkeeper/backup/`. The address is
  /// `nil` while an earlier step of the same plan has still to make it.
  case backUpKey(KeyPlace, OnionAddress?, recipients: [String])
  /// Notes which address a service has; fails if the key there makes another.
  case pin(ServiceName, OnionAddress, at: KeyPlace)
  /// Puts everything but the secret key right; fails if the secret does not make the wished address.
  case repairKeys(KeyPlace, KeyDirectoryWish)
  /// Moves the directory to `retired/`; the pin stays.
  case retireKey(KeyPlace, OnionAddress?)
  /// Moves a retired directory back and pins it; fails if anything is there.
  case restoreKey(id: String, to: KeyPlace, OnionAddress)
  /// A renamed or regrouped service: directory and pin move; fails if anything is there.
  case moveKey(from: KeyPlace, to: KeyPlace, OnionAddress)

  /// Makes or mends the folders and writes torrc, guard and sums; the gateway is looked up in the named network.
  case writeFiles(InstanceConfiguration, network: String, owner: Int, ContainerLabel?)
  /// `tor --verify-config` in a one-shot container of this specification.
  case verifyConfiguration(ContainerSpecification)
  case createContainer(ContainerSpecification)
  /// Joins a container of ours to a network of the engine that is not ours: where a target's container is.
  case joinNetwork(InstanceName, container: String, network: String)
  /// Takes a container of ours out of a network that no target needs.
  case leaveNetwork(InstanceName, container: String, network: String)
  case startContainer(InstanceName, name: String)
  case unpauseContainer(InstanceName, id: String)
  case renameContainer(InstanceName, id: String, to: String)
  /// Stops it if it runs, then removes it; `id` may be our name of it. Only what bears our label.
  case removeContainer(InstanceName, id: String)
  /// The same for one that crash-loops: the next start is backed off.
  case takeDown(InstanceName, id: String)
  case restartContainer(InstanceName, name: String)
  /// Puts limits and restart policy back without a restart.
  case updateLimits(ContainerSpecification, id: String)
  /// `+LOADCONF` of the torrc in `etc/`.
  case reload(InstanceConfiguration, network: String)
  /// Running, right user, five zero capability sets, no new privileges, seccomp, label, mounts, control port
  /// answering within 30 s; then the journal notes what this tor has read.
  case prove(ContainerSpecification, InstanceConfiguration, network: String)
  /// A container of ours that is already as desired, found without a memory of it: from now on it is remembered.
  case adoptContainer(ContainerSpecification, InstanceConfiguration, network: String, id: String)
  /// Forgets an instance whose container is gone; `etc/` and `run/` go, `data/` (entry guards) stays.
  case forgetInstance(InstanceName)
  /// Forgets a service that is defined no more and has no key here, of an instance that goes on; its pin stays.
  case forgetService(ServiceName)
}

/// An action, why it is there, and what was expected and found.
public struct Step: Hashable, Sendable, Codable {
  public var action: Action
  public var cause: Cause
  /// The service that it concerns, if it is one.
  public var service: ServiceName?
  /// What it answers; empty for a step that only serves a later one.
  public var deviations: [Deviation]
  /// It ends a running tor for a while: counts against the budget if its cause is drift.
  public var interrupts: Bool

  public init(
    _ action: Action, cause: Cause, service: ServiceName? = nil, deviations: [Deviation] = [],
    interrupts: Bool = false
  ) {
    self.action = action
    self.cause = cause
    self.service = service
    self.deviations = deviations
    self.interrupts = interrupts
  }
}

/// Steps in order; the first that fails stops the rest of its group, and of no other.
public struct StepGroup: Hashable, Sendable, Codable {
  public enum Subject: Hashable, Sendable, Codable, CustomStringConvertible {
    /// Image and networks: before all others, and what others need.
    case host
    case instance(InstanceName)

    public var description: String {
      switch self {
      case .host: "host"
      case .instance(let name): name.text
      }
    }
  }

  public var subject: Subject
  public var steps: [Step]
  /// What to do instead if a container made by this group fails its start or proof: the previous one, anew. In a group
  /// that only restarts one: if a step up to that fails, it does not run on.
  public var fallback: [Step]
  /// Instances whose groups of this plan must be done first; if one of them fails, nothing of this group is begun.
  public var after: Set<InstanceName>

  public init(
    subject: Subject, steps: [Step], fallback: [Step] = [], after: Set<InstanceName> = []
  ) {
    self.subject = subject
    self.steps = steps
    self.fallback = fallback
    self.after = after
  }
}

extension StepGroup {
  /// It makes a container, rather than restart one.
  public var makesContainer: Bool {
    steps.contains { if case .createContainer = $0.action { true } else { false } }
  }

  /// Whether the fallback is for the failure of this step of `steps`.
  public func needsFallback(afterFailing index: Int) -> Bool {
    guard !fallback.isEmpty else { return false }
    if makesContainer {
      let creation = steps.firstIndex {
        if case .createContainer = $0.action { true } else { false }
      }
      return creation.map { index >= $0 } ?? false
    }
    let restart = steps.firstIndex {
      if case .restartContainer = $0.action { true } else { false }
    }
    return restart.map { index <= $0 } ?? false
  }
}

extension Step {
  /// The same step with the address of a key that an earlier step of its group has just made.
  public func resolving(_ service: ServiceName, to address: OnionAddress) -> Step {
    var step = self
    switch action {
    case .writeFiles(let configuration, let network, let owner, let label):
      step.action = .writeFiles(
        configuration.resolving(service, to: address), network: network, owner: owner, label)
    case .prove(let specification, let configuration, let network):
      step.action = .prove(
        specification, configuration.resolving(service, to: address), network: network)
    case .backUpKey(let place, nil, let recipients) where place.service == service:
      step.action = .backUpKey(place, address, recipients: recipients)
    case .adoptContainer(let specification, let configuration, let network, let id):
      step.action = .adoptContainer(
        specification, configuration.resolving(service, to: address), network: network, id: id)
    case .reload(let configuration, let network):
      step.action = .reload(configuration.resolving(service, to: address), network: network)
    default: break
    }
    return step
  }
}
