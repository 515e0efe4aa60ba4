import OnionModel
import Planning
import Testing

/// product.md §4 and §5: what is put away, what waits, and what comes back.
struct RemovalTests {
  static let four = ["a1", "a2", "a3", "a4"].map { service($0) }

  @Test(arguments: [1, 2, 3, 4]) func broadRemovalsWait(count: Int) {
    var scene = Scene(Self.four)
    scene.desired.services = Array(Self.four.dropFirst(count))
    scene.desired.defined = Set(scene.desired.services.map(\.name))
    let retired = words(scene.plan).filter { $0 == "retireKey" }.count
    let isBroad = count >= 3
    #expect(retired == (isBroad ? 0 : count))
    #expect(scene.plan.waiting.map(\.kind) == (isBroad ? [.removals] : []))
    #expect(scene.plan.removals.count == count)
    scene.desired.removalsAnnounced = true
    #expect(words(scene.plan).filter { $0 == "retireKey" }.count == count)
    #expect(scene.findings.isEmpty)
  }

  @Test func theLastServiceWaitsToo() {
    var scene = Scene([service("a1")])
    scene.desired.services = []
    scene.desired.defined = []
    #expect(scene.plan.isEmpty)
    scene.memory.approvals = [
      Approval(
        kind: .removals, revision: name(scene.desired.revision),
        expires: Scene.now.adding(seconds: 60))
    ]
    #expect(words(scene.plan) == ["removeContainer", "retireKey", "forgetInstance"])
    scene.memory.approvals[0].expires = Scene.now
    #expect(scene.plan.isEmpty)
  }

  @Test func anyRemovalAfterTheHostChangedWaits() {
    var scene = Scene(Self.four)
    scene.desired.services = Array(Self.four.dropFirst())
    scene.desired.defined = Set(scene.desired.services.map(\.name))
    scene.desired.identity = "elsewhere"
    scene.desired.removalsAnnounced = true
    #expect(scene.plan.isEmpty)
    #expect(scene.plan.waiting.map(\.kind) == [.removals])
    #expect(!scene.plan.settlesIdentity)
  }

  /// `prune: hold`: it runs on until a person says so, and holds up nobody else.
  @Test func aRemovalThatItsDefinitionHoldsWaits() {
    var scene = Scene(Self.four)
    let (held, other) = (Self.four[0], Self.four[1])
    scene.desired.services = Array(Self.four.dropFirst(2))
    scene.desired.defined = Set(scene.desired.services.map(\.name))
    scene.desired.removalsAnnounced = true
    scene.memory.heldFromPruning = [held.name]
    #expect(words(scene.plan) == ["removeContainer", "retireKey", "forgetInstance"])
    #expect(scene.plan.steps.allSatisfy { $0.service == other.name })
    #expect(scene.plan.waiting.map(\.kind) == [.pruneHeld])
    #expect(scene.plan.waiting.map(\.service) == [held.name])
    #expect(Set(scene.plan.removals.keys) == [held.name, other.name])
    #expect(scene.plan.openRemovals == [other.name])
    #expect(scene.plan.settlesIdentity)
    #expect(scene.findings.isEmpty)
    let careless = scene.memory.heldFromPruning
    scene.memory.heldFromPruning = []
    let broken = scene.plan
    scene.memory.heldFromPruning = careless
    #expect(
      !audit(broken, desired: scene.desired, observed: scene.observed, memory: scene.memory)
        .isEmpty)
    scene.memory.approvals = [
      Approval(
        kind: .removals, revision: name(scene.desired.revision),
        expires: Scene.now.adding(seconds: 60))
    ]
    #expect(words(scene.plan).filter { $0 == "retireKey" }.count == 2)
    #expect(scene.plan.waiting.isEmpty)
    #expect(scene.findings.isEmpty)
  }

  /// What has waited for long counts neither as removed nor as left: the last of the others is still the last.
  @Test func oldHoldsNeitherHideNorMakeABroadRemoval() {
    var scene = Scene(Self.four)
    scene.memory.heldFromPruning = Set(Self.four.prefix(3).map(\.name))
    scene.desired.services = []
    scene.desired.defined = []
    #expect(scene.plan.isEmpty)
    #expect(scene.plan.waiting.filter { $0.kind == .removals }.count == 1)
    scene = Scene(Self.four + [service("a5")])
    scene.memory.heldFromPruning = Set(Self.four.prefix(3).map(\.name))
    scene.desired.services = [service("a5")]
    scene.desired.defined = [service("a5").name]
    #expect(words(scene.plan).filter { $0 == "retireKey" }.count == 1)
    #expect(!scene.plan.waiting.contains { $0.kind == .removals })
  }

  @Test func foreignContainersDoNotDisarmTheGuard() {
    var scene = Scene([service("a1"), service("a2")])
    var containers = scene.observed.containers.value ?? []
    containers.append(
      ContainerObservation(
        id: "x", name: "helper", labels: [:], state: .running, facts: .absent, proof: .absent))
    scene.observed.containers = .present(containers)
    scene.observed.keys[
      KeyPlace(instance: name(InstanceName("x")), service: name(ServiceName("x")))] = .present(
        KeyDirectory(secret: .missing))
    scene.desired.services = []
    scene.desired.defined = []
    #expect(scene.plan.isEmpty)
  }

  @Test func whatStaysAtTheLastGoodDefinitionIsNotAccepted() {
    var scene = Scene(Self.four)
    let name = Self.four[0].name
    scene.desired.kept = [name: "services/x.yaml:1:1: no"]
    #expect(scene.plan.isEmpty)
    let judged = conditions(scene.desired, scene.observed, scene.memory, plan: scene.plan)
    let refused = judged.filter { $0.value.contains { $0.name == .accepted && $0.status == .no } }
    #expect(Set(refused.keys) == [name])
  }

  @Test func unsettledIsNotRemoved() {
    var scene = Scene(Self.four)
    scene.desired.services = Array(Self.four.dropFirst())
    scene.desired.unsettled = [Self.four[0].name]
    #expect(scene.plan.isEmpty)
    #expect(scene.plan.removals.isEmpty)
  }

  @Test func removalPlusNewKeyIsProbablyARename() {
    var scene = Scene(Self.four)
    let fresh = service("b1")
    scene.desired.services = Array(Self.four.dropFirst()) + [fresh]
    scene.desired.defined = Set(scene.desired.services.map(\.name))
    scene.observed.keys[scene.place(fresh)] = .absent
    #expect(scene.plan.isEmpty)
    #expect(Set(scene.plan.waiting.map(\.kind)) == [.probableRename])
    let judged = conditions(scene.desired, scene.observed, scene.memory, plan: scene.plan)
    let stalled = judged.filter { $0.value.contains { $0.name == .stalled && $0.status == .yes } }
    #expect(Set(stalled.keys) == [fresh.name])
    var renamed = fresh
    renamed.formerly = Self.four[0].name
    scene.desired.services = Array(Self.four.dropFirst()) + [renamed]
    #expect(
      words(scene.plan).prefix(3) == ["removeContainer", "forgetInstance", "moveKey"])
    #expect(!words(scene.plan).contains("generateKey"))
    #expect(scene.findings.isEmpty)
  }

  @Test func aServiceThatReturnsHasItsAddressAgain() {
    let blog = service("blog")
    var scene = Scene([blog, service("forum")])
    scene.observed.keys[scene.place(blog)] = .absent
    scene.observed.containers = .present([])
    scene.memory.services[blog.name] = nil
    scene.memory.instances[blog.instance] = nil
    let address = Scene.address(blog.name)
    scene.observed.retired = .present([
      RetiredKey(id: "blog-1", service: blog.name, address: address)
    ])
    #expect(
      scene.plan.steps.contains {
        $0.action == .restoreKey(id: "blog-1", to: scene.place(blog), address)
      })
    #expect(scene.findings.isEmpty)
    scene.observed.retired = .present([
      RetiredKey(id: "blog-1", service: blog.name, address: address),
      RetiredKey(id: "blog-2", service: blog.name, address: address),
    ])
    #expect(!scene.plan.steps.contains { $0.service == blog.name })
    #expect(scene.plan.waiting.map(\.kind) == [.keyAmbiguous])
  }

  @Test func aLostStateFolderMakesNoNewKeys() {
    let blog = service("blog")
    var scene = Scene([blog])
    scene.forget(blog)
    scene.memory.isRebuilt = true
    #expect(!words(scene.plan).contains("generateKey"))
    #expect(scene.plan.waiting.map(\.kind) == [.newKeys])
    scene.memory.approvals = [
      Approval(
        kind: .newKeys, revision: name(scene.desired.revision),
        expires: Scene.now.adding(seconds: 60))
    ]
    #expect(words(scene.plan).contains("generateKey"))
  }

  @Test func stoppedServiceIsTakenDown() {
    let blog = service("blog")
    var scene = Scene([blog, service("forum")])
    scene.desired.services = [service("forum")]
    scene.desired.stopped = [blog.name: "the rejected file asks for clients"]
    #expect(words(scene.plan) == ["removeContainer"])
    #expect(scene.findings.isEmpty)
  }
}
