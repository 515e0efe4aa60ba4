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
    let world = LiveWorld(
      layout: configuration.layout, agent: agent, socket: try SetUp.socket(configuration),
      keys: keys,
      http: try HTTPClient(), log: { _ in })
    let keeper = Keeper(
      configuration: configuration, journal: journal, agent: agent, world: world, keys: keys,
      mirrorPath: "\(scratch)/mirror.git", log: { _ in })
    let (desired, diagnostics, trouble, isCandidate) = try await keeper.preview(
      isOffline: isOffline)
    let memory = try await journal.memory(agent: agent, now: wallTime())
    let observed = await world.observe(desired, memory)
    let plan = plan(desired, from: observed, knowing: memory)
    let findings = audit(plan, desired: desired, observed: observed, memory: memory)
    guard findings.isEmpty else {
      throw KeepingError(
        "the plan breaks a promise and would not be executed: "
          + findings.map(\.description).joined(separator: "; "))
    }
    try await journal.close()
    return PlanReport(
      plan, isCandidate: isCandidate, diagnostics: diagnostics, sourceTrouble: trouble)
  }
}
