import OnionModel
import Testing

@testable import Planning

/// Signers moved and nobody of them signed the accepted revision: what is in force stays and is kept so, nothing new acts.
struct DistrustTests {
  @Test(arguments: DriftTests.rows) func driftIsRepaired(_ row: DriftTests.Row) {
    let blog = service("blog", access: .clients([alice]))
    var scene = Scene([blog, service("forum")])
    row.move(&scene, blog)
    scene.desired.isDistrusted = true
    #expect(words(scene.plan) == row.expected)
    #expect(scene.findings.isEmpty)
  }

  @Test(arguments: ChangeTests.rows) func whatMovedWaits(_ row: ChangeTests.Row) {
    var blog = service("blog", access: row.before)
    var scene = Scene([blog, service("forum")])
    row.change(&blog)
    scene.desired.services = [blog, service("forum")]
    scene.desired.isDistrusted = true
    // Who asks for clients and runs open is ended, whoever asked (promise 2 comes before 3).
    #expect(words(scene.plan) == (row.what == "public to clients" ? ["removeContainer"] : []))
    #expect(
      scene.plan.waiting.contains { $0.kind == .distrusted && $0.instance == blog.instance }
        == (row.what != "paused"))
    #expect(scene.findings.isEmpty)
    // Were it planned all the same, the audit would see it.
    scene.desired.isDistrusted = false
    let trusting = scene.plan
    scene.desired.isDistrusted = true
    let found = audit(
      trusting, desired: scene.desired, observed: scene.observed, memory: scene.memory)
    #expect(found.contains { $0.promise == 3 } == !trusting.isEmpty)
  }

  @Test(arguments: [(["blog", "forum", "new"], "new"), (["forum"], "blog")])
  func nothingIsBegunAndNothingPutAway(_ names: [String], waiting: String) {
    var scene = Scene([service("blog"), service("forum")])
    scene.desired.services = names.map { service($0) }
    scene.observed.keys[scene.place(service("new"))] = .absent
    scene.desired.isDistrusted = true
    #expect(scene.plan.isEmpty, "\(words(scene.plan))")
    #expect(
      scene.plan.waiting.filter { $0.kind == .distrusted }.compactMap(\.instance?.text) == [waiting]
    )
    #expect(!scene.plan.settlesIdentity)
  }

  /// Killed, and to be another: it is not started as what it was, nor as what it should be; its neighbour is.
  @Test func aChangeHoldsBackItsOwnInstanceOnly() {
    var blog = service("blog")
    var scene = Scene([blog, service("forum")])
    for service in [blog, service("forum")] {
      scene.changeContainer(service) { $0.state = .exited }
    }
    blog.limits.memory = 64 << 20
    scene.desired.services = [blog, service("forum")]
    scene.desired.isDistrusted = true
    #expect(groups(scene.plan) == ["forum": ["startContainer", "prove"]])
  }
}
