import OnionModel
import Planning
import Testing

/// One key takes another's place: by a new `address:` in the definition, or by a rotation, which moves the pin.
struct SuccessionTests {
  let blog = service("blog")
  let other = Scene.address(service("other").name)

  private func scene(access: Access = .open) -> Scene {
    var scene = Scene([service("blog", access: access)])
    scene.observed.retired = .present([
      RetiredKey(id: "blog-20261125T062118Z", service: blog.name, address: other)
    ])
    return scene
  }

  private let exchange = [
    "retireKey", "restoreKey", "repairKeys", "writeFiles", "verifyConfiguration",
    "restartContainer", "prove",
  ]

  @Test(arguments: [true, false])
  func theWantedKeyTakesItsPlaceByOneRestart(byDefinition: Bool) throws {
    var scene = scene()
    if byDefinition {
      scene.desired.services[0].address = other
    } else {
      scene.observed.pins = .present([blog.name: other])
    }
    #expect(words(scene.plan) == exchange)
    #expect(scene.findings.isEmpty)
    #expect(scene.plan.steps.allSatisfy { $0.cause == .change })
    guard case .retireKey(_, Scene.address(blog.name)) = scene.plan.steps[0].action,
      case .restoreKey(_, scene.place(blog), other) = scene.plan.steps[1].action
    else {
      Issue.record("\(scene.plan.steps.map(\.action))")
      return
    }
    // After a crash between the two, the rest of it.
    scene.observed.keys[scene.place(blog)] = .absent
    scene.observed.retired = .present(
      (scene.observed.retired.value ?? []) + [
        RetiredKey(
          id: "blog-20261125T062119Z", service: blog.name, address: Scene.address(blog.name))
      ])
    #expect(words(scene.plan) == Array(exchange.dropFirst()))
    #expect(scene.findings.isEmpty)
  }

  /// The key that is not here, twice here, or another's holds it: what runs runs on.
  @Test func otherwiseItIsHeld() {
    var scene = scene()
    scene.desired.services[0].address = other
    scene.observed.retired = .present([])
    #expect(words(scene.plan).isEmpty)
    #expect(scene.plan.waiting.map(\.kind) == [.keyMismatch])
    let twice = ["blog-20261125T062118Z", "blog-20261125T062119Z"].map {
      RetiredKey(id: $0, service: blog.name, address: other)
    }
    scene.observed.retired = .present(twice)
    #expect(words(scene.plan).isEmpty)
    #expect(scene.plan.waiting.map(\.kind) == [.keyAmbiguous])
    scene.observed.retired = .present([twice[0]])
    scene.observed.keys[KeyPlace(instance: blog.instance, service: service("x").name)] = .present(
      KeyDirectory(secret: .whole(other)))
    #expect(words(scene.plan).isEmpty)
    #expect(scene.plan.waiting.map(\.kind) == [.keyDuplicate])
  }

  /// A new sealed key is opened beside the old one, which is served on until it is there.
  @Test func aSealedKeyIsOpenedBesideFirst() {
    var scene = scene()
    scene.observed.retired = .present([])
    scene.desired.services[0].address = other
    scene.desired.services[0].key = .sealed(file: "secrets/blog.age")
    #expect(words(scene.plan).isEmpty, "no file, no identity")
    #expect(scene.plan.waiting.map(\.kind) == [.keyMismatch])
    scene.desired.sealedKeys = [
      "secrets/blog.age": SealedKey(file: "secrets/blog.age", bytes: [1])
    ]
    scene.desired.ageIdentity = "/etc/age"
    #expect(words(scene.plan) == ["unsealAside"])
    #expect(scene.findings.isEmpty)
    #expect(scene.plan.waiting.isEmpty)
    scene.memory.instances[blog.instance]?.keyRetries = [
      blog.name: Retry(failures: 1, at: Scene.now.adding(seconds: 5))
    ]
    #expect(words(scene.plan).isEmpty)
    #expect(scene.plan.waiting.map(\.kind) == [.keyMismatch])
  }

  @Test func aPausedServiceWaitsWithIt() {
    var scene = scene()
    scene.desired.services[0].address = other
    scene.desired.services[0].isPaused = true
    #expect(words(scene.plan).isEmpty)
    #expect(scene.plan.waiting.map(\.kind) == [.paused])
  }

  /// A damaged key is not put away for another.
  @Test func aDamagedKeyIsLeft() {
    var scene = scene()
    scene.desired.services[0].address = other
    scene.changeKey(blog) { $0.secret = .damaged("cut off") }
    #expect(words(scene.plan).isEmpty)
  }

  /// The second pair of eyes: an exchange that nobody asked for.
  @Test func theAuditSeesAnExchangeNobodyAskedFor() {
    var scene = scene()
    scene.desired.services[0].address = other
    let plan = scene.plan
    scene.desired.services[0].address = nil
    func promises(_ scene: Scene) -> [Int] {
      audit(plan, desired: scene.desired, observed: scene.observed, memory: scene.memory)
        .map(\.promise)
    }
    #expect(promises(scene).contains(1))
    scene.desired.services[0].address = other
    #expect(promises(scene).isEmpty)
    scene.observed.retired = .present([])
    #expect(promises(scene).contains(1))
  }
}
