import GRDB
import OnionModel
import Testing

@testable import Journaling

@Suite struct EventTests {
  @Test func equalEventsAreCountedOnTheOneThatWaits() async throws {
    let journal = try await Journal.inMemory()
    for second in 0..<5 {
      try await journal.record([
        Sample.event(
          .actionFailed, at: Double(second), error: "refused", message: "took \(second) s")
      ])
    }
    let events = try await journal.events(limit: 10)
    #expect(events.map(\.event.data.count) == [5])
    #expect(events.first?.event.time == Sample.start)
    #expect(events.first?.event.data.message == "took 0 s")
  }

  /// What a worker has taken stays as it was sent; the repetitions come in one event when the minute is over.
  @Test func repetitionsOfASentEventComeOnceAMinute() async throws {
    let journal = try await Journal.inMemory()
    try await journal.syncEndpoints(
      [EndpointSpecification(name: "a", digest: "1", patterns: [.all])], at: Sample.start)
    try await journal.record([Sample.event(.actionFailed, error: "x")])
    let first = try #require(try await journal.due(endpoint: "a", now: Sample.start).first)
    try await journal.delivered(first.id, at: Sample.start)
    for second in [1.0, 2, 3] {
      try await journal.record([Sample.event(.actionFailed, at: second, error: "x")])
    }
    #expect(try await journal.due(endpoint: "a", now: Sample.time(59)).isEmpty)
    #expect(try await journal.nextDue(endpoint: "a") == Sample.time(60))
    let second = try #require(try await journal.due(endpoint: "a", now: Sample.time(60)).first)
    #expect(second.event.event.data.count == 3)
    #expect(second.event.event.time == Sample.time(3))
    #expect(second.event.sequence == 2)
    // The minute begins anew with that event.
    try await journal.record([Sample.event(.actionFailed, at: 61, error: "x")])
    #expect(try await journal.events(limit: 10).count == 2)
    try await journal.record([Sample.event(.actionFailed, at: 125, error: "x")])
    let events = try await journal.events(limit: 10)
    #expect(events.map(\.event.data.count) == [nil, 3, nil, nil])
    #expect(events.map(\.sequence) == [1, 2, 3, 4])
  }

  /// A receiver's last word about a fact is always the present one.
  @Test func whatCameBackIsNotSwallowed() async throws {
    let journal = try await Journal.inMemory()
    let kinds: [EventKind] = [
      .engineUnreachable, .engineReachable, .engineUnreachable, .engineUnreachable,
      .engineReachable,
    ]
    for (second, kind) in kinds.enumerated() {
      try await journal.record([Sample.event(kind, at: Double(second))])
    }
    let events = try await journal.events(limit: 10).map(\.event)
    #expect(
      events.map(\.kind) == [
        .engineUnreachable, .engineReachable, .engineUnreachable, .engineReachable,
      ])
    #expect(events.map(\.data.count) == [nil, nil, 2, nil])
  }

  @Test func differentNewsIsNotCounted() async throws {
    let journal = try await Journal.inMemory()
    let mode = Deviation("mode", expected: "0700", observed: "0755")
    let owner = Deviation("owner", expected: "7942", observed: "0")
    var other = mode
    other.observed = "0777"
    try await journal.record([
      Sample.event(.driftDetected, "instance/a", drift: [mode]),
      Sample.event(.driftDetected, "instance/a", drift: [owner]),
      Sample.event(.driftDetected, "instance/b", drift: [mode]),
      Sample.event(.driftDetected, "instance/a", drift: [mode]),
      Sample.event(.driftDetected, "instance/a", drift: [other]),
      Sample.event(.actionSucceeded, "instance/a", action: "reload"),
      Sample.event(.actionSucceeded, "instance/a", action: "prove"),
      Sample.event(.actionSucceeded, "instance/a", action: "reload"),
    ])
    let counts = try await journal.events(limit: 20).map { $0.event.data.count ?? 1 }
    #expect(counts == [2, 1, 1, 1, 2, 1])
  }

  @Test func aMinuteThatEndedOrAClockThatWentBackStartsAnew() async throws {
    let journal = try await Journal.inMemory()
    for second in [0.0, 59.9, 60, 30] {
      try await journal.record([Sample.event(.configInvalid, at: second, error: "x")])
    }
    #expect(try await journal.events(limit: 10).map(\.event.data.count) == [2, nil, nil])
  }

  @Test(arguments: 1...8 as ClosedRange<UInt64>)
  func sequencesHaveNoGapsWhateverFails(seed: UInt64) async throws {
    let journal = try await Journal.inMemory()
    try await journal.write("break") {
      try $0.execute(
        sql: """
          CREATE TRIGGER broken BEFORE INSERT ON event WHEN NEW.subject = 'broken'
          BEGIN SELECT RAISE(ABORT, 'broken'); END
          """)
    }
    var random = Seeded(state: seed)
    var expected = 0
    for round in 0..<40 {
      var batch = (0..<Int.random(in: 1...4, using: &random)).map {
        Sample.event(.actionSucceeded, "instance/i\(round)-\($0)")
      }
      let isBroken = Int.random(in: 0..<3, using: &random) == 0
      if isBroken {
        batch.insert(
          Sample.event(.actionFailed, "broken"), at: Int.random(in: 0...batch.count, using: &random)
        )
        await #expect(throws: JournalError.self) { try await journal.record(batch) }
      } else {
        try await journal.record(batch)
        expected += batch.count
      }
    }
    let events = try await journal.events(limit: 1000)
    #expect(events.map(\.sequence) == (0..<expected).map { Int64($0 + 1) })
    #expect(Set(events.map(\.epoch)) == [journal.epoch])
    #expect(Set(events.map(\.id)).count == expected)
    #expect(events.allSatisfy { !$0.id.contains(".") })
  }

  @Test func eventsAreReadOnFromAPosition() async throws {
    let journal = try await Journal.inMemory()
    for index in 0..<5 { try await journal.record([Sample.event(.agentStarted, "s\(index)")]) }
    let first = try await journal.events(limit: 2)
    let rest = try await journal.events(after: try #require(first.last).position, limit: 10)
    #expect((first + rest).map(\.event.subject) == ["s0", "s1", "s2", "s3", "s4"])
    #expect(try await journal.latestEvents(limit: 2).map(\.event.subject) == ["s3", "s4"])
  }

  @Test func aLastingTroubleIsToldWhenItMoves() async throws {
    let journal = try await Journal.inMemory()
    func raise(_ fingerprint: String, _ seconds: Double) async throws -> Bool {
      try await journal.raise(
        key: "engine", fingerprint: fingerprint,
        event: Sample.event(.engineUnreachable, at: seconds, error: fingerprint))
    }
    #expect(try await raise("refused", 0))
    #expect(try await !raise("refused", 100))
    #expect(try await raise("silent", 200))
    #expect(try await !raise("silent", 300))
    let raised = try await journal.raised()
    #expect(raised.map(\.since) == [Sample.start])
    #expect(raised.map(\.moved) == [Sample.time(200)])
    #expect(try await journal.clear(key: "engine", event: Sample.event(.engineReachable, at: 400)))
    #expect(try await !journal.clear(key: "engine", event: Sample.event(.engineReachable, at: 500)))
    #expect(try await journal.raised().isEmpty)
    #expect(
      try await journal.events(limit: 10).map(\.event.kind) == [
        .engineUnreachable, .engineUnreachable, .engineReachable,
      ])
  }

  @Test(arguments: [
    ("*", EventKind.driftDetected, true), ("drift.*", .driftDetected, true),
    ("drift.*", .keyLost, false), ("key.lost", .keyLost, true), ("key.lost", .keyRetired, false),
  ])
  func patterns(text: String, kind: EventKind, fits: Bool) throws {
    #expect(try #require(EventPattern(text)).matches(kind) == fits)
  }

  @Test(arguments: ["", "drift", "drfit.*", "drift.", "**", "*.detected", "dr*"])
  func patternsThatFitNothingAreRefused(text: String) {
    #expect(EventPattern(text) == nil)
  }
}

/// SplitMix64: the same numbers for the same seed, everywhere.
struct Seeded: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
