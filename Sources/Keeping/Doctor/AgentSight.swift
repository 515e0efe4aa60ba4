import Journaling
import OnionModel

/// What the agent of this host knows, read from its journal without writing to it.
struct AgentSight: Sendable {
  var agent: AgentID
  var memory: Memory
  /// Of the accepted revision; without services before the first.
  var desired: Desired
  /// When the journal was last written to, as it says.
  var latest: Timestamp?
  var troubles: [RaisedFact]

  static func read(
    _ configuration: HostConfiguration, _ agent: AgentID
  ) async throws -> AgentSight {
    let journal = try await Journal.open(
      readOnly: "\(configuration.layout.state)/\(Journal.fileName)")
    let memory = try await journal.memory(agent: agent, now: wallTime())
    let times = try await journal.latestEvents(limit: Keeper.rowsForClock).map(\.event.time)
    var reader = RevisionReader()
    var desired = reader.nothing(configuration)
    if let (revision, files) = try await journal.accepted() {
      desired =
        reader.read(
          revision, .init(files), lastGood: try await journal.lastGood(), configuration
        ).desired
    }
    let sight = AgentSight(
      agent: agent, memory: memory, desired: desired, latest: times.max(),
      troubles: try await journal.raised().filter(\.isTrouble))
    try await journal.close()
    return sight
  }
}
