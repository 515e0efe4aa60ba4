import Descriptors
import Glibc
import OnionModel
import Testing

@testable import KeyStore

/// Keys from elsewhere come to their place whole, once, or not at all.
@Suite struct ImportTests {
  let spot = place("shared/blog")

  private func keys(_ name: String = "ok.vanity.file") throws -> KeyBundle {
    try KeyForm.read(try secret(try Corpus.bytes(name)), origin: name)
  }

  @Test func importedWholeAndPinned() async throws {
    let folder = try KeyFolder()
    let companions = CompanionFiles(access: clients, onionBalanceMaster: Corpus.plain)
    let address = try await folder.store.importKey(
      try keys(), to: spot, expecting: Corpus.vanity, owner: KeyFolder.owner, companions)
    #expect(address == Corpus.vanity)
    #expect(
      await folder.observe(spot)[spot]
        == .present(
          KeyDirectory(
            secret: .whole(address), clientFiles: companions.clientFiles(of: address),
            onionBalance: companions.onionBalanceText)))
    #expect(await folder.store.pins() == .present([spot.service: address]))
    #expect(try folder.bytes("shared/blog/hs_ed25519_secret_key") == Corpus.file(address))
    #expect(try folder.names("shared") == ["blog"])
  }

  @Test func nothingElseIsTaken() async throws {
    let folder = try KeyFolder()
    let store = folder.store
    let other = try await store.generate(place("wiki/wiki"), owner: 7942)
    #expect(
      await code {
        try await store.importKey(try keys(), to: spot, expecting: other, owner: 7942)
      } == .keyMismatch)
    #expect(
      await code { try await store.importKey(try keys(), to: place("wiki/wiki"), owner: 7942) }
        == .keyMismatch, "it is pinned to another")
    _ = try await store.importKey(try keys(), to: spot, owner: 7942)
    #expect(
      await code { try await store.importKey(try keys(), to: spot, owner: 7942) } == .keyPresent)
    for elsewhere in ["blog/blog", "shared/forum"] {
      #expect(
        await code { try await store.importKey(try keys(), to: place(elsewhere), owner: 7942) }
          == .keyPresent, "the address is at another place")
    }
    _ = try await store.retire(spot, Corpus.vanity, now: now)
    do {
      try await store.importKey(try keys(), to: place("forum/forum"), owner: 7942)
      Issue.record("taken although it is pinned to blog")
    } catch let error as KeyStoreError {
      #expect(error.code == .keyPresent && error.message.contains("formerly: blog"))
    }
    #expect(try folder.names(".") == [".onionkeeper", "wiki"], "no empty folder is left")
    // Its own pin is no hindrance: this is how a lost key comes back.
    _ = try await store.importKey(try keys(), to: spot, owner: 7942)
    #expect(await folder.observe(spot)[spot]?.value?.address == Corpus.vanity)
  }

  /// Every file that is written needs an inode and every content a page: with one more of them each time, each write is
  /// once the one that fails.
  @Test(arguments: ["nr_inodes", "size"]) func aFaultAtEachWriteLeavesNothingHalf(_ what: String)
    async throws
  {
    let folder = try KeyFolder()
    let path = "\(folder.path)/small"
    try #require(mkdir(path, 0o700) == 0)
    try #require(mount("none", path, "tmpfs", 0, "size=1m,nr_inodes=1000,mode=700") == 0)
    defer { umount2(path, detached) }
    try KeyRoot.setUp(path, id: KeyFolder.agent)
    let store = KeyRoot(path: path, id: KeyFolder.agent)
    // The lock's file is there from now on.
    #expect(try await store.sweep() == Swept())
    var failures = 0
    var used = 0
    for spare in 0..<40 {
      var status = statvfs()
      try #require(statvfs(path, &status) == 0)
      used =
        what == "size"
        ? Int(status.f_blocks - status.f_bfree) : Int(status.f_files - status.f_ffree)
      let limit = what == "size" ? (used + spare) * Int(status.f_bsize) : used + spare
      try #require(
        mount("none", path, "tmpfs", UInt(MS_REMOUNT), "\(what)=\(limit)") == 0)
      do {
        _ = try await store.importKey(
          try keys(), to: spot, owner: 7942, CompanionFiles(access: clients))
        break
      } catch let error as KeyStoreError {
        failures += 1
        #expect(error.code == .diskFull, "\(spare): \(error)")
        let seen = await store.observe([spot], owner: 7942)[spot]
        if seen == .absent {
          #expect(await store.pins() == .present([:]))
        } else {
          // Only the pin is missing: the next step of the agent writes it.
          #expect(seen?.value?.address == Corpus.vanity && seen?.value?.flaws == [])
          try #require(
            mount("none", path, "tmpfs", UInt(MS_REMOUNT), "size=1m,nr_inodes=1000") == 0)
          try await store.pin(spot.service, Corpus.vanity, at: spot)
          break
        }
      }
    }
    #expect(failures >= 4, "\(failures) writes failed")
    #expect(await store.observe([spot], owner: 7942)[spot]?.value?.flaws == [])
    #expect(await store.pins() == .present([spot.service: Corpus.vanity]))
    let root = try Descriptor.folder(at: path)
    #expect(try root.folder("shared").names(limit: 10) == ["blog"])
  }

  /// A command changes the folder beside an agent that holds it, one after another with it.
  @Test func worksBesideARunningAgent() async throws {
    let folder = try KeyFolder()
    let lock = try KeyRoot.lock(folder.path)
    _ = try await folder.store.importKey(try keys(), to: spot, owner: 7942)
    withExtendedLifetime(lock) {}

    try folder.write(".onionkeeper/operation", [], owner: 0)
    let holder = try Child(
      [
        "/usr/bin/flock", "--no-fork", "\(folder.path)/.onionkeeper/operation", "/bin/sleep", "600",
      ],
      log: "\(folder.path)/log")
    try await eventually("the other process has the lock", saying: holder.text) {
      isHeld(folder)
    }
    let store = folder.store
    let waiting = Task { try await store.generate(place("wiki/wiki"), owner: 7942) }
    // It is not there before the other lets go.
    let before = KeyRoot(path: folder.path, id: KeyFolder.agent)
    for _ in 0..<5 {
      #expect(
        await before.observe([place("wiki/wiki")], owner: 7942)[place("wiki/wiki")] == .absent)
    }
    holder.stop()
    let address = try await waiting.value
    #expect(await store.pins().value?[place("wiki/wiki").service] == address)
  }

  private func isHeld(_ folder: KeyFolder) -> Bool {
    let file = open("\(folder.path)/.onionkeeper/operation", O_RDWR)
    defer { close(file) }
    return flock(file, LOCK_EX | LOCK_NB) != 0
  }

  // MARK: - ob_config

  @Test func onionBalanceIsWrittenSeenAndRepaired() async throws {
    let folder = try KeyFolder()
    let companions = CompanionFiles(access: .open, onionBalanceMaster: Corpus.plain)
    let address = try await folder.store.generate(spot, owner: 7942, companions)
    let text = "MasterOnionAddress \(Corpus.plain)\n"
    #expect(try folder.bytes("shared/blog/ob_config") == Array(text.utf8))
    var wish = folder.wish(address)
    wish.onionBalance = text
    for damage in ["content", "missing", "link", "mode", "folder", "huge"] {
      let directory = try folder.descriptor("shared/blog")
      if damage != "mode" { try directory.unlink("ob_config") }
      switch damage {
      case "content": try folder.write("shared/blog/ob_config", Array("x".utf8))
      case "link": try #require(symlink("hostname", "\(folder.path)/shared/blog/ob_config") == 0)
      case "mode": try #require(chmod("\(folder.path)/shared/blog/ob_config", 0o644) == 0)
      case "folder": try directory.makeFolder("ob_config")
      case "huge": try folder.write("shared/blog/ob_config", [UInt8](repeating: 65, count: 1 << 16))
      default: break
      }
      let seen = try #require(await folder.observe(spot)[spot]?.value)
      #expect(
        seen.onionBalance != text || !seen.flaws.isEmpty || !seen.foreign.isEmpty, "\(damage)")
      try await folder.store.repair(spot, wish, now: now)
      #expect(
        await folder.observe(spot)[spot]?.value
          == KeyDirectory(secret: .whole(address), onionBalance: text), "\(damage)")
    }
    // No definition wants it: it is somebody's, and kept.
    wish.onionBalance = nil
    try await folder.store.repair(spot, wish, now: now)
    #expect(await folder.observe(spot)[spot]?.value == KeyDirectory(secret: .whole(address)))
    let kept = try folder.names(
      ".onionkeeper/retired/foreign.blog-\(now.compact.prefix { $0 != "T" })")
    #expect(kept.contains("ob_config"))
  }
}
