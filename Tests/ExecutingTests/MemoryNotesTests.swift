import Executing
import Journaling
import OnionModel
import Testing

@Suite struct MemoryNotesTests {
  let samples: Samples
  let blog: ServiceName
  let instance: InstanceName
  let proof = ProcessProof(
    users: [7942, 7942, 7942, 7942], groups: [7942, 7942, 7942, 7942],
    capabilities: [0, 0, 0, 0, 0], hasNoNewPrivileges: true, seccomp: 2, label: nil, startTime: 1)

  init() throws {
    samples = try Samples()
    blog = try samples.name("blog")
    instance = InstanceName(blog)
  }

  private func outcome(
    _ step: Step, _ result: Outcome.Result, at time: Timestamp = Samples.start
  ) -> Outcome {
    Outcome(
      subject: .instance(instance), step: step, result: result, started: time, ended: time)
  }

  private func note(
    _ action: Action, _ result: Outcome.Result, in memory: Memory, of group: StepGroup? = nil,
    at position: StepPosition = .main, service: ServiceName? = nil
  ) -> Memory {
    let step = Step(action, cause: .change, service: service ?? blog)
    return memory.noting(
      outcome(step, result), of: group ?? StepGroup(subject: .instance(instance), steps: [step]),
      at: position)
  }

  private var proven: Memory {
    let specification = samples.specification(blog)
    return note(
      .prove(
        specification, samples.configuration(blog, address: samples.address(1)),
        network: samples.network),
      .succeeded(.proven(proof, containerID: "c1", torrc: "t1")),
      in: Memory(agent: samples.agent))
  }

  private let failure = Outcome.Result.failed(StepFailure(code: "x", message: "x"))

  @Test func aProofSettlesAllThatWasOpen() throws {
    var memory = Memory(agent: samples.agent)
    memory.instances[instance] = InstanceMemory(
      containerIDs: ["c0", "c1"], failedSpecification: "v1:x", failures: 3,
      retryAt: Samples.start)
    let specification = samples.specification(blog)
    let configuration = samples.configuration(blog, address: samples.address(1))
    let after = note(
      .prove(specification, configuration, network: samples.network),
      .succeeded(.proven(proof, containerID: "c1", torrc: "t1")), in: memory)
    let noted = try #require(after.instances[instance])
    #expect(noted.containerIDs == ["c1"])
    #expect(noted.proven == specification)
    #expect(noted.failedSpecification == nil)
    #expect(noted.failures == 0)
    #expect(noted.retryAt == nil)
    #expect(noted.services == [blog])
    #expect(
      noted.applied
        == AppliedConfiguration(
          containerID: "c1", torrc: "t1",
          services: [blog: AppliedService(address: samples.address(1), access: .open)]))
    #expect(after.services == [blog: instance])
  }

  @Test(arguments: [(1, 5.0), (2, 10), (3, 20), (6, 160), (7, 300), (40, 300)])
  func failedStartsAreTriedLaterAndLater(_ failures: Int, _ delay: Double) throws {
    var memory = proven
    for _ in 0..<failures {
      memory = note(.startContainer(instance, name: "ok-blog"), failure, in: memory)
    }
    let noted = try #require(memory.instances[instance])
    #expect(noted.failures == failures)
    #expect(noted.retryAt == Samples.start.adding(seconds: delay))
    #expect(noted.failedSpecification == nil)
  }

  @Test(arguments: [(1, 300.0), (2, 600), (4, 2400), (5, 3600), (40, 3600)])
  func aNewSpecificationThatFailsIsTriedMuchLater(_ failures: Int, _ delay: Double) throws {
    let new = samples.specification(blog, memory: 512)
    let group = samples.replacement(
      blog, by: new, insteadOf: samples.specification(blog), address: samples.address(1))
    var memory = proven
    for _ in 0..<failures {
      memory = note(
        .prove(new, samples.configuration(blog), network: samples.network), failure, in: memory,
        of: group)
      // The previous one is brought back, and its proof does not forgive the new one.
      memory = note(
        .prove(samples.specification(blog), samples.configuration(blog), network: samples.network),
        .succeeded(.proven(proof, containerID: "c2", torrc: "t1")), in: memory, of: group,
        at: .fallback)
    }
    let noted = try #require(memory.instances[instance])
    #expect(noted.failedSpecification == new.digest)
    #expect(noted.retryAt == Samples.start.adding(seconds: delay))
    #expect(noted.proven == samples.specification(blog))
    #expect(noted.applied?.containerID == "c2")
  }

  @Test func aTorThatMayHaveReadItsFilesIsKnownToAdmitWhomEitherAdmits() throws {
    let ann = AuthorizedClient(name: "ann", key: "A")
    let ben = AuthorizedClient(name: "ben", key: "B")
    var memory = proven
    memory.instances[instance]?.applied?.services[blog]?.access = .clients([ann])
    let wanted = samples.configuration(
      blog, address: samples.address(1), access: .clients([ben]))
    let step = Step(.reload(wanted, network: samples.network), cause: .change)
    let group = StepGroup(subject: .instance(instance), steps: [step])
    let foreseen = memory.foreseeing(step, of: group)
    let applied = try #require(foreseen.instances[instance]?.applied)
    #expect(applied.services[blog]?.access == .clients([ann, ben]))
    #expect(applied.torrc != "t1")
    // A failure leaves that; a success knows better.
    #expect(foreseen.noting(outcome(step, failure), of: group) == foreseen)
    let after = foreseen.noting(outcome(step, .succeeded(.reloaded(torrc: "t2"))), of: group)
    #expect(after.instances[instance]?.applied?.services[blog]?.access == .clients([ben]))
    #expect(after.instances[instance]?.applied?.torrc == "t2")
  }

  @Test func aRestartIsForeseenFromItsProof() throws {
    let wanted = samples.configuration(blog, address: samples.address(2))
    let restart = Step(.restartContainer(instance, name: "ok-blog"), cause: .change)
    let group = StepGroup(
      subject: .instance(instance),
      steps: [
        restart,
        Step(
          .prove(samples.specification(blog), wanted, network: samples.network), cause: .change),
      ])
    // Another address: what it serves cannot be told any more.
    #expect(proven.foreseeing(restart, of: group).instances[instance]?.applied == nil)
  }

  /// The agent may die between a container's start and its proof: what it may serve is remembered by then.
  @Test func aNewContainerIsKnownToServeWhatItMayHaveRead() throws {
    let configuration = samples.configuration(blog, address: samples.address(1))
    let group = StepGroup(
      subject: .instance(instance),
      steps: samples.creation(blog, samples.specification(blog), address: samples.address(1)))
    let created = note(
      .createContainer(samples.specification(blog)), .succeeded(.created(containerID: "c2")),
      in: proven, of: group)
    #expect(created.instances[instance]?.applied?.services == [:])
    let start = try #require(group.steps.first { $0.action.name == "startContainer" })
    let applied = created.foreseeing(start, of: group).instances[instance]?.applied
    #expect(applied?.containerID == "c2")
    #expect(applied?.services[blog]?.access == configuration.services.first?.access)
    #expect(applied?.torrc != "t1")
  }

  @Test func keysAreRememberedBeforeTheyAreMade() throws {
    let step = Step(
      .generateKey(
        samples.place(blog), owner: 7942, CompanionFiles(access: .open),
        ContainerLabel(type: "container_t", level: "s0:c1,c2")), cause: .change)
    let memory = Memory(agent: samples.agent).foreseeing(
      step, of: StepGroup(subject: .instance(instance), steps: [step]))
    #expect(memory.services == [blog: instance])
    #expect(memory.instances[instance]?.level == "s0:c1,c2")
  }

  @Test func aRemovalForgetsTheContainerAndWhatItServed() {
    let memory = note(.removeContainer(instance, id: "c1"), .succeeded(.none), in: proven)
    #expect(memory.instances[instance]?.containerIDs == [])
    #expect(memory.instances[instance]?.applied == nil)
    #expect(memory.instances[instance]?.proven != nil)
    // By name it is the same container; a second one that nobody remembers is another.
    let byName = note(.removeContainer(instance, id: "ok-blog"), .succeeded(.none), in: proven)
    #expect(byName.instances[instance]?.applied == nil)
    let other = note(.removeContainer(instance, id: "c9"), .succeeded(.none), in: proven)
    #expect(other.instances[instance]?.applied?.containerID == "c1")
  }

  @Test func aServiceIsKnownUntilItsInstanceIsClearedAway() {
    let retire = Step(
      .retireKey(samples.place(blog), samples.address(1)), cause: .change, service: blog)
    let forget = Step(.forgetInstance(instance), cause: .change, service: blog)
    let both = StepGroup(subject: .instance(instance), steps: [retire, forget])
    let retired = Outcome.Result.succeeded(.retired(id: "blog-1"))
    let between = proven.noting(outcome(retire, retired), of: both)
    #expect(between.services[blog] == instance)
    let after = between.noting(outcome(forget, .succeeded(.none)), of: both)
    #expect(after.services.isEmpty)
    #expect(after.instances.isEmpty)
    let alone = StepGroup(subject: .instance(instance), steps: [retire])
    #expect(proven.noting(outcome(retire, retired), of: alone).services.isEmpty)
  }

  @Test func aRenamedServiceTakesItsPlaceAlong() throws {
    let news = try samples.name("news")
    let memory = note(
      .moveKey(from: samples.place(blog), to: samples.place(news), samples.address(1)),
      .succeeded(.none), in: proven, service: news)
    #expect(memory.services == [news: InstanceName(news)])
  }

  @Test func interruptionsByDriftCountForAnHour() throws {
    let step = Step(
      .restartContainer(instance, name: "ok-blog"), cause: .drift, service: blog, interrupts: true)
    let group = StepGroup(subject: .instance(instance), steps: [step])
    var memory = proven
    for minute in [0, 30, 59, 75] {
      let time = Samples.start.adding(seconds: Double(minute) * 60)
      memory = memory.noting(outcome(step, .succeeded(.none), at: time), of: group)
    }
    #expect(memory.instances[instance]?.interruptions.count == 3)
    var change = step
    change.cause = .change
    let after = memory.noting(outcome(change, .succeeded(.none)), of: group)
    #expect(after.instances[instance]?.interruptions.count == 3)
  }

  @Test func aTakenDownContainerIsStartedLater() {
    let memory = note(.takeDown(instance, id: "c1"), .succeeded(.none), in: proven)
    #expect(memory.instances[instance]?.failures == 1)
    #expect(memory.instances[instance]?.retryAt == Samples.start.adding(seconds: 5))
    #expect(memory.instances[instance]?.applied == nil)
  }

  /// `age` may be missing for long: each try later than the one before, each service by itself.
  @Test func whatNeedsAgeIsTriedLaterAndLater() throws {
    let news = try samples.name("news")
    let backup = Action.backUpKey(
      samples.place(blog), samples.address(1), recipients: ["age1one"])
    let opening = Action.unsealKey(
      KeyPlace(instance: instance, service: news), SealedKey(file: "secrets/news.age", bytes: [1]),
      identity: "/etc/age", nil, owner: 7942, CompanionFiles(access: .open), nil)
    var memory = proven
    for (count, delay) in [(1, 5.0), (2, 10), (3, 20)] {
      memory = note(backup, failure, in: memory)
      #expect(
        memory.instances[instance]?.keyRetries
          == [blog: Retry(failures: count, at: Samples.start.adding(seconds: delay))])
    }
    memory = note(opening, failure, in: memory, service: news)
    #expect(memory.instances[instance]?.keyRetries?[news]?.failures == 1)
    #expect(memory.services[news] == nil)
    // Its container is another matter.
    #expect(memory.instances[instance]?.failures == 0)
    memory = note(backup, .succeeded(.none), in: memory)
    #expect(memory.instances[instance]?.keyRetries?.keys.map(\.text) == ["news"])
    memory = note(opening, .succeeded(.generated(samples.address(2))), in: memory, service: news)
    #expect(memory.instances[instance]?.keyRetries == nil)
    #expect(memory.services[news] == instance)
  }

  @Test func theAddressesThatATorHasReadAreRemembered() {
    var configuration = samples.configuration(blog, address: samples.address(1))
    configuration.containers = ["web": "10.9.0.1"]
    let reload = Action.reload(configuration, network: samples.network)
    let memory = note(reload, .succeeded(.reloaded(torrc: "t2")), in: proven)
    #expect(memory.instances[instance]?.containers == ["web": "10.9.0.1"])
    #expect(memory.instances[instance]?.configured == configuration.services)
    #expect(note(reload, failure, in: proven).instances[instance]?.containers == nil)
    configuration.containers = [:]
    let after = note(
      .reload(configuration, network: samples.network), .succeeded(.reloaded(torrc: "t3")),
      in: memory)
    #expect(after.instances[instance]?.containers == nil)
  }

  /// What a definition says of its own removal outlives it, and nothing else does.
  @Test func pruneHoldOutlivesItsDefinition() throws {
    func service(_ name: ServiceName, _ prune: Prune) -> OnionService {
      OnionService(name: name, access: .open, ports: [], prune: prune)
    }
    func desired(_ services: [OnionService]) -> Desired {
      Desired(
        host: samples.host, revision: nil, layout: samples.layout, services: services,
        recipe: samples.recipe, network: .off, identity: "here")
    }
    let news = try samples.name("news")
    var memory = proven.knowing(desired([service(blog, .hold), service(news, .hold)]))
    #expect(memory.heldFromPruning == [blog, news])
    // One was never given to this host.
    memory = memory.knowing(desired([]))
    #expect(memory.heldFromPruning == [blog])
    #expect(memory.knowing(desired([service(blog, .retire)])).heldFromPruning == [])
    memory.services[blog] = nil
    #expect(memory.knowing(desired([])).heldFromPruning == [])
  }

  @Test func whatWasSkippedChangesNothing() {
    #expect(note(.removeContainer(instance, id: "c1"), .skipped, in: proven) == proven)
  }
}
