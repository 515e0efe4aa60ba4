import Descriptors
import Engine
import OnionModel
import TorRuntime

/// Looks at the engine's containers once a pass, and inspects only what the list says moved.
///
/// A list says nothing of capabilities, mounts' modes or limits. So a container is inspected when it is new, when its
/// state moved, when its process is another one, when an event named it, and, since `docker update` shows nowhere, a
/// tenth of all in turn each pass.
actor ContainerLook {
  /// What one look found.
  struct Sight: Sendable {
    /// Ours, and whatever bears one of our names.
    var containers: [ContainerObservation]
    /// All of the engine's.
    var summaries: [ContainerSummary]
  }

  private struct Known {
    var state: ContainerState
    var facts: ContainerFacts
    var startTime: UInt64?
  }

  /// An inspect is mostly waiting.
  private static let inspectionsAtOnce = 8

  private let processes = ProcessReader()
  private let executor: QueueExecutor
  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  private var known: [String: Known] = [:]
  private var stale: Set<String> = []
  private var turn = 0

  /// - Parameter executor: procfs is read on it.
  init(executor: QueueExecutor) { self.executor = executor }

  /// The next look inspects it again, whatever the list says.
  func distrust(_ container: String) { stale.insert(container) }

  /// The proof of a process, read on the executor.
  func proof(of pid: Int) -> Observation<ProcessProof> { processes.proof(of: pid) }

  /// One list call, and inspects of what moved. A container that cannot be inspected is unknown, the others are not.
  /// - Throws: `EngineError` if the engine as a whole does not answer, or its list cannot be read.
  func look(
    _ engine: EngineClient, agent: AgentID, names: Set<String>
  ) async throws(EngineError) -> Sight {
    let summaries = try await engine.containers()
    let wanted = summaries.filter {
      $0.labels[ContainerLabelKey.agent] == agent.text || names.contains($0.name)
    }
    let ids = Set(wanted.map(\.id))
    known = known.filter { ids.contains($0.key) }
    turn = (turn + 1) % 10
    let due = wanted.enumerated().filter { needsInspection($0.element, at: $0.offset) }
      .map(\.element.id)
    // Before it is asked: an event that comes meanwhile counts for the next look.
    stale.formIntersection(ids.subtracting(due))
    var gone: Set<String> = []
    var reasons: [String: String] = [:]
    for inspected in await inspect(due, engine) {
      let id = inspected.id
      switch inspected.inspection {
      case .seen(let details):
        known[id] = Known(
          state: details.state, facts: details.facts,
          startTime: processes.proof(of: details.facts.pid).value?.startTime)
      case .gone:
        known[id] = nil
        gone.insert(id)
      case .failed(let error):
        if error.concernsEngine { throw error }
        known[id] = nil
        reasons[id] = error.description
      }
    }
    let containers = wanted.filter { !gone.contains($0.id) }.map {
      observation(of: $0, trouble: reasons[$0.id])
    }
    return Sight(containers: containers, summaries: summaries)
  }

  private func needsInspection(_ summary: ContainerSummary, at index: Int) -> Bool {
    guard let known = known[summary.id], known.state == summary.state else { return true }
    if stale.contains(summary.id) || index % 10 == turn { return true }
    guard summary.state == .running else { return false }
    // Somebody joined it to a network, or took it out of one.
    if !summary.endpoints.isEmpty, summary.endpoints.map(\.network) != known.facts.networks {
      return true
    }
    guard case .present(let proof) = processes.proof(of: known.facts.pid) else { return true }
    return proof.startTime != known.startTime
  }

  /// Several at once: an inspect is mostly waiting.
  private func inspect(_ ids: [String], _ engine: EngineClient) async -> [Inspected] {
    // Not a tuple: Swift 6.3.1 miscompiles task groups of tuples with optimisation.
    await withTaskGroup(of: Inspected.self) { group in
      var results: [Inspected] = []
      for (index, id) in ids.enumerated() {
        if index >= Self.inspectionsAtOnce, let result = await group.next() {
          results.append(result)
        }
        group.addTask { await Inspected(id, engine) }
      }
      for await result in group { results.append(result) }
      return results
    }
  }

  private func observation(of summary: ContainerSummary, trouble: String?) -> ContainerObservation {
    let known = known[summary.id]
    var proof: Observation<ProcessProof> = .absent
    if summary.state == .running {
      if let known, known.facts.pid > 0 {
        proof = processes.proof(of: known.facts.pid)
      } else if let trouble {
        proof = .unknown(trouble)
      }
    }
    return ContainerObservation(
      id: summary.id, name: summary.name, labels: summary.labels,
      state: known?.state ?? summary.state,
      facts: known.map { .present($0.facts) } ?? .unknown(trouble ?? "it was not inspected"),
      proof: proof)
  }
}

/// One container, inspected.
private struct Inspected: Sendable {
  let id: String
  let inspection: Inspection

  init(_ id: String, _ engine: EngineClient) async {
    self.id = id
    do {
      guard let details = try await engine.inspect(id) else {
        inspection = .gone
        return
      }
      inspection = .seen(details)
    } catch {
      inspection = .failed(error)
    }
  }
}

/// What an inspect came to.
private enum Inspection: Sendable {
  case seen(ContainerDetails)
  /// The engine says that it is not there (any more).
  case gone
  /// It may be there: the engine could not say what it is.
  case failed(EngineError)
}
