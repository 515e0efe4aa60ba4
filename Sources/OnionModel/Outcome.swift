/// What a step brought, beside having been done.
public enum StepEffect: Hashable, Sendable, Codable {
  case none
  case created(containerID: String)
  case generated(OnionAddress)
  case retired(id: String)
  case built(imageID: String)
  /// What the proof saw, in which container, and the SHA-256 of the torrc that this tor has read.
  case proven(ProcessProof, containerID: String, torrc: String)
  /// The last lines of a container that crash-looped, fit to be sent to strangers, and what they mean, if that is known.
  case takenDown(log: [String], finding: String?)
  /// The SHA-256 of the torrc that was loaded.
  case reloaded(torrc: String)
}

/// A step that could not be done: what, where, and what to do next. Never a secret or a payload.
public struct StepFailure: Error, Hashable, Sendable, Codable, CustomStringConvertible {
  /// A word for programs: `engine.unreachable`, `key.present`, `proof.failed`.
  public var code: String
  public var message: String
  /// Worth another try without anybody doing anything.
  public var isTransient: Bool

  public init(code: String, message: String, isTransient: Bool = true) {
    self.code = code
    self.message = message
    self.isTransient = isTransient
  }

  public var description: String { "\(code): \(message)" }
}

/// A journaled step with its end.
public struct Outcome: Hashable, Sendable, Codable {
  public enum Result: Hashable, Sendable, Codable {
    case succeeded(StepEffect)
    case failed(StepFailure)
    /// Not begun, because an earlier step of its group failed or the agent was told to stop.
    case skipped
  }

  public var subject: StepGroup.Subject
  public var step: Step
  public var result: Result
  public var started: Timestamp
  public var ended: Timestamp

  public init(
    subject: StepGroup.Subject, step: Step, result: Result, started: Timestamp, ended: Timestamp
  ) {
    self.subject = subject
    self.step = step
    self.result = result
    self.started = started
    self.ended = ended
  }

  public var hasFailed: Bool { if case .failed = result { true } else { false } }
}
