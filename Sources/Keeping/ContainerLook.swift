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
    var containers: [ContainerObservation]
    /// Running containers of others that reach a key directory, by directory.
    var summaries: [ContainerSummary]
  }

  private struct Known {
    var state: ContainerState
    var facts: ContainerFacts
    var startTime: UInt64?
  }

  private let processes = ProcessReader()
  private var known: [String: Known] = [:]
  private var stale: Set<String> = []
  private var turn = 0

  /// The next look inspects it again, whatever the list says.
  func distrust(_ container: String) { stale.insert(container) }

  /// One list call, and inspects of what moved.
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
    let due = wanted.enumerated().filter { needsInspection($0.element, at: $0.offset) }.map(
      \.element)
    for (id, facts) in try await inspect(due, engine) {
      known[id] = facts
      stale.remove(id)
    }
    var containers: [ContainerObservation] = []
    for summary in wanted { containers.append(observation(of: summary)) }
    return Sight(containers: containers, summaries: summaries)
  }

  private func needsInspection(_ summary: ContainerSummary, at index: Int) -> Bool {
    guard let known = known[summary.id], known.state == summary.state else { return true }
    if stale.contains(summary.id) || index % 10 == turn { return true }
    guard summary.state == .running else { return false }
    guard case .present(let proof) = processes.proof(of: known.facts.pid) else { return true }
    return proof.startTime != known.startTime
  }

  /// Several at once: an inspect is mostly waiting.
  private func inspect(
    _ summaries: [ContainerSummary], _ engine: EngineClient
  ) async throws(EngineError) -> [String: Known] {
    let results = await withTaskGroup(
      of: Result<ContainerDetails?, EngineError>.self
    ) { group in
      var results: [Result<ContainerDetails?, EngineError>] = []
      for (index, summary) in summaries.enumerated() {
        if index >= 8, let result = await group.next() { results.append(result) }
        group.addTask {
          do throws(EngineError) {
            return .success(try await engine.inspect(summary.id))
          } catch {
            return .failure(error)
          }
        }
      }
      for await result in group { results.append(result) }
      return results
    }
    var found: [String: Known] = [:]
    for result in results {
      guard let details = try result.get() else { continue }
      found[details.id] = Known(
        state: details.state, facts: details.facts,
        startTime: processes.proof(of: details.facts.pid).value?.startTime)
    }
    return found
  }

  private func observation(of summary: ContainerSummary) -> ContainerObservation {
    let known = known[summary.id]
    var proof: Observation<ProcessProof> = .absent
    if summary.state == .running, let known, known.facts.pid > 0 {
      proof = processes.proof(of: known.facts.pid)
    }
    return ContainerObservation(
      id: summary.id, name: summary.name, labels: summary.labels,
      state: known?.state ?? summary.state,
      facts: known.map { .present($0.facts) } ?? .unknown("gone before it was inspected"),
      proof: proof)
  }
}
