import OnionModel
import Planning
import Testing

/// What a moved definition costs: a reload where that is enough, a restart where it must be, else a new container.
struct ChangeTests {
  struct Row: Sendable, CustomTestStringConvertible {
    var what: String
    var before: Access = .open
    var change: @Sendable (inout OnionService) -> Void
    var expected: [String]
    var testDescription: String { what }
  }

  static let restart = ["writeFiles", "verifyConfiguration", "restartContainer", "prove"]

  static let rows: [Row] = [
    Row(
      what: "a port", change: { $0.ports = [OnionPort(virtual: 81, target: .gateway(port: 8080))] },
      expected: ["writeFiles", "reload"]),
    Row(
      what: "a client more", before: .clients([alice]),
      change: { $0.access = .clients([alice, bob]) },
      expected: ["repairKeys", "writeFiles", "reload"]),
    Row(
      what: "a client less", before: .clients([alice, bob]),
      change: { $0.access = .clients([alice]) }, expected: ["repairKeys"] + restart),
    Row(
      what: "a client's key", before: .clients([alice]),
      change: { $0.access = .clients([AuthorizedClient(name: "alice", key: bob.key)]) },
      expected: ["repairKeys"] + restart),
    Row(
      what: "public to clients", change: { $0.access = .clients([alice]) },
      expected: ["repairKeys"] + restart),
    Row(
      what: "clients to public", before: .clients([alice]), change: { $0.access = .open },
      expected: ["repairKeys", "writeFiles", "reload"]),
    Row(
      what: "an Onionbalance front end",
      change: { $0.tor.onionBalanceMaster = Scene.address(name(ServiceName("front"))) },
      expected: ["repairKeys", "writeFiles", "reload"]),
    Row(
      what: "limits", change: { $0.limits.memory = 64 << 20 },
      expected: DriftTests.recreated),
    Row(what: "paused", change: { $0.isPaused = true }, expected: []),
  ]

  @Test(arguments: rows) func costs(_ row: Row) {
    var blog = service("blog", access: row.before)
    var scene = Scene([blog, service("forum")])
    row.change(&blog)
    scene.desired.services = [blog, service("forum")]
    #expect(words(scene.plan) == row.expected)
    #expect(scene.plan.steps.allSatisfy { $0.cause == .change && $0.service == blog.name })
    #expect(scene.findings.isEmpty)
  }

  /// tor reads `ob_config` at each load of its configuration; the torrc is the same.
  @Test(arguments: [true, false]) func anotherOrNoFrontEndIsAReload(isRemoved: Bool) {
    var blog = service("blog")
    blog.tor.onionBalanceMaster = Scene.address(name(ServiceName("front")))
    var scene = Scene([blog])
    #expect(scene.plan.isEmpty)
    blog.tor.onionBalanceMaster =
      isRemoved ? nil : Scene.address(name(ServiceName("other")))
    scene.desired.services = [blog]
    #expect(words(scene.plan) == ["repairKeys", "writeFiles", "reload"])
    #expect(scene.plan.steps.allSatisfy { $0.cause == .change })
    #expect(scene.findings.isEmpty)
  }

  @Test func anEditedFrontEndFileIsDrift() {
    var blog = service("blog")
    blog.tor.onionBalanceMaster = Scene.address(name(ServiceName("front")))
    var scene = Scene([blog])
    scene.changeKey(blog) { $0.onionBalance = "MasterOnionAddress other.onion\n" }
    // In case its tor has read it meanwhile: nothing tells whether it did.
    #expect(words(scene.plan) == ["repairKeys", "reload"])
    #expect(scene.plan.steps.allSatisfy { $0.cause == .drift })
    #expect(
      scene.plan.steps.contains {
        guard case .repairKeys(_, let wish) = $0.action else { return false }
        return wish.onionBalance == blog.companions.onionBalanceText
      })
  }

  /// Each selected host makes its own, as if it were the only one.
  @Test func aKeyForEachHostIsGeneratedHere() {
    var blog = service("blog")
    blog.key = .generatePerHost
    var scene = Scene([blog])
    scene.forget(blog)
    #expect(words(scene.plan).contains("generateKey"))
    #expect(scene.findings.isEmpty)
  }

  @Test func freshServiceIsPlannedWhole() {
    let blog = service("blog", access: .clients([alice]))
    var scene = Scene([blog])
    scene.forget(blog)
    scene.observed.image = .absent
    scene.observed.networks["onionkeeper"] = .absent
    scene.observed.folders[blog.instance] = .absent
    #expect(
      words(scene.plan) == [
        "buildImage", "ensureNetwork", "generateKey", "writeFiles", "verifyConfiguration",
        "createContainer", "startContainer", "prove",
      ])
    #expect(scene.findings.isEmpty)
  }

  @Test func aNewContainerThatFailsGoesBackToThePreviousOne() throws {
    var blog = service("blog")
    var scene = Scene([blog])
    blog.limits.pids = 32
    scene.desired.services = [blog]
    let group = try #require(scene.plan.groups.first)
    let previous = try #require(scene.memory.instances[blog.instance]?.proven)
    #expect(group.fallback.contains { $0.action == .createContainer(previous) })
    let digest = scene.specification(blog)?.digest
    scene.memory.instances[blog.instance]?.failedSpecification = digest
    scene.memory.instances[blog.instance]?.retryAt = Scene.now.adding(seconds: 300)
    #expect(scene.plan.isEmpty)
    #expect(scene.plan.waiting.map(\.kind) == [.backoff])
  }

  /// Entry guards of one network are of no use in another: tor gets another data folder, so another container.
  @Test func anotherTorNetworkIsANewContainer() {
    let blog = service("blog")
    var scene = Scene([blog])
    scene.desired.network = .lines("TestingTorNetwork 1\n")
    #expect(words(scene.plan) == ["writeFiles"] + DriftTests.recreated)
    #expect(scene.plan.steps.allSatisfy { $0.cause == .change })
  }

  @Test func unixTargetWaitsForItsDirectory() {
    let blog = service("blog", target: .unixSocket("/run/onion-targets/app/app.sock"))
    var scene = Scene([blog])
    scene.observed.containers = .present([])
    scene.observed.socketDirectories = ["/run/onion-targets/app": .absent]
    #expect(scene.plan.isEmpty)
    #expect(scene.plan.waiting.map(\.kind) == [.targetMissing])
  }

  @Test func heldServiceThatRunsOpenIsStopped() {
    var blog = service("blog")
    var scene = Scene([blog])
    blog.access = .clients([alice])
    scene.desired.services = [blog]
    scene.changeKey(blog) { $0.secret = .missing }
    #expect(words(scene.plan) == ["removeContainer"])
  }

  @Test func eachInstanceHasCategoriesOfItsOwnForLife() {
    let services = (0..<40).map { service("s\($0)") }
    var scene = Scene(services)
    scene.observed.hasSELinux = true
    scene.observed.containers = .present([])
    scene.memory.instances = [:]
    let levels = scene.plan.steps.compactMap { step -> String? in
      if case .createContainer(let specification) = step.action {
        specification.label?.level
      } else {
        nil
      }
    }
    #expect(levels.count == 40)
    #expect(Set(levels).count == 40)
    // Whoever looks at the folders before anything is noted looks for the same.
    let seen = labels(of: scene.desired, knowing: scene.memory, hasSELinux: true)
    #expect(Set(seen.values.map(\.level)) == Set(levels))
    #expect(labels(of: scene.desired, knowing: scene.memory, hasSELinux: false).isEmpty)
    var other = scene.memory
    other.agent = name(AgentID(String(repeating: "b", count: 32)))
    let others = labels(of: scene.desired, knowing: other, hasSELinux: true)
    #expect(others.filter { seen[$0.key] == $0.value }.isEmpty)
  }

  @Test func whatIsRememberedIsNotGivenToAnother() throws {
    let blog = service("blog")
    var scene = Scene([blog, service("wiki")])
    let first = labels(of: scene.desired, knowing: scene.memory, hasSELinux: true)
    let level = try #require(first[blog.instance]?.level)
    scene.memory.instances[name(InstanceName("gone"))] = InstanceMemory(level: level)
    let second = labels(of: scene.desired, knowing: scene.memory, hasSELinux: true)
    #expect(second[blog.instance]?.level != level)
    #expect(second[name(InstanceName("gone"))]?.level == level)
  }

  @Test func ourOwnFoldersAreLabelledWhereSELinuxIsOn() {
    var scene = Scene([service("blog")])
    scene.observed.privateFlaws = [
      Deviation("label of /k/.onionkeeper", expected: "t:s0", observed: "none")
    ]
    #expect(scene.plan.isEmpty)
    scene.observed.privateType = "t"
    #expect(scene.plan.steps.map(\.action) == [.labelPrivate(type: "t")])
    #expect(scene.plan.steps.first?.cause == .change)
    scene.memory.instances[service("blog").instance]?.level = "s0:c1,c2"
    #expect(scene.plan.steps.first?.cause == .drift)
  }

  /// A commit that closes a service and wants another image, too: it never stays open until that image is built.
  @Test func aClosedServiceWaitsForNoImage() {
    var blog = service("blog")
    let forum = service("forum")
    var scene = Scene([blog, forum])
    scene.desired.recipe = ImageRecipe(prefix: "onionkeeper", base: .bootstrap("trixie"))
    scene.observed.image = .absent
    #expect(words(scene.plan).first == "buildImage")
    blog.access = .clients([alice])
    scene.desired.services = [blog, forum]
    #expect(words(scene.plan) == ["removeContainer"])
    #expect(scene.plan.groups.map(\.subject) == [.instance(blog.instance)])
    #expect(scene.findings.isEmpty)
  }
}
