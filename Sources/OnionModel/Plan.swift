/// Something that the plan does not do, and what it waits for.
public struct Waiting: Hashable, Sendable, Codable {
  public enum Kind: String, Hashable, Sendable, Codable {
    /// Key root or state root not mounted, foreign, or unreadable.
    case notMounted
    case engineUnreachable, engineForeign
    /// Something could not be seen; it may be there.
    case unknown
    case keyMissing, keyLost, keyMismatch, keyDuplicate, keyInUse, keyAmbiguous
    case nameTaken
    case removals, probableRename, newKeys
    /// The accepted revision is no longer trusted: what it wants anew.
    case distrusted
    /// A removal whose definition said `prune: hold`.
    case pruneHeld
    /// A member of a group that waits for another instance to let go of it.
    case moving
    case targetMissing
    case paused
    case backoff, budget
    case stopped
    case imageMissing
    /// Keys whose backup cannot be made or seen. Nothing else waits for it.
    case backup
  }

  public var kind: Kind
  public var service: ServiceName?
  public var instance: InstanceName?
  /// What is so, and what to do next.
  public var message: String

  public init(
    _ kind: Kind, service: ServiceName? = nil, instance: InstanceName? = nil, message: String
  ) {
    self.kind = kind
    self.service = service
    self.instance = instance
    self.message = message
  }
}

/// A pure value: the steps in order, and what is waited for. `plan` prints it, `run` executes it.
public struct Plan: Hashable, Sendable, Codable {
  public var revision: CommitID?
  public var groups: [StepGroup]
  public var waiting: [Waiting]
  /// Services that this plan would put away, held or not: name and address.
  public var removals: [ServiceName: OnionAddress?]
  /// True when nothing stands between the desired set and the remembered one: the memory may settle on it.
  public var settlesIdentity: Bool

  public init(
    revision: CommitID?, groups: [StepGroup] = [], waiting: [Waiting] = [],
    removals: [ServiceName: OnionAddress?] = [:], settlesIdentity: Bool = false
  ) {
    self.revision = revision
    self.groups = groups
    self.waiting = waiting
    self.removals = removals
    self.settlesIdentity = settlesIdentity
  }

  public var steps: [Step] { groups.flatMap(\.steps) }

  /// Removals that are still to be done or decided. One that its own definition holds (`prune: hold`) may wait for
  /// months, and keeps nothing else open.
  public var openRemovals: Set<ServiceName> {
    Set(removals.keys).subtracting(
      waiting.filter { $0.kind == .pruneHeld }.compactMap(\.service))
  }

  /// Nothing to do.
  public var isEmpty: Bool { groups.allSatisfy(\.steps.isEmpty) }
}
