import Descriptors
import Engine
public import Executing
import Journaling
import KeyStore
public import OnionModel
import Planning
import SELinux
import Synchronization
import TorRuntime
import Transport

/// This host: its engine, its key directories, its tors. One of the two true conformers of `World`.
public actor LiveWorld: World {
  /// Tors that are asked at once: each takes a thread while it is.
  private static let questionsAtOnce = 16

  let layout: AgentLayout
  let agent: AgentID
  let socket: String
  let keys: KeyRoot
  let folders: InstanceFolders
  let http: HTTPClient
  let look: ContainerLook
  /// Of the latest look: whose events are worth another one.
  nonisolated let targets = TargetWatch()
  let log: @Sendable (String) -> Void
  private var connected: EngineClient?
  /// The host's number for tor's user, by the engine that answered last.
  private(set) var torOwner = TorLayout.user
  private var watch: DiskWatch?
  /// The build, pull or bootstrap that runs now.
  nonisolated let building = Mutex<Task<StepEffect, any Error>?>(nil)
  /// Folders and procfs are read in its calls: never on Swift's pool.
  private let executor: QueueExecutor
  public nonisolated var unownedExecutor: UnownedSerialExecutor {
    executor.asUnownedSerialExecutor()
  }

  init(
    layout: AgentLayout, agent: AgentID, socket: String, keys: KeyRoot, http: HTTPClient,
    log: @escaping @Sendable (String) -> Void
  ) {
    self.layout = layout
    self.agent = agent
    self.socket = socket
    self.keys = keys
    self.http = http
    self.log = log
    folders = InstanceFolders(stateRoot: layout.state)
    executor = QueueExecutor(label: "onionkeeper.world")
    look = ContainerLook(executor: executor)
  }

  /// Ends a build that runs: it may take many minutes, and nothing depends on its being finished.
  nonisolated func stop() { building.withLock { $0?.cancel() } }

  /// The engine, asked who it is after each silence: another one may answer at the same socket.
  func engine() async throws(EngineError) -> EngineClient {
    if let connected { return connected }
    let client = try await Self.connect(socket: socket, http: http)
    connected = client
    torOwner = client.description.torOwner ?? TorLayout.user
    return client
  }

  /// - Throws: `EngineError` that names the socket; `.unsupported` for an engine that this version does not work with, or
  ///   that does not label its containers where SELinux is on.
  static func connect(
    socket: String, http: HTTPClient, selinux: SELinuxMode = LiveWorld.selinux()
  ) async throws(EngineError) -> EngineClient {
    let client: EngineClient
    do {
      client = try await EngineClient.connect(socket: socket, http: http)
    } catch {
      throw EngineError(error.code, operation: socket, message: error.description)
    }
    if let refusal = client.description.refusals.first {
      throw EngineError(
        .unsupported, operation: socket, message: "\(refusal) is not supported yet")
    }
    // Unlabelled, a container would run in the engine's own domain: worse than on a host without SELinux.
    if selinux.isOn, let refusal = client.description.labelRefusal {
      throw EngineError(
        .unsupported, operation: socket, message: "\(refusal.message): set \(refusal.setting)")
    }
    return client
  }

  func forgetEngine() { connected = nil }

  /// From now on each look forgets what the watch has heard before it.
  func heed(_ watch: DiskWatch) { self.watch = watch }

  // MARK: Observing

  public func observe(_ desired: Desired, _ memory: Memory) async -> Observed {
    watch?.renew(desired, memory)
    let selinux = Self.selinux()
    var observed = Observed(
      now: wallTime(), keyRoot: KeyRoot.marker(layout.keys),
      stateRoot: RootMarker.read(layout.state), engine: .unknown("not asked"),
      containers: .unknown("not asked"), image: .unknown("not asked"),
      pins: .unknown("not read"), retired: .unknown("not read"), hasSELinux: selinux.isOn)
    observed.isPermissive = selinux == .permissive
    if selinux.isOn {
      let type = PrivateFolders.type()
      observed.privateType = type
      observed.privateFlaws = privateFolders.flaws(type: type)
    }
    guard observed.keyRoot.value == agent, observed.stateRoot.value == agent else {
      return observed
    }
    let instances = Set(desired.services.map(\.instance)).union(memory.services.values)
      .union(memory.instances.keys)
    // First: the engine decides which number of the host tor's user has.
    await observeEngine(desired, memory, instances, &observed)
    observed.torOwner = torOwner
    // As the plan will have them: what lies here without a label, imported or from before SELinux, is then seen to need one.
    let labels = Planning.labels(of: desired, knowing: memory, hasSELinux: selinux.isOn)
    await observeKeys(desired, memory, labels, &observed)
    for instance in instances {
      observed.folders[instance] = folders.observe(
        instance, owner: observed.torOwner, label: labels[instance],
        data: desired.network.dataFolder)
    }
    for directory in Set(desired.targets(knowing: memory).compactMap(\.socket?.directory)) {
      observed.socketDirectories[directory] = HostFolders.observe(directory)
    }
    await observeTors(&observed)
    return observed
  }

  nonisolated var privateFolders: PrivateFolders {
    PrivateFolders(
      keys: layout.keys, state: layout.state, own: "\(RootMarker.folder)",
      journal: Journal.fileName)
  }

  /// What cannot be read is taken for the strictest: a label too many means nothing to a kernel without SELinux.
  static func selinux() -> SELinuxMode {
    do { return try SELinuxMode.detect() } catch { return .enforcing }
  }

  private func observeKeys(
    _ desired: Desired, _ memory: Memory, _ labels: [InstanceName: ContainerLabel],
    _ observed: inout Observed
  ) async {
    var places = Set(
      desired.services.map { KeyPlace(instance: $0.instance, service: $0.name) })
    for (service, instance) in memory.services {
      places.insert(KeyPlace(instance: instance, service: service))
    }
    for service in desired.services {
      guard let old = service.formerly else { continue }
      places.insert(KeyPlace(instance: memory.services[old] ?? InstanceName(old), service: old))
    }
    observed.keys = await keys.observe(places, owner: observed.torOwner, labels: labels)
    let pins = await keys.everyPin()
    observed.pins = pins.map(\.addresses)
    observed.damagedPins = pins.value?.damaged ?? [:]
    observed.retired = await keys.retired()
    observed.backups = await keys.backups()
  }

  private func observeEngine(
    _ desired: Desired, _ memory: Memory, _ instances: Set<InstanceName>, _ observed: inout Observed
  ) async {
    let containerTargets = Set(desired.targets(knowing: memory).compactMap(\.containerName))
    do throws(EngineError) {
      let (engine, sight) = try await lookAtContainers(memory, instances)
      observed.engine = .present(engine.description.identity)
      observed.containers = .present(sight.containers)
      let ours = networkNames(engine.description.identity.kind, instances)
      for name in containerTargets {
        observed.targetContainers[name] = targetContainer(name, in: sight.summaries, besides: ours)
      }
      targets.follow(containerTargets, among: sight.summaries)
      for instance in instances {
        let folder = layout.keyFolder(instance)
        let users = sight.summaries.filter {
          $0.state == .running && $0.labels[ContainerLabelKey.agent] != agent.text
            && $0.reaches(folder, below: layout.keys)
        }
        if !users.isEmpty { observed.keyUsers[instance] = users.map(\.name).sorted() }
      }
      try await observeImages(engine, desired, memory, &observed)
      try await observeNetworks(engine, instances, &observed)
    } catch {
      connected = nil
      observed.engine = .unknown(error.description)
      observed.containers = .unknown(error.description)
      for name in containerTargets {
        observed.targetContainers[name] = .unknown(error.description)
      }
    }
  }

  /// If nothing of what is remembered is there, another engine may answer at the same socket: it is asked who it is
  /// before its silence about our containers is believed.
  private func lookAtContainers(
    _ memory: Memory, _ instances: Set<InstanceName>
  ) async throws(EngineError) -> (EngineClient, ContainerLook.Sight) {
    let names = Set(instances.map { layout.containerName($0) })
    let wasConnected = connected != nil
    let client = try await engine()
    let sight = try await look.look(client, agent: agent, names: names)
    let remembered = memory.instances.values.reduce(into: Set<String>()) {
      $0.formUnion($1.containerIDs)
    }
    guard wasConnected, !remembered.isEmpty,
      remembered.isDisjoint(with: sight.containers.map(\.id))
    else { return (client, sight) }
    connected = nil
    let fresh = try await engine()
    return (fresh, try await look.look(fresh, agent: agent, names: names))
  }

  private func observeImages(
    _ engine: EngineClient, _ desired: Desired, _ memory: Memory, _ observed: inout Observed
  ) async throws(EngineError) {
    let wanted = desired.recipe.reference
    for reference in Set(memory.instances.values.compactMap { $0.proven?.image }).union([wanted]) {
      let image: Observation<ImageObservation>
      do {
        let found = try await engine.image(reference)
        image = found.map { .present(ImageObservation(id: $0.id, reference: reference)) } ?? .absent
      } catch  where !error.concernsEngine {
        image = .unknown(error.description)
      }
      if reference == wanted { observed.image = image }
      if image.value != nil { observed.images.insert(reference) }
    }
  }

  private func observeNetworks(
    _ engine: EngineClient, _ instances: Set<InstanceName>, _ observed: inout Observed
  ) async throws(EngineError) {
    for name in networkNames(engine.description.identity.kind, instances) {
      do {
        let network = try await engine.network(name, agent: agent)
        observed.networks[name] = network.map { .present($0) } ?? .absent
      } catch  where !error.concernsEngine {
        observed.networks[name] = .unknown(error.description)
      }
    }
  }

  /// One for all on Docker, one an instance on Podman.
  private func networkNames(
    _ kind: EngineIdentity.Kind, _ instances: Set<InstanceName>
  ) -> Set<String> {
    switch kind {
    case .docker: instances.isEmpty ? [] : [layout.prefix]
    case .podman: Set(instances.map { layout.containerName($0) })
    }
  }

  private func observeTors(_ observed: inout Observed) async {
    let running = (observed.containers.value ?? []).filter {
      $0.state == .running && $0.agent == agent && $0.proof.value != nil
    }.compactMap(\.instance)
    let owner = observed.torOwner
    let folders = folders
    // Not a tuple: Swift 6.3.1 miscompiles task groups of tuples with optimisation.
    let answers = await withTaskGroup(of: Answer.self) { group in
      var answers: [Answer] = []
      for (index, instance) in running.enumerated() {
        if index >= Self.questionsAtOnce, let answer = await group.next() { answers.append(answer) }
        group.addTask {
          let client = ControlClient(run: folders.run(of: instance), owner: owner)
          return Answer(instance: instance, tor: await Self.ask(client))
        }
      }
      for await answer in group { answers.append(answer) }
      return answers
    }
    for answer in answers { observed.tors[answer.instance] = answer.tor }
  }

  private struct Answer: Sendable {
    var instance: InstanceName
    var tor: Observation<TorObservation>
  }

  private static func ask(_ client: ControlClient) async -> Observation<TorObservation> {
    do {
      return .present(try await client.observe())
    } catch {
      return .unknown(error.description)
    }
  }
}

extension EngineError {
  /// The engine as a whole is out of reach; any other error is of the object that was asked for.
  var concernsEngine: Bool {
    switch code {
    case .unreachable, .timeout, .cancelled: true
    case .notFound, .conflict, .unsupported, .malformed, .invalid, .workFailed, .failed: false
    }
  }
}
