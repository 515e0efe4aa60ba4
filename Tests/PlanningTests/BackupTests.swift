import OnionModel
import Planning
import Testing

/// `backup.recipients`: each key is sealed to them, and nothing that runs depends on it.
struct BackupTests {
  static let recipients = ["age1one", "age1two"]

  static func file(_ service: OnionService, _ recipients: [String] = recipients) -> String {
    KeyBackup.fileName(of: service.name, Scene.address(service.name), recipients: recipients)
  }

  static func scene(_ services: [OnionService]) -> Scene {
    var scene = Scene(services)
    scene.desired.backupRecipients = recipients
    return scene
  }

  @Test func everyReadyKeyIsBackedUpOnce() {
    let (blog, forum) = (service("blog"), service("forum"))
    var scene = Self.scene([blog, forum])
    scene.observed.backups = .present([Self.file(forum)])
    #expect(
      scene.plan.steps.map(\.action) == [
        .backUpKey(
          scene.place(blog), Scene.address(blog.name), recipients: Self.recipients)
      ])
    #expect(scene.findings.isEmpty)
    scene.observed.backups = .present([Self.file(forum), Self.file(blog)])
    #expect(scene.plan.isEmpty)
    scene.desired.backupRecipients = ["age1one"]
    #expect(words(scene.plan) == ["backUpKey", "backUpKey"])
    scene.desired.backupRecipients = []
    #expect(scene.plan.isEmpty)
  }

  /// Nobody learns of an address whose key is not backed up.
  @Test func aNewKeyIsBackedUpBeforeItsContainerStarts() {
    let blog = service("blog")
    var scene = Self.scene([blog])
    scene.forget(blog)
    #expect(
      words(scene.plan) == [
        "generateKey", "backUpKey", "writeFiles", "verifyConfiguration", "createContainer",
        "startContainer", "prove",
      ])
    #expect(scene.findings.isEmpty)
  }

  /// A backup that could not be made delays the container to the next round, and no longer.
  @Test func aServiceWithoutABackupIsStarted() {
    let blog = service("blog")
    var scene = Self.scene([blog])
    scene.observed.containers = .present([])
    scene.memory.instances[blog.instance]?.keyRetries = [
      blog.name: Retry(failures: 1, at: Scene.now.adding(seconds: 5))
    ]
    #expect(words(scene.plan).first == "verifyConfiguration")
    #expect(!words(scene.plan).contains("backUpKey"))
  }

  @Test func itIsTriedAgainLater() {
    let blog = service("blog")
    var scene = Self.scene([blog])
    scene.memory.instances[blog.instance]?.keyRetries = [
      blog.name: Retry(failures: 1, at: Scene.now.adding(seconds: 5))
    ]
    #expect(scene.plan.isEmpty)
    #expect(scene.plan.waiting.map(\.kind) == [.backup])
    scene.observed.now = Scene.now.adding(seconds: 5)
    #expect(words(scene.plan) == ["backUpKey"])
  }

  /// What cannot be seen is not made anew, and stops neither other steps nor the memory of what is given here.
  @Test func unknownBackupsStopNothing() throws {
    let blog = service("blog")
    var scene = Self.scene([blog])
    scene.observed.backups = .unknown("EIO")
    scene.changeContainer(blog) { $0.state = .exited }
    #expect(words(scene.plan) == ["startContainer", "prove"])
    #expect(scene.plan.waiting.map(\.kind) == [.backup])
    #expect(scene.plan.settlesIdentity)
    scene.changeContainer(blog) { $0.state = .running }
    let judged = conditions(scene.desired, scene.observed, scene.memory, plan: scene.plan)
    let ready = try #require(judged[blog.name]?.first { $0.name == .ready })
    #expect(ready.status == .yes)
  }

  @Test(arguments: ["held", "paused", "paused by hand", "other key"])
  func onlyTheRightKeyOfARunningService(what: String) {
    var blog = service("blog")
    var scene = Self.scene([blog])
    switch what {
    case "held": scene.changeKey(blog) { $0.secret = .missing }
    case "paused":
      blog.isPaused = true
      scene.desired.services = [blog]
    case "paused by hand": scene.memory.paused = [blog.name]
    default:
      scene.changeKey(blog) {
        $0.secret = .whole(OnionAddress(publicKey: Array(repeating: 9, count: 32)))
      }
    }
    #expect(!words(scene.plan).contains("backUpKey"))
  }

  @Test func theAuditRefusesOtherBackups() {
    let blog = service("blog")
    let scene = Self.scene([blog])
    let plan = scene.plan
    var other = scene
    other.desired.backupRecipients = ["age1evil"]
    #expect(
      !audit(plan, desired: other.desired, observed: other.observed, memory: other.memory).isEmpty)
    other = scene
    other.changeKey(blog) {
      $0.secret = .whole(OnionAddress(publicKey: Array(repeating: 9, count: 32)))
    }
    #expect(
      !audit(plan, desired: other.desired, observed: other.observed, memory: other.memory).isEmpty)
  }
}
