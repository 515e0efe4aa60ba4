import Journaling
import OnionModel
import Testing

@testable import Keeping

/// An agent in a restart loop does not fill anybody's inbox, and is not silent about it either.
struct LifetimeTests {
  private func told(_ house: AgentHouse) async throws -> [String] {
    try await house.journal.latestEvents(limit: 100).map(\.event)
      .filter { $0.kind == .agentStarted || $0.kind == .agentStopped }
      .map { $0.data.message?.contains("again and again") == true ? "loops" : $0.kind.rawValue }
  }

  /// Each start is another process: nothing is remembered but in the journal.
  private func live(_ house: AgentHouse, from start: Int64, stops: Bool = true) async throws {
    let lifetime = Lifetime(
      journal: house.journal, host: try #require(HostName("web-1")), agent: house.agent,
      log: { _ in })
    try await lifetime.begin(at: Timestamp(seconds: start))
    try await lifetime.goOn(at: Timestamp(seconds: start + 1))
    if stops { try await lifetime.end(at: Timestamp(seconds: start + 2)) }
  }

  @Test(arguments: [true, false]) func aLoopIsToldOnce(stopsByItself: Bool) async throws {
    let host = try House()
    try host.setUp()
    try await host.agent { house in
      for number in 0..<20 {
        try await live(house, from: 1_000_000 + Int64(number) * 120, stops: stopsByItself)
      }
      let usual = stopsByItself ? ["agent.started", "agent.stopped"] : ["agent.started"]
      #expect(try await told(house) == usual + usual + usual + ["loops"])
      #expect(try await house.journal.raised().contains { $0.key == Lifetime.key })
      // Mended: the next start after a while is told as ever.
      try await live(house, from: 1_010_000)
      #expect(try await told(house).suffix(2) == ["agent.started", "agent.stopped"])
      #expect(try await !house.journal.raised().contains { $0.key == Lifetime.key })
    }
  }

  @Test func aStartADayIsToldEachDay() async throws {
    let host = try House()
    try host.setUp()
    try await host.agent { house in
      for day in 0..<5 { try await live(house, from: 1_000_000 + Int64(day) * 86_400) }
      #expect(try await told(house).filter { $0 == "agent.started" }.count == 5)
    }
  }

  /// A clock that was ahead and set back leaves no starts of the future to count.
  @Test func startsOfTheFutureAreForgotten() async throws {
    let host = try House()
    try host.setUp()
    try await host.agent { house in
      for number in 0..<3 { try await live(house, from: 2_000_000 + Int64(number)) }
      try await live(house, from: 1_000_000)
      #expect(try await !told(house).contains("loops"))
    }
  }
}
