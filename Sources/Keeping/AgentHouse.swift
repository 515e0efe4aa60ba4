import Engine
import GitSource
public import Journaling
import KeyStore
public import OnionModel
import Transport

/// An agent that holds its folders: locks, journal, keeper. One a state folder, one a key folder.
public struct AgentHouse: Sendable {
  public let configuration: HostConfiguration
  public let agent: AgentID
  public let journal: Journal
  public let keeper: Keeper
  let world: LiveWorld
  let http: HTTPClient
  /// Held for as long as this value lives.
  private let locks: [RootLock]

  /// Takes the locks of both folders and opens the journal.
  /// - Throws: `KeepingError` if the host was not set up or a folder is not mounted; `KeyStoreError` if another agent runs.
  public static func open(
    _ configuration: HostConfiguration, log: @escaping @Sendable (String) -> Void
  ) async throws -> AgentHouse {
    let agent = try identity(configuration)
    let locks = [
      try KeyRoot.lock(configuration.layout.keys), try KeyRoot.lock(configuration.layout.state),
    ]
    let keys = KeyRoot(path: configuration.layout.keys, id: agent)
    let swept = try await keys.sweep()
    if swept > 0 { log("\(swept) unfinished files of an interrupted agent were removed from \(keys.path)") }
    let journal = try await openJournal(configuration, keys: keys)
    try await abandonInterrupted(journal)
    try await journal.forgetRefusals()
    let http = try HTTPClient()
    let socket = try SetUp.socket(configuration)
    let world = LiveWorld(
      layout: configuration.layout, agent: agent, socket: socket, keys: keys, http: http, log: log)
    let keeper = Keeper(
      configuration: configuration, journal: journal, agent: agent, world: world, keys: keys,
      log: log)
    return AgentHouse(
      configuration: configuration, agent: agent, journal: journal, keeper: keeper, world: world,
      http: http, locks: locks)
  }

  /// The id that both roots bear.
  /// - Throws: `KeepingError` that says what is not mounted or not set up.
  public static func identity(_ configuration: HostConfiguration) throws(KeepingError) -> AgentID {
    let layout = configuration.layout
    var ids: [AgentID] = []
    for (what, path, marker) in [
      ("key", layout.keys, KeyRoot.marker(layout.keys)),
      ("state", layout.state, RootMarker.read(layout.state)),
    ] {
      switch marker {
      case .present(let id): ids.append(id)
      case .absent:
        throw KeepingError(
          "\(path) has no .onionkeeper/id: this host is not set up (`onionkeeper setup`), or its \(what) folder is not"
            + " mounted; nothing was touched")
      case .unknown(let reason):
        throw KeepingError("\(path) cannot be read: \(reason); nothing was touched")
      }
    }
    guard ids.count == 2, ids[0] == ids[1] else {
      throw KeepingError(
        "\(layout.keys) belongs to agent \(ids[0]) and \(layout.state) to \(ids[1]): one of them is another disk's;"
          + " nothing was touched")
    }
    return ids[0]
  }

  /// Opens the journal; a new one that finds pins of old keys says so, and no new key is made before an approval.
  static func openJournal(_ configuration: HostConfiguration, keys: KeyRoot) async throws -> Journal
  {
    let journal = try await Journal(path: "\(configuration.layout.state)/\(Journal.fileName)")
    if try await journal.isUnsettled() {
      guard case .present(let pins) = await keys.pins() else {
        throw KeepingError("the pins under \(keys.path) cannot be read; nothing was touched")
      }
      try await journal.settle(isRebuilt: !pins.isEmpty)
    }
    return journal
  }

  /// Actions whose end nobody saw: the next pass observes anew.
  private static func abandonInterrupted(_ journal: Journal) async throws(JournalError) {
    for attempt in try await journal.openAttempts() {
      try await journal.abandon(
        attempt: attempt.id, reason: "the agent ended in its midst; what it did is observed anew",
        at: wallTime())
    }
  }

  /// Stops and removes what is ours in the engine: containers, then networks. Keys, state and images stay.
  /// - Returns: what was removed, a line each.
  public func down() async throws -> [String] {
    var removed: [String] = []
    let engine = try await world.engine()
    for container in try await engine.containers(of: agent) {
      try await engine.stop(container.id, timeout: 33)
      try await engine.remove(container.id, force: true)
      removed.append("container \(container.name)")
    }
    for network in try await engine.networkNames(of: agent) {
      try await engine.removeNetwork(network, agent: agent)
      removed.append("network \(network)")
    }
    var memory = try await journal.memory(agent: agent, now: wallTime())
    for instance in memory.instances.keys {
      memory.instances[instance]?.containerIDs = []
      memory.instances[instance]?.applied = nil
    }
    try await journal.store(memory, at: wallTime())
    return removed
  }
}
