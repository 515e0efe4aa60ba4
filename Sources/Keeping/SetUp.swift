import Descriptors
import Engine
import Glibc
import Journaling
import KeyStore
public import OnionModel
import Transport

/// Something that keeps a command from being done: what, and what to do.
public struct KeepingError: Error, Sendable, CustomStringConvertible {
  public var message: String

  public init(_ message: String) { self.message = message }

  public var description: String { message }
}

/// `onionkeeper setup`: makes both directories with one random id, pins the engine, checks the host.
public struct SetUp: Sendable {
  /// Where Docker and Podman listen.
  public static let sockets = ["/run/docker.sock", "/run/podman/podman.sock"]

  private let configuration: HostConfiguration

  public init(_ configuration: HostConfiguration) { self.configuration = configuration }

  /// - Parameters:
  ///   - isMoved: the key folder was in use on another machine, which is off for good.
  ///   - report: told what was done, a line each.
  /// - Returns: the agent's id.
  /// - Throws: what keeps the host from being set up. What was made stays: the command may be repeated.
  public func run(
    isMoved: Bool = false, report: (String) -> Void
  ) async throws -> AgentID {
    try checkRoot()
    let socket = try Self.socket(configuration, pinned: try await pinnedEngine())
    let http = try HTTPClient()
    let engine = try await LiveWorld.connect(socket: socket, http: http)
    let identity = engine.description.identity
    report("engine: \(identity.kind.rawValue) \(identity.version) at \(socket)")
    let owner = engine.description.torOwner ?? TorLayout.user
    try checkUser(owner)
    if owner != TorLayout.user { report("tor's user: \(owner) on this host (userns-remap)") }
    let id = try identifier()
    try KeyRoot.setUp(configuration.layout.keys, id: id)
    try await Machine.check(
      KeyRoot(path: configuration.layout.keys, id: id), isMoved: isMoved)
    report("keys: \(configuration.layout.keys)")
    try RootMarker.setUp(configuration.layout.state, id: id)
    report("state: \(configuration.layout.state)")
    let lock = try KeyRoot.lock(configuration.layout.keys)
    defer { withExtendedLifetime(lock) {} }
    let journal = try await AgentHouse.openJournal(
      configuration, keys: KeyRoot(path: configuration.layout.keys, id: id))
    var memory = try await journal.memory(agent: id, now: wallTime())
    if let pinned = memory.engine, pinned.id != identity.id || pinned.kind != identity.kind {
      throw KeepingError(
        "\(pinned.kind.rawValue) \(pinned.id) was pinned before, \(identity.kind.rawValue) \(identity.id) answers now:"
          + " `onionkeeper approve REVISION --engine` accepts it")
    }
    memory.engine = identity
    try await journal.store(memory, at: wallTime())
    try await journal.close()
    report("agent: \(id)")
    return id
  }

  /// The one id of both roots, or a new one if neither has any.
  private func identifier() throws -> AgentID {
    let layout = configuration.layout
    var known: Set<AgentID> = []
    for (path, marker) in [
      (layout.keys, KeyRoot.marker(layout.keys)), (layout.state, RootMarker.read(layout.state)),
    ] {
      switch marker {
      case .present(let id): known.insert(id)
      case .absent: continue
      case .unknown(let reason): throw KeepingError("\(path) cannot be read: \(reason)")
      }
    }
    guard known.count < 2 else {
      throw KeepingError(
        "\(layout.keys) and \(layout.state) belong to two agents: one of them is another disk's or a copy"
      )
    }
    if let id = known.first { return id }
    var text = ""
    for _ in 0..<4 {
      let part = String(UInt32.random(in: .min ... .max), radix: 16)
      text += String(repeating: "0", count: 8 - part.count) + part
    }
    guard let id = AgentID(text) else { throw KeepingError("no identity could be made") }
    return id
  }

  /// What an earlier set-up pinned; `nil` on a new host.
  func pinnedEngine() async throws -> EngineIdentity.Kind? {
    let path = "\(configuration.layout.state)/\(Journal.fileName)"
    guard access(path, F_OK) == 0 else { return nil }
    let journal = try await Journal.open(readOnly: path)
    // The agent's id is not part of what is read here.
    guard case .present(let id) = RootMarker.read(configuration.layout.state) else { return nil }
    let memory = try await journal.memory(agent: id, now: wallTime())
    try await journal.close()
    return memory.engine?.kind
  }

  /// The socket of the configuration; with `auto`, that of the engine that set-up pinned, and before that the one that
  /// is there. What is installed or stopped later changes nothing.
  static func socket(
    _ configuration: HostConfiguration, pinned: EngineIdentity.Kind?
  ) throws(KeepingError) -> String {
    switch (configuration.engine, pinned) {
    case (.path(let path), _): return path
    case (.automatic, .docker?): return sockets[0]
    case (.automatic, .podman?): return sockets[1]
    case (.automatic, nil):
      let found = sockets.filter { access($0, F_OK) == 0 }
      guard let only = found.first else {
        throw KeepingError(
          "no engine is there: neither \(sockets.joined(separator: " nor ")); start one, or set engine.socket in"
            + " \(configuration.file)")
      }
      guard found.count == 1 else {
        throw KeepingError(
          "two engines are there: \(found.joined(separator: " and ")); choose one with engine.socket in"
            + " \(configuration.file)")
      }
      return only
    }
  }

  private func checkRoot() throws(KeepingError) {
    guard geteuid() == 0 else {
      throw KeepingError(
        "setup needs root: it makes directories that only root and tor's user may enter")
    }
  }

  /// Tor's user must be nobody else on this host.
  /// - Parameter owner: its number here, as the engine maps it.
  private func checkUser(_ owner: Int) throws(KeepingError) {
    // Reads the host's own list of users; the pointer lives until the next call on this thread.
    guard let entry = getpwuid(uid_t(owner)), let name = entry.pointee.pw_name else {
      return
    }
    let text = String(cString: name)
    guard text == "onionkeeper" || text == "onionkeeper-tor" else {
      throw KeepingError(
        "user \(owner) is \(text) on this host: its processes could read the keys; give it another number"
      )
    }
  }
}
