import OnionModel
import Planning
import SimulatedWorld
import Testing

@Suite struct PropertyTests {
  static let lives = 20
  static let calmLives = 6

  /// Faults and commits in any order, the agent dying anywhere: the promises hold at every step, and in the quiet that
  /// follows the world becomes what is desired, and a further plan is empty.
  @Test(arguments: 0..<8)
  func everyPromiseIsKept(_ part: Int) async throws {
    var steps = 0
    for life in 0..<Self.lives {
      let seed = UInt64(part * Self.lives + life)
      let life = try await Harness.run(seed: seed)
      steps += life.steps
      if let first = life.violations.first {
        Issue.record("seed \(seed): \(first)\n\(life.log.joined(separator: "\n"))")
      }
    }
    // A harness in which nothing happens would keep every promise too.
    #expect(steps > Self.lives * 10)
  }

  /// The same with four instances at once; how their steps interleave is not fixed by the seed.
  @Test func everyPromiseIsKeptConcurrently() async throws {
    for seed in UInt64(10_000)..<10_015 {
      let life = try await Harness.run(seed: seed, concurrency: 4)
      if let first = life.violations.first {
        Issue.record("seed \(seed): \(first)\n\(life.log.joined(separator: "\n"))")
      }
    }
  }

  /// Without faults, each commit takes effect within one pass, and whom it does not concern is not disturbed.
  @Test(arguments: 0..<4)
  func calmLivesDisturbNobody(_ part: Int) async throws {
    for life in 0..<Self.calmLives {
      let seed = UInt64(part * Self.calmLives + life)
      let life = try await Harness.runCalm(seed: seed)
      if let first = life.violations.first {
        Issue.record("seed \(seed): \(first)\n\(life.log.joined(separator: "\n"))")
      }
    }
  }

  /// The same seed gives the same life.
  @Test func seedsAreReproducible() async throws {
    let first = try await Harness.run(seed: 7)
    let second = try await Harness.run(seed: 7)
    // A dictionary prints in any order.
    #expect(first.log.map { $0.sorted() } == second.log.map { $0.sorted() })
  }
}

@Suite struct MutationTests {
  /// A planner that breaks a promise is noticed by the world alone, with no audit between.
  @Test(arguments: BrokenPlanner.allCases)
  func theWorldNotices(_ broken: BrokenPlanner) async throws {
    for seed in UInt64(0)..<100 {
      let life = try await broken.live(seed: seed, planner: broken.planner)
      guard life.violations.contains(where: { broken.symptoms.contains($0.kind) }) else { continue }
      // It is the breaking that is noticed: the shipped planner lives the same life in order.
      let shipped = try await broken.live(seed: seed, planner: Harness.shipped)
      #expect(shipped.violations.isEmpty)
      return
    }
    Issue.record("a planner that \(broken.rawValue) went unnoticed")
  }

  /// The audit stops what can be seen in a plan. (A forgotten removal cannot: it is a plan without the step.)
  @Test(arguments: [
    BrokenPlanner.takesUnknownForAbsent, .startsWithoutClients, .forgetsPruneHolds,
    .takesBeforeLettingGo,
  ])
  func theAuditNotices(_ broken: BrokenPlanner) async throws {
    for seed in UInt64(0)..<100 {
      let life = try await Harness.run(seed: seed, planner: broken.planner)
      if life.violations.contains(where: { $0.kind == "audit" && !$0.message.contains("promise 6") }
      ) {
        return
      }
    }
    Issue.record("the audit lets a planner through that \(broken.rawValue)")
  }
}

extension BrokenPlanner {
  /// In the kind of life that shows it: in a calm one nobody is disturbed, and nobody but who is held waits.
  fileprivate func live(seed: UInt64, planner: @escaping Harness.Planner) async throws
    -> Harness.Life
  {
    self == .restartsToReload || self == .holdsWholeGroups
      ? try await Harness.runCalm(seed: seed, planner: planner)
      : try await Harness.run(seed: seed, planner: planner, auditor: nil)
  }
}
