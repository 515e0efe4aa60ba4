import Executing
import Journaling
import OnionModel
import SimulatedWorld
import Testing

/// Values that the tests of this target share.
struct Samples {
  let agent: AgentID
  let host: HostName
  let layout = AgentLayout(prefix: "ok", keys: "/keys", state: "/state")
  let network = "ok"

  init() throws {
    agent = try #require(AgentID(String(repeating: "a", count: 32)))
    host = try #require(HostName("web-1"))
  }

  static let start = Timestamp(seconds: 1_800_000_000)

  func name(_ text: String) throws -> ServiceName { try #require(ServiceName(text)) }

  func address(_ number: UInt8) -> OnionAddress {
    OnionAddress(publicKey: Array(repeating: number, count: 32))
  }

  var recipe: ImageRecipe { ImageRecipe(prefix: "ok", base: .bootstrap("bookworm")) }

  func place(_ service: ServiceName) -> KeyPlace {
    KeyPlace(instance: InstanceName(service), service: service)
  }

  func specification(_ service: ServiceName, memory: Int = 256) -> ContainerSpecification {
    let instance = InstanceName(service)
    return ContainerSpecification(
      name: layout.containerName(instance), instance: instance, image: recipe.reference,
      network: network, user: TorLayout.user, entrypoint: ["/bin/sh", TorLayout.guardPath],
      mounts: [
        Mount(source: layout.keyFolder(instance), destination: TorLayout.keys, isReadOnly: true)
      ], limits: ContainerLimits(memory: memory << 20, milliCPUs: 1000, pids: 64))
  }

  func configuration(
    _ service: ServiceName, address: OnionAddress? = nil, access: Access = .open
  ) -> InstanceConfiguration {
    InstanceConfiguration(
      instance: InstanceName(service),
      services: [
        ConfiguredService(
          name: service, address: address,
          ports: [OnionPort(virtual: 80, target: .address("192.0.2.10", port: 8080))],
          access: access)
      ], network: .off)
  }

  /// Image and network.
  var ground: StepGroup {
    StepGroup(
      subject: .host,
      steps: [
        Step(.buildImage(recipe), cause: .change),
        Step(.ensureNetwork(name: network), cause: .change),
      ])
  }

  /// From nothing to a proven container.
  func birth(_ service: ServiceName) -> StepGroup {
    let specification = specification(service)
    return StepGroup(
      subject: .instance(InstanceName(service)),
      steps: [
        Step(
          .generateKey(place(service), owner: TorLayout.user, CompanionFiles(access: .open), nil),
          cause: .change,
          service: service)
      ] + creation(service, specification))
  }

  func creation(
    _ service: ServiceName, _ specification: ContainerSpecification, address: OnionAddress? = nil,
    cause: Cause = .change
  ) -> [Step] {
    let configuration = configuration(service, address: address)
    let actions: [Action] = [
      .writeFiles(configuration, network: network, owner: TorLayout.user, nil),
      .verifyConfiguration(specification), .createContainer(specification),
      .startContainer(specification.instance, name: specification.name),
      .prove(specification, configuration, network: network),
    ]
    return actions.map { Step($0, cause: cause, service: service) }
  }

  /// Replaces what runs by a new specification; the fallback brings the old one back.
  func replacement(
    _ service: ServiceName, by new: ContainerSpecification, insteadOf old: ContainerSpecification,
    address: OnionAddress?
  ) -> StepGroup {
    let removal = Step(
      .removeContainer(new.instance, id: new.name), cause: .change, service: service,
      interrupts: true)
    return StepGroup(
      subject: .instance(new.instance),
      steps: [removal] + creation(service, new, address: address),
      fallback: [removal] + creation(service, old, address: address).suffix(3))
  }
}

/// A world, a journal and an executor over both.
struct Bench {
  let samples: Samples
  let world: SimulatedWorld
  let journal: Journal

  init() async throws {
    samples = try Samples()
    world = SimulatedWorld(
      SimulatedHost(
        agent: samples.agent, layout: samples.layout,
        engine: EngineIdentity(kind: .docker, version: "1", id: "engine"), seed: 1),
      clock: SimulatedClock(Samples.start), seed: 1)
    journal = try await Journal.inMemory()
  }

  func execute(
    _ groups: [StepGroup], memory: Memory? = nil, world other: (any World)? = nil,
    shouldStop: @escaping @Sendable () -> Bool = { false }
  ) async throws -> ExecutionReport {
    let pass = try await journal.beginPass(
      trigger: "test", revision: nil, at: world.clock.now)
    let clock = world.clock
    let executor = Executor(
      world: other ?? world, journal: journal, host: samples.host, clock: { clock.now })
    return await executor.execute(
      Plan(revision: nil, groups: groups), pass: pass,
      memory: memory ?? Memory(agent: samples.agent), shouldStop: shouldStop)
  }

  func events() async throws -> [Event] {
    try await journal.events(limit: 1000).map(\.event)
  }

  func stored() async throws -> Memory {
    try await journal.memory(agent: samples.agent, now: world.clock.now)
  }
}
