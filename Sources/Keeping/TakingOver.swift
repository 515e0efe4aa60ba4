import Engine
import Journaling
import KeyStore
public import OnionModel
import Transport

/// `adopt --container NAME --take-over`: the moment in which a hand-run container lets go and ours begins.
///
/// Everything that takes long is done before: keys and definitions are here, the image is built. What is left is one stop
/// and one start. The old container is renamed, never removed, and starts no more by itself where the engine can be told.
public struct TakeOver: Sendable {
  public struct Report: Encodable, Sendable {
    /// What the old container is called now.
    public var renamed: String
    /// Services that run in containers of ours now.
    public var services: [ServiceName]
    /// From the old one's stop to ours proven: seconds.
    public var seconds: Double
    /// What the owner should do.
    public var warnings: [String]
  }

  /// How long a stop may take: tor lets its clients go for 30 s.
  private static let stopSeconds = 33
  /// A running agent hears of the stop at once, and a start is proven within 30 s; a busy machine takes longer.
  private static let agentLimit: Duration = .seconds(120)
  private static let agentPause: Duration = .milliseconds(250)
  private static let suffix = "-before-onionkeeper"

  private let configuration: HostConfiguration
  private let uid: Int
  private let log: @Sendable (String) -> Void

  /// - Parameter uid: who asks for it.
  public init(
    _ configuration: HostConfiguration, uid: Int, log: @escaping @Sendable (String) -> Void
  ) {
    self.configuration = configuration
    self.uid = uid
    self.log = log
  }

  /// - Parameters:
  ///   - container: the hand-run one, from which `adopt` has taken keys.
  ///   - scratch: a private, empty folder for the plan.
  /// - Throws: `KeepingError` that says what is not ready yet, and nothing was touched; or what failed after the stop, and
  ///   how to go back.
  public func run(_ container: HandRunContainer, scratch: String) async throws -> Report {
    let services = try await ready(container, scratch)
    let engine = try await EngineDoor.connect(configuration)
    let name = container.name + Self.suffix
    guard try await engine.inspect(name) == nil else {
      throw KeepingError("a container \(name) is there already: rename it; nothing was touched")
    }
    try await tell(
      "takes over \(list(services.keys)) from container \(container.name): stops it",
      outcome: "begun")
    var warnings: [String] = []
    do throws(EngineError) {
      try await engine.neverRestart(container.id)
    } catch {
      warnings.append(
        "the engine cannot be told never to start \(name) again: remove it once all is well, before the host restarts"
      )
    }
    let began = ContinuousClock.now
    do throws(EngineError) {
      // The name first: a unit or a script that starts it by its name finds it no more.
      try await engine.rename(container.id, to: name)
      try await engine.stop(container.id, timeout: Self.stopSeconds)
    } catch {
      throw KeepingError(
        "container \(container.name) could not be stopped: \(error.description). See whether it runs, and what it is"
          + " called: it may be \(name) now")
    }
    do {
      try await start(services, engine)
    } catch {
      throw KeepingError(
        "\(error)\nThe old container is stopped and called \(name). The agent goes on trying. To go back: `onionkeeper down`,"
          + " then rename it to \(container.name) and start it")
    }
    let parts = began.duration(to: .now).components
    let seconds = Double(parts.seconds) + Double(parts.attoseconds / 1_000_000_000_000_000) / 1000
    try await tell(
      "took over \(list(services.keys)) from container \(container.name), which is stopped and called \(name)"
    )
    return Report(
      renamed: name, services: services.keys.sorted(), seconds: seconds, warnings: warnings)
  }

  private func list(_ names: some Sequence<ServiceName>) -> String {
    names.map(\.text).sorted().joined(separator: ", ")
  }

  /// The services whose keys came from it, each defined, here, and waiting for nothing but its end.
  private func ready(
    _ container: HandRunContainer, _ scratch: String
  ) async throws -> [ServiceName: InstanceName] {
    let work = try await KeyWork(configuration, uid: uid)
    let (directories, pins) = try await work.look()
    let definitions = try await work.definitions()
    guard case .present(let notes) = await work.keys.formerServers() else {
      throw KeepingError("what was adopted from it cannot be read: nothing was touched")
    }
    try await work.journal.close()
    let names = notes.filter { $0.value?.container == container.id }.keys.sorted()
    guard !names.isEmpty else {
      throw KeepingError(
        "nothing was adopted from container \(container.name) yet: `onionkeeper adopt --container \(container.name)"
          + " --to FOLDER` first, then commit and push")
    }
    var services: [ServiceName: InstanceName] = [:]
    for name in names {
      guard let definition = definitions[name] else {
        throw KeepingError(
          "no accepted revision defines \(name) on this host: commit and push services/\(name).yaml first; nothing was"
            + " touched")
      }
      let place = KeyPlace(instance: definition.instance, service: name)
      guard let address = directories[place]?.address, pins[name] == address,
        definition.address ?? address == address
      else {
        throw KeepingError("the key of \(name) is not whole and pinned at \(place): `keys list`")
      }
      services[name] = definition.instance
    }
    let plan = try await Preview(configuration).run(isOffline: true, scratch: scratch)
    let instances = Set(services.values)
    let obstacles = plan.waiting.filter { waiting in
      waiting.kind != Waiting.Kind.keyInUse.rawValue
        && (waiting.instance.map(instances.contains)
          ?? waiting.service.map { services[$0] != nil } ?? plan.isBlind)
    }.map(\.message)
    guard obstacles.isEmpty else {
      throw KeepingError(
        "not ready to take over, nothing was touched: \(obstacles.joined(separator: "; "))")
    }
    if let host = plan.groups.first(where: { $0.subject == "host" }), !host.steps.isEmpty {
      throw KeepingError(
        "not ready to take over, nothing was touched: \(host.steps.map(\.text).joined(separator: ", ")) is still to do;"
          + " `onionkeeper apply` does it, or the agent's next pass")
    }
    return services
  }

  /// By a pass of our own, or by the agent that runs: it hears of the stop.
  private func start(
    _ services: [ServiceName: InstanceName], _ engine: EngineClient
  ) async throws {
    var house: AgentHouse?
    do {
      house = try await AgentHouse.open(configuration, log: log)
    } catch let error as KeyStoreError {
      guard error.code == .rootBusy else { throw error }
    }
    if let house {
      // Whether ours run is asked below: what fails elsewhere on this host is not this command's.
      _ = try await house.apply()
      try await house.journal.close()
    }
    let end = ContinuousClock.now.advanced(by: Self.agentLimit)
    while try await !areServed(services, engine) {
      guard house == nil, ContinuousClock.now < end else {
        throw KeepingError(
          "\(list(services.keys)) did not start: `onionkeeper plan` says what is waited for")
      }
      try await Task.sleep(for: Self.agentPause)
    }
  }

  /// A tor of ours was proven to have read each of them.
  private func areServed(
    _ services: [ServiceName: InstanceName], _ engine: EngineClient
  ) async throws -> Bool {
    let journal = try await Journal.open(
      readOnly: "\(configuration.layout.state)/\(Journal.fileName)")
    let memory = try await journal.memory(
      agent: try AgentHouse.identity(configuration), now: wallTime())
    try await journal.close()
    for (name, instance) in services {
      guard let applied = memory.instances[instance]?.applied, applied.services[name] != nil,
        !applied.torrc.isEmpty,
        try await engine.inspect(applied.containerID)?.state == .running
      else { return false }
    }
    return true
  }

  /// Equal events are counted, whatever their messages say: the outcome tells begin from end.
  private func tell(_ message: String, outcome: String = "succeeded") async throws {
    let work = try await KeyWork(configuration, uid: uid)
    try await work.record(.actionSucceeded, "takeOver", nil, nil, message, outcome: outcome)
    try await work.journal.close()
  }
}
