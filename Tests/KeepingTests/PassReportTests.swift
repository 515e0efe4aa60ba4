import OnionModel
import Testing

@testable import Keeping

@Suite struct PassReportTests {
  private func endsBadly(_ results: [(String, Outcome.Result)]) throws -> Bool {
    try results.map { name, result in
      let instance = try #require(InstanceName(name))
      let time = Timestamp(milliseconds: 0)
      return Outcome(
        subject: .instance(instance),
        step: Step(.startContainer(instance, name: "x"), cause: .drift),
        result: result, started: time, ended: time)
    }.endInFailure
  }

  /// A pass plans again after it has acted: how the last try of each instance ended is how the pass ended.
  @Test func theLastTryOfEachInstanceCounts() throws {
    let failed = Outcome.Result.failed(
      StepFailure(code: "tor.absent", message: "no cookie"))
    let done = Outcome.Result.succeeded(.none)
    #expect(try !endsBadly([]))
    #expect(try !endsBadly([("a", done), ("a", failed), ("a", .skipped), ("a", done)]))
    #expect(try endsBadly([("a", failed), ("a", .skipped)]))
    #expect(try endsBadly([("a", failed), ("b", done)]))
    #expect(try endsBadly([("a", done), ("a", failed)]))
    #expect(try !endsBadly([("a", .skipped)]))
  }
}
