public import OnionModel

/// A repository that people commit to: seeded sequences of desired states.
public struct CommitGenerator: Sendable {
  public private(set) var desired: Desired
  private var random: SplitMix64
  private var number = 0

  /// Few names, so that they come and go and meet again; `stray` is never among them.
  private static let names = ["alpha", "bravo", "charlie", "delta", "echo"].compactMap {
    ServiceName($0)
  }
  private static let shared = ["pool", "hall"].compactMap { InstanceName($0) }

  /// - Returns: `nil` only if the fixed names above were not valid.
  public init?(layout: AgentLayout, seed: UInt64) {
    guard let host = HostName("web-1") else { return nil }
    random = SplitMix64(seed: seed)
    desired = Desired(
      host: host, revision: nil, layout: layout, services: [],
      recipe: ImageRecipe(prefix: layout.prefix, base: .bootstrap("bookworm")), network: .open,
      identity: "web-1 main", ageIdentity: "/etc/onionkeeper/age")
    if random.chance(40) { desired.backupRecipients = ["age1one"] }
  }

  /// One commit: one to three edits. The names that the revision before defined are what memory must know.
  public mutating func commit() {
    number += 1
    desired.revision = commitID(number)
    desired.removalsAnnounced = random.chance(50)
    for _ in 0..<Int.random(in: 1...3, using: &random) { edit() }
    desired.services.sort { $0.name < $1.name }
    desired.defined = Set(desired.services.map(\.name)).union(desired.unsettled)
      .union(desired.stopped.keys)
  }

  private mutating func edit() {
    switch Int.random(in: 0..<120, using: &random) {
    case 0..<28: add()
    case 28..<40: remove()
    case 40..<52: change { random, service in service.ports = Self.ports(&random) }
    case 52..<70: change { random, service in service.access = Self.access(&random) }
    case 70..<76: rename()
    case 76..<82:
      change { random, service in
        service.instance =
          random.chance(50)
          ? InstanceName(service.name) : random.pick(Self.shared) ?? service.instance
      }
    case 82..<86: change { _, service in service.isPaused.toggle() }
    case 86..<89:
      change { random, service in
        service.limits.memory = (128 << Int.random(in: 0...2, using: &random)) << 20
      }
    case 89..<91:
      desired.recipe.base = .bootstrap(random.chance(50) ? "bookworm" : "trixie")
    case 91..<93: desired.network = random.chance(50) ? .open : .off
    case 93..<95: change { _, service in service.formerly = nil }
    case 95..<97: stop()
    case 97..<99: unsettle()
    case 99..<100: desired.identity = random.chance(50) ? "web-1 main" : "web-1 other"
    case 100..<106:
      change { random, service in service.prune = random.chance(60) ? .hold : .retire }
    case 106..<112:
      change { random, service in
        service.tor.onionBalanceMaster = random.chance(70) ? Self.address(&random) : nil
      }
    case 112..<115:
      desired.backupRecipients = random.pick([[], ["age1one"], ["age1one", "age1two"]]) ?? []
    case 115..<117: desired.ageIdentity = random.chance(70) ? "/etc/onionkeeper/age" : nil
    default: reseal()
    }
  }

  private mutating func change(_ body: (inout SplitMix64, inout OnionService) -> Void) {
    guard let index = desired.services.indices.randomElement(using: &random) else { return }
    body(&random, &desired.services[index])
  }

  private mutating func add() {
    let formers = Set(desired.services.compactMap(\.formerly))
    let free = Self.names.filter { name in
      !desired.services.contains { $0.name == name } && !formers.contains(name)
    }
    guard let name = random.pick(free) else { return }
    desired.unsettled.remove(name)
    desired.stopped[name] = nil
    let key = key(of: name)
    var service = OnionService(
      name: name, instance: random.chance(30) ? random.pick(Self.shared) : nil, key: key,
      access: Self.access(&random), ports: Self.ports(&random),
      prune: random.chance(20) ? .hold : .retire)
    if case .sealed(let file) = key, random.chance(30) {
      service.address = desired.sealedKeys[file]?.simulatedAddress
    }
    desired.services.append(service)
  }

  /// A sealed key is one of its own, or one that a service had that is gone.
  private mutating func key(of name: ServiceName) -> KeySource {
    switch Int.random(in: 0..<10, using: &random) {
    case 0..<6: return .generate
    case 6: return .generatePerHost
    default:
      let used = Set(desired.services.map(\.key))
      let free = desired.sealedKeys.keys.filter { !used.contains(.sealed(file: $0)) }.sorted()
      if random.chance(30), let file = random.pick(free) { return .sealed(file: file) }
      let file = "secrets/\(name)-\(number).age"
      desired.sealedKeys[file] = SealedKey(simulated: file, Self.address(&random))
      return .sealed(file: file)
    }
  }

  /// Another key is sealed in a file: means nothing where the one of before is there already.
  private mutating func reseal() {
    guard let file = random.pick(desired.sealedKeys.keys.sorted()) else { return }
    desired.sealedKeys[file] = SealedKey(simulated: file, Self.address(&random))
  }

  private static func address(_ random: inout SplitMix64) -> OnionAddress {
    OnionAddress(publicKey: (0..<32).map { _ in UInt8(truncatingIfNeeded: random.next()) })
  }

  private mutating func remove() {
    guard let index = desired.services.indices.randomElement(using: &random) else { return }
    let name = desired.services.remove(at: index).name
    desired.stopped[name] = nil
  }

  private mutating func rename() {
    let formers = Set(desired.services.compactMap(\.formerly))
    let free = Self.names.filter { name in
      !desired.services.contains { $0.name == name } && !formers.contains(name)
        && !desired.unsettled.contains(name)
    }
    guard let name = random.pick(free),
      let index = desired.services.indices.randomElement(using: &random),
      desired.services[index].formerly == nil
    else { return }
    let old = desired.services[index]
    desired.stopped[old.name] = nil
    desired.services[index].name = name
    desired.services[index].formerly = old.name
    if old.instance == InstanceName(old.name) {
      desired.services[index].instance = InstanceName(name)
    }
  }

  /// Its file was rejected, and the last good definition is more open than that may be.
  private mutating func stop() {
    if let name = desired.stopped.keys.sorted().first {
      desired.stopped[name] = nil
    } else if let service = random.pick(desired.services), service.access == .open {
      desired.stopped[service.name] = "its definition is invalid and may not be public"
    }
  }

  /// Its file was rejected, and there is no last good definition.
  private mutating func unsettle() {
    if let name = desired.unsettled.min() {
      desired.unsettled.remove(name)
    } else if let index = desired.services.indices.randomElement(using: &random) {
      let name = desired.services.remove(at: index).name
      desired.stopped[name] = nil
      desired.unsettled.insert(name)
    }
  }

  private static func access(_ random: inout SplitMix64) -> Access {
    if random.chance(45) { return .open }
    let all = ["ann", "ben", "cyd"].map {
      AuthorizedClient(name: $0, key: String(repeating: $0.uppercased(), count: 18).prefix(52) + "")
    }
    let some = all.filter { _ in random.chance(60) }
    return .clients(some.isEmpty ? [all[0]] : some)
  }

  private static func ports(_ random: inout SplitMix64) -> [OnionPort] {
    (0...Int.random(in: 0...1, using: &random)).map { index in
      let port = Int.random(in: 8000...8003, using: &random)
      let target: Target =
        switch Int.random(in: 0..<40, using: &random) {
        case 0..<10: .gateway(port: port)
        case 10..<20: .address("192.0.2.10", port: port)
        case 20..<25: .container("web", port: port)
        case 25..<29: .container("db", port: port)
        case 29: .container("ghost", port: port)
        default: .unixSocket("/run/onion-targets/app/\(port).sock")
        }
      return OnionPort(virtual: 80 + index, target: target)
    }
  }
}

private func commitID(_ number: Int) -> CommitID? {
  let digits = String(number, radix: 16)
  return CommitID(String(repeating: "0", count: 40 - digits.count) + digits)
}
