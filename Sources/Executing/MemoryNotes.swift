public import OnionModel

/// Where in its group a step stands.
public enum StepPosition: Hashable, Sendable {
  case main
  /// One of the steps that bring the previous container back.
  case fallback
}

/// How long a failed start waits for its next try.
public enum Backoff {
  /// A container that failed to be made, to start, or to be proven: 5 s, doubling to 5 min.
  public static let start = (first: 5.0, last: 300.0)
  /// A new specification that failed while the previous one can run: 5 min, doubling to 1 h.
  public static let newSpecification = (first: 300.0, last: 3600.0)
  /// Interruptions older than this no longer count against the budget: seconds.
  public static let budgetWindow = 3600.0

  static func delay(_ range: (first: Double, last: Double), failures: Int) -> Double {
    // 2^12 times the first delay is over both limits; more doublings would only overflow.
    var delay = range.first
    for _ in 1..<max(2, min(failures, 12)) where failures > 1 { delay *= 2 }
    return min(delay, range.last)
  }
}

extension Memory {
  /// What must be remembered of definitions before anything acts on them: a later revision may no longer have them.
  public func knowing(_ desired: Desired) -> Memory {
    var memory = self
    // One that is not defined any more, or not readable, stays as its last definition said.
    let unseen = heldFromPruning.intersection(services.keys)
      .subtracting(desired.services.map(\.name))
    memory.heldFromPruning = unseen.union(
      desired.services.filter { $0.prune == .hold }.map(\.name))
    return memory
  }

  /// What must be remembered *before* a step begins, since it may take effect though nobody lives to note it.
  ///
  /// A tor that is about to read its files may have read them, or not: what it is known to serve widens to both, so
  /// that no later plan takes a client for revoked, or a service for closed, that it still serves.
  public func foreseeing(_ step: Step, of group: StepGroup) -> Memory {
    var memory = self
    memory.noteLevel(of: step.action)
    switch step.action {
    case .generateKey(let place, _, _, _), .unsealKey(let place, _, _, _, _, _, _),
      .restoreKey(_, let place, _), .pin(_, _, let place):
      memory.services[place.service] = place.instance
    case .moveKey(_, let place, _):
      // Under a new name it would be nobody's; under its old name it is still found where it was.
      if memory.services[place.service] == nil { memory.services[place.service] = place.instance }
    case .createContainer(let specification):
      memory.instances[specification.instance, default: InstanceMemory()].services =
        memory.instances[specification.instance]?.services ?? []
    case .startContainer(let instance, _), .restartContainer(let instance, _):
      if let configuration = group.configuration(of: instance) { memory.widen(configuration) }
    case .reload(let configuration, _): memory.widen(configuration)
    default: break
    }
    return memory
  }

  /// The memory after a step of `group` ended as `outcome` says.
  ///
  /// - Parameter group: with the addresses that its earlier steps have made (`Step.resolving`).
  public func noting(
    _ outcome: Outcome, of group: StepGroup, at position: StepPosition = .main
  ) -> Memory {
    var memory = self
    switch outcome.result {
    case .skipped: break
    case .failed: memory.noteFailure(outcome, of: group, at: position)
    case .succeeded(let effect): memory.noteSuccess(outcome, effect, of: group, at: position)
    }
    return memory
  }

  private mutating func noteSuccess(
    _ outcome: Outcome, _ effect: StepEffect, of group: StepGroup, at position: StepPosition
  ) {
    noteLevel(of: outcome.step.action)
    noteInterruption(outcome)
    switch outcome.step.action {
    case .generateKey(let place, _, _, _), .restoreKey(_, let place, _), .pin(_, _, let place):
      services[place.service] = place.instance
    case .unsealKey(let place, _, _, _, _, _, _):
      services[place.service] = place.instance
      noteKeyWork(place)
    case .backUpKey(let place, _, _): noteKeyWork(place)
    case .moveKey(let old, let place, _):
      if old.service != place.service { services[old.service] = nil }
      services[place.service] = place.instance
    case .retireKey(let place, _): noteRetirement(place, of: group)
    case .forgetInstance(let instance):
      instances[instance] = nil
      if let service = outcome.step.service, services[service] == instance {
        services[service] = nil
      }
    case .forgetService(let service): services[service] = nil
    case .createContainer(let specification):
      if case .created(let id) = effect { noteCreation(specification.instance, id) }
    case .removeContainer(let instance, let id): noteRemoval(instance, id)
    case .takeDown(let instance, let id):
      noteRemoval(instance, id)
      noteFailedStart(instance, at: outcome.ended)
    case .prove(let specification, let configuration, _),
      .adoptContainer(let specification, let configuration, _, _):
      noteProof(specification, configuration, effect, at: position)
    case .reload(let configuration, _):
      if case .reloaded(let torrc) = effect { noteReading(configuration, torrc: torrc) }
    case .buildImage, .ensureNetwork, .removeNetwork, .labelPrivate, .repairKeys, .writeFiles,
      .joinNetwork,
      .leaveNetwork, .verifyConfiguration, .startContainer, .unpauseContainer, .renameContainer,
      .restartContainer, .updateLimits:
      break
    }
  }

  /// A failed start is tried again later; a new container that failed, later still, and meanwhile the previous one runs.
  private mutating func noteFailure(
    _ outcome: Outcome, of group: StepGroup, at position: StepPosition
  ) {
    // Ended by us, since the agent stops: nothing is known against the step.
    if case .failed(let failure) = outcome.result, failure.code.hasSuffix("cancelled") { return }
    let instance: InstanceName
    switch outcome.step.action {
    case .createContainer(let specification), .verifyConfiguration(let specification),
      .prove(let specification, _, _):
      instance = specification.instance
    case .startContainer(let name, _), .restartContainer(let name, _): instance = name
    case .unsealKey(let place, _, _, _, _, _, _), .backUpKey(let place, _, _):
      noteFailedKeyWork(place, at: outcome.ended)
      return
    default: return
    }
    if position == .main, outcome.step.isStart, let specification = group.createdSpecification,
      specification.instance == instance,
      let proven = instances[instance]?.proven, proven.digest != specification.digest
    {
      noteFailedSpecification(specification, at: outcome.ended)
    } else {
      noteFailedStart(instance, at: outcome.ended)
    }
  }

  private mutating func noteFailedStart(_ name: InstanceName, at time: Timestamp) {
    var instance = instances[name] ?? InstanceMemory()
    instance.failures += 1
    instance.retryAt = time.adding(
      seconds: Backoff.delay(Backoff.start, failures: instance.failures))
    instances[name] = instance
  }

  /// What needs `age` and a right file may fail until somebody mends it: tried again later and later, each service by
  /// itself.
  private mutating func noteFailedKeyWork(_ place: KeyPlace, at time: Timestamp) {
    var instance = instances[place.instance] ?? InstanceMemory()
    let failures = (instance.keyRetries?[place.service]?.failures ?? 0) + 1
    let delay = Backoff.delay(Backoff.start, failures: failures)
    instance.keyRetries = instance.keyRetries ?? [:]
    instance.keyRetries?[place.service] = Retry(
      failures: failures, at: time.adding(seconds: delay))
    instances[place.instance] = instance
  }

  private mutating func noteKeyWork(_ place: KeyPlace) {
    guard var retries = instances[place.instance]?.keyRetries else { return }
    retries[place.service] = nil
    instances[place.instance]?.keyRetries = retries.isEmpty ? nil : retries
  }

  private mutating func noteFailedSpecification(
    _ specification: ContainerSpecification, at time: Timestamp
  ) {
    var instance = instances[specification.instance] ?? InstanceMemory()
    let digest = specification.digest
    instance.failures = instance.failedSpecification == digest ? instance.failures + 1 : 1
    instance.failedSpecification = digest
    instance.retryAt = time.adding(
      seconds: Backoff.delay(Backoff.newSpecification, failures: instance.failures))
    instances[specification.instance] = instance
  }

  private mutating func noteProof(
    _ specification: ContainerSpecification, _ configuration: InstanceConfiguration,
    _ effect: StepEffect, at position: StepPosition
  ) {
    guard case .proven(_, let containerID, let torrc) = effect else { return }
    var instance = instances[specification.instance] ?? InstanceMemory()
    // Whatever proves the previous one again, the new specification is still the one that failed.
    let isReturn =
      instance.failedSpecification.map { $0 != specification.digest } == true
      && instance.proven?.digest == specification.digest
    instance.proven = specification
    // A proof stands on the container that bears our name; every other one of ours was removed before it.
    instance.containerIDs = [containerID]
    instance.applied = AppliedConfiguration(containerID: containerID, torrc: torrc, services: [:])
    if position == .main, !isReturn {
      instance.failures = 0
      instance.retryAt = nil
      instance.failedSpecification = nil
    }
    instances[specification.instance] = instance
    noteReading(configuration, torrc: torrc)
  }

  /// A tor has read this configuration, and nothing else is left of what it had read before.
  private mutating func noteReading(_ configuration: InstanceConfiguration, torrc: String) {
    for service in configuration.services { services[service.name] = configuration.instance }
    guard var instance = instances[configuration.instance] else { return }
    instance.services = configuration.services.map(\.name)
    instance.configured = configuration.services
    instance.applied?.torrc = torrc
    instance.applied?.services = configuration.appliedServices
    instance.containers = configuration.containers.isEmpty ? nil : configuration.containers
    instances[configuration.instance] = instance
  }

  /// The service stays known while a later step of the group has still to clear its instance away.
  private mutating func noteRetirement(_ place: KeyPlace, of group: StepGroup) {
    let clears = group.steps.contains { step in
      if case .forgetInstance(place.instance) = step.action {
        step.service == place.service
      } else {
        false
      }
    }
    if !clears, services[place.service] == place.instance { services[place.service] = nil }
  }

  /// A new container has read nothing yet; what it reads at its start is foreseen then.
  private mutating func noteCreation(_ name: InstanceName, _ id: String) {
    var instance = instances[name] ?? InstanceMemory()
    instance.containerIDs.insert(id)
    instance.applied = AppliedConfiguration(
      containerID: id, torrc: Self.unknownTorrc, services: [:])
    instances[name] = instance
  }

  private mutating func noteRemoval(_ name: InstanceName, _ id: String) {
    guard var instance = instances[name] else { return }
    instance.containerIDs.remove(id)
    if instance.applied?.containerID == id || instance.proven?.name == id { instance.applied = nil }
    instances[name] = instance
  }

  private mutating func noteInterruption(_ outcome: Outcome) {
    guard outcome.step.interrupts, outcome.step.cause == .drift,
      case .instance(let name) = outcome.subject
    else { return }
    var instance = instances[name] ?? InstanceMemory()
    instance.interruptions.removeAll { outcome.ended.since($0) >= Backoff.budgetWindow }
    instance.interruptions.append(outcome.ended)
    instances[name] = instance
  }

  /// The first step that gives an instance its categories fixes them for life.
  private mutating func noteLevel(of action: Action) {
    guard let (name, label) = action.labelled else { return }
    var instance = instances[name] ?? InstanceMemory()
    if instance.level == nil { instance.level = label.level }
    instances[name] = instance
  }

  /// No digest: whatever is wanted, it is not known to have been read.
  private static let unknownTorrc = ""

  private mutating func widen(_ configuration: InstanceConfiguration) {
    guard var applied = instances[configuration.instance]?.applied else { return }
    applied.torrc = Self.unknownTorrc
    for (name, service) in configuration.appliedServices {
      guard let before = applied.services[name] else {
        applied.services[name] = service
        continue
      }
      guard before.address == service.address else {
        // Which of two addresses it serves cannot be told any more: a container nobody remembers.
        instances[configuration.instance]?.applied = nil
        return
      }
      applied.services[name]?.access = before.access.joined(with: service.access)
    }
    instances[configuration.instance]?.applied = applied
  }
}

extension Access {
  /// The narrowest access that admits whoever either admits.
  func joined(with other: Access) -> Access {
    guard case .clients(let mine) = self, case .clients(let theirs) = other else { return .open }
    return .clients(mine + theirs.filter { !mine.contains($0) })
  }
}

extension InstanceConfiguration {
  var appliedServices: [ServiceName: AppliedService] {
    var applied: [ServiceName: AppliedService] = [:]
    for service in services {
      guard let address = service.address else { continue }
      applied[service.name] = AppliedService(
        address: address, access: service.access,
        onionBalanceMaster: service.tor.onionBalanceMaster)
    }
    return applied
  }
}

extension StepGroup {
  /// The container that the group's main steps make, if they make one.
  var createdSpecification: ContainerSpecification? {
    for step in steps { if case .createContainer(let made) = step.action { return made } }
    return nil
  }

  /// What the group's proof of an instance says that its tor reads.
  func configuration(of instance: InstanceName) -> InstanceConfiguration? {
    for step in steps {
      if case .prove(_, let configuration, _) = step.action, configuration.instance == instance {
        return configuration
      }
    }
    return nil
  }
}

extension Step {
  /// Making, starting or proving a container: what a new specification can fail at.
  var isStart: Bool {
    switch action {
    case .createContainer, .startContainer, .prove: true
    default: false
    }
  }
}

extension Action {
  /// The instance that the action labels something of, and the label.
  fileprivate var labelled: (InstanceName, ContainerLabel)? {
    switch self {
    case .generateKey(let place, _, _, let label?),
      .unsealKey(let place, _, _, _, _, _, let label?):
      (place.instance, label)
    case .repairKeys(let place, let wish): wish.label.map { (place.instance, $0) }
    case .writeFiles(let configuration, _, _, let label?): (configuration.instance, label)
    case .createContainer(let specification), .prove(let specification, _, _),
      .adoptContainer(let specification, _, _, _):
      specification.label.map { (specification.instance, $0) }
    default: nil
    }
  }
}
