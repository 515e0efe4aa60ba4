import OnionModel
import Planning
import Testing

/// `container:` targets: resolved by the engine, followed when they move, never a reason for a tor to end.
struct TargetTests {
  static let blog = service("blog", target: .container("web", port: 8080))

  struct Row: Sendable, CustomTestStringConvertible {
    var what: String
    var move: @Sendable (inout Scene) -> Void
    var expected: [String]
    var cause = Cause.drift
    var ready: Condition.Status
    var testDescription: String { what }
  }

  static func networks(_ scene: inout Scene, _ names: [String]) {
    scene.changeContainer(blog) {
      guard var facts = $0.facts.value else { return }
      facts.networks = names
      $0.facts = .present(facts)
    }
  }

  static let rows: [Row] = [
    Row(what: "there", move: { _ in }, expected: [], ready: .yes),
    Row(
      what: "another address",
      move: {
        $0.observed.targetContainers["web"] = .present(
          TargetContainer(address: "10.9.0.2", network: "web-net"))
      }, expected: ["writeFiles", "reload"], ready: .yes),
    Row(
      what: "another network",
      move: {
        $0.observed.targetContainers["web"] = .present(
          TargetContainer(address: "10.8.0.2", network: "db-net"))
      }, expected: ["joinNetwork", "writeFiles", "reload", "leaveNetwork"], ready: .yes),
    Row(
      what: "the default network, since it is there",
      move: {
        $0.observed.targetContainers["web"] = .present(
          TargetContainer(address: "172.17.0.2", network: "bridge"))
      }, expected: ["joinNetwork", "writeFiles", "reload", "leaveNetwork"], ready: .yes),
    Row(
      what: "gone", move: { $0.observed.targetContainers["web"] = .absent }, expected: [],
      ready: .no),
    Row(
      what: "not known", move: { $0.observed.targetContainers["web"] = .unknown("timed out") },
      expected: [], ready: .unknown),
    Row(
      what: "on the host's network",
      move: {
        $0.observed.targetContainers["web"] = .present(
          TargetContainer(address: "", network: "host"))
      }, expected: [], ready: .no),
    Row(
      what: "our container left its network", move: { networks(&$0, ["onionkeeper"]) },
      expected: ["joinNetwork"], ready: .yes),
    Row(
      what: "our container was joined to another",
      move: { networks(&$0, ["onionkeeper", "web-net", "other-net"]) },
      expected: ["leaveNetwork"], ready: .yes),
    Row(
      what: "the same while the target is gone",
      move: {
        networks(&$0, ["onionkeeper", "web-net", "other-net"])
        $0.observed.targetContainers["web"] = .absent
      }, expected: [], ready: .no),
    Row(
      what: "our container stopped, and left its network",
      move: {
        networks(&$0, ["onionkeeper"])
        $0.changeContainer(blog) { $0.state = .exited }
      }, expected: ["joinNetwork", "startContainer", "prove"], ready: .yes),
    Row(
      what: "our container was taken out of our own network",
      move: { networks(&$0, ["web-net"]) },
      expected: [
        "removeContainer", "verifyConfiguration", "createContainer", "joinNetwork",
        "startContainer", "prove",
      ], ready: .yes),
  ]

  @Test(arguments: rows) func isFollowed(_ row: Row) throws {
    var scene = Scene([Self.blog, service("forum")])
    row.move(&scene)
    #expect(words(scene.plan) == row.expected)
    #expect(scene.plan.steps.allSatisfy { $0.cause == row.cause })
    #expect(scene.plan.waiting.isEmpty)
    #expect(scene.findings.isEmpty)
    let judged = conditions(scene.desired, scene.observed, scene.memory, plan: scene.plan)
    let ready = try #require(judged[Self.blog.name]?.first { $0.name == .targetReady })
    #expect(ready.status == row.ready)
  }

  @Test func aNewServiceJoinsItsTargetsNetworkBeforeItStarts() {
    var scene = Scene([Self.blog])
    scene.forget(Self.blog)
    #expect(
      words(scene.plan) == [
        "generateKey", "writeFiles", "verifyConfiguration", "createContainer", "joinNetwork",
        "startContainer", "prove",
      ])
    #expect(scene.findings.isEmpty)
  }

  @Test(arguments: [true, false]) func aNameThatWasNeverResolvedHolds(isUnknown: Bool) {
    var scene = Scene([Self.blog, service("forum")])
    scene.observed.containers = .present(
      (scene.observed.containers.value ?? []).filter { $0.instance != Self.blog.instance })
    scene.memory.instances[Self.blog.instance] = nil
    scene.observed.targetContainers["web"] = isUnknown ? .unknown("timed out") : .absent
    #expect(scene.plan.isEmpty)
    #expect(scene.plan.waiting.map(\.kind) == [isUnknown ? .unknown : .targetMissing])
    #expect(scene.plan.waiting.map(\.service) == [Self.blog.name])
  }

  /// One member's new target is not there yet: it is served on at its old one, and the others' changes go on.
  @Test(arguments: [false, true]) func aNewTargetThatIsNotThereHoldsUpNobody(isUnknown: Bool) throws
  {
    var blog = service("blog", in: "pool")
    var forum = service("forum", in: "pool")
    var scene = Scene([blog, forum])
    let before = blog.ports
    blog.ports = [OnionPort(virtual: 80, target: .container("db", port: 8080))]
    forum.ports = [OnionPort(virtual: 81, target: .gateway(port: 8081))]
    scene.desired.services = [blog, forum]
    scene.observed.targetContainers["db"] = isUnknown ? .unknown("timed out") : .absent
    #expect(words(scene.plan) == ["writeFiles", "reload"])
    #expect(scene.plan.waiting.map(\.kind) == [isUnknown ? .unknown : .targetMissing])
    #expect(scene.findings.isEmpty)
    let written = scene.plan.steps.compactMap { step in
      if case .writeFiles(let configuration, _, _, _) = step.action { configuration } else { nil }
    }
    let services = try #require(written.first).services
    #expect(services.first { $0.name == blog.name }?.ports == before)
    #expect(services.first { $0.name == forum.name }?.ports == forum.ports)

    // Who may visit it is no port: then the group waits.
    blog.access = .clients([alice])
    scene.desired.services = [blog, forum]
    #expect(!words(scene.plan).contains("reload"))
  }

  /// The definition names another container, or none: that is a change.
  @Test func anotherTargetIsAChange() {
    var scene = Scene([Self.blog])
    var blog = Self.blog
    blog.ports = [OnionPort(virtual: 80, target: .gateway(port: 8080))]
    scene.desired.services = [blog]
    #expect(words(scene.plan) == ["writeFiles", "reload", "leaveNetwork"])
    #expect(scene.plan.steps.allSatisfy { $0.cause == .change })
    blog.ports = [OnionPort(virtual: 80, target: .container("db", port: 8080))]
    scene.desired.services = [blog]
    scene.observed.targetContainers["db"] = .present(
      TargetContainer(address: "10.8.0.1", network: "db-net"))
    #expect(words(scene.plan) == ["joinNetwork", "writeFiles", "reload", "leaveNetwork"])
    #expect(scene.plan.steps.allSatisfy { $0.cause == .change })
    #expect(scene.findings.isEmpty)
  }

  /// An extra network is left without a new container, also where no target was ever named.
  @Test func aNetworkJoinedByHandIsLeft() {
    let forum = service("forum")
    var scene = Scene([forum])
    scene.changeContainer(forum) {
      guard var facts = $0.facts.value else { return }
      facts.networks.append("other-net")
      $0.facts = .present(facts)
    }
    #expect(words(scene.plan) == ["leaveNetwork"])
    #expect(scene.plan.steps.allSatisfy { $0.cause == .drift })
    #expect(scene.findings.isEmpty)
  }

  @Test(arguments: ["host", "none", "container:abc", "nobody's"])
  func theAuditRefusesOtherNetworks(network: String) {
    var scene = Scene([Self.blog])
    Self.networks(&scene, ["onionkeeper"])
    var plan = scene.plan
    plan.groups[0].steps[0].action = .joinNetwork(
      Self.blog.instance, container: "onionkeeper-blog", network: network)
    #expect(
      !audit(plan, desired: scene.desired, observed: scene.observed, memory: scene.memory).isEmpty)
    plan.groups[0].steps[0].action = .leaveNetwork(
      Self.blog.instance, container: "onionkeeper-blog", network: "onionkeeper")
    #expect(
      !audit(plan, desired: scene.desired, observed: scene.observed, memory: scene.memory).isEmpty)
  }
}
