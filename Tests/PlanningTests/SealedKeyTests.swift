import OnionModel
import Planning
import Testing

/// product.md §2 and §5: keys that are opened from the repository.
struct SealedKeyTests {
  static let file = "secrets/blog.age"

  static func sealed() -> OnionService {
    var blog = service("blog")
    blog.key = .sealed(file: file)
    return blog
  }

  /// A host that was never given the service, and has all that opens its key.
  static func scene(_ blog: OnionService, _ others: [OnionService] = []) -> Scene {
    var scene = Scene([blog] + others)
    scene.desired.sealedKeys = [file: SealedKey(file: file, bytes: [1])]
    scene.desired.ageIdentity = "/etc/onionkeeper/age"
    scene.observed.keys[scene.place(blog)] = .absent
    var pins = scene.observed.pins.value ?? [:]
    pins[blog.name] = nil
    scene.observed.pins = .present(pins)
    scene.observed.containers = .present(
      (scene.observed.containers.value ?? []).filter { $0.instance != blog.instance })
    scene.memory.services[blog.name] = nil
    scene.memory.instances[blog.instance] = nil
    return scene
  }

  static func unsealed(_ plan: Plan) -> [OnionAddress?] {
    plan.steps.compactMap { step in
      if case .unsealKey(_, _, _, let address, _, _, _) = step.action { .some(address) } else { nil }
    }
  }

  /// Whatever it opens to decides about the rest: that is planned when it is seen.
  @Test func aKeyOfUnknownAddressIsOpenedFirst() {
    var scene = Self.scene(Self.sealed())
    #expect(words(scene.plan) == ["unsealKey"])
    #expect(Self.unsealed(scene.plan) == [nil])
    #expect(scene.plan.waiting.isEmpty)
    #expect(scene.findings.isEmpty)
    scene.desired.backupRecipients = ["age1one"]
    #expect(words(scene.plan) == ["unsealKey", "backUpKey"])
    #expect(scene.findings.isEmpty)
  }

  @Test func aKeyOfKnownAddressMustMakeIt() {
    var blog = Self.sealed()
    blog.address = Scene.address(blog.name)
    let scene = Self.scene(blog)
    #expect(
      words(scene.plan) == [
        "unsealKey", "verifyConfiguration", "createContainer", "startContainer", "prove",
      ])
    #expect(Self.unsealed(scene.plan) == [blog.address])
    #expect(scene.findings.isEmpty)
  }

  /// The return of the pinned key, which ends the hold; what runs goes on.
  @Test func aLostKeyComesBackFromItsFile() {
    let blog = Self.sealed()
    var scene = Scene([blog])
    scene.desired.sealedKeys = [Self.file: SealedKey(file: Self.file, bytes: [1])]
    scene.desired.ageIdentity = "/etc/onionkeeper/age"
    #expect(scene.plan.isEmpty)
    scene.desired.sealedKeys[Self.file]?.bytes = [2]
    #expect(scene.plan.isEmpty)
    scene.observed.keys[scene.place(blog)] = .absent
    #expect(words(scene.plan) == ["unsealKey"])
    #expect(Self.unsealed(scene.plan) == [Scene.address(blog.name)])
    #expect(scene.plan.steps.allSatisfy { $0.cause == .drift })
    #expect(scene.findings.isEmpty)
  }

  struct Row: Sendable, CustomTestStringConvertible {
    var what: String
    var move: @Sendable (inout Scene, OnionService) -> Void
    var expected: Waiting.Kind
    var testDescription: String { what }
  }

  static let held: [Row] = [
    Row(
      what: "no identity", move: { scene, _ in scene.desired.ageIdentity = nil },
      expected: .keyMissing),
    Row(
      what: "no file", move: { scene, _ in scene.desired.sealedKeys = [:] },
      expected: .keyMissing),
    Row(
      what: "no file for a pinned key",
      move: { scene, blog in
        scene.desired.sealedKeys = [:]
        scene.observed.pins = .present([blog.name: Scene.address(blog.name)])
      }, expected: .keyLost),
    Row(
      what: "a directory without a secret",
      move: { scene, blog in
        scene.observed.keys[scene.place(blog)] = .present(KeyDirectory(secret: .missing))
      }, expected: .keyLost),
    Row(
      what: "a damaged key",
      move: { scene, blog in
        scene.observed.keys[scene.place(blog)] = .present(KeyDirectory(secret: .damaged("short")))
      }, expected: .keyLost),
    Row(
      what: "unreadable",
      move: { scene, blog in scene.observed.keys[scene.place(blog)] = .unknown("EIO") },
      expected: .unknown),
    Row(
      what: "a retired key, and no pin",
      move: { scene, blog in
        scene.observed.retired = .present([
          RetiredKey(id: "blog-1", service: blog.name, address: Scene.address(blog.name))
        ])
      }, expected: .keyAmbiguous),
    Row(
      what: "another place has the key",
      move: { scene, blog in
        scene.observed.pins = .present([blog.name: Scene.address(blog.name)])
        let other = KeyPlace(
          instance: blog.instance, service: name(ServiceName("stray")))
        scene.observed.keys[other] = .present(
          KeyDirectory(secret: .whole(Scene.address(blog.name))))
      }, expected: .keyDuplicate),
    Row(
      what: "opening failed a moment ago",
      move: { scene, blog in
        scene.memory.instances[blog.instance] = InstanceMemory(
          keyRetries: [blog.name: Retry(failures: 1, at: Scene.now.adding(seconds: 5))])
      }, expected: .keyMissing),
  ]

  @Test(arguments: held) func waits(_ row: Row) {
    let blog = Self.sealed()
    var scene = Self.scene(blog)
    row.move(&scene, blog)
    #expect(scene.plan.isEmpty)
    #expect(scene.plan.waiting.map(\.kind) == [row.expected])
    #expect(scene.plan.waiting.allSatisfy { $0.service == blog.name })
  }

  @Test func itIsTriedAgainWhenItsTimeHasCome() {
    let blog = Self.sealed()
    var scene = Self.scene(blog)
    scene.memory.instances[blog.instance] = InstanceMemory(
      keyRetries: [blog.name: Retry(failures: 1, at: Scene.now)])
    #expect(words(scene.plan) == ["unsealKey"])
  }

  @Test func aRetiredKeyOfThePinIsTakenBackFirst() {
    let blog = Self.sealed()
    var scene = Self.scene(blog)
    let address = Scene.address(blog.name)
    scene.observed.pins = .present([blog.name: address])
    scene.observed.retired = .present([
      RetiredKey(id: "blog-1", service: blog.name, address: address)
    ])
    #expect(words(scene.plan).first == "restoreKey")
    #expect(!words(scene.plan).contains("unsealKey"))
    #expect(scene.findings.isEmpty)
  }

  /// It is no new identity: the repository says which key it is.
  @Test func aLostStateFolderDoesNotHoldIt() {
    let forum = service("forum")
    var scene = Self.scene(Self.sealed(), [forum])
    scene.memory.isRebuilt = true
    #expect(words(scene.plan) == ["unsealKey"])
    #expect(scene.findings.isEmpty)
  }

  /// Never two tors with one key: one that still runs under the address has the better claim.
  @Test func whatAnotherTorServesIsNotServedTwice() {
    let (blog, forum) = (Self.sealed(), service("forum"))
    var scene = Self.scene(blog, [forum])
    let address = Scene.address(forum.name)
    scene.observed.keys[scene.place(blog)] = .present(KeyDirectory(secret: .whole(address)))
    scene.observed.pins = .present([blog.name: address, forum.name: address])
    scene.observed.keys[scene.place(forum)] = .absent
    #expect(scene.plan.isEmpty)
    #expect(
      scene.plan.waiting.first { $0.service == blog.name }?.kind == .keyDuplicate)
  }

  /// What the audit has to say about a plan for which the definition gives no ground.
  @Test func theAuditRefusesOtherOpenings() {
    let blog = Self.sealed()
    let scene = Self.scene(blog)
    let plan = scene.plan
    func isRefused(_ change: (inout Scene) -> Void) -> Bool {
      var other = scene
      change(&other)
      return !audit(plan, desired: other.desired, observed: other.observed, memory: other.memory)
        .isEmpty
    }
    #expect(!isRefused { _ in })
    #expect(isRefused { $0.observed.pins = .present([blog.name: Scene.address(blog.name)]) })
    #expect(isRefused { $0.observed.keys[$0.place(blog)] = .unknown("EIO") })
    #expect(isRefused { $0.desired.services[0].key = .generate })
    #expect(isRefused { $0.desired.services[0].address = Scene.address(blog.name) })
    #expect(isRefused { $0.desired.sealedKeys[Self.file]?.bytes = [9] })
    #expect(isRefused { $0.desired.ageIdentity = "/tmp/other" })
    #expect(isRefused { $0.observed.retired = .unknown("EIO") })
  }
}
