import Foundation
import GRDB
import OnionModel
import Testing

@testable import Journaling

@Suite struct AttemptTests {
  @Test func aPassIsReadBack() async throws {
    let journal = try await Journal.inMemory()
    let pass = try await journal.beginPass(
      trigger: "signal", revision: Sample.commit("a"), at: Sample.start)
    let done = try await begin(journal, pass)
    try await journal.conclude(
      attempt: done, outcome: Sample.outcome(), memory: Sample.memory(),
      events: [Sample.event(.actionSucceeded)])
    let failed = try await begin(journal, pass)
    let failure = StepFailure(code: "engine.unreachable", message: "no answer")
    try await journal.conclude(
      attempt: failed, outcome: Sample.outcome(.failed(failure), at: 3), memory: Sample.memory(),
      events: [])
    try await journal.endPass(
      pass, PassSummary(succeeded: 1, failed: 1, message: "done"), at: Sample.time(4))

    let history = try await journal.history(limit: 10)
    #expect(history.map(\.attempt) == [failed, done])
    let entry = try #require(history.first)
    #expect(entry.outcome == "failed")
    #expect(entry.code == "engine.unreachable")
    #expect(entry.error == "no answer")
    #expect(entry.duration == 3)
    #expect(entry.revision == Sample.commit("a"))
    #expect(entry.trigger == "signal")
    #expect(entry.action == "removeContainer")
    #expect(entry.cause == .drift)
    #expect(entry.drift == Sample.step().deviations)
    #expect(history.last?.outcome == "succeeded")
    #expect(history.last?.error == nil)
    #expect(try await journal.memory(agent: Sample.agent, now: Sample.start) == Sample.memory())
  }

  @Test func historyIsFilteredAndReadable() async throws {
    let journal = try await Journal.inMemory()
    let pass = try await journal.beginPass(trigger: "interval", revision: nil, at: Sample.start)
    for seconds in 0..<6 {
      let attempt = try await journal.intend(
        pass: pass, subject: .instance(Sample.instance(seconds % 2 == 0 ? "blog" : "wiki")),
        step: Sample.step(), at: Sample.time(Double(seconds)))
      try await journal.abandon(attempt: attempt, reason: "test", at: Sample.time(10))
    }
    func count(_ filter: HistoryFilter) async throws -> Int {
      try await journal.history(filter, limit: 100).count
    }
    #expect(try await count(HistoryFilter(instance: Sample.instance("wiki"))) == 3)
    #expect(try await count(HistoryFilter(service: Sample.service("wiki"))) == 0)
    #expect(try await count(HistoryFilter(since: Sample.time(4))) == 2)
    #expect(try await count(HistoryFilter(since: Sample.time(4), pass: pass)) == 2)
    #expect(try await journal.history(limit: 2).count == 2)
    let entry = try #require(try await journal.history(limit: 1).first)
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    #expect(
      String(decoding: try encoder.encode(entry), as: UTF8.self)
        == #"{"action":"removeContainer","attempt":6,"cause":"drift","code":"interrupted","drift":[{"expected":"running","observed":"exited","what":"state"}],"duration":5,"error":"test","instance":"wiki","outcome":"interrupted","pass":1,"service":"blog","time":"2027-01-15T08:00:05.000Z","trigger":"interval"}"#
    )
  }

  /// The outbox's promise: the outcome, the memory and the events are written together or not at all.
  @Test(arguments: ["event", "attempt", "instance", "delivery"])
  func aTransactionThatFailsLeavesNothing(table: String) async throws {
    let journal = try await Journal.inMemory()
    try await journal.syncEndpoints(
      [EndpointSpecification(name: "a", digest: "1", patterns: [.all])], at: Sample.start)
    let pass = try await journal.beginPass(trigger: "start", revision: nil, at: Sample.start)
    let attempt = try await begin(journal, pass)
    let verb = table == "attempt" ? "UPDATE" : "INSERT"
    try await journal.write("break") {
      try $0.execute(
        sql:
          "CREATE TRIGGER broken BEFORE \(verb) ON \(table) BEGIN SELECT RAISE(ABORT, 'broken'); END"
      )
    }
    let conclude = {
      try await journal.conclude(
        attempt: attempt, outcome: Sample.outcome(), memory: Sample.memory(),
        events: [Sample.event(.actionSucceeded), Sample.event(.driftRepaired)])
    }
    let error = await #expect(throws: JournalError.self) { try await conclude() }
    #expect(error?.message.contains("broken") == true)
    #expect(try await journal.openAttempts().map(\.id) == [attempt])
    #expect(try await journal.events(limit: 10).isEmpty)
    #expect(try await journal.due(endpoint: "a", now: Sample.start).isEmpty)
    #expect(
      try await journal.memory(agent: Sample.agent, now: Sample.start)
        == Memory(agent: Sample.agent))

    try await journal.write("mend") { try $0.execute(sql: "DROP TRIGGER broken") }
    try await conclude()
    #expect(try await journal.openAttempts().isEmpty)
    #expect(try await journal.events(limit: 10).map(\.sequence) == [1, 2])
    #expect(try await journal.memory(agent: Sample.agent, now: Sample.start) == Sample.memory())
  }

  @Test func anAttemptEndsOnce() async throws {
    let journal = try await Journal.inMemory()
    let pass = try await journal.beginPass(trigger: "start", revision: nil, at: Sample.start)
    let attempt = try await begin(journal, pass)
    try await journal.abandon(attempt: attempt, reason: "the agent died", at: Sample.time(1))
    for attempt in [attempt, 99] {
      let error = await #expect(throws: JournalError.self) {
        try await journal.conclude(
          attempt: attempt, outcome: Sample.outcome(), memory: Sample.memory(),
          events: [Sample.event(.actionSucceeded)])
      }
      #expect(error?.code == .unknown)
    }
    #expect(try await journal.events(limit: 10).isEmpty)
    let none = await #expect(throws: JournalError.self) {
      try await journal.endPass(99, PassSummary(), at: Sample.start)
    }
    #expect(none?.code == .unknown)
    let orphan = await #expect(throws: JournalError.self) { try await begin(journal, 99) }
    #expect(orphan?.code == .failed)
  }

  /// SIGTERM cancels the pass's task just after an action: its outcome is written all the same.
  @Test func cancellationDoesNotDropAnOutcome() async throws {
    let journal = try await Journal.inMemory()
    let pass = try await journal.beginPass(trigger: "start", revision: nil, at: Sample.start)
    let attempt = try await begin(journal, pass)
    let task = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      try await journal.conclude(
        attempt: attempt, outcome: Sample.outcome(), memory: Sample.memory(), events: [])
      return Task.isCancelled
    }
    #expect(try await task.value)
    #expect(try await journal.history(limit: 1).first?.outcome == "succeeded")
  }

  @Test func historyIsBoundedInSmallBatches() async throws {
    var limits = JournalLimits()
    limits.history = 10
    limits.pruneBatch = 4
    let journal = try await Journal.inMemory(limits: limits)
    let pass = try await journal.beginPass(trigger: "start", revision: nil, at: Sample.start)
    let open = try await begin(journal, pass)
    for _ in 0..<20 {
      try await journal.abandon(
        attempt: try await begin(journal, pass), reason: "test", at: Sample.start)
    }
    try await journal.endPass(pass, PassSummary(), at: Sample.start)
    #expect(try await journal.history(limit: 100).count == 17)
    while try await journal.prune(now: Sample.start) > 0 {}
    // The newest ten, and the one that is not over.
    #expect(try await journal.history(limit: 100).count == 11)
    #expect(try await journal.openAttempts().map(\.id) == [open])
    while try await journal.prune(now: Sample.time(401 * 86_400)) > 0 {}
    #expect(try await journal.history(limit: 100).map(\.attempt) == [open])
  }

  private func begin(_ journal: Journal, _ pass: Int64) async throws -> Int64 {
    try await journal.intend(
      pass: pass, subject: .instance(Sample.instance("blog")), step: Sample.step(), at: Sample.start
    )
  }
}
