import Descriptors
import Glibc
import Testing

@Suite struct FileTests {
  @Test func readingIsBounded() throws {
    let scratch = try Scratch()
    try scratch.makeFile("file", "0123456789")
    try scratch.makeFile("empty", "")
    let file = try scratch.folder().file("file")
    #expect(try file.read(limit: 10) == Array("0123456789".utf8))
    #expect(failure { _ = try file.read(limit: 9) } == EFBIG)
    #expect(try scratch.folder().file("empty").read(limit: 0) == [])
    // A file that never ends.
    let endless = try Descriptor.folder(at: "/dev").file("zero")
    #expect(failure { _ = try endless.read(limit: 1 << 20) } == EFBIG)
  }

  @Test func namesAreBytesAndBounded() throws {
    let scratch = try Scratch()
    let strange: [FileName] = [
      "plain", FileName("new\nline"), FileName(bytes: [0xff, 0xfe]), FileName(" "), FileName("\\"),
    ]
    for name in strange { try scratch.folder().write([1], to: name) }
    let folder = try scratch.folder()
    #expect(try folder.names(limit: 5).sorted() == strange.sorted())
    #expect(try folder.names(limit: 5).count == 5, "a second look sees the same")
    #expect(failure { _ = try folder.names(limit: 4) } == E2BIG)
    #expect(strange.map(\.description) == ["plain", "new\\x0aline", "\\xff\\xfe", " ", "\\\\"])
    #expect(strange[2].text == nil && strange[1].text == "new\nline")
  }

  @Test func manyNamesTakeSeveralCalls() throws {
    let scratch = try Scratch()
    for index in 0..<3000 { try scratch.makeFile("a-rather-long-name-\(index)", "") }
    #expect(try Set(scratch.folder().names(limit: 3000)).count == 3000)
  }

  @Test func writingSetsOwnerModeAndReplacesWithoutFollowing() throws {
    let scratch = try Scratch()
    try scratch.makeFile("outside", "untouched")
    try scratch.link("file", to: "outside")
    let folder = try scratch.folder()
    try folder.write(
      Array("first".utf8), to: "file", FileAttributes(owner: 7942, mode: 0o640))
    var status = try #require(try folder.status(of: "file"))
    #expect(status.kind == .file && status.owner == 7942 && status.group == 7942)
    #expect(status.mode == 0o640)
    #expect(try folder.file("outside").read(limit: 100) == Array("untouched".utf8))
    try folder.write(Array("second".utf8), to: "file")
    status = try #require(try folder.status(of: "file"))
    #expect(status.owner == 0 && status.mode == 0o600)
    #expect(try folder.file("file").read(limit: 100) == Array("second".utf8))
    #expect(try folder.names(limit: 10).sorted() == ["file", "outside"])
  }

  /// A pipe, a folder that is full of something, a read-only name: the failure leaves nothing new behind.
  @Test func aFailedWriteLeavesNothing() throws {
    let scratch = try Scratch()
    try scratch.makeFolder("taken")
    try scratch.makeFile("taken/inner")
    let folder = try scratch.folder()
    #expect(failure { try folder.write([1], to: "taken") } == EISDIR)
    for name: FileName in [".", "..", "a/b", ""] {
      #expect(failure { try folder.write([1], to: name) } == EINVAL, "\(name)")
    }
    #expect(failure { try folder.write([1], to: "x", FileAttributes(owner: -5)) } == EINVAL)
    #expect(try folder.names(limit: 10) == ["taken"])
  }

  @Test func aFullDiskLeavesTheOldFile() throws {
    let scratch = try Scratch()
    try scratch.makeFolder("disk")
    try #require(mount("none", "\(scratch.path)/disk", "tmpfs", 0, "size=64k") == 0)
    defer { umount2("\(scratch.path)/disk", detached) }
    let folder = try Descriptor.folder(at: "\(scratch.path)/disk")
    try folder.write(Array("old".utf8), to: "file")
    let large = [UInt8](repeating: 7, count: 1 << 20)
    #expect(failure { try folder.write(large, to: "file") } == ENOSPC)
    #expect(try folder.file("file").read(limit: 10) == Array("old".utf8))
    #expect(try folder.names(limit: 10) == ["file"])
  }

  @Test func renamingReplacesNothing() throws {
    let scratch = try Scratch()
    try scratch.makeFolder("from")
    try scratch.makeFolder("empty")
    try scratch.makeFile("file")
    try scratch.link("dangling", to: "nowhere")
    let folder = try scratch.folder()
    for name: FileName in ["empty", "file", "dangling"] {
      #expect(failure { try folder.rename("from", to: folder, as: name) } == EEXIST, "\(name)")
    }
    try folder.rename("from", to: folder, as: "to")
    #expect(try folder.status(of: "from") == nil)
    #expect(try folder.status(of: "to")?.kind == .folder)
  }

  @Test func ownerOfALinkIsTheLinks() throws {
    let scratch = try Scratch()
    try scratch.makeFile("file")
    try #require(mkfifo("\(scratch.path)/pipe", 0o600) == 0)
    let folder = try scratch.folder()
    try folder.file("pipe", .holding).setOwner(7942)
    #expect(try folder.status(of: "pipe")?.owner == 7942)
    #expect(failure { try folder.file("file", .holding).setMode(0o600) } == EBADF)
    let made = try folder.makeFolder("made", mode: 0o2750, owner: 7942)
    let status = try made.status()
    #expect(status.mode == 0o2750 && status.owner == 7942 && status.group == 7942)
    #expect(failure { try folder.makeFolder("made") } == EEXIST)
  }

  @Test func attributesByAnyDescriptor() throws {
    let scratch = try Scratch()
    try scratch.makeFile("file")
    let folder = try scratch.folder()
    for access in [Descriptor.Access.reading, .holding] {
      let file = try folder.file("file", access)
      #expect(try file.attribute("trusted.onionkeeper", limit: 10) == nil)
      try file.setAttribute("trusted.onionkeeper", [1, 2, 3])
      #expect(try file.attribute("trusted.onionkeeper", limit: 3) == [1, 2, 3])
      #expect(failure { _ = try file.attribute("trusted.onionkeeper", limit: 2) } == EFBIG)
      try file.removeAttribute("trusted.onionkeeper")
      try file.removeAttribute("trusted.onionkeeper")
    }
    // The kernel stores a label also where SELinux is off; where it is on, it must be one that the policy knows.
    let file = try folder.file("file")
    let label = "system_u:object_r:container_file_t:s0:c1,c2"
    try file.setLabel(label)
    #expect(try file.label() == label)
  }

  @Test func aLockIsHeldByOne() throws {
    let scratch = try Scratch()
    let folder = try scratch.folder()
    do {
      let lock = try FileLock("lock", in: folder)
      #expect(throws: FileLock.Failure.self) { _ = try FileLock("lock", in: folder) }
      do {
        _ = try FileLock("lock", in: folder)
        Issue.record("a second lock was given")
      } catch FileLock.Failure.held(let path, let process) {
        #expect(process == Int(getpid()) && path == "\(scratch.path)/lock")
      }
      _ = consume lock
    }
    // Another test's child has a copy of the descriptor until it executes its program.
    _ = try FileLock("lock", in: folder, patience: 20)
    try scratch.makeFile("target")
    try scratch.link("linked", to: "target")
    #expect(throws: FileLock.Failure.file(FileError(ELOOP, "open", "\(scratch.path)/linked"))) {
      _ = try FileLock("linked", in: folder)
    }
  }

  @Test func leftoversGoWhenOld() throws {
    let scratch = try Scratch()
    try scratch.makeFolder(".new-1")
    try scratch.makeFolder(".new-1/inner")
    try scratch.makeFile(".new-1/inner/file")
    try scratch.makeFile(".new-2")
    try scratch.makeFile("kept")
    try scratch.link(".new-1/link", to: "../kept")
    let folder = try scratch.folder()
    #expect(try folder.removeLeftovers(changedBefore: 0, limit: 100) == 0)
    #expect(try folder.names(limit: 10).count == 3)
    #expect(try folder.removeLeftovers(changedBefore: .max, limit: 100, entries: 2) <= 1)
    #expect(try folder.removeLeftovers(changedBefore: .max, limit: 100) >= 1)
    #expect(try folder.names(limit: 10) == ["kept"])
    #expect(try folder.file("kept").read(limit: 10) == Array("text".utf8))
  }
}
