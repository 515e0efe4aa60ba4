import OnionModel
import Testing

@testable import Keeping

@Suite struct PassReportTests {
  static let failed = Outcome.Result.failed(StepFailure(code: "tor.absent", message: "no cookie"))
  static let done = Outcome.Result.succeeded(.none)

  /// Who fails after rounds of (instance, result).
  private func failing(_ rounds: [(String, Outcome.Result)]...) throws -> [String] {
    var failing: Set<StepGroup.Subject> = []
    for round in rounds {
      let outcomes = try round.map { name, result in
        let instance = try #require(InstanceName(name))
        let time = Timestamp(milliseconds: 0)
        return Outcome(
          subject: .instance(instance),
          step: Step(.startContainer(instance, name: "x"), cause: .drift),
          result: result, started: time, ended: time)
      }
      failing = outcomes.failing(before: failing)
    }
    return failing.compactMap { if case .instance(let name) = $0 { name.text } else { nil } }
      .sorted()
  }

  /// A pass plans again after it has acted: how the last round of each instance ended is how the pass ended.
  @Test func theLastRoundOfEachInstanceCounts() throws {
    let (failed, done) = (Self.failed, Self.done)
    #expect(try failing([]).isEmpty)
    #expect(try failing([("a", done), ("a", failed), ("a", .skipped)], [("a", done)]).isEmpty)
    #expect(try failing([("a", failed), ("b", done)], [("b", done)]) == ["a"])
    #expect(try failing([("a", done)], [("a", done), ("a", failed)]) == ["a"])
    #expect(try failing([("a", failed)], [("a", .skipped)]) == ["a"])
    // The way back to what ran before.
    #expect(try failing([("a", done), ("a", failed), ("a", .skipped), ("a", done)]) == ["a"])
  }
}
