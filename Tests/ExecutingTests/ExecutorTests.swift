import Executing
import Journaling
import OnionModel
import SimulatedWorld
import Synchronization
import Testing

@Suite struct ExecutorTests {
  @Test func stepsGoInOrderAndAreJournaled() async throws {
    let bench = try await Bench()
    let blog = try bench.samples.name("blog")
    // The host group stands last and is done first.
    let report = try await bench.execute([bench.samples.birth(blog), bench.samples.ground])
    #expect(!report.hasFailed)
    let history = try await bench.journal.history(limit: 100)
    #expect(
      history.sorted { $0.attempt < $1.attempt }.map(\.action) == [
        "buildImage", "ensureNetwork", "generateKey", "writeFiles", "verifyConfiguration",
        "createContainer", "startContainer", "prove",
      ])
    #expect(history.allSatisfy { $0.outcome == "succeeded" })
    #expect(try await bench.journal.openAttempts().isEmpty)
    #expect(try await bench.stored() == report.memory)
    let host = await bench.world.host
    let address = try #require(host.pins[blog])
    #expect(
      report.memory.instances[InstanceName(blog)]?.applied?.services[blog]?.address == address)
    #expect(report.memory.services[blog] == InstanceName(blog))
    let events = try await bench.events()
    let generated = try #require(events.first { $0.kind == .keyGenerated })
    #expect(generated.data.address == address)
    #expect(generated.subject == "service/blog")
  }

  @Test func aFailureEndsItsGroupAndNoOther() async throws {
    let bench = try await Bench()
    let blog = try bench.samples.name("blog")
    let wiki = try bench.samples.name("wiki")
    await bench.world.refuse {
      if case .verifyConfiguration(let specification) = $0 {
        return specification.instance == InstanceName(blog)
      }
      return false
    }
    let report = try await bench.execute([
      bench.samples.ground, bench.samples.birth(blog), bench.samples.birth(wiki),
    ])
    let ofBlog = report.outcomes.filter { $0.subject == .instance(InstanceName(blog)) }
    #expect(ofBlog.map { $0.hasFailed } == [false, false, true, false, false, false])
    #expect(ofBlog.suffix(3).allSatisfy { $0.result == .skipped })
    #expect(await bench.world.host.ours(InstanceName(blog)).isEmpty)
    #expect(await bench.world.host.ours(InstanceName(wiki)).map(\.isRunning) == [true])
    let events = try await bench.events()
    let failed = try #require(events.first { $0.kind == .actionFailed })
    #expect(failed.data.message == "3 further steps of blog were not begun")
    #expect(failed.data.action == "verifyConfiguration")
    #expect(report.memory.instances[InstanceName(blog)]?.failures == 1)
  }

  @Test func aFailedNewContainerIsReplacedByThePreviousOne() async throws {
    let bench = try await Bench()
    let blog = try bench.samples.name("blog")
    let old = bench.samples.specification(blog)
    let new = bench.samples.specification(blog, memory: 512)
    let first = try await bench.execute([bench.samples.ground, bench.samples.birth(blog)])
    let address = await bench.world.host.pins[blog]
    await bench.world.refuse {
      if case .prove(let specification, _, _) = $0 { return specification == new }
      return false
    }
    let group = bench.samples.replacement(blog, by: new, insteadOf: old, address: address)
    let report = try await bench.execute([group], memory: first.memory)
    #expect(report.hasFailed)
    let running = await bench.world.host.ours(InstanceName(blog))
    #expect(running.map(\.isRunning) == [true])
    #expect(running.first?.facts.memory == 256 << 20)
    let memory = try #require(report.memory.instances[InstanceName(blog)])
    #expect(memory.failedSpecification == new.digest)
    #expect(memory.proven == old)
    #expect(memory.applied?.containerID == running.first?.id)
    let failed = try #require(report.outcomes.first { $0.hasFailed })
    #expect(memory.retryAt == failed.ended.adding(seconds: 300))
    let kinds = try await bench.events().map(\.kind)
    #expect(kinds.suffix(2) == [.actionSucceeded, .actionRolledBack])
  }

  /// The old container stands until its successor's configuration is verified: no fallback is needed before that.
  @Test func nothingIsRolledBackBeforeAContainerWasMade() async throws {
    let bench = try await Bench()
    let blog = try bench.samples.name("blog")
    let old = bench.samples.specification(blog)
    let first = try await bench.execute([bench.samples.ground, bench.samples.birth(blog)])
    let before = await bench.world.host.ours(InstanceName(blog))
    await bench.world.refuse { if case .removeContainer = $0 { true } else { false } }
    let group = bench.samples.replacement(
      blog, by: bench.samples.specification(blog, memory: 512), insteadOf: old,
      address: await bench.world.host.pins[blog])
    let report = try await bench.execute([group], memory: first.memory)
    #expect(report.outcomes.filter(\.hasFailed).count == 1)
    #expect(await bench.world.host.ours(InstanceName(blog)) == before)
  }

  /// Client files that cannot be put right: the container does not run on.
  @Test func whatCannotBeRestartedSafelyIsStopped() async throws {
    let bench = try await Bench()
    let blog = try bench.samples.name("blog")
    let first = try await bench.execute([bench.samples.ground, bench.samples.birth(blog)])
    let container = try #require(await bench.world.host.ours(InstanceName(blog)).first)
    let instance = InstanceName(blog)
    let restart = Step(
      .restartContainer(instance, name: container.name), cause: .drift, service: blog,
      interrupts: true)
    let group = StepGroup(
      subject: .instance(instance), steps: [restart],
      fallback: [
        Step(
          .removeContainer(instance, id: container.id), cause: .drift, service: blog,
          interrupts: true)
      ])
    await bench.world.refuse { if case .restartContainer = $0 { true } else { false } }
    let report = try await bench.execute([group], memory: first.memory)
    #expect(report.outcomes.filter(\.hasFailed).count == 1)
    #expect(await bench.world.host.ours(instance).isEmpty)
    let last = try #require(try await bench.events().last)
    #expect(last.kind == .actionSucceeded && last.data.message?.hasPrefix("stopped") == true)
  }

  @Test func withoutAJournalNothingIsDone() async throws {
    let bench = try await Bench()
    let pass = try await bench.journal.beginPass(
      trigger: "test", revision: nil, at: bench.world.clock.now)
    try await bench.journal.close()
    let executor = Executor(
      world: bench.world, journal: bench.journal, host: bench.samples.host,
      clock: { Samples.start })
    let report = await executor.execute(
      Plan(revision: nil, groups: [bench.samples.ground]), pass: pass,
      memory: Memory(agent: bench.samples.agent))
    #expect(report.journalError != nil)
    #expect(await bench.world.log.isEmpty)
    guard case .failed(let failure) = report.outcomes.first?.result else {
      Issue.record("the first step is not reported as failed")
      return
    }
    #expect(failure.code.hasPrefix("journal."))
    #expect(report.outcomes.last?.result == .skipped)
  }

  @Test func afterAStopNoStepBegins() async throws {
    let bench = try await Bench()
    let blog = try bench.samples.name("blog")
    let world = bench.world
    let clock = world.clock
    // The clock moves with each step: two steps are let through.
    let report = try await bench.execute([bench.samples.ground, bench.samples.birth(blog)]) {
      clock.now.since(Samples.start) > 0.015
    }
    #expect(report.wasStopped)
    #expect(!report.hasFailed)
    #expect(report.outcomes.count { $0.result == .skipped } == 6)
    #expect(await world.log.count == 2)
  }

  @Test func fourInstancesAtOnceAndNoMore() async throws {
    let bench = try await Bench()
    let crowd = CrowdedWorld(bench.world)
    let names = try (0..<12).map { try bench.samples.name("service-\($0)") }
    let report = try await bench.execute(
      [bench.samples.ground] + names.map(bench.samples.birth), world: crowd)
    #expect(!report.hasFailed)
    #expect(crowd.most == 4)
    // What the concurrent groups have noted is all there, in the report and in the journal.
    #expect(Set(report.memory.services.keys) == Set(names))
    #expect(report.memory.instances.values.allSatisfy { $0.applied != nil })
    #expect(try await bench.stored() == report.memory)
  }

  @Test func aCrashLoopIsToldWithItsLastWords() throws {
    let samples = try Samples()
    let instance = InstanceName(try samples.name("blog"))
    let step = Step(
      .takeDown(instance, id: "c1"), cause: .drift,
      deviations: [Deviation("container", expected: "running", observed: "started 5 times in vain")]
    )
    let context = EventContext(
      host: samples.host, revision: nil, pass: 1,
      group: StepGroup(subject: .instance(instance), steps: [step]))
    let events = context.ending(
      Outcome(
        subject: .instance(instance), step: step,
        result: .succeeded(.takenDown(log: ["a", "b"], finding: "The disk is full.")),
        started: Samples.start, ended: Samples.start),
      left: 0, isLast: true, started: Samples.start)
    #expect(events.map(\.kind) == [.driftRepaired])
    #expect(events[0].data.log == ["a", "b"])
    #expect(events[0].data.finding == "The disk is full.")
    #expect(events[0].data.message?.hasPrefix("taken down: container") == true)
  }

  @Test func driftIsToldOnceAndItsEnd() async throws {
    let bench = try await Bench()
    let blog = try bench.samples.name("blog")
    let instance = InstanceName(blog)
    let first = try await bench.execute([bench.samples.ground, bench.samples.birth(blog)])
    await bench.world.suffer(.kill)
    let specification = bench.samples.specification(blog)
    let address = await bench.world.host.pins[blog]
    let deviation = Deviation("container", expected: "running", observed: "exited")
    let group = StepGroup(
      subject: .instance(instance),
      steps: [
        Step(
          .startContainer(instance, name: specification.name), cause: .drift, service: blog,
          deviations: [deviation], interrupts: true),
        Step(
          .prove(
            specification, bench.samples.configuration(blog, address: address),
            network: bench.samples.network), cause: .drift, service: blog),
      ])
    let before = try await bench.events().count
    let report = try await bench.execute([group], memory: first.memory)
    let events = try await bench.events().dropFirst(before)
    #expect(events.map(\.kind) == [.driftDetected, .driftRepaired])
    #expect(events.first?.data.drift == [deviation])
    #expect((events.last?.data.duration ?? 0) > 0)
    #expect(report.memory.instances[instance]?.interruptions.count == 1)
    await bench.world.suffer(.kill)
    await bench.world.refuse { if case .prove = $0 { true } else { false } }
    _ = try await bench.execute([group], memory: report.memory)
    let later = try await bench.events().dropFirst(before + 2).map(\.kind)
    #expect(later == [.driftDetected, .actionFailed, .driftStalled])
  }
}

/// The same world, in which the making of a key waits until the keys of four instances are being made.
final class CrowdedWorld: World {
  private let world: SimulatedWorld
  private let counts = Mutex<(now: Int, most: Int, keys: Int)>((0, 0, 0))

  init(_ world: SimulatedWorld) { self.world = world }

  var most: Int { counts.withLock(\.most) }

  func observe(_ desired: Desired, _ memory: Memory) async -> Observed {
    await world.observe(desired, memory)
  }

  func perform(_ step: Step) async throws(StepFailure) -> StepEffect {
    var key = 0
    counts.withLock {
      $0.now += 1
      $0.most = max($0.most, $0.now)
      if case .generateKey = step.action {
        $0.keys += 1
        key = $0.keys
      }
    }
    defer { counts.withLock { $0.now -= 1 } }
    let company = (key + 3) / 4 * 4
    let deadline = ContinuousClock.now + .seconds(60)
    while counts.withLock(\.keys) < company {
      await Task.yield()
      if ContinuousClock.now > deadline {
        throw StepFailure(code: "test", message: "no four steps were under way at once")
      }
    }
    return try await world.perform(step)
  }
}
