import OnionModel
import Planning
import Testing

/// product.md §6, the drift table: what moved, and what the plan does about it.
struct DriftTests {
  struct Row: Sendable, CustomTestStringConvertible {
    var what: String
    var move: @Sendable (inout Scene, OnionService) -> Void
    var expected: [String]
    var testDescription: String { what }
  }

  static let recreated = [
    "verifyConfiguration", "removeContainer", "createContainer", "startContainer", "prove",
  ]

  /// What is less confined than promised ends first.
  static let endedFirst = [
    "removeContainer", "verifyConfiguration", "createContainer", "startContainer", "prove",
  ]

  static let rows: [Row] = [
    Row(what: "nothing", move: { _, _ in }, expected: []),
    Row(
      what: "container killed",
      move: { scene, blog in scene.changeContainer(blog) { $0.state = .exited } },
      expected: ["startContainer", "prove"]),
    Row(
      what: "container removed",
      move: { scene, blog in
        scene.observed.containers = .present(
          (scene.observed.containers.value ?? []).filter { $0.instance != blog.instance })
      },
      expected: ["verifyConfiguration", "createContainer", "startContainer", "prove"]),
    Row(
      what: "container paused",
      move: { scene, blog in scene.changeContainer(blog) { $0.state = .paused } },
      expected: ["unpauseContainer"]),
    Row(
      what: "container renamed",
      move: { scene, blog in scene.changeContainer(blog) { $0.name = "other" } },
      expected: ["renameContainer"]),
    Row(
      what: "capabilities not dropped",
      move: { scene, blog in
        scene.changeContainer(blog) {
          var proof = Scene.goodProof
          proof.capabilities[3] = 0xa804_25fb
          $0.proof = .present(proof)
        }
      }, expected: endedFirst),
    Row(
      what: "runs as root",
      move: { scene, blog in
        scene.changeContainer(blog) {
          var proof = Scene.goodProof
          proof.users = [0, 0, 0, 0]
          $0.proof = .present(proof)
        }
      }, expected: endedFirst),
    Row(
      what: "keys mounted writable",
      move: { scene, blog in
        scene.changeContainer(blog) {
          guard var facts = $0.facts.value else { return }
          facts.mounts = facts.mounts.map {
            Mount(source: $0.source, destination: $0.destination, isReadOnly: false)
          }
          $0.facts = .present(facts)
        }
      }, expected: endedFirst),
    Row(
      what: "restart policy updated",
      move: { scene, blog in
        scene.changeContainer(blog) {
          guard var facts = $0.facts.value else { return }
          facts.restartPolicy = "no"
          $0.facts = .present(facts)
        }
      }, expected: ["updateLimits"]),
    Row(
      what: "crash loop",
      move: { scene, blog in
        scene.observed.tors[blog.instance] = .unknown("no answer")
        scene.changeContainer(blog) {
          guard var facts = $0.facts.value else { return }
          facts.restartCount = 9
          $0.facts = .present(facts)
          $0.state = .restarting
        }
      }, expected: ["takeDown"]),
    Row(
      what: "crash loop over files that are mended now",
      move: { scene, blog in
        scene.observed.tors[blog.instance] = .unknown("no answer")
        scene.changeKey(blog) { $0.flaws = [Deviation("owner", expected: "7942", observed: "0")] }
        scene.changeContainer(blog) {
          guard var facts = $0.facts.value else { return }
          facts.restartCount = 9
          facts.exitCode = 78
          $0.facts = .present(facts)
          $0.state = .restarting
        }
      }, expected: ["repairKeys", "restartContainer", "prove"]),
    Row(
      what: "image deleted", move: { scene, _ in scene.observed.image = .absent },
      expected: ["buildImage"]),
    Row(
      what: "owner of the key directory changed",
      move: { scene, blog in
        scene.changeKey(blog) { $0.flaws = [Deviation("owner", expected: "7942", observed: "0")] }
      }, expected: ["repairKeys"]),
    Row(
      what: "a foreign file in the key directory",
      move: { scene, blog in scene.changeKey(blog) { $0.foreign = ["note"] } },
      expected: ["repairKeys"]),
    Row(
      what: "torrc edited",
      move: { scene, blog in
        guard var folder = scene.observed.folders[blog.instance]?.value else { return }
        folder.digests["torrc"] = "other"
        scene.observed.folders[blog.instance] = .present(folder)
      }, expected: ["writeFiles", "reload"]),
    Row(
      what: "guard edited",
      move: { scene, blog in
        guard var folder = scene.observed.folders[blog.instance]?.value else { return }
        folder.digests["start"] = "other"
        scene.observed.folders[blog.instance] = .present(folder)
      }, expected: ["writeFiles"]),
    Row(
      what: "running configuration differs",
      move: { scene, blog in
        guard var tor = scene.observed.tors[blog.instance]?.value else { return }
        tor.serviceOptions = []
        scene.observed.tors[blog.instance] = .present(tor)
      }, expected: ["reload"]),
  ]

  @Test(arguments: rows) func isRepaired(_ row: Row) {
    let blog = service("blog")
    var scene = Scene([blog, service("forum")])
    row.move(&scene, blog)
    let plan = scene.plan
    #expect(words(plan) == row.expected)
    #expect(plan.steps.allSatisfy { $0.cause == .drift })
    #expect(scene.findings.isEmpty)
    #expect(
      plan.groups.allSatisfy { $0.subject == .instance(blog.instance) || $0.subject == .host })
  }

  static let held: [Row] = [
    Row(
      what: "secret key missing",
      move: { scene, blog in scene.changeKey(blog) { $0.secret = .missing } },
      expected: ["keyLost"]),
    Row(
      what: "secret key damaged",
      move: { scene, blog in scene.changeKey(blog) { $0.secret = .damaged("short") } },
      expected: ["keyLost"]),
    Row(
      what: "directory gone",
      move: { scene, blog in scene.observed.keys[scene.place(blog)] = .absent },
      expected: ["keyLost"]),
    Row(
      what: "another key",
      move: { scene, blog in
        scene.changeKey(blog) {
          $0.secret = .whole(OnionAddress(publicKey: Array(repeating: 9, count: 32)))
        }
      }, expected: ["keyMismatch"]),
    Row(
      what: "unreadable",
      move: { scene, blog in scene.observed.keys[scene.place(blog)] = .unknown("EIO") },
      expected: ["unknown"]),
    Row(
      what: "same key in another directory",
      move: { scene, blog in
        scene.observed.pins = .present([service("forum").name: Scene.address(blog.name)])
        scene.observed.keys[scene.place(service("forum"))] = .present(
          KeyDirectory(secret: .whole(Scene.address(blog.name))))
      }, expected: ["keyDuplicate"]),
  ]

  /// Promise 1: nothing is started, reloaded, restarted or re-keyed, and the other service goes on.
  @Test(arguments: held) func isHeld(_ row: Row) {
    let blog = service("blog")
    var scene = Scene([blog, service("forum")])
    row.move(&scene, blog)
    scene.changeContainer(blog) { $0.state = .exited }
    let plan = scene.plan
    #expect(!plan.steps.contains { $0.service == blog.name })
    #expect(plan.waiting.filter { $0.service == blog.name }.map(\.kind.rawValue) == row.expected)
  }

  /// Promise 5: nothing at all is done on ground that is not known.
  @Test(arguments: ["keys", "state", "other keys", "engine", "containers", "other engine", "pins"])
  func unknownYieldsNoStep(what: String) {
    let blog = service("blog")
    var scene = Scene([blog])
    scene.changeContainer(blog) { $0.state = .exited }
    switch what {
    case "keys": scene.observed.keyRoot = .absent
    case "state": scene.observed.stateRoot = .unknown("EACCES")
    case "other keys":
      scene.observed.keyRoot = .present(name(AgentID(String(repeating: "b", count: 32))))
    case "engine": scene.observed.engine = .unknown("no answer")
    case "containers": scene.observed.containers = .unknown("malformed")
    case "other engine":
      scene.observed.engine = .present(EngineIdentity(kind: .docker, version: "1", id: "OTHER"))
    default: scene.observed.pins = .unknown("EIO")
    }
    #expect(scene.plan.isEmpty)
    #expect(scene.plan.waiting.count == 1)
  }

  @Test func driftOverTheBudgetStops() {
    let blog = service("blog")
    var scene = Scene([blog])
    scene.memory.instances[blog.instance]?.interruptions = Array(
      repeating: Scene.now.adding(seconds: -60), count: 6)
    scene.changeContainer(blog) {
      var proof = Scene.goodProof
      proof.capabilities[3] = 1
      $0.proof = .present(proof)
    }
    #expect(words(scene.plan) == ["removeContainer"])
    #expect(scene.plan.waiting.map(\.kind) == [.budget])
  }

  @Test func removedDirectoriesThatAreStillMountedAreMountedAnew() {
    let blog = service("blog")
    var scene = Scene([blog])
    scene.changeContainer(blog) {
      var proof = Scene.goodProof
      proof.lostMounts = ["/run/tor"]
      $0.proof = .present(proof)
    }
    #expect(words(scene.plan) == ["verifyConfiguration", "restartContainer", "prove"])
    scene.memory.instances[blog.instance]?.interruptions = Array(
      repeating: Scene.now.adding(seconds: -60), count: 6)
    #expect(scene.plan.isEmpty)
    #expect(scene.plan.waiting.map(\.kind) == [.budget])
  }

  @Test func whatWasStoppedOverTheBudgetStaysDownForTheHour() {
    let blog = service("blog")
    var scene = Scene([blog])
    scene.observed.containers = .present([])
    scene.memory.instances[blog.instance]?.interruptions = Array(
      repeating: Scene.now.adding(seconds: -3500), count: 7)
    #expect(scene.plan.isEmpty)
    #expect(scene.plan.waiting.map(\.kind) == [.budget])
    scene.observed.now = Scene.now.adding(seconds: 101)
    #expect(words(scene.plan).contains("createContainer"))
    #expect(scene.plan.waiting.isEmpty)
  }

  /// Removed by somebody, not by us: the budget of interruptions says nothing about it.
  @Test func whatIsGoneWithinTheBudgetIsMadeAnew() {
    let blog = service("blog")
    var scene = Scene([blog])
    scene.observed.containers = .present([])
    scene.memory.instances[blog.instance]?.interruptions = Array(
      repeating: Scene.now.adding(seconds: -60), count: 6)
    #expect(words(scene.plan).contains("createContainer"))
  }

  @Test func containersOfAnotherImageOrWithOptionsGivenByHandAreReplaced() {
    let blog = service("blog")
    let changes: [(inout ContainerFacts) -> Void] = [
      { $0.image = "evil:1" }, { $0.extras = ["process namespace host"] },
    ]
    for change in changes {
      var scene = Scene([blog])
      scene.changeContainer(blog) {
        guard var facts = $0.facts.value else { return }
        change(&facts)
        $0.facts = .present(facts)
      }
      #expect(words(scene.plan).first == "removeContainer")
      #expect(words(scene.plan).contains("createContainer"))
    }
    var scene = Scene([blog])
    scene.changeContainer(blog) {
      guard var facts = $0.facts.value else { return }
      facts.image = "docker.io/library/\(facts.image)"
      $0.facts = .present(facts)
    }
    #expect(scene.plan.isEmpty)
  }

  @Test func strangersAreNotTouched() {
    let blog = service("blog")
    var scene = Scene([blog])
    scene.changeContainer(blog) { $0.labels = [:] }
    #expect(scene.plan.isEmpty)
    #expect(scene.plan.waiting.map(\.kind) == [.nameTaken])
    scene.observed.containers = .present([])
    scene.observed.keyUsers = [blog.instance: ["old-tor"]]
    #expect(scene.plan.isEmpty)
    #expect(scene.plan.waiting.map(\.kind) == [.keyInUse])
  }
}
