import OnionModel
import Planning
import SimulatedWorld
import Testing

@Suite struct PropertyTests {
  /// Faults and commits in any order, the agent dying anywhere: the promises hold at every step, and in the quiet that
  /// follows, the world becomes what is desired.
  @Test(arguments: 0..<8)
  func livesKeepEveryPromise(_ eighth: Int) async throws {
    for seed in 0..<50 {
      let life = try await Harness.run(seed: UInt64(eighth * 50 + seed))
      if let first = life.violations.first {
        Issue.record("seed \(eighth * 50 + seed): \(first)\n\(life.log.joined(separator: "\n"))")
        return
      }
    }
  }
}
