import Journaling
public import OnionModel

/// What a group's events have in common.
public struct EventContext: Hashable, Sendable {
  public var host: HostName
  public var revision: CommitID?
  /// The pass's number in the journal.
  public var pass: Int64
  public var group: StepGroup

  public init(host: HostName, revision: CommitID?, pass: Int64, group: StepGroup) {
    self.host = host
    self.revision = revision
    self.pass = pass
    self.group = group
  }
}

/// The events of a group, from values alone. Deviations and failures carry no secrets, so neither do these.
extension EventContext {
  /// What the group's drift is; empty if it answers a change only.
  public var drift: [Deviation] {
    var told: Set<Deviation> = []
    return group.steps.filter { $0.cause == .drift }.flatMap(\.deviations)
      .filter { told.insert($0).inserted }
  }

  /// Told with the intent of the group's first step.
  public func beginning(at time: Timestamp) -> [Event] {
    guard !drift.isEmpty else { return [] }
    var data = data(driftService)
    data.cause = .drift
    data.drift = drift
    data.message = "found " + summary(drift)
    return [event(.driftDetected, driftService, time, data)]
  }

  /// Told with a step's outcome.
  /// - Parameters:
  ///   - left: steps of the group that are not begun because this one failed.
  ///   - isLast: the group is done with it.
  ///   - started: when the group began.
  public func ending(
    _ outcome: Outcome, left: Int, isLast: Bool, started: Timestamp,
    position: StepPosition = .main
  ) -> [Event] {
    switch outcome.result {
    case .skipped: return []
    case .failed(let failure): return failed(outcome, failure, left: left, position: position)
    case .succeeded(let effect):
      var events = succeeded(outcome, effect)
      guard isLast else { return events }
      if position == .fallback {
        if !group.makesContainer { return [stopped(outcome)] }
        events.append(rolledBack(outcome))
      } else if !drift.isEmpty {
        events.append(repaired(outcome, since: started))
      }
      return events
    }
  }

  private func succeeded(_ outcome: Outcome, _ effect: StepEffect) -> [Event] {
    let step = outcome.step
    var data = data(step, outcome, "succeeded")
    switch (step.action, effect) {
    case (.generateKey, .generated(let address)):
      data.address = address
      return [event(.keyGenerated, step.service, outcome.ended, data)]
    case (.retireKey(_, let address), _):
      data.address = address
      if case .retired(let id) = effect { data.message = "kept as \(id)" }
      return [event(.keyRetired, step.service, outcome.ended, data)]
    case (.unsealKey, .generated(let address)):
      data.address = address
      return [event(.keyRestored, step.service, outcome.ended, data)]
    case (.restoreKey(_, _, let address), _):
      data.address = address
      return [event(.keyRestored, step.service, outcome.ended, data)]
    default:
      guard step.cause == .change, step.action.isTold else { return [] }
      return [event(.actionSucceeded, step.service, outcome.ended, data)]
    }
  }

  private func failed(
    _ outcome: Outcome, _ failure: StepFailure, left: Int, position: StepPosition
  ) -> [Event] {
    let step = outcome.step
    var data = data(step, outcome, "failed")
    data.error = failure.description
    if left > 0 { data.message = "\(left) further steps of \(group.subject) were not begun" }
    var events = [event(.actionFailed, step.service, outcome.ended, data)]
    if position == .main, !drift.isEmpty {
      data.drift = drift
      data.cause = .drift
      events.append(event(.driftStalled, driftService, outcome.ended, data))
    }
    return events
  }

  private func repaired(_ outcome: Outcome, since started: Timestamp) -> Event {
    var data = data(driftService)
    data.cause = .drift
    data.drift = drift
    data.outcome = "succeeded"
    data.duration = outcome.ended.since(started)
    data.message = "repaired " + summary(drift)
    if case .succeeded(.takenDown(let log, let finding)) = outcome.result {
      data.message = "taken down: " + summary(drift)
      data.log = log
      data.finding = finding
    }
    return event(.driftRepaired, driftService, outcome.ended, data)
  }

  private func rolledBack(_ outcome: Outcome) -> Event {
    var data = data(outcome.step, outcome, "succeeded")
    data.message = "the new container failed; one of the previous specification runs in its place"
    return event(.actionRolledBack, outcome.step.service, outcome.ended, data)
  }

  private func stopped(_ outcome: Outcome) -> Event {
    var data = data(outcome.step, outcome, "succeeded")
    data.message =
      "stopped rather than left running with other clients than are defined: what it needs for a restart failed"
    return event(.actionSucceeded, outcome.step.service, outcome.ended, data)
  }

  /// The service that the drift is of, if it is of one.
  private var driftService: ServiceName? {
    let services = Set(group.steps.filter { $0.cause == .drift }.map(\.service))
    return services.count == 1 ? services.first ?? nil : nil
  }

  private func data(_ service: ServiceName?) -> EventData {
    var data = EventData(host: host, service: service, revision: revision, pass: pass)
    if case .instance(let instance) = group.subject { data.instance = instance }
    return data
  }

  private func data(_ step: Step, _ outcome: Outcome, _ word: String) -> EventData {
    var data = data(step.service)
    data.cause = step.cause
    data.drift = step.deviations.isEmpty ? nil : step.deviations
    data.action = step.action.name
    data.outcome = word
    data.duration = outcome.ended.since(outcome.started)
    return data
  }

  private func event(
    _ kind: EventKind, _ service: ServiceName?, _ time: Timestamp, _ data: EventData
  ) -> Event {
    let subject =
      switch (service, group.subject) {
      case (let service?, _): "service/\(service)"
      case (nil, .instance(let instance)): "instance/\(instance)"
      case (nil, .host): "host"
      }
    return Event(kind: kind, subject: subject, time: time, data: data)
  }

  private func summary(_ deviations: [Deviation]) -> String {
    let first = deviations.first.map { "\($0)" } ?? ""
    return deviations.count > 1 ? "\(first) and \(deviations.count - 1) more" : first
  }
}

extension Action {
  /// What a person who reads events wants to hear of when it answers a change; the steps between serve these.
  fileprivate var isTold: Bool {
    switch self {
    case .buildImage, .moveKey, .removeContainer, .takeDown, .updateLimits, .reload, .prove,
      .adoptContainer:
      true
    case .ensureNetwork, .removeNetwork, .labelPrivate, .generateKey, .unsealKey, .backUpKey,
      .joinNetwork,
      .leaveNetwork, .pin, .repairKeys, .retireKey, .restoreKey,
      .writeFiles, .verifyConfiguration, .createContainer, .startContainer, .unpauseContainer,
      .renameContainer, .restartContainer, .forgetInstance, .forgetService:
      false
    }
  }
}
