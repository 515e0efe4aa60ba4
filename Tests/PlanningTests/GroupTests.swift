import OnionModel
import Planning
import Testing

/// product.md §5 and §6: several services in one tor. Members join, leave and move by a reload, the others untouched.
struct GroupTests {
  static let reload = ["writeFiles", "reload"]
  static let created = [
    "writeFiles", "verifyConfiguration", "createContainer", "startContainer", "prove",
  ]

  struct Row: Sendable, CustomTestStringConvertible {
    var what: String
    var before: [OnionService]
    /// What is desired then.
    var after: [OnionService]
    var move: @Sendable (inout Scene) -> Void = { _ in }
    /// Step names by instance.
    var expected: [String: [String]]
    /// Which group waits for which.
    var order: [String: Set<String>] = [:]
    var waiting: [Waiting.Kind] = []
    var testDescription: String { what }
  }

  static let pair = [service("a", in: "pool"), service("b", in: "pool")]
  static let others = [service("x"), service("y"), service("z")]

  static let rows: [Row] = [
    Row(
      what: "a new one joins", before: pair, after: pair + [service("c", in: "pool")],
      move: { $0.observed.keys[$0.place(service("c", in: "pool"))] = .absent },
      expected: ["pool": ["generateKey"] + reload]),
    Row(
      what: "one joins that was alone", before: pair + [service("c")],
      after: pair + [service("c", in: "pool")],
      move: { $0.observed.keys[$0.place(service("c", in: "pool"))] = .absent },
      expected: ["c": ["removeContainer", "forgetInstance"], "pool": ["moveKey"] + reload],
      order: ["pool": ["c"]]),
    Row(
      what: "one leaves for an instance of its own", before: pair,
      after: [service("a", in: "pool"), service("b")],
      move: { $0.observed.keys[$0.place(service("b"))] = .absent },
      expected: ["pool": reload, "b": ["moveKey"] + created], order: ["b": ["pool"]]),
    Row(
      what: "one moves to the instance of another", before: pair + [service("c")],
      after: [service("a", in: "pool"), service("b", in: "c"), service("c")],
      move: { $0.observed.keys[$0.place(service("b", in: "c"))] = .absent },
      expected: ["pool": reload, "c": ["moveKey"] + reload], order: ["c": ["pool"]]),
    Row(
      what: "one is renamed and moves at once", before: pair + [service("c")],
      after: [
        service("a", in: "pool"), service("c"), renamed(service("n", in: "c"), from: "b"),
      ],
      move: { scene in
        scene.observed.keys[scene.place(service("n", in: "c"))] = .absent
        scene.desired.defined = ["a", "c", "n"].reduce(into: []) {
          $0.insert(name(ServiceName($1)))
        }
      },
      expected: ["pool": reload, "c": ["moveKey"] + reload], order: ["c": ["pool"]]),
    Row(
      what: "two change places: each is let go first, and joins in the next round",
      before: pair + [service("c", in: "hall"), service("d", in: "hall")],
      after: [
        service("a", in: "hall"), service("b", in: "pool"), service("c", in: "pool"),
        service("d", in: "hall"),
      ],
      move: { scene in
        scene.observed.keys[scene.place(service("a", in: "hall"))] = .absent
        scene.observed.keys[scene.place(service("c", in: "pool"))] = .absent
      },
      expected: ["pool": reload, "hall": reload], waiting: [.moving, .moving]),
    Row(
      what: "the last one moves on", before: [service("a", in: "pool")] + others,
      after: [service("a")] + others,
      move: { $0.observed.keys[$0.place(service("a"))] = .absent },
      expected: ["pool": ["removeContainer", "forgetInstance"], "a": ["moveKey"] + created],
      order: ["a": ["pool"]]),
    Row(
      what: "one is removed", before: pair + others, after: [service("a", in: "pool")] + others,
      expected: ["pool": reload + ["retireKey"]]),
    Row(
      what: "one is removed whose key is gone", before: pair + others,
      after: [service("a", in: "pool")] + others,
      move: { $0.observed.keys[$0.place(service("b", in: "pool"))] = .absent },
      expected: ["pool": reload + ["forgetService"]]),
    Row(
      what: "the last two are removed", before: pair + others + [service("w")],
      after: others + [service("w")],
      expected: ["pool": ["removeContainer", "retireKey", "retireKey", "forgetInstance"]]),
    Row(
      what: "one that joins lacks its key: the others are not touched", before: pair,
      after: pair + [existing(service("c", in: "pool"))],
      move: { $0.observed.keys[$0.place(service("c", in: "pool"))] = .absent },
      expected: [:], waiting: [.keyMissing]),
    Row(
      what: "one that joins lacks its target: a port of another moves all the same", before: pair,
      after: [
        service("a", in: "pool", target: .gateway(port: 9)), service("b", in: "pool"),
        service("c", in: "pool", target: .unixSocket("/run/onion-targets/app/app.sock")),
      ],
      move: { scene in
        scene.observed.keys[scene.place(service("c", in: "pool"))] = .absent
        scene.observed.socketDirectories["/run/onion-targets/app"] = .absent
      },
      expected: ["pool": reload], waiting: [.targetMissing]),
    Row(
      what: "the key of one that is served is lost: nothing is reloaded", before: pair,
      after: [service("a", in: "pool", target: .gateway(port: 9)), service("b", in: "pool")],
      move: { $0.observed.keys[$0.place(service("b", in: "pool"))] = .absent },
      expected: [:], waiting: [.keyLost, .unknown]),
    Row(
      what: "its container is down: the others start without it", before: pair, after: pair,
      move: { scene in
        scene.observed.keys[scene.place(service("b", in: "pool"))] = .absent
        scene.changeContainer(service("b", in: "pool")) { $0.state = .exited }
        scene.observed.tors = [:]
      },
      expected: [
        "pool": ["writeFiles", "verifyConfiguration", "startContainer", "prove"]
      ], waiting: [.keyLost]),
    Row(
      what: "nobody joins an instance that is held", before: pair + [service("c")],
      after: pair + [service("c", in: "pool")],
      move: { scene in
        scene.observed.keys[scene.place(service("b", in: "pool"))] = .absent
        scene.observed.keys[scene.place(service("c", in: "pool"))] = .absent
      },
      expected: [:], waiting: [.keyLost, .moving, .unknown]),
    Row(
      what: "one must be stopped", before: pair, after: pair,
      move: { $0.desired.stopped[name(ServiceName("b"))] = "its file is invalid" },
      expected: ["pool": reload], waiting: [.stopped]),
    Row(
      what: "all must be stopped", before: pair, after: pair,
      move: { scene in
        for member in pair { scene.desired.stopped[member.name] = "its file is invalid" }
      },
      expected: ["pool": ["removeContainer"]], waiting: [.stopped, .stopped]),
    Row(
      what: "one is paused, and another moved", before: pair,
      after: [
        service("a", in: "pool", target: .gateway(port: 9)), paused(service("b", in: "pool")),
      ], expected: [:], waiting: [.paused]),
    Row(
      what: "one opens to clients only, and leaves before its key is right", before: pair,
      after: [
        service("a", in: "pool"), pinned(service("b", access: .clients([alice])), to: "other"),
      ],
      move: { $0.observed.keys[$0.place(service("b"))] = .absent },
      expected: ["pool": reload], waiting: [.keyLost]),
    Row(
      what: "limits grow with one that joins", before: pair,
      after: pair + [roomy(service("c", in: "pool"))],
      move: { $0.observed.keys[$0.place(service("c", in: "pool"))] = .absent },
      expected: [
        "pool": [
          "generateKey", "writeFiles", "verifyConfiguration", "removeContainer", "createContainer",
          "startContainer", "prove",
        ]
      ]),
  ]

  @Test(arguments: rows) func costs(_ row: Row) {
    var scene = Scene(row.before)
    scene.desired.services = row.after.sorted { $0.name < $1.name }
    scene.desired.defined = Set(row.after.map(\.name))
    row.move(&scene)
    let plan = scene.plan
    var found = groups(plan)
    found["host"] = nil
    #expect(found == row.expected)
    #expect(plan.waiting.map(\.kind.rawValue).sorted() == row.waiting.map(\.rawValue).sorted())
    let order = plan.groups.filter { !$0.after.isEmpty }.map { group in
      (group.subject.description, Set(group.after.map(\.text)))
    }
    #expect(Dictionary(uniqueKeysWithValues: order) == row.order)
    #expect(scene.findings.isEmpty)
  }

  /// The rest of a revision acts while a removal waits: who is to go is served on just as before.
  @Test func whoWaitsToGoIsServedOn() throws {
    var scene = Scene(Self.pair)
    scene.desired.services = [service("b", in: "pool", target: .gateway(port: 9))]
    scene.desired.defined = [name(ServiceName("b"))]
    scene.desired.identity = "elsewhere"
    #expect(groups(scene.plan) == ["pool": Self.reload])
    let read = scene.plan.steps.compactMap { step in
      if case .reload(let configuration, _) = step.action { configuration } else { nil }
    }
    let before = scene.memory.instances[name(InstanceName("pool"))]?.configured
    #expect(read.first?.services.first == before?.first { $0.name.text == "a" })
    #expect(read.first?.services.map(\.name.text) == ["a", "b"])
    #expect(scene.findings.isEmpty)
    // Without a memory of what it was, nothing can be written: all of it waits.
    scene.memory.instances[name(InstanceName("pool"))]?.configured = nil
    #expect(scene.plan.isEmpty)
    #expect(scene.plan.waiting.map(\.kind) == [.removals, .unknown])
  }

  @Test func pausesNameWhoPauses() throws {
    var scene = Scene(Self.pair)
    scene.desired.services = [
      service("a", in: "pool", target: .gateway(port: 9)), Self.paused(service("b", in: "pool")),
    ]
    let waiting = try #require(scene.plan.waiting.first)
    #expect(waiting.message.hasPrefix("b is paused: 2 steps wait"))
    #expect(waiting.service == nil)
    #expect(waiting.instance?.text == "pool")
  }

  /// One's trouble is not told as the others'.
  @Test func aHeldMemberStallsItselfAlone() {
    var scene = Scene(Self.pair)
    let late = Self.existing(service("c", in: "pool"))
    scene.desired.services = Self.pair + [late]
    scene.observed.keys[scene.place(late)] = .absent
    let judged = conditions(scene.desired, scene.observed, scene.memory, plan: scene.plan)
    let stalled = judged.filter { $0.value.contains { $0.name == .stalled && $0.status == .yes } }
    #expect(Set(stalled.keys) == [late.name])
  }

  @Test func aSingleHopServiceSharesNoTor() {
    var hasty = service("c", in: "pool")
    hasty.tor.isSingleHop = true
    var scene = Scene(Self.pair)
    scene.desired.services = Self.pair + [hasty]
    scene.observed.keys[scene.place(hasty)] = .absent
    #expect(scene.plan.isEmpty)
    #expect(scene.plan.waiting.map(\.service) == [hasty.name])
    let configuration = InstanceConfiguration(
      instance: hasty.instance,
      services: [hasty, Self.pair[0]].map {
        ConfiguredService(
          name: $0.name, address: Scene.address($0.name), ports: $0.ports, access: $0.access,
          tor: $0.tor)
      }, network: scene.desired.network)
    let plan = Plan(
      revision: scene.desired.revision,
      groups: [
        StepGroup(
          subject: .instance(hasty.instance),
          steps: [Step(.reload(configuration, network: "onionkeeper"), cause: .change)])
      ])
    let findings = audit(
      plan, desired: scene.desired, observed: scene.observed, memory: scene.memory)
    #expect(findings.contains { $0.promise == 4 })
  }

  // MARK: The audit

  /// The key of `b` moves from `pool` to an instance of its own.
  private static func moving(after: Set<InstanceName>, lettingGo: Bool) -> (Scene, Plan) {
    var scene = Scene(pair)
    scene.desired.services = [service("a", in: "pool"), service("b")]
    scene.observed.keys[scene.place(service("b"))] = .absent
    var plan = scene.plan
    plan.groups = plan.groups.compactMap { group in
      var group = group
      if group.subject == .instance(name(InstanceName("b"))) { group.after = after }
      return lettingGo || group.subject != .instance(name(InstanceName("pool"))) ? group : nil
    }
    return (scene, plan)
  }

  @Test(arguments: [(true, true, 0), (false, true, 1), (true, false, 1)])
  func auditWantsAKeyLetGoFirst(waits: Bool, lettingGo: Bool, found: Int) {
    let pool = name(InstanceName("pool"))
    let (scene, plan) = Self.moving(after: waits ? [pool] : [], lettingGo: lettingGo)
    let findings = audit(
      plan, desired: scene.desired, observed: scene.observed, memory: scene.memory)
    #expect(findings.filter { $0.message.contains("taken away") }.count == found)
    #expect(findings.isEmpty == (found == 0))
  }

  @Test func auditFindsGroupsThatWaitForThemselves() {
    let pool = name(InstanceName("pool"))
    var (scene, plan) = Self.moving(after: [pool], lettingGo: true)
    for index in plan.groups.indices where plan.groups[index].subject == .instance(pool) {
      plan.groups[index].after = [name(InstanceName("b"))]
    }
    scene.desired.defined = Set(scene.desired.services.map(\.name))
    let findings = audit(
      plan, desired: scene.desired, observed: scene.observed, memory: scene.memory)
    #expect(findings.filter { $0.message.contains("waits for itself") }.count == 2)
  }

  // MARK: Services

  private static func renamed(_ service: OnionService, from old: String) -> OnionService {
    var service = service
    service.formerly = name(ServiceName(old))
    return service
  }

  private static func existing(_ service: OnionService) -> OnionService {
    var service = service
    service.key = .existing
    return service
  }

  private static func paused(_ service: OnionService) -> OnionService {
    var service = service
    service.isPaused = true
    return service
  }

  private static func pinned(_ service: OnionService, to other: String) -> OnionService {
    var service = service
    service.address = Scene.address(name(ServiceName(other)))
    return service
  }

  private static func roomy(_ service: OnionService) -> OnionService {
    var service = service
    service.limits.memory = 1 << 30
    return service
  }
}
