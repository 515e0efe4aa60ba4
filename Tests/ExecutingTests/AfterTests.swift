import Executing
import Journaling
import OnionModel
import SimulatedWorld
import Testing

/// `StepGroup.after`: who takes a service from an instance waits for its group.
@Suite struct AfterTests {
  let bench: Bench

  init() async throws { bench = try await Bench() }

  private func birth(_ text: String, after others: [String] = []) throws -> StepGroup {
    var group = bench.samples.birth(try bench.samples.name(text))
    for other in others { group.after.insert(InstanceName(try bench.samples.name(other))) }
    return group
  }

  /// The instances of the steps in the order in which they began.
  private func begun() async throws -> [String] {
    try await bench.journal.history(limit: 200).sorted { $0.attempt < $1.attempt }
      .compactMap { $0.instance?.text }
  }

  private func refuse(_ text: String) async throws {
    let instance = InstanceName(try bench.samples.name(text))
    await bench.world.refuse {
      if case .startContainer(instance, _) = $0 { true } else { false }
    }
  }

  @Test func whoIsWaitedForGoesFirst() async throws {
    let report = try await bench.execute([
      bench.samples.ground, birth("last", after: ["middle"]), birth("middle", after: ["first"]),
      birth("first"),
    ])
    #expect(!report.hasFailed)
    let order = try await begun()
    let once = order.reduce(into: [String]()) { if $0.last != $1 { $0.append($1) } }
    #expect(once == ["first", "middle", "last"])
    // The report keeps the plan's order.
    let reported = report.outcomes.map(\.subject.description)
    #expect(reported.first { $0 != "host" } == "last")
    #expect(reported.last == "first")
  }

  @Test func aFailureSkipsAllWhoWaitAndNobodyElse() async throws {
    try await refuse("first")
    let report = try await bench.execute([
      bench.samples.ground, birth("last", after: ["middle"]), birth("middle", after: ["first"]),
      birth("first"), birth("other"),
    ])
    func results(_ text: String) throws -> [Outcome.Result] {
      let instance = InstanceName(try bench.samples.name(text))
      return report.outcomes.filter { $0.subject == .instance(instance) }.map(\.result)
    }
    for text in ["middle", "last"] {
      let found = try results(text)
      #expect(found.count == 6)
      #expect(found.allSatisfy { $0 == .skipped })
      #expect(report.memory.services[try bench.samples.name(text)] == nil)
      #expect(report.memory.instances[InstanceName(try bench.samples.name(text))] == nil)
    }
    #expect(try results("other").allSatisfy { if case .succeeded = $0 { true } else { false } })
    #expect(try await Set(begun()) == ["first", "other"])
    #expect(try await bench.stored() == report.memory)
  }

  @Test func aStopSkipsWhoWaits() async throws {
    let clock = bench.world.clock
    let report = try await bench.execute([
      bench.samples.ground, birth("last", after: ["first"]), birth("first"),
    ]) { clock.now.since(Samples.start) > 0.035 }
    #expect(report.wasStopped)
    #expect(try await !begun().contains("last"))
    #expect(report.outcomes.count { $0.result == .skipped } == 10)
  }

  /// An instance without steps in this plan has nothing to be waited for.
  @Test func whoDoesNothingIsNotWaitedFor() async throws {
    let report = try await bench.execute([bench.samples.ground, birth("last", after: ["absent"])])
    #expect(!report.hasFailed)
    #expect(try await Set(begun()) == ["last"])
  }

  @Test func groupsThatWaitForEachOtherAreSkipped() async throws {
    let report = try await bench.execute([
      bench.samples.ground, birth("left", after: ["right"]), birth("right", after: ["left"]),
    ])
    #expect(report.outcomes.count { $0.result == .skipped } == 12)
    #expect(try await begun().isEmpty)
  }

  /// Whoever waits takes nobody's place: four others are still worked on at once.
  @Test func whoWaitsHoldsUpNobody() async throws {
    let crowd = CrowdedWorld(bench.world)
    let waiting = try (0..<4).map { try birth("waiting-\($0)", after: ["service-7"]) }
    let others = try (0..<8).map { try birth("service-\($0)") }
    let report = try await bench.execute(
      [bench.samples.ground] + waiting + others, world: crowd)
    #expect(!report.hasFailed)
    #expect(crowd.most == 4)
    let first = try #require(try await begun().firstIndex { $0.hasPrefix("waiting") })
    let last = try #require(try await begun().lastIndex(of: "service-7"))
    #expect(first > last)
  }
}
