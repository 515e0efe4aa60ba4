import OnionModel

/// The promises of product.md §1, judged on the world before and after one step.
struct StepJudge {
  let before: SimulatedHost
  let after: SimulatedHost
  /// The truth when the agent last looked.
  let seen: SimulatedHost
  let desired: Desired?
  let step: Step
  /// Services that no revision may take away without a person: their last definition said `prune: hold`.
  let heldFromPruning: Set<ServiceName>

  var violations: [Violation] { keys + pins + strangers + twins + held + files + prunings }

  /// Promise 1: no secret is lost, and nothing is written into a directory whose secret is not whole.
  private var keys: [Violation] {
    var found: [Violation] = []
    for address in before.wholeSecrets.subtracting(after.wholeSecrets) {
      found.append(Violation("key.lost", "\(address) is nowhere any more after \(step.action)"))
    }
    for (place, directory) in before.keys where directory.address == nil {
      guard let now = after.keys[place] else {
        if case .retireKey = step.action { continue }
        found.append(Violation("key.overwritten", "\(place) vanished by \(step.action)"))
        continue
      }
      if now != directory {
        found.append(Violation("key.overwritten", "\(place) changed by \(step.action)"))
      }
    }
    if case .generateKey(let place, _, _, _) = step.action {
      if seen.keys[place] != nil {
        found.append(Violation("key.overwritten", "a key was to be made over \(place)"))
      }
      if let pin = before.pins[place.service] {
        found.append(Violation("key.replaced", "\(place.service) is pinned to \(pin)"))
      }
    }
    if case .unsealKey(let place, _, _, let address, _, _, _) = step.action {
      if seen.keys[place] != nil {
        found.append(Violation("key.overwritten", "a key was to be opened over \(place)"))
      }
      if let pin = before.pins[place.service], address == nil {
        found.append(
          Violation("key.replaced", "any key would do, but \(place.service) is pinned to \(pin)"))
      }
    }
    return found
  }

  /// A removal that its definition holds waits for a person.
  private var prunings: [Violation] {
    guard case .retireKey(let place, _) = step.action, heldFromPruning.contains(place.service)
    else { return [] }
    return [Violation("prune.broken", "\(place) by \(step.action)")]
  }

  /// A pin moves only where the definition says so.
  private var pins: [Violation] {
    before.pins.compactMap { service, address in
      guard let now = after.pins[service], now != address else { return nil }
      let wanted = desired?.services.first { $0.name == service }?.address
      return wanted == now ? nil : Violation("pin.moved", "\(service) from \(address) to \(now)")
    }
  }

  /// Nothing that is not ours is touched.
  private var strangers: [Violation] {
    var found: [Violation] = []
    for (id, container) in before.containers where container.agent != before.agent {
      if after.containers[id] != container {
        found.append(Violation("foreign.touched", "\(container.name) by \(step.action)"))
      }
    }
    for place in before.unowned where before.keys[place] != after.keys[place] {
      found.append(Violation("foreign.touched", "\(place) by \(step.action)"))
    }
    for (name, network) in before.networks where !network.isOurs && after.networks[name] != network
    {
      found.append(Violation("foreign.touched", "network \(name) by \(step.action)"))
    }
    return found
  }

  /// Never two tors with one key, by our doing.
  private var twins: [Violation] {
    func addresses(_ host: SimulatedHost) -> [OnionAddress: Int] {
      var counts: [OnionAddress: Int] = [:]
      for container in host.containers.values where container.isRunning {
        for served in (container.tor?.served ?? [:]).values {
          counts[served.address, default: 0] += 1
        }
      }
      return counts
    }
    let earlier = addresses(before)
    return addresses(after).compactMap { address, count in
      count > 1 && count > earlier[address, default: 0]
        ? Violation("key.shared", "\(count) tors serve \(address) after \(step.action)") : nil
    }
  }

  /// What is written into `etc/` lets nobody in who is not desired: an engine may start it by itself.
  private var files: [Violation] {
    guard case .writeFiles(let configuration, _, _, _) = step.action else { return [] }
    return configuration.services.compactMap { service in
      guard let wanted = desired?.services.first(where: { $0.name == service.name })?.access,
        !service.access.isWithin(wanted)
      else { return nil }
      return Violation("access.open", "\(service.name) is written open to \(service.access)")
    }
  }

  /// Nothing is started, restarted or reloaded for a service whose key was not whole when the agent looked.
  private var held: [Violation] {
    let instance: InstanceName
    switch step.action {
    case .createContainer(let specification): instance = specification.instance
    case .startContainer(let name, _), .restartContainer(let name, _): instance = name
    case .reload(let configuration, _): instance = configuration.instance
    default: return []
    }
    return (desired?.services ?? []).compactMap { service in
      let place = KeyPlace(instance: instance, service: service.name)
      guard service.instance == instance, desired?.stopped[service.name] == nil,
        let directory = seen.keys[place], directory.address == nil
      else { return nil }
      return Violation("hold.broken", "\(step.action) although \(place) is not whole")
    }
  }
}

extension SimulatedHost {
  mutating func takeReadings() -> [Reading] {
    defer { readings = [] }
    return readings
  }
}

extension SimulatedHost.Reading {
  /// Promise 2: no tor becomes more open than is desired; one that the engine started, no more than it was either.
  func violation(_ desired: Desired?) -> Violation? {
    guard let desired else { return nil }
    if launcher == .agent, let reason = desired.stopped[service] {
      return Violation("access.open", "\(service) runs although it is stopped: \(reason)")
    }
    guard let wanted = desired.services.first(where: { $0.name == service })?.access else {
      return nil
    }
    var allowed = wanted
    if launcher == .engine { for access in before { allowed = allowed.joined(access) } }
    return served.access.isWithin(allowed)
      ? nil
      : Violation(
        "access.open",
        "\(service) is served to \(served.access), allowed is \(allowed)"
          + " (\(launcher))")
  }
}
