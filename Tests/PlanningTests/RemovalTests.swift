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
      words(scene.plan).prefix(3) == ["removeContainer", "moveKey", "forgetInstance"])
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
