public import OnionModel

/// One instance as it is wanted, in the words that tor and an engine are given: for people, who see it before it runs.
public struct InstanceRendering: Hashable, Sendable {
  /// What `torrc`, guard and sums follow from; an address is `nil` where its key is not made yet.
  public var configuration: InstanceConfiguration
  public var specification: ContainerSpecification
  /// The gateway of its network; `nil` where nobody has asked the engine.
  public var gateway: String?
  public var recipe: ImageRecipe

  /// In the place of what is not known.
  public static let gatewayPlaceholder = "<gateway>"

  public static func placeholder(container: String) -> String { "<address of \(container)>" }

  /// The torrc, with placeholders where an address is not known.
  public var torrc: String {
    var configuration = configuration
    for name in configuration.services.flatMap(\.ports).compactMap(\.target.containerName)
    where configuration.containers[name] == nil {
      configuration.containers[name] = Self.placeholder(container: name)
    }
    // Every address that it could lack is given.
    return configuration.torrc(gateway: gateway ?? Self.gatewayPlaceholder) ?? ""
  }
}

/// The instance that carries a desired service, whatever runs now; `nil` for a service that must not run or is none.
///
/// - Parameter observed: its pins, networks, containers of targets and `hasSELinux` count, the rest is not looked at.
public func rendering(
  of service: ServiceName, in desired: Desired, from observed: Observed, knowing memory: Memory,
  engine: EngineIdentity
) -> InstanceRendering? {
  let planner = Planner(desired: desired, observed: observed, memory: memory)
  guard let wanted = desired.services.first(where: { $0.name == service }),
    let members = planner.instances.first(where: { $0.0 == wanted.instance })?.1,
    members.contains(where: { $0.name == service })
  else { return nil }
  let roster = Roster(
    instance: wanted.instance, members: members.map { Member(service: $0) })
  let specification = planner.specification(of: roster, guests: [], engine: engine)
  let remembered = memory.instances[wanted.instance]
  var containers = remembered?.containers ?? [:]
  for name in members.flatMap(\.ports).compactMap(\.target.containerName) {
    if case .there(let target) = observed.resolve(name, for: remembered) {
      containers[name] = target.address
    }
  }
  let configured = members.map { member in
    ConfiguredService(
      name: member.name, address: member.address ?? observed.pins.value?[member.name],
      ports: member.ports, access: member.access, tor: member.tor)
  }
  return InstanceRendering(
    configuration: InstanceConfiguration(
      instance: wanted.instance, services: configured, network: desired.network,
      containers: containers),
    specification: specification,
    gateway: observed.networks[specification.network]?.value?.gateway, recipe: desired.recipe)
}
