/// The kinds of events; a webhook's type is `onionkeeper.` and this word.
public enum EventKind: String, Hashable, Sendable, Codable, CaseIterable {
  case revisionAccepted = "revision.accepted"
  case revisionRejected = "revision.rejected"
  case revisionHeld = "revision.held"
  /// How this host does with the revision in force: `outcome` is `succeeded`, `failed` or `waiting`.
  case revisionApplied = "revision.applied"
  case sourceUnreachable = "source.unreachable"
  case sourceReachable = "source.reachable"
  case definitionInvalid = "definition.invalid"
  case definitionValid = "definition.valid"
  case driftDetected = "drift.detected"
  case driftRepaired = "drift.repaired"
  case driftStalled = "drift.stalled"
  case actionSucceeded = "action.succeeded"
  case actionFailed = "action.failed"
  case actionRolledBack = "action.rolledback"
  case keyGenerated = "key.generated"
  case keyLost = "key.lost"
  case keyMissing = "key.missing"
  case keyMismatch = "key.mismatch"
  case keyRetired = "key.retired"
  case keyRestored = "key.restored"
  case keyDuplicate = "key.duplicate"
  case serviceReady = "service.ready"
  case serviceUnready = "service.unready"
  case engineUnreachable = "engine.unreachable"
  case engineReachable = "engine.reachable"
  case configInvalid = "config.invalid"
  case clockWrong = "clock.wrong"
  case webhookDropped = "webhook.dropped"
  case agentStarted = "agent.started"
  case agentStopped = "agent.stopped"
  case agentHeartbeat = "agent.heartbeat"
  case approvalGiven = "approval.given"
}

/// The `data` of an event; every field but `host` may be absent.
public struct EventData: Hashable, Sendable, Codable {
  public var host: HostName
  public var service: ServiceName?
  public var instance: InstanceName?
  public var revision: CommitID?
  public var cause: Cause?
  public var drift: [Deviation]?
  /// The action's name: `reload`, `createContainer`.
  public var action: String?
  /// `succeeded`, `failed`, `waiting`.
  public var outcome: String?
  public var error: String?
  /// One readable sentence.
  public var message: String?
  public var address: OnionAddress?
  /// The last lines of a tor that crash-looped: no control characters, every onion address and key shortened.
  public var log: [String]?
  /// What those lines mean and what to do, where it is known.
  public var finding: String?
  /// Seconds.
  public var duration: Double?
  /// The pass's number in the journal.
  public var pass: Int64?
  /// How often an equal event came within the minute, from 2.
  public var count: Int?

  public init(
    host: HostName, service: ServiceName? = nil, instance: InstanceName? = nil,
    revision: CommitID? = nil, cause: Cause? = nil, drift: [Deviation]? = nil,
    action: String? = nil, outcome: String? = nil, error: String? = nil, message: String? = nil,
    address: OnionAddress? = nil, log: [String]? = nil, finding: String? = nil,
    duration: Double? = nil, pass: Int64? = nil, count: Int? = nil
  ) {
    self.host = host
    self.service = service
    self.instance = instance
    self.revision = revision
    self.cause = cause
    self.drift = drift
    self.action = action
    self.outcome = outcome
    self.error = error
    self.message = message
    self.address = address
    self.log = log
    self.finding = finding
    self.duration = duration
    self.pass = pass
    self.count = count
  }
}

/// Something that happened, before the journal gives it an id, an epoch and a sequence number.
public struct Event: Hashable, Sendable, Codable {
  public var kind: EventKind
  /// `service/NAME`, `instance/NAME` or `host`.
  public var subject: String
  public var time: Timestamp
  public var data: EventData

  public init(kind: EventKind, subject: String, time: Timestamp, data: EventData) {
    self.kind = kind
    self.subject = subject
    self.time = time
    self.data = data
  }
}
