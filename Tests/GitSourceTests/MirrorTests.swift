import Foundation
import GitSource
import Testing

@Suite struct MirrorTests {
  @Test func looksFetchesAndReads() async throws {
    let repository = try await Repository()
    let first = try await repository.commit(Repository.onions, "first")
    let mirror = repository.mirror()
    #expect(try await mirror.look() == Tip(branch: "main", commit: first))
    #expect(await !mirror.contains(first))
    await expectError(.missingCommit) { try await mirror.readTree(commit: first) }
    #expect(try await mirror.fetch().commit == first)
    #expect(await mirror.contains(first))
    let listing = try await mirror.readTree(commit: first)
    #expect(listing.files.map(\.path) == ["onionkeeper.yaml", "services/blog.yaml"])
    #expect(listing.files.first?.content == .bytes(Array("version: 1\n".utf8)))

    let second = try await repository.commit(Repository.onions, "second")
    #expect(try await mirror.fetch().commit == second)
    #expect(await mirror.contains(first))
    // A second process finds what the first one fetched.
    let other = repository.mirror()
    #expect(await other.contains(second))
  }

  @Test func missingBranchEmptyAndAwayAreToldApart() async throws {
    let repository = try await Repository()
    let mirror = repository.mirror()
    await expectError(.emptyRepository) { try await mirror.look() }
    await expectError(.emptyRepository) { try await mirror.fetch() }
    let commit = try await repository.commit(Repository.onions)
    let away = repository.mirror { $0.branch = "elsewhere" }
    await expectError(.branchMissing) { try await away.look() }
    await expectError(.branchMissing) { try await away.fetch() }
    try await mirror.fetch()
    try await repository.git("update-ref", "-d", "refs/heads/main")
    await expectError(.emptyRepository) { try await mirror.fetch() }
    // What was fetched stays.
    #expect(await mirror.contains(commit))
    try FileManager.default.removeItem(atPath: repository.path)
    let error = await expectError(.unreachable) { try await mirror.look() }
    #expect(error.message.contains(repository.path))
    try FileManager.default.createDirectory(
      atPath: repository.path, withIntermediateDirectories: false)
    await expectError(.unreachable) { try await mirror.look() }
    #expect(await mirror.contains(commit))
  }

  @Test func knowsDescendants() async throws {
    let repository = try await Repository()
    let tree = try await repository.tree(of: Repository.onions)
    let first = try await repository.commit(tree: tree, "first")
    let second = try await repository.commit(tree: tree, "second")
    let mirror = repository.mirror()
    try await mirror.fetch()
    // A forced push: a sibling of `second`.
    let forced = try await repository.commit(tree: tree, "forced", parents: [first])
    try await mirror.fetch()
    #expect(try await mirror.isDescendant(second, of: first))
    #expect(try await mirror.isDescendant(first, of: first))
    #expect(try await !mirror.isDescendant(first, of: second))
    #expect(try await !mirror.isDescendant(forced, of: second))
    #expect(try await mirror.isDescendant(forced, of: first))
    // An anchor of another repository: not in this history at all.
    let foreign = String(repeating: "0123456789", count: 4)
    #expect(try await !mirror.isDescendant(forced, of: foreign))
    await expectError(.missingCommit) { try await mirror.isDescendant(foreign, of: first) }
    // A merge has both among its ancestors.
    let merge = try await repository.commit(tree: tree, "merge", parents: [forced, second])
    try await mirror.fetch()
    #expect(try await mirror.isDescendant(merge, of: second))
  }

  @Test func readsCommits() async throws {
    let repository = try await Repository()
    let tree = try await repository.tree(of: Repository.onions)
    let first = try await repository.commit(tree: tree, "first", date: "1700000000 +0200")
    let message = "second\n\nBody.\n\nOnionkeeper-Remove: 2\nSigned-off-by: A <a@example.org>\n"
    let second = try await repository.commit(tree: tree, message)
    let twice = try await repository.commit(
      tree: tree, "third\n\nOnionkeeper-Remove: 1\nOnionkeeper-Remove: 2\n")
    let mirror = repository.mirror()
    try await mirror.fetch()
    let info = try await mirror.commitInfo(first)
    #expect(info.committed == 1_700_000_000)
    #expect(info.tree == tree)
    #expect(info.parents.isEmpty)
    #expect(info.author == "A <a@example.org>")
    #expect(info.trailer("Onionkeeper-Remove") == nil)
    let next = try await mirror.commitInfo(second)
    #expect(next.parents == [first])
    #expect(next.summary == "second")
    #expect(next.trailer("onionkeeper-remove") == "2")
    #expect(try await mirror.commitInfo(twice).trailer("Onionkeeper-Remove") == nil)
    for bad in ["", "main", String(first.dropLast()), first + "0", "HEAD"] {
      await expectError(.missingCommit) { try await mirror.commitInfo(bad) }
    }
  }

  @Test func listsDeletedFiles() async throws {
    let repository = try await Repository()
    let old = try await repository.commit([
      "onionkeeper.yaml": "version: 1\n", "services/a.yaml": "same text", "services/b.yaml": "b",
      "other/c.yaml": "c",
    ])
    let new = try await repository.commit([
      "onionkeeper.yaml": "version: 1\n", "services/renamed.yaml": "same text",
    ])
    let mirror = repository.mirror()
    try await mirror.fetch()
    let all = ["other/c.yaml", "services/a.yaml", "services/b.yaml"]
    #expect(try await mirror.deletedFiles(from: old, to: new, under: "") == all)
    #expect(
      try await mirror.deletedFiles(from: old, to: new, under: "services") == Array(all.dropFirst())
    )
    #expect(try await mirror.deletedFiles(from: old, to: new, under: "serv").isEmpty)
    #expect(
      try await mirror.deletedFiles(from: new, to: old, under: "services")
        == ["services/renamed.yaml"])
  }

  enum Damage: CaseIterable {
    case noObjects, emptyReference, garbageReference, truncatedPack, flippedPack, garbageHead,
      staleLock, notAFolder, foreignOwner, writableByOthers, emptyFolder, manyPacks
  }

  @Test(arguments: Damage.allCases)
  func damagedMirrorIsRemade(damage: Damage) async throws {
    let repository = try await Repository()
    try await repository.commit(Repository.onions)
    try await repository.mirror().fetch()
    let mirror = repository.mirror()
    try harm(mirror.path, damage)
    // What the mirror says now is an error or the truth; never another truth.
    let second = try await repository.commit(Repository.onions, "second")
    #expect(await !mirror.contains(second))
    #expect(try await mirror.fetch().commit == second)
    let listing = try await mirror.readTree(commit: second)
    #expect(listing.files.count == 2)
    #expect(!FileManager.default.fileExists(atPath: mirror.path + "/objects/pack/filler63.pack"))
    #expect(!FileManager.default.fileExists(atPath: mirror.path + ".new"))
  }

  private func harm(_ path: String, _ damage: Damage) throws {
    let files = FileManager.default
    let packs = path + "/objects/pack/"
    func packFile() throws -> String {
      packs
        + (try #require(
          try files.contentsOfDirectory(atPath: packs).first { $0.hasSuffix(".pack") }))
    }
    func overwrite(_ file: String, _ text: String) throws {
      try Data(text.utf8).write(to: URL(filePath: file))
    }
    switch damage {
    case .noObjects: try files.removeItem(atPath: path + "/objects")
    case .emptyReference: try overwrite(path + "/refs/onionkeeper/tip", "")
    case .garbageReference: try overwrite(path + "/refs/onionkeeper/tip", "garbage\n")
    case .garbageHead: try overwrite(path + "/HEAD", "\u{0}\u{1}garbage")
    case .staleLock: try overwrite(path + "/refs/onionkeeper/tip.lock", "")
    case .truncatedPack: try #require(truncate(try packFile(), 40) == 0)
    case .flippedPack:
      var data = try Data(contentsOf: URL(filePath: packFile()))
      for index in 12..<data.count { data[index] ^= 0xff }
      try #require(chmod(try packFile(), 0o600) == 0)
      try data.write(to: URL(filePath: packFile()))
    case .notAFolder:
      try files.removeItem(atPath: path)
      try overwrite(path, "a file")
    case .foreignOwner: try #require(chown(path, 1234, 1234) == 0, "the tests run as root")
    case .writableByOthers: try #require(chmod(path, 0o777) == 0)
    case .emptyFolder:
      try files.removeItem(atPath: path)
      try files.createDirectory(atPath: path, withIntermediateDirectories: false)
    case .manyPacks:
      for number in 0..<200 { try overwrite(packs + "filler\(number).pack", "") }
    }
  }

  /// The object that is needed has gone, all else is well: reading says so, and the next fetch
  /// heals although the server has nothing new.
  @Test func lostObjectIsNoticedAndFetchedAgain() async throws {
    let repository = try await Repository()
    let tip = try await repository.commit(Repository.onions)
    let mirror = repository.mirror()
    try await mirror.fetch()
    // Unpack, then remove the blob of one definition.
    let pack = mirror.path + "/objects/pack/"
    let name = try #require(
      try FileManager.default.contentsOfDirectory(atPath: pack).first { $0.hasSuffix(".pack") })
    let bytes = [UInt8](try Data(contentsOf: URL(filePath: pack + name)))
    try FileManager.default.removeItem(atPath: pack)
    try await run("git", ["unpack-objects", "-q"], in: mirror.path, input: bytes)
    let blob = try await repository.blob("hosts: [a]\n")
    let again = repository.mirror()
    #expect(await again.contains(tip))
    try FileManager.default.removeItem(
      atPath: again.path + "/objects/\(blob.prefix(2))/\(blob.dropFirst(2))")
    await expectError(.corruptMirror) { try await again.readTree(commit: tip) }
    #expect(await !again.contains(tip))
    try await again.fetch()
    #expect(try await again.readTree(commit: tip).files.count == 2)
  }

  /// A full or unwritable disk is not damage: the mirror stays as it is.
  @Test func noRoomIsNotDamage() async throws {
    let repository = try await Repository()
    let first = try await repository.commit(Repository.onions)
    let mirror = repository.mirror()
    try await mirror.fetch()
    let missing = GitMirror(at: repository.folder.path + "/no/such/mirror", source: mirror.source)
    await expectError(.storage) { try await missing.fetch() }
    #expect(await mirror.contains(first))
  }

  @Test func limitsHoldForLocalRepositories() async throws {
    let repository = try await Repository()
    try await repository.commit(Repository.onions)
    let objects = repository.mirror { $0.limits.objects = 2 }
    let error = await expectError(.limit) { try await objects.fetch() }
    #expect(error.message.contains("objects"))
    let bytes = repository.mirror { $0.limits.bytes = 100 }
    await expectError(.limit) { try await bytes.fetch() }
    let time = repository.mirror { $0.limits.total = .zero }
    await expectError(.timeout) { try await time.fetch() }
    #expect(!FileManager.default.fileExists(atPath: time.path))
  }

  @Test func cancelledTaskDoesNotFetch() async throws {
    let repository = try await Repository()
    try await repository.commit(Repository.onions)
    let mirror = repository.mirror()
    let task = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      return try await mirror.fetch()
    }
    await expectError(.cancelled) { try await task.value }
    try await mirror.fetch()
  }
}
