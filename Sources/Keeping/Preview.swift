import Journaling
import KeyStore
import OnionModel
import Planning
import Transport

/// `plan`: what `run` would do now, without doing, accepting or writing anything, beside a running agent or alone.
public struct Preview: Sendable {
  private let configuration: HostConfiguration

  public init(_ configuration: HostConfiguration) { self.configuration = configuration }

  /// - Parameters:
  ///   - isOffline: plan for the accepted revision without asking the repository.
  ///   - scratch: a private, empty folder for a mirror that lives only as long as this.
  public func run(isOffline: Bool, scratch: String) async throws -> PlanReport {
    let agent = try AgentHouse.identity(configuration)
    let journal = try await Journal.open(
      readOnly: "\(configuration.layout.state)/\(Journal.fileName)")
    let keys = KeyRoot(path: configuration.layout.keys, id: agent)
    let before = try await journal.memory(agent: agent, now: wallTime())
    let world = LiveWorld(
      layout: configuration.layout, agent: agent,
      socket: try SetUp.socket(configuration, pinned: before.engine?.kind), keys: keys,
      http: try HTTPClient(), log: { _ in })
    let keeper = Keeper(
      configuration: configuration, journal: journal, agent: agent, world: world, keys: keys,
      mirrorPath: "\(scratch)/mirror.git", log: { _ in })
    let source = try await keeper.preview(isOffline: isOffline)
    let desired = source.desired
    var memory = try await journal.memory(agent: agent, now: wallTime())
    let observed = await world.observe(desired, memory)
    // As the pass would, but noting nothing.
    for approval in memory.approvals { _ = memory.apply(approval, desired, observed) }
    let plan = plan(desired, from: observed, knowing: memory)
    let findings = audit(plan, desired: desired, observed: observed, memory: memory)
    guard findings.isEmpty else {
      throw KeepingError(
        "the plan breaks a promise and would not be executed: "
          + findings.map(\.description).joined(separator: "; "))
    }
    try await journal.close()
    return PlanReport(
      plan, isCandidate: source.isCandidate, diagnostics: source.diagnostics,
      sourceTrouble: source.note.flatMap { $0.isTrouble ? $0.message : nil },
      sourceNote: source.note.flatMap { $0.isTrouble ? nil : $0.message })
  }
}
