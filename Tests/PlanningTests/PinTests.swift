import OnionModel
import Planning
import Testing

/// Pins that cannot be read, or are gone: the trouble of their own service, and never another key.
struct PinTests {
  let blog = service("blog")
  let wiki = service("wiki")

  /// The other service is repaired and goes on.
  @Test func aDamagedPinHoldsItsOwnServiceOnly() {
    var scene = Scene([blog, wiki])
    scene.observed.pins = .present([wiki.name: Scene.address(wiki.name)])
    scene.observed.damagedPins = [blog.name: "pins/blog holds no onion address"]
    scene.changeContainer(blog) { $0.state = .exited }
    scene.changeContainer(wiki) { $0.state = .exited }
    #expect(words(scene.plan) == ["startContainer", "prove"])
    #expect(scene.plan.groups.map(\.subject) == [.instance(wiki.instance)])
    #expect(scene.plan.waiting.map(\.service) == [blog.name])
    #expect(scene.plan.waiting.first?.message.contains("pins/blog") == true)
    #expect(scene.findings.isEmpty)
    let judged = conditions(scene.desired, scene.observed, scene.memory, plan: scene.plan)
    #expect(judged[blog.name]?.first { $0.name == .keyReady }?.status == .unknown)
    #expect(judged[wiki.name]?.first { $0.name == .keyReady }?.status == .yes)
  }

  @Test func nothingIsMadeOrTakenWhileItIsDamaged() {
    var scene = Scene([blog])
    scene.forget(blog)
    scene.observed.damagedPins = [blog.name: "?"]
    #expect(words(scene.plan).isEmpty)
    // A service that was called so is held, too.
    var renamed = service("journal")
    renamed.formerly = blog.name
    scene.desired.services = [renamed]
    scene.observed.keys[scene.place(renamed)] = .absent
    #expect(words(scene.plan).isEmpty)
    #expect(scene.plan.waiting.map(\.kind) == [.unknown])
  }

  /// The auditor sees a planner that does not look.
  @Test func theAuditSeesIt() {
    var scene = Scene([blog])
    scene.forget(blog)
    let plan = scene.plan
    #expect(words(plan).contains("generateKey"))
    scene.observed.damagedPins = [blog.name: "?"]
    let findings = audit(
      plan, desired: scene.desired, observed: scene.observed, memory: scene.memory)
    #expect(findings.map(\.promise).contains(1))
  }

  /// Pin and directory are gone, and the journal knows under which address it ran: lost, not new.
  @Test func aLostPinIsRemembered() {
    var scene = Scene([blog])
    scene.observed.pins = .present([:])
    #expect(words(scene.plan) == ["pin"])
    scene.observed.keys[scene.place(blog)] = .absent
    #expect(words(scene.plan).isEmpty)
    #expect(scene.plan.waiting.map(\.kind) == [.keyLost])
    // Another key in its place is another's.
    scene.observed.keys[scene.place(blog)] = .present(
      KeyDirectory(secret: .whole(Scene.address(wiki.name))))
    #expect(words(scene.plan).isEmpty)
    #expect(scene.plan.waiting.map(\.kind) == [.keyMismatch])
  }
}
