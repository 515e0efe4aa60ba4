import Descriptors
import Glibc
import OnionModel
import Testing

@testable import KeyStore

@Suite struct RootTests {
  static let other = valid(AgentID(String(repeating: "b2", count: 16)))

  @Test func setUpIsExplicitAndDoneOnce() async throws {
    let folder = try KeyFolder()
    #expect(KeyRoot.marker(folder.path) == .present(KeyFolder.agent))
    try KeyRoot.setUp(folder.path, id: KeyFolder.agent)
    #expect(try folder.names(".onionkeeper") == ["id", "pins", "retired", "backup"])
    for name in [".onionkeeper", ".onionkeeper/pins", ".onionkeeper/retired"] {
      let status = try folder.descriptor(name).status()
      #expect(status.mode == 0o700 && status.owner == 0)
    }
    #expect(await code { try KeyRoot.setUp(folder.path, id: Self.other) } == .rootForeign)
    #expect(KeyRoot.marker(folder.path) == .present(KeyFolder.agent))
  }

  @Test func setUpMakesWhatIsMissingAbove() throws {
    let folder = try KeyFolder()
    let path = "\(folder.path)/a/b/keys"
    try RootMarker.setUp(path, id: Self.other)
    #expect(RootMarker.read(path) == .present(Self.other))
    #expect(try folder.descriptor("a").status().mode == 0o755)
    #expect(try folder.descriptor("a/b/keys").status().mode == 0o700)
  }

  @Test func setUpRefusesAFullFolder() async throws {
    let folder = try KeyFolder()
    try folder.descriptor().makeFolder("full")
    try folder.write("full/file", [1])
    #expect(
      await code { try RootMarker.setUp("\(folder.path)/full", id: Self.other) } == .rootForeign)
    #expect(try folder.names("full") == ["file"])
  }

  /// Unmounted, another's, unreadable marker, open to others: nothing is seen as absent, and nothing is written.
  @Test(arguments: ["gone", "unmarked", "foreign", "damaged", "writable", "owned", "open"])
  func aRootThatIsNotOursIsNotTouched(_ fault: String) async throws {
    let folder = try KeyFolder()
    let spot = place("blog/blog")
    let address = try await folder.store.generate(spot, owner: KeyFolder.owner)
    let own = "\(folder.path)/.onionkeeper"
    switch fault {
    case "gone": try #require(rename(folder.path, folder.path + ".away") == 0)
    case "unmarked": try #require(rename(own, folder.path + "/aside") == 0)
    case "foreign":
      try folder.descriptor(".onionkeeper").write(Array("\(Self.other)\n".utf8), to: "id")
    case "damaged": try folder.descriptor(".onionkeeper").write(Array("x\n".utf8), to: "id")
    case "writable": try #require(chmod(folder.path, 0o777) == 0)
    case "owned": try #require(chown(folder.path, 7942, 7942) == 0)
    default: try #require(chmod(own, 0o755) == 0)
    }
    let marker = KeyRoot.marker(folder.path)
    switch fault {
    case "gone", "unmarked": #expect(marker == .absent)
    case "foreign": #expect(marker == .present(Self.other))
    default: #expect(marker.unknownReason != nil)
    }
    let store = folder.store
    #expect(await folder.observe(spot)[spot]?.unknownReason != nil)
    #expect(await store.pins().unknownReason != nil)
    #expect(await store.retired().unknownReason != nil)
    #expect(await store.anchor().unknownReason != nil)
    let expected: KeyStoreError.Code =
      fault == "gone" || fault == "unmarked" ? .rootMissing : .rootForeign
    #expect(await code { _ = try await store.generate(place("new/new"), owner: 7942) } == expected)
    #expect(await code { _ = try await store.retire(spot, address, now: now) } == expected)
    #expect(await code { try await store.repair(spot, folder.wish(address), now: now) } == expected)
    #expect(await code { try await store.pin(spot.service, address, at: spot) } == expected)
    if fault == "gone" {
      #expect(access(folder.path, F_OK) != 0, "it is not made again")
      try #require(rename(folder.path + ".away", folder.path) == 0)
    }
    #expect(access("\(folder.path)/new", F_OK) != 0)
    #expect(access("\(folder.path)/blog/blog/hostname", F_OK) == 0)
  }

  @Test func theAnchorIsKept() async throws {
    let folder = try KeyFolder()
    #expect(await folder.store.anchor() == .absent)
    let first = Anchor(
      commit: valid(CommitID(String(repeating: "0a", count: 20))), source: "digest 1")
    let second = Anchor(
      commit: valid(CommitID(String(repeating: "0b", count: 20))), source: "digest 2")
    for anchor in [first, second] {
      try await folder.store.writeAnchor(anchor)
      #expect(await folder.store.anchor() == .present(anchor))
    }
    for text in ["", "commit x", "onionkeeper-anchor 1\ncommit 00\nsource s\n"] {
      try folder.write(".onionkeeper/anchor", Array(text.utf8), owner: 0)
      #expect(await folder.store.anchor().unknownReason != nil)
    }
    #expect(
      await code {
        try await folder.store.writeAnchor(Anchor(commit: first.commit, source: "a\nb"))
      } != nil)
  }

  /// A process that another test is about to start has every descriptor of ours until it is another program.
  private func lockInTheEnd(_ folder: KeyFolder) throws -> RootLock {
    for _ in 0..<10_000 {
      do { return try KeyRoot.lock(folder.path) } catch { try #require(error.code == .rootBusy) }
    }
    return try KeyRoot.lock(folder.path)
  }

  @Test func aSecondAgentIsTurnedAway() async throws {
    let folder = try KeyFolder()
    let path = "\(folder.path)/.onionkeeper/lock"
    try folder.write(".onionkeeper/lock", [], owner: 0)
    let holder = try Child(
      ["/usr/bin/flock", "--no-fork", path, "/bin/sleep", "600"], log: "\(folder.path)/log")
    try await eventually("the other process has the lock", saying: holder.text) {
      try isFree(folder) == false
    }
    // A look at a free lock notes our number: the holder's is put back.
    try folder.descriptor(".onionkeeper").lockFile("lock").overwrite("4711\n")
    do {
      _ = try KeyRoot.lock(folder.path)
      Issue.record("a second lock was given")
    } catch {
      #expect(error.code == .rootBusy && error.message.contains("4711"), "\(error)")
    }
    holder.stop()
    let lock = try lockInTheEnd(folder)
    #expect(await code { _ = try KeyRoot.lock(folder.path) } == .rootBusy)
    withExtendedLifetime(lock) {}
    #expect(
      String(decoding: try folder.bytes(".onionkeeper/lock"), as: UTF8.self) == "\(getpid())\n")
  }

  private func isFree(_ folder: KeyFolder) throws -> Bool {
    do {
      _ = try KeyRoot.lock(folder.path)
      return true
    } catch {
      guard error.code == .rootBusy else { throw error }
      return false
    }
  }
}

extension Descriptor {
  fileprivate borrowing func overwrite(_ text: String) {
    ftruncate(number, 0)
    pwrite(number, text, text.utf8.count, 0)
  }
}
