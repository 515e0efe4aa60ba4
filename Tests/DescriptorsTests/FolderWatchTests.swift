import Glibc
import Testing

@testable import Descriptors

/// What somebody does on the disk is told, once, and what nobody asked about is not.
@Suite struct FolderWatchTests {
  private let scratch: Scratch
  private let watch: FolderWatch

  init() throws {
    scratch = try Scratch()
    watch = try FolderWatch()
    try scratch.makeFolder("keys")
    try scratch.makeFolder("keys/blog")
    try scratch.makeFile("keys/blog/secret")
    try scratch.makeFile("host.yaml")
  }

  private var places: Set<FolderWatch.Place> {
    [
      .init(scratch.path, entries: ["host.yaml", "keys"]), .init(scratch.path, "keys"),
      .init(scratch.path, "keys/blog"), .init(scratch.path, "keys/none"),
    ]
  }

  /// The first element may be of what was seen already.
  private func news() async {
    for await _ in watch.news where watch.hasNews { return }
  }

  private func path(_ name: String) -> String { "\(scratch.path)/\(name)" }

  @Test(arguments: [
    "remove", "change", "mode", "owner", "make", "moveOut", "moveIn", "folderMode", "folderGone",
    "hostFile",
  ])
  func isTold(_ deed: String) async throws {
    #expect(watch.renew(places) == nil)
    #expect(!watch.hasNews)
    let secret = path("keys/blog/secret")
    switch deed {
    case "remove": try #require(unlink(secret) == 0)
    case "change":
      let file = open(secret, O_WRONLY)
      try #require(write(file, "x", 1) == 1)
      close(file)
    case "mode": try #require(chmod(secret, 0o666) == 0)
    case "owner": try #require(chown(secret, 7942, 0) == 0)
    case "make": try scratch.makeFile("keys/blog/new")
    case "moveOut": try #require(rename(secret, path("away")) == 0)
    case "moveIn": try #require(rename(path("host.yaml"), path("keys/blog/host.yaml")) == 0)
    case "folderMode": try #require(chmod(path("keys/blog"), 0o777) == 0)
    case "folderGone": try #require(rename(path("keys/blog"), path("away")) == 0)
    default: try #require(chmod(path("host.yaml"), 0o600) == 0)
    }
    await news()
    #expect(watch.hasNews)
    // Whoever looks now sees it: it is no news any more.
    #expect(watch.renew(places) == nil)
    #expect(!watch.hasNews)
  }

  /// Reading, unfinished work, and other files beside the one that counts: nothing for anybody.
  @Test func isNotTold() async throws {
    #expect(watch.renew(places) == nil)
    let folder = try scratch.folder()
    _ = try folder.file("keys/blog/secret").read(limit: 100)
    _ = try folder.folder("keys").names(limit: 10)
    try scratch.makeFile("other")
    try #require(chmod(path("other"), 0o777) == 0)
    try scratch.makeFile("keys/blog/.new-1")
    try #require(unlink(path("keys/blog/.new-1")) == 0)
    #expect(watch.renew(places) == nil)
    #expect(!watch.hasNews)
    // The first element of the stream is of this, then.
    try #require(unlink(path("keys/blog/secret")) == 0)
    await news()
    #expect(watch.hasNews)
  }

  /// What comes where nothing was, or takes another's place, is watched from the next look on.
  @Test func isRenewed() async throws {
    #expect(watch.renew(places) == nil)
    try scratch.makeFolder("keys/none")
    await news()
    #expect(watch.renew(places) == nil)
    try scratch.makeFile("keys/none/file")
    await news()
    try #require(rename(path("keys/none"), path("keys/old")) == 0)
    try scratch.makeFolder("keys/none")
    #expect(watch.renew(places) == nil)
    // The one that moved away is not watched any more.
    try scratch.makeFile("keys/old/file2")
    #expect(watch.renew(places) == nil)
    #expect(!watch.hasNews)
    try scratch.makeFile("keys/none/file3")
    await news()
    #expect(watch.hasNews)
  }

  @Test func aLinkIsNotFollowed() throws {
    try scratch.makeFolder("outside")
    try scratch.link("keys/none", to: "../outside")
    #expect(watch.renew(places) == nil)
    try scratch.makeFile("outside/file")
    #expect(watch.renew(places) == nil)
    #expect(!watch.hasNews)
  }

  @Test func onlyComingAndGoing() throws {
    let places: Set<FolderWatch.Place> = [.init(scratch.path, "keys", hearsAttributes: false)]
    #expect(watch.renew(places) == nil)
    try #require(chmod(path("keys/blog"), 0o777) == 0)
    #expect(!watch.hasNews)
    #expect(watch.renew(places) == nil)
    try scratch.makeFolder("keys/new")
    let end = ContinuousClock.now + .seconds(60)
    while !watch.hasNews, ContinuousClock.now < end { sched_yield() }
    #expect(watch.hasNews)
  }

  /// More events than the kernel keeps: one of them says so, and that is news.
  @Test func anOverflowIsNews() async throws {
    let folder = try scratch.folder().folder("keys/blog")
    let place: Set<FolderWatch.Place> = [.init(scratch.path, "keys/blog", entries: ["never"])]
    #expect(watch.renew(place) == nil)
    let limit = try Descriptor.folder(at: "/proc/sys/fs/inotify").file("max_queued_events")
    let text = String(decoding: try limit.read(limit: 32), as: UTF8.self)
    let most = try #require(Int(text.prefix { $0.isNumber }))
    try watch.holding {
      // Two of a kind in a row are one event, so names alternate.
      for index in 0..<most { _ = try folder.unlink(try made(index, folder)) }
    }
    await news()
    #expect(watch.hasNews)
  }

  private func made(_ index: Int, _ folder: borrowing Descriptor) throws -> FileName {
    let name = FileName("n\(index % 2)")
    _ = try folder.newFile(name)
    return name
  }
}
