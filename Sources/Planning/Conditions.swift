public import OnionModel

/// The conditions of every desired service, from the same values that the plan is made of.
public func conditions(
  _ desired: Desired, _ observed: Observed, _ memory: Memory, plan: Plan
) -> [ServiceName: [Condition]] {
  var all: [ServiceName: [Condition]] = [:]
  for service in desired.services {
    all[service.name] =
      Judge(service: service, desired: desired, observed: observed, memory: memory, plan: plan)
      .conditions
  }
  for name in desired.unsettled {
    all[name] = [
      Condition(.accepted, .no, reason: "its definition is invalid and there is no last good one"),
      Condition(.ready, .no, reason: "Accepted: its definition is invalid"),
    ]
  }
  for (name, reason) in desired.stopped {
    all[name] = [
      Condition(.accepted, .no, reason: reason),
      Condition(.ready, .no, reason: "stopped: \(reason)"),
    ]
  }
  return all
}

private struct Judge {
  let service: OnionService
  let desired: Desired
  let observed: Observed
  let memory: Memory
  let plan: Plan

  var conditions: [Condition] {
    var list = [
      accepted, keyReady, running, contained, configured, bootstrapped, published, targetReady,
      stalled,
    ]
    list.append(ready(list))
    return list
  }

  /// Removals that wait concern what is no longer defined; a probable rename is told of each new service itself.
  private static let ofOtherServices: Set<Waiting.Kind> = [.removals, .probableRename]
  /// A removal in a shared instance is not its other members' trouble, and a missing backup stops nothing.
  private static let stallsNobody: Set<Waiting.Kind> = [.pruneHeld, .backup]

  private var waits: [Waiting] {
    plan.waiting.filter { waiting in
      if Self.stallsNobody.contains(waiting.kind) { return false }
      guard waiting.service == nil else { return waiting.service == service.name }
      return waiting.instance == service.instance
        || waiting.instance == nil && !Self.ofOtherServices.contains(waiting.kind)
    }
  }

  private var container: ContainerObservation? {
    observed.containers.value?.first {
      $0.agent == memory.agent && $0.instance == service.instance
    }
  }

  private var accepted: Condition {
    if let reason = desired.kept[service.name] {
      return Condition(.accepted, .no, reason: "the last good definition is kept: \(reason)")
    }
    return Condition(.accepted, .yes, reason: "defined in \(desired.revision?.short ?? "nothing")")
  }

  private var keyReady: Condition {
    let place = KeyPlace(instance: service.instance, service: service.name)
    switch observed.keys[place] ?? .unknown("not looked at") {
    case .unknown(let reason): return Condition(.keyReady, .unknown, reason: reason)
    case .absent: return Condition(.keyReady, .no, reason: "no key directory")
    case .present(let directory):
      guard let address = directory.address else {
        return Condition(.keyReady, .no, reason: "secret key missing or damaged")
      }
      if let damage = observed.damagedPins[service.name] {
        return Condition(.keyReady, .unknown, reason: damage)
      }
      if let pin = observed.pins.value?[service.name], pin != address {
        return Condition(.keyReady, .no, reason: "the key there is not the pinned one")
      }
      if let flaw = directory.flaws.first {
        return Condition(.keyReady, .no, reason: flaw.description)
      }
      return Condition(.keyReady, .yes, reason: "whole")
    }
  }

  private var running: Condition {
    guard observed.containers.value != nil else {
      return Condition(.running, .unknown, reason: observed.containers.unknownReason ?? "not seen")
    }
    guard let container else { return Condition(.running, .no, reason: "no container") }
    return container.state == .running
      ? Condition(.running, .yes, reason: container.name)
      : Condition(.running, .no, reason: "container is \(container.state)")
  }

  private var contained: Condition {
    guard let container, container.state == .running else {
      return Condition(.contained, .unknown, reason: "not running")
    }
    guard case .present(let proof) = container.proof else {
      return Condition(.contained, .unknown, reason: container.proof.unknownReason ?? "no process")
    }
    if let breach = proof.breaches(user: observed.torOwner, label: nil).first {
      return Condition(.contained, .no, reason: breach.description)
    }
    let confinement =
      observed.hasSELinux
      ? (proof.label ?? "no label")
        + (observed.isPermissive ? ", which SELinux does not enforce" : "")
      : proof.label.map { "profile \($0)" } ?? "seccomp alone"
    return Condition(
      .contained, .yes,
      reason: "uid \(observed.torOwner), five zero capability sets, \(confinement)")
  }

  private var tor: Observation<TorObservation> { observed.tors[service.instance] ?? .absent }

  private var configured: Condition {
    guard case .present(let tor) = tor else {
      return Condition(.configured, .unknown, reason: self.tor.unknownReason ?? "not running")
    }
    let line = "HiddenServiceDir \(TorLayout.keys)/\(service.name)"
    guard tor.serviceOptions.contains(line) else {
      return Condition(.configured, .no, reason: "tor does not know this service")
    }
    let isPending = plan.groups.contains {
      $0.subject == .instance(service.instance) && !$0.steps.isEmpty
    }
    return isPending
      ? Condition(.configured, .no, reason: "steps are pending")
      : Condition(.configured, .yes, reason: "tor runs what is defined")
  }

  private var bootstrapped: Condition {
    guard case .present(let tor) = tor else {
      return Condition(.bootstrapped, .unknown, reason: self.tor.unknownReason ?? "not running")
    }
    return Condition(
      .bootstrapped, tor.bootstrap == 100 ? .yes : .no,
      reason: "\(tor.bootstrap) %: \(tor.bootstrapSummary)")
  }

  /// tor goes on saying "bootstrapped" when every relay is gone: introduction circuits tell the truth.
  private var published: Condition {
    guard case .present(let tor) = tor else {
      return Condition(.published, .unknown, reason: self.tor.unknownReason ?? "not running")
    }
    guard desired.network != .off else {
      return Condition(.published, .no, reason: "tor.network is off on this host")
    }
    let place = KeyPlace(instance: service.instance, service: service.name)
    guard let address = observed.keys[place]?.value?.address else {
      return Condition(.published, .unknown, reason: "its address is not known")
    }
    let count = tor.introductions[address.identifier] ?? 0
    return Condition(
      .published, count >= 3 ? .yes : .no, reason: "\(count) introduction circuits established")
  }

  private var targetReady: Condition {
    var found: [String] = []
    for target in service.ports.map(\.target) {
      if let directory = target.socket?.directory,
        observed.socketDirectories[directory] != .present(true)
      {
        return Condition(.targetReady, .no, reason: "\(directory) is not there")
      }
      guard let name = target.containerName else { continue }
      switch observed.resolve(name, for: memory.instances[service.instance]) {
      case .there(let container):
        found.append("container \(name) is at \(container.address) in \(container.network)")
      case .lastKnown(let address, let why):
        return Condition(
          .targetReady, isUnknown(name) ? .unknown : .no,
          reason: "\(why); its last address \(address) stays")
      case .nowhere(let why, let isUnknown):
        return Condition(.targetReady, isUnknown ? .unknown : .no, reason: why)
      }
    }
    // What is not a container has not been dialled.
    guard !found.isEmpty, found.count == service.ports.count else {
      return Condition(.targetReady, .unknown, reason: "not dialled")
    }
    return Condition(.targetReady, .yes, reason: found.joined(separator: "; "))
  }

  private func isUnknown(_ container: String) -> Bool {
    observed.targetContainers[container]?.unknownReason != nil
      || observed.targetContainers[container] == nil
  }

  private var stalled: Condition {
    guard let first = waits.first else {
      return Condition(.stalled, .no, reason: "nothing is waited for")
    }
    return Condition(.stalled, .yes, reason: first.message)
  }

  private func ready(_ list: [Condition]) -> Condition {
    let asked: Set<Condition.Name> = [
      .accepted, .keyReady, .running, .contained, .configured, .bootstrapped,
    ]
    var wanted = asked
    if desired.network == .off { wanted.remove(.bootstrapped) } else { wanted.insert(.published) }
    if let bad = list.first(where: { wanted.contains($0.name) && $0.status != .yes }) {
      return Condition(.ready, bad.status, reason: "\(bad.name.rawValue): \(bad.reason)")
    }
    if let stall = list.first(where: { $0.name == .stalled && $0.status == .yes }) {
      return Condition(.ready, .no, reason: "Stalled: \(stall.reason)")
    }
    return Condition(.ready, .yes, reason: "all is as defined")
  }
}
