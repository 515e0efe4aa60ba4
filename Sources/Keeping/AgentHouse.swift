import Engine
import GitSource
public import Journaling
import KeyStore
public import OnionModel
import SELinux
import Transport

/// An agent that holds its folders: locks, journal, keeper. One a state folder, one a key folder.
public struct AgentHouse: Sendable {
  public let configuration: HostConfiguration
  public let agent: AgentID
  public let journal: Journal
  public let keeper: Keeper
  let world: LiveWorld
  let http: HTTPClient
  let log: @Sendable (String) -> Void
  /// Held for as long as this value lives.
  private let locks: [RootLock]

  /// Takes the locks of both folders and opens the journal.
  /// - Throws: `KeepingError` if the host was not set up or a folder is not mounted; `KeyStoreError` if another agent runs.
  public static func open(
    _ configuration: HostConfiguration, log: @escaping @Sendable (String) -> Void
  ) async throws -> AgentHouse {
    let agent = try identity(configuration)
    let locks = [
      try await lock(configuration.layout.keys), try await lock(configuration.layout.state),
    ]
    let keys = KeyRoot(path: configuration.layout.keys, id: agent)
    let swept = try await keys.sweep()
    if swept.removed > 0 {
      log(
        "\(swept.removed) unfinished files of an interrupted agent were removed from \(keys.path)")
    }
    for failure in swept.failures {
      log("unfinished files of an interrupted agent may be left: \(failure)")
    }
    switch LiveWorld.selinux() {
    case .disabled: log("SELinux is off on this host: nothing is labelled")
    case .permissive:
      log("SELinux is permissive on this host: labels are kept, and nothing is refused")
    case .enforcing: break
    }
    let journal = try await openJournal(configuration, keys: keys)
    try await abandonInterrupted(journal)
    try await journal.forgetRefusals()
    let http = try HTTPClient()
    let memory = try await journal.memory(agent: agent, now: wallTime())
    let socket = try SetUp.socket(configuration, pinned: memory.engine?.kind)
    let world = LiveWorld(
      layout: configuration.layout, agent: agent, socket: socket, keys: keys, http: http, log: log)
    let keeper = Keeper(
      configuration: configuration, journal: journal, agent: agent, world: world, keys: keys,
      log: log)
    return AgentHouse(
      configuration: configuration, agent: agent, journal: journal, keeper: keeper, world: world,
      http: http, log: log, locks: locks)
  }

  /// `status` holds a lock for an instant to see whether it is free: that is no other agent, so a held one is tried
  /// again for half a second.
  private static func lock(_ path: String) async throws -> RootLock {
    for _ in 0..<10 {
      if let lock = try freeLock(path) { return lock }
      try await Task.sleep(for: .milliseconds(50))
    }
    return try KeyRoot.lock(path)
  }

  private static func freeLock(_ path: String) throws(KeyStoreError) -> RootLock? {
    do {
      return try KeyRoot.lock(path)
    } catch {
      guard error.code == .rootBusy else { throw error }
      return nil
    }
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
      let pins: Pins
      switch await keys.everyPin() {
      case .present(let found): pins = found
      case .absent: pins = Pins()
      case .unknown(let reason): throw KeepingError("\(reason); nothing was touched")
      }
      try await journal.settle(isRebuilt: pins != Pins())
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

  /// One pass, and what it has to tell to its receivers, as far as they take it at once.
  public func apply() async throws -> PassReport {
    try await reporting { try await keeper.pass(trigger: "apply", patience: nil) }
  }

  /// Runs `body` with the webhooks' workers beside it.
  func reporting<Value: Sendable>(_ body: () async throws -> Value) async throws -> Value {
    let reports = Reports(self, log: log)
    try await reports.start(configuration.receivers)
    do {
      let value = try await body()
      await reports.finish()
      return value
    } catch {
      await reports.finish()
      throw error
    }
  }
}
