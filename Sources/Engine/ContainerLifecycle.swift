public import OnionModel
import Transport

extension EngineClient {
  /// Creates a service's container under its specification's name; it does not run yet.
  /// Bind sources must be there: an engine would make a missing one as root's.
  /// - Parameter labels: given here alone, never in an image: see `ContainerSpecification.labels(agent:)`.
  /// - Returns: the identifier.
  /// - Throws: `.conflict` if the name is taken, `.notFound` if the image is missing, `.unsupported` if the engine maps its
  ///   users to numbers of their own.
  public func create(
    _ specification: ContainerSpecification, labels: [String: String]
  ) async throws(EngineError) -> String {
    let container = try await create(
      CreateRequest(specification, labels: labels, purpose: .service), name: specification.name)
    try await refuseOwnUsers(container)
    return container
  }

  func create(_ request: CreateRequest, name: String) async throws(EngineError) -> String {
    // The same rule as for every other call, before the engine makes something that we could not name again.
    _ = try path(name, "")
    let call = try EngineCall("POST", "/containers/create", query: [("name", name)])
      .within(slowCall).sending(json: request)
    return try await calls.decode(CreatedWire.self, call).id.text
  }

  /// Starts it; one that runs already is fine.
  public func start(_ container: String) async throws(EngineError) {
    try await act(container, "/start", accepting: [304])
  }

  /// Stops it with SIGTERM, and SIGKILL after `timeout` seconds; one that does not run is fine. A paused one is
  /// unpaused first, which Podman does not do itself.
  public func stop(_ container: String, timeout: Int) async throws(EngineError) {
    try await unpauseForPodman(container)
    try await act(
      container, "/stop", query: [("t", String(max(0, timeout)))], accepting: [304],
      within: slowCall + .seconds(max(0, timeout)))
  }

  /// Stop and start in one call.
  public func restart(_ container: String, timeout: Int) async throws(EngineError) {
    try await unpauseForPodman(container)
    try await act(
      container, "/restart", query: [("t", String(max(0, timeout)))],
      within: slowCall + .seconds(max(0, timeout)))
  }

  /// - Throws: `.conflict` or `.failed` if it is not paused.
  public func unpause(_ container: String) async throws(EngineError) {
    try await act(container, "/unpause")
  }

  /// - Parameter signal: `HUP`, `KILL` …
  /// - Throws: `.conflict` if it does not run.
  public func kill(_ container: String, signal: String) async throws(EngineError) {
    try await act(container, "/kill", query: [("signal", signal)])
  }

  /// - Throws: `.conflict` if the name is taken.
  public func rename(_ container: String, to name: String) async throws(EngineError) {
    _ = try path(name, "")
    try await act(container, "/rename", query: [("name", name)])
  }

  /// Removes it with its anonymous volumes; one that is gone is fine.
  /// - Parameter force: kills it first if it runs.
  /// - Throws: `.conflict` if it runs and `force` is not given.
  public func remove(_ container: String, force: Bool = false) async throws(EngineError) {
    if force, isPodman { try await killForPodman(container) }
    let query = [("v", "1"), ("force", force ? "1" : "0")]
    let call = EngineCall("DELETE", try path(container, ""), query: query).within(slowCall)
    do {
      _ = try await calls.call(call)
    } catch  where error.code == .notFound {
      return
    }
  }

  /// Puts limits and restart policy back without a restart.
  /// - Throws: `.unsupported` where the engine cannot (Podman 4): recreate it instead.
  public func update(_ container: String, limits: ContainerLimits) async throws(EngineError) {
    let call = try EngineCall("POST", path(container, "/update"))
      .sending(json: ResourceLimits(limits, restartPolicy: "always"))
    _ = try await calls.call(call)
  }

  /// From now on the engine never starts it by itself.
  /// - Throws: `.unsupported`, `.failed` or `.notFound` where the engine cannot (Podman 4).
  public func neverRestart(_ container: String) async throws(EngineError) {
    let call = try EngineCall("POST", path(container, "/update"))
      .sending(json: ["RestartPolicy": ["Name": "no"]])
    _ = try await calls.call(call)
  }

  /// Waits until it does not run.
  /// - Returns: its exit code.
  /// - Throws: `.timeout` if it still runs after `timeout`.
  public func wait(_ container: String, timeout: Duration) async throws(EngineError) -> Int {
    let call = EngineCall("POST", try path(container, "/wait")).within(timeout)
    return try await calls.decode(WaitWire.self, call).statusCode
  }

  /// Podman's forced removal first waits out the whole stop timeout; after an API kill nothing restarts.
  private func killForPodman(_ container: String) async throws(EngineError) {
    do {
      try await kill(container, signal: "KILL")
    } catch  where error.code == .conflict || error.code == .notFound {
      return
    }
  }

  private func unpauseForPodman(_ container: String) async throws(EngineError) {
    guard isPodman, try await inspect(container)?.state == .paused else { return }
    try await unpause(container)
  }

  private func act(
    _ container: String, _ verb: String, query: [(String, String)] = [], accepting: Set<Int> = [],
    within total: Duration = slowCall
  ) async throws(EngineError) {
    let call = EngineCall("POST", try path(container, verb), query: query)
    _ = try await calls.call(call.within(total).accepting(accepting))
  }
}

/// Create, start and remove take 0.1 to 0.5 s each; a busy disk can make a minute of it.
private let slowCall = Duration.seconds(90)

private struct CreatedWire: Decodable {
  var id: EngineID
  enum CodingKeys: String, CodingKey { case id = "Id" }
}

private struct WaitWire: Decodable {
  var statusCode: Int
  enum CodingKeys: String, CodingKey { case statusCode = "StatusCode" }
}
