import Engine
import Executing
import Journaling
import OnionModel

/// What `down` did.
public struct DownReport: Sendable {
  /// Containers and networks that are gone, a line each.
  public var removed: [String] = []
  /// What could not be removed, and why.
  public var failed: [String] = []
}

extension AgentHouse {
  /// Stops and removes what is ours in the engine: containers, then networks. Keys, state and images stay.
  ///
  /// Journaled and reported like every other action; what fails keeps nothing else from being removed.
  /// - Throws: `KeepingError` if another engine answers than the pinned one; `EngineError`, `JournalError`.
  public func down() async throws -> DownReport {
    try await reporting { try await takeDown() }
  }

  private func takeDown() async throws -> DownReport {
    let engine = try await world.engine()
    let memory = try await journal.memory(agent: agent, now: wallTime())
    let identity = engine.description.identity
    if let pinned = memory.engine, pinned.id != identity.id || pinned.kind != identity.kind {
      throw KeepingError(
        "\(identity.kind.rawValue) \(identity.id) answers, \(pinned.kind.rawValue) \(pinned.id) was pinned at set-up:"
          + " nothing was removed")
    }
    let containers = try await engine.containers(of: agent)
    let networks = try await engine.networkNames(of: agent)
    guard !containers.isEmpty || !networks.isEmpty else { return DownReport() }
    let pass = try await journal.beginPass(
      trigger: "down", revision: try await journal.acceptedRevision()?.commit, at: wallTime())
    var outcomes = try await execute(removals(of: containers), pass)
    // After the containers: a network in use is not removed.
    outcomes += try await execute(
      [
        StepGroup(
          subject: .host,
          steps: networks.map { Step(.removeNetwork(name: $0), cause: .change) })
      ], pass)
    try await forgetGone(engine)
    let report = self.report(outcomes, containers)
    try await journal.endPass(
      pass,
      PassSummary(
        succeeded: report.removed.count, failed: report.failed.count,
        message: "taken down by hand: \(report.removed.count) removed"), at: wallTime())
    return report
  }

  private func removals(of containers: [ContainerSummary]) -> [StepGroup] {
    let named = containers.compactMap { container in
      container.labels[ContainerLabelKey.instance].flatMap { InstanceName($0) }
        .map { (instance: $0, container: container) }
    }
    return Dictionary(grouping: named, by: \.instance).sorted { $0.key < $1.key }
      .map { instance, members in
        StepGroup(
          subject: .instance(instance),
          steps: members.map { member in
            Step(
              .removeContainer(instance, id: member.container.id), cause: .change,
              deviations: [
                Deviation(
                  "container \(member.container.name)", expected: "absent (taken down by hand)",
                  observed: member.container.state.description)
              ])
          })
      }
  }

  private func execute(_ groups: [StepGroup], _ pass: Int64) async throws -> [Outcome] {
    let memory = try await journal.memory(agent: agent, now: wallTime())
    let executor = Executor(
      world: world, journal: journal, host: configuration.host, clock: wallTime)
    let execution = await executor.execute(
      Plan(revision: try await journal.acceptedRevision()?.commit, groups: groups), pass: pass,
      memory: memory)
    if let error = execution.journalError { throw error }
    return execution.outcomes
  }

  /// Remembered containers are forgotten once they are seen to be gone.
  private func forgetGone(_ engine: EngineClient) async throws {
    let left = Set(try await engine.containers(of: agent).map(\.id))
    var memory = try await journal.memory(agent: agent, now: wallTime())
    for instance in memory.instances.keys {
      memory.instances[instance]?.containerIDs.formIntersection(left)
      if let applied = memory.instances[instance]?.applied, !left.contains(applied.containerID) {
        memory.instances[instance]?.applied = nil
      }
    }
    try await journal.store(memory, at: wallTime())
  }

  private func report(_ outcomes: [Outcome], _ containers: [ContainerSummary]) -> DownReport {
    var report = DownReport()
    for outcome in outcomes {
      let what: String
      switch outcome.step.action {
      case .removeContainer(_, let id):
        what = "container \(containers.first { $0.id == id }?.name ?? id)"
      case .removeNetwork(let name): what = "network \(name)"
      default: continue
      }
      switch outcome.result {
      case .succeeded: report.removed.append(what)
      case .failed(let failure): report.failed.append("\(what): \(failure)")
      case .skipped: report.failed.append("\(what): left, since an earlier step failed")
      }
    }
    return report
  }
}
