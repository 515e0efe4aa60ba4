import Descriptors
import Foundation
import Glibc
import OnionModel
import Testing

@testable import TorRuntime

@Suite struct InstanceFoldersTests {
  private static let owner = 7942
  private let files = InstanceFiles(torrc: "SocksPort 0\n", guardScript: "#!/bin/sh\n", sums: "x\n")

  private struct World {
    let scratch: Scratch
    let folders: InstanceFolders
    let blog: InstanceName
    var base: String { "\(scratch.path)/state/instances/blog" }
    var etc: String { "\(base)/etc" }

    init() throws {
      scratch = try Scratch()
      folders = InstanceFolders(stateRoot: try scratch.folder("state"))
      blog = try #require(InstanceName("blog"))
    }

    func write(_ files: InstanceFiles, label: ContainerLabel? = nil) throws {
      try folders.write(files, instance: blog, owner: owner, label: label)
    }

    func look(label: ContainerLabel? = nil) throws -> InstanceFolder {
      let seen = folders.observe(blog, owner: owner, label: label)
      return try #require(seen.value, "\(seen)")
    }
  }

  @Test func whatIsWrittenIsSeenAndPermitted() throws {
    let world = try World()
    #expect(world.folders.observe(world.blog, owner: Self.owner, label: nil).isAbsent)
    #expect(try world.folders.instances().isEmpty)
    try world.write(files)
    let seen = try world.look()
    #expect(seen.digests == files.digests)
    #expect(seen.flaws.isEmpty)
    #expect(try world.folders.instances() == [world.blog])
    func facts(_ path: String) throws -> String {
      var status = stat()
      try check(lstat(path, &status), path)
      return "\(status.st_uid):\(status.st_gid) \(String(status.st_mode & 0o7777, radix: 8))"
    }
    #expect(try facts("\(world.scratch.path)/state/instances") == "0:0 700")
    #expect(try facts(world.base) == "0:0 700")
    #expect(try facts(world.folders.etc(of: world.blog)) == "0:0 755")
    #expect(try facts(world.folders.run(of: world.blog) + "/../data") == "7942:7942 700")
    #expect(try facts(world.folders.run(of: world.blog)) == "7942:7942 700")
    for (name, text) in files.contents {
      #expect(try facts("\(world.etc)/\(name)") == "0:0 644")
      #expect(try contents("\(world.etc)/\(name)") == text)
    }
  }

  @Test func writingAgainLeavesEveryInodeAlone() throws {
    let world = try World()
    try world.write(files)
    func inodes() throws -> [String: UInt64] {
      var found: [String: UInt64] = [:]
      for path in try FileManager.default.subpathsOfDirectory(atPath: world.base) {
        var status = stat()
        try check(lstat("\(world.base)/\(path)", &status), path)
        found[path] = UInt64(status.st_ino)
      }
      return found
    }
    let before = try inodes()
    #expect(before.count == 7)
    try world.write(files)
    #expect(try inodes() == before)
    var changed = files
    changed.torrc += "DisableNetwork 1\n"
    try world.write(changed)
    #expect(try inodes().filter { before[$0.key] != $0.value }.keys.sorted() == ["etc/torrc"])
  }

  /// Each is a flaw by name, and one `write` mends it without touching what tor owns.
  @Test(arguments: [
    ("chmod 666 etc/torrc", "mode of etc/torrc"), ("chown 7942 etc/start", "owner of etc/start"),
    ("chgrp 7942 etc/sums", "owner of etc/sums"), ("chmod 777 etc", "mode of etc"),
    ("chown 7942 etc", "owner of etc"), ("chown 0:0 data", "owner of data"),
    ("chmod 755 run", "mode of run"), ("chmod 755 .", "mode of instances/blog"),
    ("chown 7942 .", "owner of instances/blog"), ("chmod 711 ..", "mode of instances"),
    ("ln etc/torrc elsewhere", "names of etc/torrc"), ("echo x > etc/extra", "etc/extra"),
    ("ln -s /etc/passwd etc/link", "etc/link"), ("mkdir -p etc/a/b/c; echo x > etc/a/b/f", "etc/a"),
    ("rm etc/torrc; ln -s start etc/torrc", "etc/torrc"),
    ("rm etc/sums; mkdir etc/sums", "etc/sums"),
    ("rm etc/sums; mkfifo etc/sums", "etc/sums"), ("rm -r run", "run"),
    ("rm -r run; ln -s /tmp run", "run"), ("rm -r data; echo x > data", "data"),
    ("head -c 300000 /dev/zero > etc/torrc", "etc/torrc"),
    ("echo x > etc/.new-123", "etc/.new-123"),
    ("printf 'a\\nb' > \"etc/$(printf 'n\\nl')\"", "etc/n\\x0al"),
  ])
  func damageIsNamedAndMended(_ command: String, _ what: String) async throws {
    let world = try World()
    try world.write(files)
    try write("guards", to: "\(world.base)/run/kept", owner: Self.owner)
    let child = try Child(
      ["/bin/sh", "-ec", "cd \(world.base); \(command)"],
      environment: ["PATH": "/usr/bin:/bin"], output: "\(world.scratch.path)/log")
    #expect(try await child.wait() == 0)
    let damaged = try world.look()
    #expect(damaged.flaws.contains { $0.what == what }, "\(damaged.flaws)")
    let passwd = try contents("/etc/passwd")
    try world.write(files)
    let mended = try world.look()
    #expect(mended.flaws.isEmpty, "\(mended.flaws)")
    #expect(mended.digests == files.digests)
    #expect(try contents("/etc/passwd") == passwd)
    if !command.contains("run") || command.contains("chmod") {
      #expect(try contents("\(world.base)/run/kept") == "guards")
    }
  }

  @Test func editedContentIsADigest() throws {
    let world = try World()
    try world.write(files)
    try write("SocksPort 1\n", to: "\(world.etc)/torrc", mode: 0o644)
    let seen = try world.look()
    #expect(seen.flaws.isEmpty)
    #expect(seen.digests["torrc"] == sha256("SocksPort 1\n"))
    try FileManager.default.removeItem(atPath: "\(world.etc)/sums")
    #expect(try world.look().digests["sums"] == nil)
    try FileManager.default.removeItem(atPath: world.etc)
    #expect(world.folders.observe(world.blog, owner: Self.owner, label: nil).isAbsent)
  }

  @Test func linksAboveTheInstanceAreUnknown() throws {
    let world = try World()
    try world.write(files)
    let instances = "\(world.scratch.path)/state/instances"
    try FileManager.default.moveItem(atPath: instances, toPath: instances + "2")
    try check(symlink(instances + "2", instances), "symlink")
    let seen = world.folders.observe(world.blog, owner: Self.owner, label: nil)
    #expect(seen.unknownReason?.contains("link") == true)
  }

  @Test func aMissingStateDirectoryIsUnknownNotAbsent() throws {
    let blog = try #require(InstanceName("blog"))
    let folders = InstanceFolders(stateRoot: "/nonexistent-onionkeeper")
    #expect(folders.observe(blog, owner: 1, label: nil).unknownReason != nil)
    #expect(throws: FolderError.self) {
      try folders.write(files, instance: blog, owner: 1, label: nil)
    }
    #expect(throws: FolderError.self) { try folders.remove(blog) }
  }

  @Test func labelsFollowTheInstance() throws {
    let world = try World()
    let label = ContainerLabel(type: "container_t", level: "s0:c1,c2")
    try world.write(files)
    #expect(try world.look(label: label).flaws.count == 7)
    try world.write(files, label: label)
    #expect(try world.look(label: label).flaws.isEmpty)
    let run = try Descriptor.folder(at: world.folders.run(of: world.blog))
    #expect(try run.label() == "system_u:object_r:container_file_t:s0:c1,c2")
    #expect(
      try world.look(label: ContainerLabel(type: "container_t", level: "s0:c1,c3")).flaws.count == 7
    )
  }

  /// `restorecon -RF` or another container's `:Z` moves the labels of tor's own files too; with the folder's own they come
  /// back, and nothing outside is touched.
  @Test func whatLiesInTorsFoldersIsLabelledWithThem() throws {
    let world = try World()
    let label = ContainerLabel(type: "container_t", level: "s0:c1,c2")
    let wanted = "system_u:object_r:container_file_t:s0:c1,c2"
    let other = "system_u:object_r:var_lib_t:s0"
    try world.write(files, label: label)
    let data = "\(world.base)/data"
    let outside = try world.scratch.folder("outside")
    try FileManager.default.createDirectory(
      atPath: "\(data)/keys", withIntermediateDirectories: false)
    for path in ["\(data)/state", "\(data)/keys/k", "\(outside)/linked", "\(outside)/hard"] {
      try Data().write(to: URL(fileURLWithPath: path))
      let folder = try Descriptor.folder(at: (path as NSString).deletingLastPathComponent)
      try folder.file(FileName((path as NSString).lastPathComponent)).setLabel(other)
    }
    try FileManager.default.createSymbolicLink(
      atPath: "\(data)/link", withDestinationPath: "\(outside)/linked")
    try FileManager.default.linkItem(atPath: "\(outside)/hard", toPath: "\(data)/hard")
    func labels(_ folder: String, _ names: String...) throws -> [String?] {
      let opened = try Descriptor.folder(at: folder)
      return try names.map { name in try opened.file(FileName(name)).label() }
    }
    // The folder is right: what is in it is tor's.
    try world.write(files, label: label)
    #expect(try labels(data, "state") == [other])

    try Descriptor.folder(at: data).setLabel(other)
    try world.write(files, label: label)
    #expect(try labels(data, "state", "keys", "keys/k") == [wanted, wanted, wanted])
    #expect(try labels(outside, "linked", "hard") == [other, other])
    #expect(try world.look(label: label).flaws.isEmpty)
  }

  @Test func removalKeepsTheGuardsAndFollowsNothing() throws {
    let world = try World()
    try world.write(files)
    try write("guards", to: "\(world.base)/data/state", owner: Self.owner)
    let outside = try world.scratch.folder("outside")
    try write("kept", to: "\(outside)/file")
    try check(symlink(outside, "\(world.base)/run/link"), "symlink")
    try check(mkfifo("\(world.base)/run/pipe", 0o600), "mkfifo")
    // Deeper than any path may be long, and than any stack is deep.
    var folder = try Descriptor.folder(at: world.folders.run(of: world.blog))
    for _ in 0..<3000 { folder = try folder.makeFolder("d") }
    try folder.write([1], to: "file")

    try world.folders.remove(world.blog)
    #expect(try FileManager.default.contentsOfDirectory(atPath: world.base) == ["data"])
    #expect(try contents("\(world.base)/data/state") == "guards")
    #expect(try contents("\(outside)/file") == "kept")
    #expect(world.folders.observe(world.blog, owner: Self.owner, label: nil).isAbsent)
    try world.folders.remove(world.blog)
    try world.write(files)
    #expect(try contents("\(world.base)/data/state") == "guards")
  }

  @Test func removalHasABudget() throws {
    let scratch = try Scratch()
    let folder = try Descriptor.folder(at: scratch.folder("x"))
    for number in 0..<20 { try folder.write([], to: FileName("\(number)")) }
    let parent = try Descriptor.folder(at: scratch.path)
    var budget = 15
    let error = #expect(throws: FileError.self) { try removeTree("x", in: parent, budget: &budget) }
    #expect(error?.number == E2BIG)
    // What went is gone: the next time comes further.
    budget = 15
    try removeTree("x", in: parent, budget: &budget)
    #expect(try parent.status(of: "x") == nil)
  }

  @Test func onlyInstanceNamesAreListed() throws {
    let world = try World()
    try world.write(files)
    for name in ["shop", ".hidden", "Upper", "a b"] {
      _ = try world.scratch.folder("state/instances/\(name)")
    }
    #expect(try world.folders.instances().map(\.text) == ["blog", "shop"])
  }
}
