import OnionModel

/// One service of an instance, as decided before any instance is planned.
struct Member {
  var service: OnionService
  /// Why it is left out of the configuration.
  var hold: Waiting?
  /// `nil` while its key is still to be made by `steps`.
  var address: OnionAddress?
  /// `steps` open a sealed key whose address nobody knows: whether it can be configured is seen then.
  var isOpening = false
  /// For its key. Of one that is held, only what puts right the files that are there.
  var steps: [Step] = []
  /// Instances whose tors must let go of it before this one may have it: never two tors with one key.
  var sources: Set<InstanceName> = []

  /// What tors may know it by: its name, and the former one for as long as its key lies there.
  var names: Set<ServiceName> {
    var names: Set<ServiceName> = [service.name]
    for step in steps {
      if case .moveKey(let old, _, _) = step.action { names.insert(old.service) }
    }
    return names
  }

  /// Its steps may fail for as long as nobody mends a file: they must not stop what others need.
  var opensKey: Bool {
    steps.contains { step in
      switch step.action {
      case .unsealKey, .unsealAside: true
      default: false
      }
    }
  }

  var configured: ConfiguredService {
    ConfiguredService(
      name: service.name, address: address, ports: service.ports, access: service.access,
      tor: service.tor)
  }
}

/// The members of one instance.
struct Roster {
  var instance: InstanceName
  var members: [Member]

  var services: [OnionService] { members.map(\.service) }

  func member(_ name: ServiceName) -> Member? { members.first { $0.service.name == name } }
}

extension Planner {
  /// All instances at once: a service that moves concerns two of them.
  func decideRosters(_ removals: Removals, _ sight: Sight) -> [InstanceName: Roster] {
    var rosters: [InstanceName: Roster] = [:]
    for (instance, services) in instances {
      var roster = Roster(
        instance: instance,
        members: services.map { decideMember($0, removals: removals, sight: sight) })
      holdSingleHops(&roster)
      if let obstacle = obstacle(roster, sight) {
        for index in roster.members.indices where !roster.members[index].sources.isEmpty {
          roster.members[index].hold(
            .moving, "it stays where it is: \(obstacle)")
        }
      }
      rosters[instance] = roster
    }
    holdTwins(&rosters, sight)
    return rosters
  }

  /// Of several that would run with one key, who runs already, or else the first: others wait, so that no two do while
  /// keys are on their way.
  private func holdTwins(_ rosters: inout [InstanceName: Roster], _ sight: Sight) {
    var claims: [OnionAddress: [(place: KeyPlace, isServed: Bool)]] = [:]
    for (instance, roster) in rosters.sorted(by: { $0.key < $1.key }) {
      for member in roster.members where member.hold == nil {
        guard let address = member.address else { continue }
        let place = KeyPlace(instance: instance, service: member.service.name)
        claims[address, default: []].append((place, isServedHere(member, sight)))
      }
    }
    for (address, places) in claims where places.count > 1 {
      guard let owner = places.first(where: \.isServed)?.place ?? places.first?.place else {
        continue
      }
      for (place, _) in places where place != owner {
        guard
          let index = rosters[place.instance]?.members.firstIndex(where: {
            $0.service.name == place.service
          })
        else { continue }
        rosters[place.instance]?.members[index].hold(
          .keyDuplicate,
          "\(owner) has the key of \(address) too: two tors with one key take turns being reachable"
        )
      }
    }
  }

  private func decideMember(
    _ service: OnionService, removals: Removals, sight: Sight
  ) -> Member {
    var member = Member(service: service)
    switch decideKey(service, removals: removals, sight: sight) {
    case .held(let waiting): member.hold = waiting
    case .opening(let steps):
      member.isOpening = true
      member.steps = steps
    case .ready(let address, let steps):
      member.address = address
      member.steps = steps
      if !isServedHere(member, sight) { member.sources = sources(of: member) }
      if let trouble = targetTrouble(service, sight) ?? containerTrouble(service) {
        member.hold(trouble.kind, trouble.message)
      }
    }
    return member
  }

  private func sources(of member: Member) -> Set<InstanceName> {
    var found: Set<InstanceName> = []
    for name in member.names { found.formUnion(tors.byName[name] ?? []) }
    if let address = member.address { found.formUnion(tors.byAddress[address] ?? []) }
    found.remove(member.service.instance)
    return found
  }

  /// Whether the running tor of its instance may serve it, under its name or, until its key has moved, its former one.
  func isServedHere(_ member: Member, _ sight: Sight) -> Bool {
    let service = member.service
    var names = member.names
    if let old = service.formerly, sight.pins[service.name] == nil,
      memory.services[old] == service.instance,
      !desired.services.contains(where: { $0.name == old })
    {
      names.insert(old)
    }
    if !liveNames(service.instance).isDisjoint(with: names) { return true }
    guard let address = member.address else { return false }
    return tors.live[service.instance]?.addresses.contains(address) == true
  }

  /// A non-anonymous tor has one service. Definitions refuses others; so that nobody is exposed by a mistake there.
  private func holdSingleHops(_ roster: inout Roster) {
    guard roster.members.count > 1 else { return }
    for index in roster.members.indices where roster.members[index].service.tor.isSingleHop {
      roster.members[index].hold(
        .stopped, "a single-hop service never shares a tor: give it an instance of its own")
    }
  }

  /// Why nobody can join an instance for now.
  private func obstacle(_ roster: Roster, _ sight: Sight) -> String? {
    let instance = roster.instance
    if let paused = roster.services.first(where: isPaused) {
      return "\(paused.name) pauses instance \(instance)"
    }
    if let held = roster.members.first(where: { $0.hold != nil && isServedHere($0, sight) }) {
      return "instance \(instance) serves \(held.service.name), which is held"
    }
    if let stranger = stranger(named: desired.layout.containerName(instance), in: sight) {
      return "container \(stranger.name) is not ours"
    }
    if let user = observed.keyUsers[instance]?.first {
      return "\(user), which is not ours, mounts the keys of instance \(instance)"
    }
    return nil
  }

  func isPaused(_ service: OnionService) -> Bool {
    service.isPaused || memory.paused.contains(service.name)
  }

  /// The directory of a unix target is not there, and no container has it mounted already.
  private func targetTrouble(
    _ service: OnionService, _ sight: Sight
  ) -> (kind: Waiting.Kind, message: String)? {
    let mounted = Set(
      (sight.ours[service.instance] ?? []).filter(\.isLive)
        .flatMap { $0.facts.value?.mounts.map(\.source) ?? [] })
    for directory in socketDirectories(service.ports) {
      guard let trouble = socketTrouble(directory) else { continue }
      if mounted.contains(directory), liveNames(service.instance).contains(service.name) {
        continue
      }
      return trouble
    }
    return nil
  }

  func socketTrouble(_ directory: String) -> (kind: Waiting.Kind, message: String)? {
    switch observed.socketDirectories[directory] ?? .unknown("it was not looked at") {
    case .present(true): nil
    case .present(false):
      (.targetMissing, "\(directory) is no plain directory (a link or a file): mend it")
    case .absent:
      (.targetMissing, "\(directory) of a unix target is not there: start the backend")
    case .unknown(let reason):
      (.unknown, "\(directory) of a unix target cannot be seen: \(reason)")
    }
  }

  func socketDirectories(_ ports: [OnionPort]) -> [String] {
    Set(ports.compactMap { $0.target.socket?.directory }).sorted()
  }
}

extension Member {
  /// The first reason counts. What its key directory needs is done all the same.
  mutating func hold(_ kind: Waiting.Kind, _ message: String) {
    guard hold == nil else { return }
    hold = Waiting(kind, service: service.name, instance: service.instance, message: message)
    let isHere = steps.allSatisfy { step in
      switch step.action {
      case .generateKey, .unsealKey, .restoreKey, .moveKey: false
      default: true
      }
    }
    steps.removeAll { if isHere, case .repairKeys = $0.action { false } else { true } }
  }
}
