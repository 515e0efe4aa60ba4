import OnionModel
import Testing

@testable import Journaling

@Suite struct OutboxTests {
  @Test func eachEndpointGetsWhatItAskedForInOrder() async throws {
    let journal = try await ready(["all": ["*"], "drift": ["drift.*", "key.lost"]])
    try await journal.record([
      Sample.event(.agentStarted), Sample.event(.driftDetected), Sample.event(.keyLost),
    ])
    #expect(try await kinds(journal, "all") == [.agentStarted, .driftDetected, .keyLost])
    #expect(try await kinds(journal, "drift") == [.driftDetected, .keyLost])
    #expect(try await kinds(journal, "none").isEmpty)
    let due = try await journal.due(endpoint: "all", now: Sample.start, limit: 10)
    #expect(due.map(\.isLast) == [false, false, true])
  }

  @Test func whatFailedWaitsAndHoldsTheOrder() async throws {
    let journal = try await ready(["a": ["*"], "b": ["*"]])
    try await journal.record([Sample.event(.agentStarted), Sample.event(.driftDetected)])
    let first = try #require(try await journal.due(endpoint: "a", now: Sample.start).first)
    #expect(first.attempts == 0)
    try await journal.failed(
      first.id, error: "500", at: Sample.start, nextAt: Sample.time(30))
    #expect(try await journal.due(endpoint: "a", now: Sample.time(29)).isEmpty)
    #expect(try await journal.nextDue(endpoint: "a") == Sample.time(30))
    #expect(try await kinds(journal, "b").count == 2)
    let again = try #require(try await journal.due(endpoint: "a", now: Sample.time(30)).first)
    #expect(again.id == first.id)
    #expect(again.event == first.event)
    #expect(again.attempts == 1)
    #expect(again.first == Sample.start)
    var state = try #require(try await journal.endpoints().first)
    #expect(state.failingSince == Sample.start)
    #expect(state.lastError == "500")
    try await journal.delivered(again.id, at: Sample.time(31))
    #expect(try await kinds(journal, "a", at: 31) == [.driftDetected])
    state = try #require(try await journal.endpoints().first)
    #expect(state.failingSince == nil)
    #expect(state.delivered == 1)
    #expect(state.lastDelivered == Sample.time(31))
    #expect(state.waiting == 1)
  }

  @Test func aClockThatWentBackDoesNotHoldADeliveryForYears() async throws {
    let journal = try await ready(["a": ["*"]])
    try await journal.record([Sample.event(.agentStarted)])
    let first = try #require(try await journal.due(endpoint: "a", now: Sample.start).first)
    try await journal.failed(
      first.id, error: "500", at: Sample.start, nextAt: Sample.time(5))
    #expect(try await kinds(journal, "a", at: -10) == [])
    #expect(try await kinds(journal, "a", at: -1e8) == [.agentStarted])
  }

  @Test func deadLettersComeBackInOrder() async throws {
    let journal = try await ready(["a": ["*"]])
    try await journal.record([
      Sample.event(.agentStarted), Sample.event(.driftDetected), Sample.event(.keyLost),
    ])
    for _ in 0..<2 {
      let head = try #require(try await journal.due(endpoint: "a", now: Sample.start).first)
      try await journal.dead(head.id, error: "refused", at: Sample.start)
    }
    #expect(try await kinds(journal, "a") == [.keyLost])
    let dead = try await journal.deadLetters(endpoint: "a", limit: 10)
    #expect(dead.map(\.error) == ["refused", "refused"])
    #expect(try await journal.redeliver(endpoint: "a") == 2)
    #expect(try await kinds(journal, "a") == [.agentStarted, .driftDetected, .keyLost])
  }

  @Test func aDisabledEndpointGetsNothingUntilItIsAnother() async throws {
    let journal = try await ready(["a": ["*"], "b": ["*"]])
    try await journal.record([Sample.event(.agentStarted)])
    try await journal.disable(
      endpoint: "a", reason: "410 Gone", at: Sample.start, events: [Sample.event(.webhookDropped)])
    try await journal.record([Sample.event(.keyLost)])
    #expect(try await kinds(journal, "a").isEmpty)
    #expect(try await kinds(journal, "b") == [.agentStarted, .webhookDropped, .keyLost])
    #expect(try await journal.endpoints().first?.disabled == "410 Gone")
    #expect(try await journal.endpoints().first?.dead == 1)

    // The same again changes nothing; another digest is another receiver.
    try await sync(journal, ["a": ["*"], "b": ["*"]])
    #expect(try await journal.endpoints().first?.disabled == "410 Gone")
    try await sync(journal, ["a": ["*"], "b": ["*"]], digest: "2")
    try await journal.record([Sample.event(.keyRestored)])
    #expect(try await kinds(journal, "a") == [.keyRestored])
  }

  @Test func anEndpointThatIsGoneLeavesDeadLetters() async throws {
    let journal = try await ready(["a": ["*"], "b": ["*"]])
    try await journal.record([Sample.event(.agentStarted)])
    try await sync(journal, ["b": ["*"]])
    #expect(try await journal.endpoints().map(\.name) == ["b"])
    #expect(try await journal.deadLetters(endpoint: "a", limit: 5).count == 1)
    await #expect(throws: JournalError.self) {
      try await journal.disable(endpoint: "a", reason: "x", at: Sample.start)
    }
    await #expect(throws: JournalError.self) { try await journal.redeliver(endpoint: "a") }
  }

  /// Full: the dead endpoint pays, the living one is told.
  @Test func theOutboxIsBounded() async throws {
    var limits = JournalLimits()
    limits.deliveries = 20
    limits.deadLetters = 15
    let journal = try await Journal.inMemory(limits: limits)
    try await sync(journal, ["dead": ["*"], "well": ["key.*", "webhook.dropped"]])
    try await journal.record([Sample.event(.keyLost)])
    let head = try #require(try await journal.due(endpoint: "dead", now: Sample.start).first)
    try await journal.failed(head.id, error: "down", at: Sample.start, nextAt: Sample.time(9))
    for index in 0..<60 {
      try await journal.record([Sample.event(.actionSucceeded, "instance/i\(index)")])
    }
    let states = try await journal.endpoints()
    #expect(states.map(\.name) == ["dead", "well"])
    #expect((states.first?.waiting ?? 99) + (states.last?.waiting ?? 99) <= 21)
    #expect(states.first?.dead == 15)
    #expect(states.last?.dead == 0)
    let told = try await kinds(journal, "well")
    #expect(told.prefix(2) == [.keyLost, .webhookDropped])
    let events = try await journal.events(limit: 1000)
    #expect(events.map(\.sequence) == (1...Int64(events.count)).map { $0 })
  }

  @Test func eventsThatWaitAreNotPruned() async throws {
    var limits = JournalLimits()
    limits.history = 2
    let journal = try await Journal.inMemory(limits: limits)
    try await sync(journal, ["a": ["key.*"]])
    try await journal.record([
      Sample.event(.agentStarted), Sample.event(.keyLost), Sample.event(.driftDetected),
      Sample.event(.driftRepaired), Sample.event(.agentStopped),
    ])
    while try await journal.prune(now: Sample.start) > 0 {}
    #expect(
      try await journal.events(limit: 10).map(\.event.kind) == [
        .keyLost, .driftRepaired, .agentStopped,
      ])
    while try await journal.prune(now: Sample.time(500 * 86_400)) > 0 {}
    try await journal.record([Sample.event(.agentStarted, at: 1)])
    #expect(try await journal.events(limit: 10).map(\.sequence) == [2, 5, 6])
  }

  @Test func listenersAreWoken() async throws {
    let journal = try await ready(["a": ["*"]])
    let changes = journal.outboxChanges()
    try await journal.record([Sample.event(.agentStarted)])
    try await journal.record([Sample.event(.keyLost)])
    var iterator = changes.makeAsyncIterator()
    #expect(await iterator.next() != nil)
  }

  private func ready(_ endpoints: [String: [String]]) async throws -> Journal {
    let journal = try await Journal.inMemory()
    try await sync(journal, endpoints)
    return journal
  }

  private func sync(_ journal: Journal, _ endpoints: [String: [String]], digest: String = "1")
    async throws
  {
    try await journal.syncEndpoints(
      endpoints.map {
        EndpointSpecification(
          name: $0.key, digest: digest, patterns: $0.value.map { valid(EventPattern($0)) })
      }, at: Sample.start)
  }

  private func kinds(_ journal: Journal, _ endpoint: String, at seconds: Double = 0) async throws
    -> [EventKind]
  {
    try await journal.due(endpoint: endpoint, now: Sample.time(seconds), limit: 100)
      .map(\.event.event.kind)
  }
}
