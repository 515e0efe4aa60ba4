import Engine
import Journaling
import KeyStore
public import OnionModel

/// `approve`: a person's waivers, into the journal, beside a running agent or alone.
public struct Approver: Sendable {
  /// An approval that nobody used is void after a day.
  static let lifetimeSeconds = 24 * 3600.0

  private let configuration: HostConfiguration

  public init(_ configuration: HostConfiguration) { self.configuration = configuration }

  /// - Parameter uid: who allows it.
  /// - Returns: what was allowed, a line each: removals with their addresses.
  public func approve(
    _ revision: CommitID, _ kinds: [Approval.Kind], uid: Int
  ) async throws -> [String] {
    let agent = try AgentHouse.identity(configuration)
    let journal = try await Journal(path: "\(configuration.layout.state)/\(Journal.fileName)")
    let now = wallTime()
    if kinds.contains(where: { $0 != .rewind }) {
      let accepted = try await journal.acceptedRevision()?.commit
      guard accepted == revision else {
        throw KeepingError(
          "\(revision) is not the accepted revision (\(accepted?.text ?? "none yet")): nothing was approved"
        )
      }
    }
    var lines: [String] = []
    if kinds.contains(.removals) { lines += try await removals(journal, agent, now) }
    for kind in kinds {
      let approval = Approval(
        kind: kind, revision: revision, expires: now.adding(seconds: Self.lifetimeSeconds))
      try await journal.approve(
        approval, uid: uid, at: now,
        events: [
          Event(
            kind: .approvalGiven, subject: "host", time: now,
            data: EventData(
              host: configuration.host, revision: revision, action: kind.rawValue,
              message:
                "uid \(uid) allows \(kind.rawValue) for \(revision.short), until \(approval.expires)"
            ))
        ])
      lines.append(
        "allowed \(kind.rawValue) for \(revision.short), once, until \(approval.expires)")
    }
    if kinds.contains(.rewind) { try await journal.forgetRefusals() }
    try await journal.close()
    return lines
  }

  private func removals(
    _ journal: Journal, _ agent: AgentID, _ now: Timestamp
  ) async throws -> [String] {
    let memory = try await journal.memory(agent: agent, now: now)
    guard let (revision, files) = try await journal.accepted() else { return [] }
    var reader = RevisionReader()
    let wanted = reader.read(
      revision, .init(files), lastGood: try await journal.lastGood(), configuration
    ).desired
    let kept = Set(wanted.services.map(\.name)).union(wanted.unsettled).union(wanted.stopped.keys)
      .union(wanted.services.compactMap(\.formerly))
    // Nobody approves a removal whose address could not be shown.
    let look = await KeyRoot(path: configuration.layout.keys, id: agent).everyPin()
    guard case .present(let pins) = look else {
      throw KeepingError(
        "the pinned addresses cannot be read (\(look.unknownReason ?? "not there")): nothing was approved"
      )
    }
    return try memory.services.keys.filter { !kept.contains($0) }.sorted().map { name in
      if let damage = pins.damaged[name] {
        throw KeepingError("\(damage): nothing was approved")
      }
      return
        "removes \(name): \(pins.addresses[name]?.text ?? "no address pinned") (its key goes to retired/)"
    }
  }
}
