import Glibc
import Swapping
import Testing

@testable import Descriptors

/// What a name below a folder may meet: the same by `openat2` and by the walk that replaces it.
@Suite struct ResolutionTests {
  static let ways: [Descriptor.Resolution] = [[], .walking]

  @Test(arguments: ways) func linksAreNotFollowed(_ way: Descriptor.Resolution) throws {
    let scratch = try Scratch()
    try scratch.makeFolder("real")
    try scratch.makeFile("real/file")
    try scratch.link("first", to: "real")
    try scratch.link("real/last", to: "file")
    try scratch.link("out", to: "/etc")
    let folder = try scratch.folder()
    for name: FileName in ["first", "first/file", "out", "out/passwd", "real/last"] {
      #expect(failure { _ = try folder.file(name, .reading, way) } == ELOOP, "\(name)")
      #expect(failure { _ = try folder.file(name, .holding, way) } == ELOOP, "\(name)")
    }
    for name: FileName in ["first", "out"] {
      #expect(failure { _ = try folder.folder(name, way) } == ELOOP, "\(name)")
    }
    #expect(try folder.file("real/file", .reading, way).read(limit: 10) == Array("text".utf8))
  }

  @Test(arguments: ways) func nothingAbove(_ way: Descriptor.Resolution) throws {
    let scratch = try Scratch()
    try scratch.makeFolder("inner")
    let folder = try scratch.folder()
    for name: FileName in ["..", "../..", "inner/../..", "/etc", "/etc/passwd", "/"] {
      #expect(failure { _ = try folder.file(name, .reading, way) } == EXDEV, "\(name)")
    }
    for name: FileName in ["", FileName(bytes: [0x61, 0])] {
      #expect(failure { _ = try folder.file(name, .reading, way) } == EINVAL, "\(name)")
    }
    #expect(failure { _ = try folder.file("none", .reading, way) } == ENOENT)
    #expect(failure { _ = try folder.file("inner/none/none", .reading, way) } == ENOENT)
    let long = FileName(String(repeating: "x", count: 300))
    #expect(failure { _ = try folder.file(long, .reading, way) } == ENAMETOOLONG)
  }

  /// Of the same file system, so that only the mount itself tells.
  @Test(arguments: ways) func mountsAreNotEntered(_ way: Descriptor.Resolution) throws {
    let scratch = try Scratch()
    try scratch.makeFolder("mounted")
    try scratch.makeFolder("other")
    try scratch.makeFile("other/file")
    try #require(
      mount("\(scratch.path)/other", "\(scratch.path)/mounted", nil, bound, nil) == 0,
      "these tests run as root with the right to mount")
    defer { umount2("\(scratch.path)/mounted", detached) }
    let folder = try scratch.folder()
    #expect(failure { _ = try folder.folder("mounted", way) } == EXDEV)
    #expect(failure { _ = try folder.file("mounted/file", .reading, way) } == EXDEV)
    let inside = try folder.file("mounted/file", .reading, way.union(.crossingMounts))
    #expect(try inside.status().kind == .file)
  }

  @Test(arguments: ways) func nothingWaits(_ way: Descriptor.Resolution) throws {
    let scratch = try Scratch()
    try #require(mkfifo("\(scratch.path)/pipe", 0o600) == 0)
    let folder = try scratch.folder()
    #expect(try folder.file("pipe", .reading, way).status().kind == .pipe)
    #expect(try folder.file("pipe", .holding, way).status().kind == .pipe)
    #expect(failure { _ = try folder.folder("pipe", way) } == ENOTDIR)
  }

  @Test func absolutePathsWithAndWithoutLinks() throws {
    let scratch = try Scratch()
    try scratch.makeFolder("real")
    try scratch.makeFolder("real/inner")
    try scratch.link("link", to: "real")
    let path = "\(scratch.path)/link/inner"
    #expect(try Descriptor.folder(at: path).status().kind == .folder)
    #expect(failure { _ = try Descriptor.folder(at: path, links: false) } == ELOOP)
    #expect(
      try Descriptor.folder(at: "\(scratch.path)/real/inner", links: false).status().kind == .folder
    )
    #expect(try Descriptor.folder(at: "/", links: false).status().kind == .folder)
    #expect(failure { _ = try Descriptor.folder(at: "tmp") } == EINVAL)
  }

  /// A folder is swapped for a link to one outside, without pause: what opens is always the one inside.
  @Test(arguments: ways) func aSwapOpensNothingOutside(_ way: Descriptor.Resolution) async throws {
    let scratch = try Scratch()
    let outside = try Scratch()
    try outside.makeFile("file", "outside")
    try scratch.makeFolder("place")
    try scratch.makeFile("place/file", "inside")
    try scratch.link("decoy", to: outside.path)
    let folder = try scratch.folder()
    let swapper = Swapper(scratch.path, "place", "decoy")
    defer { swapper.stop() }
    var opened = 0
    var refused = 0
    for _ in 0..<1_000_000 where opened < 200 || refused < 20 {
      do {
        let file = try folder.file("place/file", .reading, way)
        #expect(try file.read(limit: 100) == Array("inside".utf8))
        opened += 1
      } catch {
        #expect([ELOOP, ENOTDIR, ENOENT].contains(error.number), "\(error)")
        refused += 1
      }
    }
    #expect(opened >= 200 && refused >= 20, "opened \(opened), refused \(refused)")
  }
}
