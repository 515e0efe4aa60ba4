import OnionModel
import Planning

/// A host on which everything is as desired; tests move one thing and look at the plan.
struct Scene {
  static let agent = name(AgentID(String(repeating: "a", count: 32)))
  static let engine = EngineIdentity(kind: .docker, version: "20.10.24", id: "ENGINE")
  static let gateway = "172.18.0.1"
  static let now = Timestamp(seconds: 1_800_000_000)

  var desired: Desired
  var observed: Observed
  var memory: Memory

  /// Every service runs, is proven and remembered.
  init(_ services: [OnionService], engine: EngineIdentity = Scene.engine) {
    desired = Desired(
      host: name(HostName("web-1")), revision: name(CommitID(String(repeating: "1", count: 40))),
      layout: AgentLayout(prefix: "onionkeeper", keys: "/k", state: "/s"), services: services,
      recipe: ImageRecipe(prefix: "onionkeeper", base: .bootstrap("bookworm")), network: .open,
      identity: "here")
    observed = Observed(
      now: Self.now, keyRoot: .present(Self.agent), stateRoot: .present(Self.agent),
      engine: .present(engine), containers: .present([]), image: .absent,
      pins: .present([:]), retired: .present([]))
    memory = Memory(agent: Self.agent, engine: engine)
    for service in services {
      observed.keys[place(service)] = .absent
      observed.folders[service.instance] = .absent
      observed.networks[network(service)] = .absent
      for port in service.ports {
        if let directory = port.target.socket?.directory {
          observed.socketDirectories[directory] = .present(true)
        }
        if let name = port.target.containerName {
          observed.targetContainers[name] = .present(Self.web)
        }
      }
    }
    for service in services { settleKey(service) }
    for service in services where memory.instances[service.instance] == nil {
      settleInstance(service)
    }
  }

  static func address(_ service: ServiceName) -> OnionAddress {
    var key = Array(service.text.utf8.prefix(32))
    key += Array(repeating: 7, count: 32 - key.count)
    return OnionAddress(publicKey: key)
  }

  /// Where each container is that a target names.
  static let web = TargetContainer(address: "10.9.0.1", network: "web-net")

  func place(_ service: OnionService) -> KeyPlace {
    KeyPlace(instance: service.instance, service: service.name)
  }

  func network(_ service: OnionService) -> String {
    Scene.engine.kind == observed.engine.value?.kind
      ? "onionkeeper" : "onionkeeper-\(service.instance)"
  }

  /// Of the whole instance that a service is in.
  func configuration(_ service: OnionService) -> InstanceConfiguration {
    let members = desired.services.filter { $0.instance == service.instance }
    return InstanceConfiguration(
      instance: service.instance,
      services: members.map {
        ConfiguredService(
          name: $0.name, address: Self.address($0.name), ports: $0.ports, access: $0.access,
          tor: $0.tor)
      }, network: desired.network,
      containers: members.map(Self.containers).reduce(into: [:]) { $0.merge($1) { $1 } })
  }

  static func containers(_ service: OnionService) -> [String: String] {
    Dictionary(
      service.ports.compactMap(\.target.containerName).map { ($0, web.address) }
    ) { $1 }
  }

  /// The specification that the planner itself wants, read from a plan for a host without the container.
  func specification(_ service: OnionService) -> ContainerSpecification? {
    var bare = self
    bare.observed.containers = .present([])
    bare.memory.instances = [:]
    for step in Planning.plan(bare.desired, from: bare.observed, knowing: bare.memory).steps {
      if case .createContainer(let specification) = step.action,
        specification.instance == service.instance
      {
        return specification
      }
    }
    return nil
  }

  /// Gives a service its key and pin.
  mutating func settleKey(_ service: OnionService) {
    let address = Self.address(service.name)
    observed.keys[place(service)] = .present(
      KeyDirectory(
        secret: .whole(address),
        clientFiles: service.companions.clientFiles(of: address),
        onionBalance: service.companions.onionBalanceText))
    var pins = observed.pins.value ?? [:]
    pins[service.name] = address
    observed.pins = .present(pins)
    observed.image = .present(ImageObservation(id: "sha256:1", reference: desired.recipe.reference))
    observed.images = [desired.recipe.reference]
    observed.networks[network(service)] = .present(
      NetworkObservation(name: network(service), gateway: Self.gateway, isOurs: true))
    memory.services[service.name] = service.instance
    memory.identity = desired.identity
    memory.previouslyDefined.insert(service.name)
  }

  /// Makes a service's instance whole: folder, container, memory.
  mutating func settleInstance(_ service: OnionService) {
    let configuration = configuration(service)
    guard let files = configuration.files(gateway: Self.gateway),
      let options = configuration.serviceOptions(gateway: Self.gateway),
      let specification = specification(service)
    else { return }
    observed.folders[service.instance] = .present(InstanceFolder(digests: files.digests))
    observed.tors[service.instance] = .present(
      TorObservation(
        version: "0.4.9", bootstrap: 100, bootstrapSummary: "Done", serviceOptions: options,
        introductions: Dictionary(
          uniqueKeysWithValues: configuration.services.compactMap(\.address).map {
            ($0.identifier, 3)
          })))
    let id = "id-\(service.instance)"
    var containers = observed.containers.value ?? []
    var container = Self.container(specification, id: id)
    if !configuration.containers.isEmpty, var facts = container.facts.value {
      facts.networks = [specification.network, Self.web.network]
      container.facts = .present(facts)
    }
    containers.append(container)
    observed.containers = .present(containers)
    memory.instances[service.instance] = InstanceMemory(
      containerIDs: [id], proven: specification,
      applied: AppliedConfiguration(
        containerID: id, torrc: sha256(files.torrc),
        services: Dictionary(
          uniqueKeysWithValues: configuration.services.map {
            (
              $0.name,
              AppliedService(
                address: Self.address($0.name), access: $0.access,
                onionBalanceMaster: $0.tor.onionBalanceMaster)
            )
          })),
      services: configuration.services.map(\.name), configured: configuration.services,
      containers: configuration.containers.isEmpty ? nil : configuration.containers)
  }

  static func container(_ specification: ContainerSpecification, id: String)
    -> ContainerObservation
  {
    ContainerObservation(
      id: id, name: specification.name, labels: specification.labels(agent: agent),
      state: .running, facts: .present(facts(specification)), proof: .present(goodProof))
  }

  static func facts(_ specification: ContainerSpecification) -> ContainerFacts {
    ContainerFacts(
      isReadOnly: true, isPrivileged: false, user: "7942:7942",
      entrypoint: specification.entrypoint, mounts: specification.mounts,
      networks: [specification.network], networkMode: specification.network,
      memory: specification.limits.memory, milliCPUs: specification.limits.milliCPUs,
      pids: specification.limits.pids, restartPolicy: "always", addedCapabilities: [],
      image: specification.image, imageID: "sha256:1", restartCount: 0, exitCode: 0, pid: 100)
  }

  static let goodProof = ProcessProof(
    users: [7942, 7942, 7942, 7942], groups: [7942, 7942, 7942, 7942],
    capabilities: [0, 0, 0, 0, 0], hasNoNewPrivileges: true, seccomp: 2, label: nil, startTime: 1)

  mutating func changeContainer(
    _ service: OnionService, _ change: (inout ContainerObservation) -> Void
  ) {
    var containers = observed.containers.value ?? []
    for index in containers.indices where containers[index].instance == service.instance {
      change(&containers[index])
    }
    observed.containers = .present(containers)
  }

  mutating func changeKey(_ service: OnionService, _ change: (inout KeyDirectory) -> Void) {
    guard var directory = observed.keys[place(service)]?.value else { return }
    change(&directory)
    observed.keys[place(service)] = .present(directory)
  }

  mutating func forget(_ service: OnionService) {
    observed.keys[place(service)] = .absent
    observed.pins = .present([:])
    observed.containers = .present([])
    memory.services = [:]
    memory.instances = [:]
    memory.previouslyDefined = []
  }

  var plan: Plan { Planning.plan(desired, from: observed, knowing: memory) }
  var findings: [Finding] {
    audit(plan, desired: desired, observed: observed, memory: memory)
  }
}

/// Test names are written by hand and valid.
func name<Value>(_ value: Value?) -> Value {
  guard let value else { preconditionFailure("a test's own name is not valid") }
  return value
}

func service(
  _ text: String, in instance: String? = nil, access: Access = .open,
  target: Target = .gateway(port: 8080)
) -> OnionService {
  OnionService(
    name: name(ServiceName(text)), instance: instance.map { name(InstanceName($0)) },
    access: access, ports: [OnionPort(virtual: 80, target: target)])
}

let alice = AuthorizedClient(name: "alice", key: String(repeating: "A", count: 52))
let bob = AuthorizedClient(name: "bob", key: String(repeating: "B", count: 51) + "A")

/// The actions' names by instance, in order.
func groups(_ plan: Plan) -> [String: [String]] {
  Dictionary(
    plan.groups.map { group in
      (
        group.subject.description,
        group.steps.map { String(String(describing: $0.action).prefix { $0 != "(" }) }
      )
    }
  ) { $0 + $1 }
}

/// The actions' names, in order.
func words(_ plan: Plan) -> [String] { words(plan.steps) }

func words(_ steps: [Step]) -> [String] {
  steps.map { String(String(describing: $0.action).prefix { $0 != "(" }) }
}
