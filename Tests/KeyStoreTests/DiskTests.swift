import Descriptors
import Glibc
import OnionModel
import Testing

@testable import KeyStore

/// A disk on which nothing can be written: nothing is lost, it is said, and once it can be, all goes on.
@Suite struct DiskTests {
  enum Trouble: String, CaseIterable { case blocks, inodes, readOnly }

  let spot = place("blog/blog")
  let new = place("wiki/wiki")

  @Test(arguments: Trouble.allCases) func losesNothing(_ trouble: Trouble) async throws {
    let folder = try KeyFolder()
    let path = "\(folder.path)/small"
    try #require(mkdir(path, 0o700) == 0)
    let limits = trouble == .inodes ? "nr_inodes=40" : "size=128k"
    try #require(mount("none", path, "tmpfs", 0, "\(limits),mode=700") == 0)
    defer { umount2(path, detached) }
    try KeyRoot.setUp(path, id: KeyFolder.agent)
    let store = KeyRoot(path: path, id: KeyFolder.agent)
    let address = try await store.generate(
      spot, owner: KeyFolder.owner, CompanionFiles(access: clients))
    let secret = try Descriptor.folder(at: path).file("blog/blog/hs_ed25519_secret_key")
      .read(limit: 100)
    try Descriptor.folder(at: "\(path)/blog/blog").unlink("hostname")
    try begin(trouble, path)

    let wish = folder.wish(address, access: clients)
    let expected: KeyStoreError.Code = trouble == .readOnly ? .diskReadOnly : .diskFull
    let changes: [(String, () async throws -> Void)] = [
      ("generate", { _ = try await store.generate(new, owner: KeyFolder.owner) }),
      ("repair", { try await store.repair(spot, wish, now: now) }),
      (
        "anchor",
        {
          try await store.writeAnchor(
            Anchor(commit: valid(CommitID(String(repeating: "a", count: 40))), source: "x"))
        }
      ),
    ]
    for (name, change) in changes { #expect(await code(change) == expected, "\(name)") }
    let seen = await store.observe([spot, new], owner: KeyFolder.owner)
    #expect(seen[spot]?.value?.address == address)
    #expect(seen[new] == .absent)
    #expect(await store.pins() == .present([spot.service: address]))
    // Moving needs no room but a folder's; what has none stays where it is.
    let retiring = await code { _ = try await store.retire(spot, address, now: now) }
    #expect(retiring == (trouble == .readOnly ? .diskReadOnly : nil))
    if retiring == nil {
      try await store.restore(
        "blog-\(now.compact)", to: spot, address, owner: KeyFolder.owner)
    }

    try end(trouble, path)
    for (name, change) in changes { #expect(await code(change) == nil, "\(name)") }
    #expect(await store.observe([spot], owner: KeyFolder.owner)[spot]?.value?.flaws == [])
    #expect(
      try Descriptor.folder(at: path).file("blog/blog/hs_ed25519_secret_key").read(limit: 100)
        == secret)
  }

  private func begin(_ trouble: Trouble, _ path: String) throws {
    // MS_REMOUNT and MS_RDONLY.
    if trouble == .readOnly {
      return try #require(mount("none", path, "tmpfs", 32 | 1, nil) == 0)
    }
    let root = try Descriptor.folder(at: path)
    let content = [UInt8](repeating: 1, count: trouble == .blocks ? 4096 : 0)
    for number in 0..<1000 {
      do {
        try root.write(content, to: FileName("filler-\(number)"))
      } catch {
        #expect(error.number == ENOSPC)
        return
      }
    }
    Issue.record("it is not full")
  }

  private func end(_ trouble: Trouble, _ path: String) throws {
    if trouble == .readOnly { return try #require(mount("none", path, "tmpfs", 32, nil) == 0) }
    let root = try Descriptor.folder(at: path)
    for name in try root.names(limit: 1000) where name.description.hasPrefix("filler") {
      try root.unlink(name)
    }
  }
}
