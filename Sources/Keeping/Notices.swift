import Journaling
import OnionModel

/// Turns what a pass waits for into events, once when it begins and once when it moves: lasting trouble is not repeated.
struct Notices: Sendable {
  let journal: Journal
  let host: HostName

  /// Raises what is waited for now, and forgets what no longer is.
  func report(_ waiting: [Waiting], desired: Desired, at time: Timestamp) async throws(JournalError)
  {
    let current = Dictionary(grouping: waiting) { "wait/\(subject(of: $0))/\($0.kind.rawValue)" }
    for (key, waits) in current.sorted(by: { $0.key < $1.key }) {
      guard let wait = waits.first, let kind = Self.kind(of: wait.kind) else { continue }
      // Two of one kind and subject are one piece of news.
      let message = waits.map(\.message).joined(separator: "; ")
      // Typed fields, never a text with a count-down or an engine's words in it, decide whether it moved.
      let fingerprint =
        Self.hasMovingText(wait.kind)
        ? wait.kind.rawValue : sha256("\(wait.kind.rawValue)\n\(message)")
      try await journal.raise(
        key: key, fingerprint: fingerprint,
        event: Event(
          kind: kind, subject: subject(of: wait), time: time,
          data: EventData(
            host: host, service: wait.service, instance: wait.instance, revision: desired.revision,
            outcome: "waiting", message: String(message.prefix(2000)))))
    }
    for fact in try await journal.raised()
    where fact.key.hasPrefix("wait/") && current[fact.key] == nil {
      try await journal.clear(key: fact.key, event: ending(of: fact, at: time))
    }
  }

  /// The end of some troubles is news, too.
  private func ending(of fact: RaisedFact, at time: Timestamp) -> Event? {
    guard fact.event.kind == .engineUnreachable else { return nil }
    return Event(
      kind: .engineReachable, subject: "host", time: time,
      data: EventData(host: host, message: "the engine answers again"))
  }

  private func subject(of wait: Waiting) -> String {
    wait.service.map { "service/\($0)" } ?? wait.instance.map { "instance/\($0)" } ?? "host"
  }

  private static func hasMovingText(_ kind: Waiting.Kind) -> Bool {
    kind == .backoff || kind == .paused || kind == .budget || kind == .engineUnreachable
  }

  /// `nil`: it is not news by itself (a failed action was reported already, a pause was asked for).
  private static func kind(of waiting: Waiting.Kind) -> EventKind? {
    switch waiting {
    case .engineUnreachable, .engineForeign: .engineUnreachable
    case .keyMissing, .keyAmbiguous, .newKeys: .keyMissing
    case .keyLost: .keyLost
    case .keyMismatch: .keyMismatch
    case .keyDuplicate, .keyInUse: .keyDuplicate
    case .removals, .probableRename, .pruneHeld: .revisionHeld
    case .nameTaken, .targetMissing, .budget, .unknown, .imageMissing, .notMounted,
      .backup:
      .driftStalled
    case .backoff, .paused, .stopped, .moving, .distrusted: nil
    }
  }

  /// Each service whose definition is wrong, once per set of diagnostics.
  func report(
    _ diagnostics: [ServiceName: [Diagnostic]], revision: CommitID?, at time: Timestamp
  ) async throws(JournalError) {
    for (service, list) in diagnostics where list.contains(where: { $0.severity == .error }) {
      let text = list.map(\.description).joined(separator: "\n")
      try await journal.raise(
        key: "definition/\(service)", fingerprint: sha256(text),
        event: Event(
          kind: .definitionInvalid, subject: "service/\(service)", time: time,
          data: EventData(
            host: host, service: service, revision: revision, message: String(text.prefix(2000)))))
    }
    for fact in try await journal.raised() where fact.key.hasPrefix("definition/") {
      guard let service = ServiceName(String(fact.key.dropFirst("definition/".count))),
        diagnostics[service]?.contains(where: { $0.severity == .error }) != true
      else { continue }
      try await journal.clear(
        key: fact.key,
        event: Event(
          kind: .definitionValid, subject: "service/\(service)", time: time,
          data: EventData(
            host: host, service: service, revision: revision,
            message: "its definition is valid again")))
    }
  }

  /// The source answered, or did not.
  /// - Parameter good: when it was last of use, in words: an expired credential may look like a repository that is gone.
  /// - Returns: whether that is news.
  func reportSource(
    _ trouble: (code: String, message: String)?, good: String? = nil, at time: Timestamp
  ) async throws(JournalError) -> Bool {
    guard let trouble else {
      return try await journal.clear(
        key: "source",
        event: Event(
          kind: .sourceReachable, subject: "host", time: time,
          data: EventData(host: host, message: "the repository answers again")))
    }
    return try await journal.raise(
      key: "source", fingerprint: trouble.code,
      event: Event(
        kind: .sourceUnreachable, subject: "host", time: time,
        data: EventData(
          host: host, error: trouble.message,
          message:
            "the repository cannot be used\(good.map { " (\($0))" } ?? ""); the last accepted revision is kept"
            + " true")))
  }

  /// Readiness that moved.
  func report(
    _ transitions: [ConditionTransition], addresses: [ServiceName: OnionAddress],
    revision: CommitID?, at time: Timestamp
  ) async throws(JournalError) {
    var events: [Event] = []
    for transition in transitions where transition.condition.name == .ready {
      let kind: EventKind
      switch (transition.from, transition.condition.status) {
      case (_, .yes): kind = .serviceReady
      case (.yes?, .no): kind = .serviceUnready
      default: continue
      }
      events.append(
        Event(
          kind: kind, subject: "service/\(transition.service)", time: time,
          data: EventData(
            host: host, service: transition.service, revision: revision,
            message: transition.condition.reason, address: addresses[transition.service],
            duration: transition.lasted)))
    }
    if !events.isEmpty { try await journal.record(events) }
  }
}
