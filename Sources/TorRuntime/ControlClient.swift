import Dispatch
public import OnionModel

/// Asks the tor of one instance over the control socket in its hostile `run/` folder.
///
/// Each operation is one session: open and check cookie and socket, connect, SAFECOOKIE, ask, close. Nothing is kept
/// between operations, so nothing can be stale. Each runs on a thread of its own until its deadline at the latest.
public struct ControlClient: Sendable {
  /// All of an observation, handshake included. A healthy tor takes milliseconds.
  public static let observationLimit: Duration = .seconds(5)
  /// All of a reload: tor reads the keys of up to 50 services and opens listeners.
  public static let reloadLimit: Duration = .seconds(20)

  private let run: String
  private let owner: Int
  private let observationLimit: Duration
  private let reloadLimit: Duration

  /// - Parameters:
  ///   - run: The absolute path of the instance's `run/` folder on the host. No component of it may be a link.
  ///   - owner: The user number that tor has on the host.
  public init(
    run: String, owner: Int, observationLimit: Duration = Self.observationLimit,
    reloadLimit: Duration = Self.reloadLimit
  ) {
    self.run = run
    self.owner = owner
    self.observationLimit = observationLimit
    self.reloadLimit = reloadLimit
  }

  /// Version, bootstrap, running service options, introduction circuits: one session.
  public func observe() async throws(ControlError) -> TorObservation {
    try await session(observationLimit) { connection throws(ControlError) in
      let status = try TorRuntime.getInfo(TorState.questions, &connection)
      let options = try TorRuntime.getConf(TorState.options, &connection)
      let circuits = try TorRuntime.getInfo([TorState.circuits], &connection)[TorState.circuits]
      return try TorState.observation(
        status: status, serviceOptions: options, circuits: circuits)
    }
  }

  /// The values of `GETINFO` keys.
  /// - Throws: `.refused` if tor does not know one of them.
  public func getInfo(_ keys: [String]) async throws(ControlError) -> [String: String] {
    try await session(observationLimit) { connection throws(ControlError) in
      try TorRuntime.getInfo(keys, &connection)
    }
  }

  /// The lines that `GETCONF` gives for an option or a group, each `Name value`; empty if nothing is set.
  public func getConf(_ option: String) async throws(ControlError) -> [String] {
    try await session(observationLimit) { connection throws(ControlError) in
      try TorRuntime.getConf(option, &connection)
    }
  }

  /// `SIGNAL NAME`. RELOAD ends tor if the file is wrong: use `reload(torrc:expecting:)` for anything new.
  public func signal(_ name: String) async throws(ControlError) {
    try await session(observationLimit) { connection throws(ControlError) in
      _ = try positive(try connection.ask("SIGNAL \(name)", as: "SIGNAL"), "SIGNAL")
    }
  }

  /// Replaces tor's whole configuration by that of a torrc, and sees to it that it runs under it.
  ///
  /// The same text must lie in the file already: a tor that starts again reads only that. Client files are read anew even if
  /// the text is the one in force.
  /// - Parameter options: What `GETCONF HiddenServiceOptions` must say afterwards.
  /// - Throws: `.refused` with tor's reason, and tor runs as before; `.died` if it ended over a key that it cannot use;
  ///   `.notApplied` if it runs under something else.
  public func reload(torrc: String, expecting options: [String]) async throws(ControlError) {
    guard !torrc.utf8.contains(0), torrc.utf8.count < ReplyParser.replyLimit else {
      throw ControlError(.invalid, "LOADCONF", "not a torrc: too long, or it holds a NUL")
    }
    try await session(reloadLimit) { connection throws(ControlError) in
      try loadConf(torrc, &connection)
      let running = try TorRuntime.getConf(TorState.options, &connection)
      guard running == options else {
        throw ControlError(
          .notApplied, "GETCONF",
          "tor took the configuration but runs with \(running.count) service lines other than the \(options.count) wished"
        )
      }
    }
  }

  /// Runs a session on a thread of its own: a serial queue's, so that the shared pools are never short of one.
  private func session<Value: Sendable>(
    _ limit: Duration,
    _ body: @escaping @Sendable (inout ControlConnection) throws(ControlError) -> Value
  ) async throws(ControlError) -> Value {
    let deadline = Deadline(in: limit)
    let result: Result<Value, ControlError> = await withCheckedContinuation { continuation in
      DispatchQueue(label: "onionkeeper.control").async {
        continuation.resume(
          returning: Result { () throws(ControlError) in
            var connection = try authenticated(deadline)
            return try body(&connection)
          })
      }
    }
    return try result.get()
  }

  private func authenticated(_ deadline: Deadline) throws(ControlError) -> ControlConnection {
    let door = try ControlDoor(run: run, owner: owner)
    let handshake = SafeCookie(cookie: try door.cookie())
    var connection = try door.connect(deadline)
    let reply = try connection.ask(handshake.challenge, as: "AUTHCHALLENGE")
    guard reply.isPositive else {
      throw ControlError(
        .unauthenticated, "AUTHCHALLENGE", "refused: \(reply.complaint)", status: reply.status)
    }
    guard let answer = try handshake.answer(to: reply) else {
      throw ControlError(
        .unauthenticated, "AUTHCHALLENGE",
        "the other end does not know the cookie that lies beside the socket")
    }
    let end = try connection.ask(answer, as: "AUTHENTICATE")
    guard end.isPositive else {
      throw ControlError(
        .unauthenticated, "AUTHENTICATE", "refused: \(end.complaint)", status: end.status)
    }
    return connection
  }
}

private func getInfo(
  _ keys: [String], _ connection: inout ControlConnection
) throws(ControlError) -> [String: String] {
  let reply = try positive(
    try connection.ask("GETINFO \(keys.joined(separator: " "))", as: "GETINFO"), "GETINFO")
  return Dictionary(
    reply.values.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
}

private func getConf(
  _ option: String, _ connection: inout ControlConnection
) throws(ControlError) -> [String] {
  TorState.lines(try positive(try connection.ask("GETCONF \(option)", as: "GETCONF"), "GETCONF"))
}

private func loadConf(
  _ text: String, _ connection: inout ControlConnection
) throws(ControlError) {
  let reply: ControlReply
  do {
    reply = try connection.ask("LOADCONF", text: text, as: "LOADCONF")
  } catch  where error.code == .closed {
    throw ControlError(
      .died, "LOADCONF",
      "tor ended while it loaded the configuration, most likely over a key directory; its log says which"
    )
  }
  _ = try positive(reply, "LOADCONF")
}

private func positive(
  _ reply: ControlReply, _ operation: String
) throws(ControlError) -> ControlReply {
  guard reply.isPositive else {
    throw ControlError(.refused, operation, "tor refused: \(reply.complaint)", status: reply.status)
  }
  return reply
}
