import OnionModel
import Planning
import Testing

/// Client files that somebody changed while their tor runs: put right, and what tor may have read of them is forgotten.
struct ClientDriftTests {
  static let both = Access.clients([alice, bob])

  @Test(
    arguments: [
      ("none left", [], ["repairKeys", "restartContainer", "prove"]),
      ("the decoy alone", [KeyFiles.decoy], ["repairKeys", "reload"]),
      ("bob missing", [KeyFiles.decoy, "alice.auth"], ["repairKeys", "reload"]),
      (
        "one too many", [KeyFiles.decoy, "alice.auth", "bob.auth", "mallory.auth"],
        ["repairKeys", "restartContainer", "prove"]
      ),
      ("as defined", [KeyFiles.decoy, "alice.auth", "bob.auth"], []),
    ] as [(String, [String], [String])])
  func row(what: String, files: [String], expected: [String]) {
    let vault = service("vault", access: Self.both)
    var scene = Scene([vault])
    let defined = KeyFiles.clientFiles(access: Self.both, address: Scene.address(vault.name))
    scene.changeKey(vault) { directory in
      directory.clientFiles = Dictionary(
        uniqueKeysWithValues: files.map { ($0, defined[$0] ?? "descriptor:x25519:M\n") })
    }
    #expect(words(scene.plan) == expected, "\(what)")
    #expect(scene.plan.steps.allSatisfy { $0.cause == .drift })
    #expect(scene.findings.isEmpty)
  }

  @Test func otherContentIsAStranger() {
    let vault = service("vault", access: Self.both)
    var scene = Scene([vault])
    scene.changeKey(vault) { $0.clientFiles["bob.auth"] = "descriptor:x25519:M\n" }
    #expect(words(scene.plan) == ["repairKeys", "restartContainer", "prove"])
  }

  /// A port moves at the same time: what is a reload by itself is none here.
  @Test func aChangeBesideItRestarts() {
    let vault = service("vault", access: Self.both)
    var scene = Scene([vault])
    scene.changeKey(vault) { $0.clientFiles = [:] }
    scene.desired.services[0].ports = [OnionPort(virtual: 81, target: .gateway(port: 8080))]
    #expect(words(scene.plan).contains("restartContainer"))
    #expect(!words(scene.plan).contains("reload"))
  }

  /// Over the budget it does not run on: nobody knows whom it lets in (promise 2).
  @Test func overTheBudgetItIsStopped() {
    let vault = service("vault", access: Self.both)
    var scene = Scene([vault])
    scene.changeKey(vault) { $0.clientFiles = [:] }
    scene.memory.instances[vault.instance]?.interruptions = (1...6).map {
      Scene.now.adding(seconds: -60 * Double($0))
    }
    #expect(words(scene.plan) == ["repairKeys", "removeContainer"])
    #expect(scene.plan.waiting.map(\.kind) == [.budget])
    #expect(scene.findings.isEmpty)
  }

  @Test func anOpenServiceHasNone() {
    let blog = service("blog")
    var scene = Scene([blog])
    scene.changeKey(blog) { $0.clientFiles = ["mallory.auth": "descriptor:x25519:M\n"] }
    #expect(words(scene.plan) == ["repairKeys"])
  }

  /// Where the files cannot be put right, or the restart fails, it does not run on.
  @Test(arguments: [Access.open, Access.clients([alice, bob])])
  func whatMayLetOthersInIsStoppedWhereItsRestartFails(before: Access) {
    var vault = service("vault", access: before)
    var scene = Scene([vault])
    vault.access = .clients([alice])
    scene.desired.services = [vault]
    let group = scene.plan.groups[0]
    #expect(
      words(group.steps) == ["repairKeys"] + ChangeTests.restart)
    #expect(words(group.fallback) == ["removeContainer"])
    #expect(
      group.steps.indices.map { group.needsFallback(afterFailing: $0) } == [
        true, true, true, true, false,
      ])
    #expect(scene.findings.isEmpty)
  }

  /// A new container at the same time: the one that lets others in goes first, for what the new one needs may fail.
  @Test func whatMayLetOthersInGoesBeforeItsSuccessorIsReady() {
    var vault = service("vault")
    var scene = Scene([vault])
    vault.access = .clients([alice])
    vault.limits.memory = 64 << 20
    scene.desired.services = [vault]
    let names = words(scene.plan)
    #expect(names.first == "removeContainer" && names.contains("createContainer"), "\(names)")
    #expect(names.filter { $0 == "removeContainer" }.count == 1)
    #expect(scene.findings.isEmpty)
  }
}
