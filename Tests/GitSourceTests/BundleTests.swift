import Foundation
import Testing

@testable import GitSource

/// `apply --bundle`: what a bundle brings, and what it cannot do to the mirror.
@Suite struct BundleTests {
  @Test func bringsCommits() async throws {
    let repository = try await Repository()
    let first = try await repository.commit(Repository.onions)
    let folder = repository.folder.path
    try await repository.git("bundle", "create", "-q", folder + "/whole", "main")
    let mirror = repository.mirror()
    #expect(try await mirror.take(bundle: folder + "/whole") == Tip(branch: "main", commit: first))
    #expect(try await mirror.readTree(commit: first).files.count == 2)
    // What builds on what is there.
    let second = try await repository.commit(Repository.onions, "second")
    try await repository.git("bundle", "create", "-q", folder + "/more", "\(first)..main")
    #expect(try await mirror.take(bundle: folder + "/more").commit == second)
    #expect(try await mirror.isDescendant(second, of: first))
    let references = try await run("git", ["for-each-ref"], in: mirror.path)
    #expect(references.isEmpty)
    // The server is asked later, and knows nothing of it.
    let third = try await repository.commit(Repository.onions, "third")
    #expect(try await mirror.fetch().commit == third)
    #expect(await mirror.contains(second))
  }

  @Test func standsOnWhatIsNotHere() async throws {
    let repository = try await Repository()
    let first = try await repository.commit(Repository.onions)
    try await repository.commit(Repository.onions, "second")
    let more = repository.folder.path + "/more"
    try await repository.git("bundle", "create", "-q", more, "\(first)..main")
    let mirror = repository.mirror()
    let error = await expectError(.missingCommit) { try await mirror.take(bundle: more) }
    #expect(error.message.contains(first), "\(error)")
    #expect(!FileManager.default.fileExists(atPath: mirror.path))
    #expect(!FileManager.default.fileExists(atPath: mirror.path + ".new"))
  }

  @Test func anotherBranchIsNotOurs() async throws {
    let repository = try await Repository()
    let commit = try await repository.commit(Repository.onions)
    try await repository.git("tag", "main2", commit)
    try await repository.git("update-ref", "refs/heads/other", commit)
    let file = repository.folder.path + "/other"
    try await repository.git("bundle", "create", "-q", file, "other", "main2")
    await expectError(.branchMissing) { try await repository.mirror().take(bundle: file) }
  }

  enum Flaw: CaseIterable {
    case empty, noBundle, truncated, flipped, noPack, anotherVersion, capability, folder, absent,
      incomplete, lyingHeader
  }

  @Test(arguments: Flaw.allCases) func damagedBundles(flaw: Flaw) async throws {
    let repository = try await Repository()
    let first = try await repository.commit(Repository.onions)
    let mirror = repository.mirror()
    try await mirror.fetch()
    let second = try await repository.commit(
      ["onionkeeper.yaml": "version: 1\n", "services/new.yaml": "hosts: [b]\n"], "second")
    let file = repository.folder.path + "/bundle"
    try await repository.git("bundle", "create", "-q", file, "main")
    var bytes = [UInt8](try Data(contentsOf: URL(filePath: file)))
    let head = try BundleHeader(bytes).length
    func headed(_ text: String) -> [UInt8] { Array(text.utf8) + bytes[head...] }
    switch flaw {
    case .empty: bytes = []
    case .noBundle: bytes = Array("hello\n\nworld".utf8)
    case .truncated: bytes.removeLast(30)
    case .flipped: bytes[bytes.count - 40] ^= 0xff
    case .noPack: bytes.removeLast(bytes.count - head)
    case .anotherVersion: bytes = headed("# v9 git bundle\n\(second) refs/heads/main\n\n")
    case .capability:
      bytes = headed("# v3 git bundle\n@filter=blob:none\n\(second) refs/heads/main\n\n")
    case .lyingHeader:
      bytes = headed(
        "# v2 git bundle\n\(String(repeating: "a", count: 40)) refs/heads/main\n\n")
    case .folder:
      try FileManager.default.removeItem(atPath: file)
      try FileManager.default.createDirectory(atPath: file, withIntermediateDirectories: false)
    case .absent: try FileManager.default.removeItem(atPath: file)
    case .incomplete:
      // The tip alone, without its tree.
      let pack = try await run(
        "bash", ["-c", "echo \(second) | git pack-objects -q --stdout | base64 -w0"],
        in: repository.path)
      bytes =
        Array("# v2 git bundle\n\(second) refs/heads/main\n\n".utf8)
        + [UInt8](try #require(Data(base64Encoded: pack)))
    }
    if flaw != .folder, flaw != .absent { try Data(bytes).write(to: URL(filePath: file)) }
    let error = await expectError(.unreachable) { try await mirror.take(bundle: file) }
    #expect(error.message.contains(file), "\(error)")
    #expect(await mirror.contains(first))
    #expect(try await mirror.readTree(commit: first).files.count == 2)
    // Whatever it left behind, the server's word heals.
    #expect(try await mirror.fetch().commit == second)
    #expect(try await mirror.readTree(commit: second).files.count == 2)
  }

  @Test func limitsHold() async throws {
    let repository = try await Repository()
    try await repository.commit(Repository.onions)
    let file = repository.folder.path + "/bundle"
    try await repository.git("bundle", "create", "-q", file, "main")
    await expectError(.limit) {
      try await repository.mirror { $0.limits.bytes = 100 }.take(bundle: file)
    }
    await expectError(.limit) {
      try await repository.mirror { $0.limits.objects = 1 }.take(bundle: file)
    }
  }

  @Test(arguments: [
    "# v2 git bundle\n-0123\n\n", "# v2 git bundle\nx refs/heads/main\n\n",
    "# v2 git bundle\n0123456789012345678901234567890123456789\n\n", "\n\n", "# v2 git bundle\n",
  ])
  func damagedHeads(text: String) {
    #expect(throws: GitError.self) { try BundleHeader(Array(text.utf8)) }
  }
}
