public import OnionModel

/// How a command ended that ran once in a container.
public struct OneShotResult: Hashable, Sendable {
  public var exitCode: Int
  public var log: ContainerLog
}

extension EngineClient {
  /// Runs a command in a container of a specification, without network and without restarts, and removes the container
  /// whatever happens, also when the task is cancelled.
  /// - Parameters:
  ///   - name: of the container, for the while; one that an earlier crash left behind is removed first if it bears
  ///     the same `labels`.
  ///   - labels: must not make it look like a service's container.
  /// - Throws: `.timeout` if the command does not end in time; `.conflict` if the name belongs to somebody else.
  public func runOnce(
    _ specification: ContainerSpecification, command: [String], name: String,
    labels: [String: String], timeout: Duration
  ) async throws(EngineError) -> OneShotResult {
    if let old = try await inspect(name) {
      guard labels.allSatisfy({ old.labels[$0.key] == $0.value }) else {
        throw EngineError(
          .conflict, operation: "POST /containers/create",
          message: "a container named \(name) is there and is not ours: rename or remove it")
      }
      try await remove(old.id, force: true)
    }
    let request = try CreateRequest(specification, labels: labels, purpose: .check(command))
    let id = try await create(request, name: name)
    let result: Result<OneShotResult, EngineError>
    do throws(EngineError) {
      try await refuseOwnUsers(id)
      try await start(id)
      let code = try await wait(id, timeout: timeout)
      result = .success(OneShotResult(exitCode: code, log: try await logs(id, tail: 100)))
    } catch {
      result = .failure(error)
    }
    // A task of its own: ours may be cancelled, and the container must go all the same.
    let removal = await Task { () -> EngineError? in
      do throws(EngineError) {
        try await remove(id, force: true)
        return nil
      } catch {
        return error
      }
    }.value
    let outcome = try result.get()
    if let removal { throw removal }
    return outcome
  }
}
