import Journaling
import OnionModel
import Planning
import Testing

@testable import Keeping

/// Lasting trouble is told when it comes, when it becomes another, and when it goes.
struct NoticesTests {
  let journal: Journal
  let notices: Notices
  let desired: Desired
  let name: ServiceName

  init() async throws {
    journal = try await Journal.inMemory()
    let host = try #require(HostName("web-1"))
    notices = Notices(journal: journal, host: host)
    name = try #require(ServiceName("blog"))
    desired = Desired(
      host: host, revision: nil,
      layout: AgentLayout(prefix: "onionkeeper", keys: "/k", state: "/s"), services: [],
      recipe: ImageRecipe(prefix: "onionkeeper", base: .bootstrap("bookworm")), network: .off,
      identity: "i")
  }

  private func tell(_ waiting: [Waiting], at seconds: Int64) async throws {
    try await notices.report(waiting, desired: desired, at: Timestamp(seconds: seconds))
  }

  @Test func onceWhenItComesOnceWhenItMoves() async throws {
    let lost = Waiting(.keyLost, service: name, message: "gone")
    for minute in 1...3 { try await tell([lost], at: Int64(minute) * 100) }
    #expect(try await journal.kinds() == [.keyLost])
    try await tell([Waiting(.keyLost, service: name, message: "damaged")], at: 400)
    #expect(try await journal.kinds() == [.keyLost, .keyLost])
    try await tell([], at: 500)
    #expect(try await journal.raised().isEmpty)
    try await tell([lost], at: 600)
    #expect(try await journal.kinds().count == 3)
  }

  @Test func anEnginesWordsAreNoNews() async throws {
    try await tell([Waiting(.engineUnreachable, message: "refused")], at: 100)
    try await tell([Waiting(.engineUnreachable, message: "timed out after 30001 ms")], at: 200)
    #expect(try await journal.kinds() == [.engineUnreachable])
    try await tell([], at: 300)
    #expect(try await journal.kinds() == [.engineUnreachable, .engineReachable])
  }

  @Test func countDownsAreNoNews() async throws {
    for seconds in [9, 5, 1] {
      try await tell(
        [Waiting(.budget, service: name, message: "in \(seconds) s")], at: 100 - Int64(seconds))
    }
    #expect(try await journal.kinds() == [.driftStalled])
  }

  /// Two of one kind must not take turns in being news.
  @Test func twoOfOneKindAreOnePieceOfNews() async throws {
    let both = ["a", "b"].map { Waiting(.unknown, service: name, message: $0) }
    for minute in 1...3 { try await tell(both, at: Int64(minute) * 100) }
    #expect(try await journal.kinds() == [.driftStalled])
    #expect(try await journal.raised().first?.event.data.message == "a; b")
  }

  @Test func definitionsAreToldOfOnceAndWhenTheyAreMended() async throws {
    let error = Diagnostic(file: "services/blog.yaml", line: 1, message: "wrong")
    for second in 1...2 {
      try await notices.report(
        [name: [error]], revision: nil, at: Timestamp(seconds: Int64(second) * 100))
    }
    #expect(try await journal.kinds() == [.definitionInvalid])
    try await notices.report(
      [ServiceName: [Diagnostic]](), revision: nil, at: Timestamp(seconds: 300))
    #expect(try await journal.kinds() == [.definitionInvalid, .definitionValid])
  }
}
