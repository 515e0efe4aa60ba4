import CLinux
import Descriptors
import Glibc
import OnionModel
import Swapping
import Testing

@testable import KeyStore

/// Made, put away, brought back, moved.
@Suite struct LifeTests {
  let spot = place("blog/blog")

  @Test func generatedWholeAndPinned() async throws {
    let folder = try KeyFolder()
    let address = try await folder.store.generate(
      spot, owner: 7942, CompanionFiles(access: clients))
    #expect(
      await folder.observe(spot)[spot]
        == .present(
          KeyDirectory(
            secret: .whole(address),
            clientFiles: KeyFiles.clientFiles(access: clients, address: address))))
    #expect(await folder.store.pins() == .present([spot.service: address]))
    #expect(try folder.names("blog") == ["blog"])
    #expect(
      try folder.names("blog/blog") == [
        "hs_ed25519_secret_key", "hs_ed25519_public_key", "hostname", "authorized_clients",
      ])
    #expect(
      try folder.names("blog/blog/authorized_clients") == [
        "0-onionkeeper.auth", "alice.auth", "bob.auth",
      ])
  }

  /// Whatever is there, it stays as it is.
  @Test(arguments: ["key", "pinned", "empty", "file", "link", "foreign"])
  func nothingIsOverwritten(_ there: String) async throws {
    let folder = try KeyFolder()
    let store = folder.store
    let path = "\(folder.path)/blog/blog"
    var expected = KeyStoreError.Code.keyPresent
    var before: [UInt8] = []
    switch there {
    case "key", "pinned":
      _ = try await store.generate(spot, owner: 7942)
      before = try folder.bytes("blog/blog/hs_ed25519_secret_key")
      if there == "key" { try folder.descriptor(".onionkeeper/pins").unlink("blog") }
      if there == "pinned" { expected = .keyLost }
    case "file":
      try folder.descriptor().makeFolder("blog")
      try folder.write("blog/blog", [1, 2, 3])
    case "link":
      try folder.descriptor().makeFolder("blog")
      try #require(symlink("/nowhere", path) == 0)
    case "foreign":
      try folder.descriptor().makeFolder("blog").makeFolder("blog")
      try folder.write("blog/blog/x", [1])
    default: try folder.descriptor().makeFolder("blog").makeFolder("blog")
    }
    let status = try folder.descriptor("blog").status(of: "blog")
    #expect(await code { _ = try await store.generate(spot, owner: 7942) } == expected)
    #expect(try folder.descriptor("blog").status(of: "blog") == status)
    #expect(try folder.names("blog") == ["blog"], "nothing is left over")
    if !before.isEmpty { #expect(try folder.bytes("blog/blog/hs_ed25519_secret_key") == before) }
  }

  /// Two agents, were there no lock: each key is whole, and one of them only.
  @Test func aRaceHasOneWinner() async throws {
    let folder = try KeyFolder()
    let stores = (0..<4).map { _ in KeyRoot(path: folder.path, id: KeyFolder.agent) }
    let made = await withTaskGroup(of: OnionAddress?.self, returning: [OnionAddress].self) {
      group in
      for store in stores {
        group.addTask { [spot] in
          do {
            return try await store.generate(spot, owner: 7942)
          } catch {
            // Those that come later find the key or its pin.
            let code = (error as? KeyStoreError)?.code
            #expect(code == .keyPresent || code == .keyLost, "\(error)")
            return nil
          }
        }
      }
      return await group.reduce(into: []) { if let address = $1 { $0.append(address) } }
    }
    #expect(made.count == 1)
    #expect(await folder.observe(spot)[spot]?.value?.address == made.first)
    #expect(await folder.store.pins() == .present([spot.service: try #require(made.first)]))
    #expect(try folder.names("blog") == ["blog"])
  }

  @Test func pinsOnlyWhatIsThere() async throws {
    let folder = try KeyFolder()
    let store = folder.store
    let address = try await store.generate(spot, owner: 7942)
    let other = try await store.generate(place("wiki/wiki"), owner: 7942)
    #expect(await code { try await store.pin(spot.service, other, at: spot) } == .keyMismatch)
    #expect(
      await code { try await store.pin(spot.service, other, at: place("no/no")) } == .keyMissing)
    try await store.pin(spot.service, address, at: spot)
    try folder.write(".onionkeeper/pins/blog", Array("damaged".utf8), owner: 0)
    #expect(await store.pins().unknownReason?.contains("pins/blog") == true)
    #expect(await code { _ = try await store.generate(place("other/blog"), owner: 7942) } == .io)
    try await store.pin(spot.service, address, at: spot)
    #expect(await store.pins().value?[spot.service] == address)
    // What is not named like a service pins none.
    try folder.write(".onionkeeper/pins/blog.yaml~", [], owner: 0)
    #expect(await store.pins().value?.count == 2)
  }

  /// A damaged pin is its own service's trouble.
  @Test(arguments: ["text", "empty", "huge", "link", "pipe", "folder"])
  func aDamagedPinHidesNoOther(_ fault: String) async throws {
    let folder = try KeyFolder()
    let address = try await folder.store.generate(spot, owner: 7942)
    let other = try await folder.store.generate(place("wiki/wiki"), owner: 7942)
    let pins = try folder.descriptor(".onionkeeper/pins")
    let path = "\(folder.path)/.onionkeeper/pins/blog"
    try pins.unlink("blog")
    switch fault {
    case "text": try pins.write(Array("\(address)".utf8), to: "blog")
    case "empty": try pins.write([], to: "blog")
    case "huge": try pins.write([UInt8](repeating: 65, count: 1 << 20), to: "blog")
    case "link": try #require(symlink("wiki", path) == 0)
    case "pipe": try #require(mkfifo(path, 0o600) == 0)
    default: try pins.makeFolder("blog")
    }
    let seen = try #require(await folder.store.everyPin().value)
    #expect(seen.addresses == [place("wiki/wiki").service: other])
    #expect(Array(seen.damaged.keys) == [spot.service])
    #expect(seen.damaged[spot.service]?.contains("pins/blog") == true)
    #expect(await folder.store.pins().unknownReason != nil)
    // No other key, whatever becomes of this one; and put right where its key is seen.
    #expect(
      await code { _ = try await folder.store.generate(place("new/blog"), owner: 7942) } != nil)
    if fault != "folder" {
      try await folder.store.pin(spot.service, address, at: spot)
      #expect(await folder.store.pins().value?[spot.service] == address)
    }
  }

  @Test func retiredAndRestored() async throws {
    let folder = try KeyFolder()
    let store = folder.store
    let address = try await store.generate(spot, owner: 7942, CompanionFiles(access: clients))
    let secret = try folder.bytes("blog/blog/hs_ed25519_secret_key")
    let other = OnionAddress(publicKey: [UInt8](repeating: 7, count: 32))
    #expect(await code { _ = try await store.retire(spot, other, now: now) } == .keyMismatch)
    let id = try await store.retire(spot, address, now: now)
    #expect(id == "blog-\(now.compact)")
    #expect(await folder.observe(spot)[spot] == .absent)
    #expect(try !folder.names(".").contains("blog"), "the empty instance is gone")
    #expect(await store.pins() == .present([spot.service: address]))
    #expect(
      await store.retired()
        == .present([RetiredKey(id: id, service: spot.service, address: address)]))
    #expect(await code { _ = try await store.generate(spot, owner: 7942) } == .keyLost)
    #expect(await code { _ = try await store.retire(spot, address, now: now) } == .keyMissing)

    let back = place("shared/blog")
    #expect(
      await code { try await store.restore(id, to: back, other, owner: 7942) } == .keyMismatch)
    #expect(
      await code { try await store.restore("../pins", to: back, address, owner: 7942) }
        == .keyMissing)
    try await store.restore(id, to: back, address, owner: 7942)
    try await store.restore(id, to: back, address, owner: 7942)
    #expect(try folder.bytes("shared/blog/hs_ed25519_secret_key") == secret)
    #expect(await folder.observe(back)[back]?.value?.address == address)
    #expect(await store.retired() == .present([]))
  }

  @Test func retiringTwiceInASecondKeepsBoth() async throws {
    let folder = try KeyFolder()
    var ids: [String] = []
    for _ in 0..<3 {
      let address = try await folder.store.generate(spot, owner: 7942)
      ids.append(try await folder.store.retire(spot, address, now: now))
      try folder.descriptor(".onionkeeper/pins").unlink("blog")
    }
    #expect(ids == ["", "-2", "-3"].map { "blog-\(now.compact)\($0)" })
    #expect(await folder.store.retired().value?.map(\.id) == ids.sorted())
    let address = try await folder.store.generate(spot, owner: 7942)
    let retired = try #require(await folder.store.retired().value?.first)
    #expect(
      await code {
        try await folder.store.restore(retired.id, to: spot, retired.address, owner: 7942)
      }
        == .keyPresent)
    #expect(await folder.observe(spot)[spot]?.value?.address == address)
  }

  @Test func aDamagedDirectoryIsRetiredWithoutAddress() async throws {
    let folder = try KeyFolder()
    _ = try await folder.store.generate(spot, owner: 7942)
    try folder.write("blog/blog/hs_ed25519_secret_key", [1])
    let id = try await folder.store.retire(spot, nil, now: now)
    #expect(try folder.names(".onionkeeper/retired/\(id)").contains("hs_ed25519_secret_key"))
    #expect(await folder.store.retired() == .present([]))
  }

  @Test(arguments: ["shared/blog", "blog/news", "shared/news"])
  func moved(_ target: String) async throws {
    let folder = try KeyFolder()
    let store = folder.store
    let new = place(target)
    let address = try await store.generate(spot, owner: 7942)
    let other = try await store.generate(place("shared/wiki"), owner: 7942)
    #expect(
      await code {
        try await store.move(from: spot, to: place("shared/wiki"), address, owner: 7942)
      } == .keyPresent)
    #expect(
      await code { try await store.move(from: spot, to: new, other, owner: 7942) } == .keyMismatch)
    try await store.move(from: spot, to: new, address, owner: 7942)
    try await store.move(from: spot, to: new, address, owner: 7942)
    let seen = await folder.observe(spot, new)
    #expect(seen[spot] == .absent && seen[new]?.value?.address == address)
    #expect(
      await store.pins()
        == .present([new.service: address, place("wiki/wiki").service: other]))
    if new.instance != spot.instance { #expect(try !folder.names(".").contains("blog")) }
    #expect(
      await code { try await store.move(from: spot, to: place("a/a"), address, owner: 7942) }
        == .keyMissing)
  }

  @Test func undefinedDirectoriesAreSeen() async throws {
    let folder = try KeyFolder()
    let address = try await folder.store.generate(spot, owner: 7942)
    try folder.descriptor("blog").makeFolder("empty")
    try folder.descriptor("blog").makeFolder("Not A Name")
    try folder.descriptor().makeFolder("lost+found")
    try folder.write("file", [1])
    let wished = place("wiki/wiki")
    let seen = await folder.observe(wished)
    #expect(seen.count == 3 && seen[wished] == .absent)
    #expect(seen[spot]?.value?.address == address)
    #expect(seen[place("blog/empty")]?.value?.secret == .missing)
  }

  /// A crash in the midst of `generate` leaves a temporary folder: never seen as a service, and gone when old.
  @Test func leftoversAreIgnoredAndSwept() async throws {
    let folder = try KeyFolder()
    let instance = try folder.descriptor().makeFolder("blog", owner: 7942)
    let left = try instance.makeFolder(".new-1")
    try left.write([1], to: "hs_ed25519_secret_key")
    #expect(await folder.observe(spot) == [spot: .absent])
    _ = try await folder.store.generate(spot, owner: 7942)
    #expect(try folder.names("blog") == ["blog", ".new-1"], "young: it may be somebody's work")
    #expect(try await folder.store.sweep() == Swept())
    try instance.removeLeftovers(changedBefore: .max, limit: 10)
    #expect(try folder.names("blog") == ["blog"])
  }

  /// What is remembered is what was there: once settled, each change is seen at the next look.
  @Test func theCacheForgetsWhatChanged() async throws {
    let folder = try KeyFolder()
    let address = try await folder.store.generate(
      spot, owner: 7942, CompanionFiles(access: clients))
    let files = KeyFiles.clientFiles(access: clients, address: address)
    let whole = KeyDirectory(secret: .whole(address), clientFiles: files)
    func settle() async throws {
      try await eventually("the look is remembered") {
        _ = await folder.observe(spot)
        return await folder.store.looks.places[spot] != nil
      }
      #expect(await folder.observe(spot)[spot] == .present(whole))
    }
    try await settle()
    let here = "\(folder.path)/blog/blog"
    // Same size, same modification time: only the inode's own change tells.
    var status = stat()
    try #require(stat("\(here)/hs_ed25519_secret_key", &status) == 0)
    let file = open("\(here)/hs_ed25519_secret_key", O_RDWR)
    var byte: UInt8 = 0
    pread(file, &byte, 1, 40)
    byte ^= 1
    pwrite(file, &byte, 1, 40)
    var times = [status.st_atim, status.st_mtim]
    futimens(file, &times)
    #expect(await folder.observe(spot)[spot]?.value?.address != address)
    byte ^= 1
    pwrite(file, &byte, 1, 40)
    close(file)
    try await settle()
    try folder.descriptor("blog/blog/authorized_clients").unlink("bob.auth")
    #expect(await folder.observe(spot)[spot]?.value?.clientFiles["bob.auth"] == nil)
    try await folder.store.repair(spot, folder.wish(address, access: clients), now: now)
    try await settle()
    // Another owner is wished: the same look is judged anew.
    #expect(await folder.store.observe([spot], owner: 1)[spot]?.value?.flaws.isEmpty == false)
  }

  /// The directory is swapped for a link to one outside, without pause: nothing outside changes.
  @Test func aSwapTouchesNothingOutside() async throws {
    let folder = try KeyFolder()
    let address = try await folder.store.generate(spot, owner: 7942)
    let secret = try folder.bytes("blog/blog/hs_ed25519_secret_key")
    // Outside lies a copy of the key with other files, so that even the proof would hold there.
    let outside = try folder.descriptor().makeFolder("outside")
    try outside.write(secret, to: "hs_ed25519_secret_key", FileAttributes(mode: 0o640))
    try outside.write(Array("foreign".utf8), to: "hostname", FileAttributes(mode: 0o644))
    let before = try outside.status()
    try #require(symlink("../outside", "\(folder.path)/blog/decoy") == 0)
    let swapper = Swapper("\(folder.path)/blog", "blog", "decoy")
    var done = 0
    var refused = 0
    for _ in 0..<100_000 where done < 30 || refused < 30 {
      chmodReal(folder)
      switch await code({ try await folder.store.repair(spot, folder.wish(address), now: now) }) {
      case nil: done += 1
      case .keyDamaged?, .keyMissing?: refused += 1
      case let other: Issue.record("\(String(describing: other))")
      }
    }
    swapper.stop()
    #expect(done >= 30 && refused >= 30, "done \(done), refused \(refused)")
    #expect(try outside.status() == before)
    #expect(try outside.status(of: "hs_ed25519_secret_key")?.mode == 0o640)
    #expect(try outside.status(of: "hs_ed25519_secret_key")?.owner == 0)
    #expect(try folder.bytes("outside/hostname") == Array("foreign".utf8))
    #expect(try Set(outside.names(limit: 10)) == ["hs_ed25519_secret_key", "hostname"])
  }

  /// Gives each repair something to do, if the real folder is there just now: `lchown`, so never outside.
  private func chmodReal(_ folder: KeyFolder) { lchown("\(folder.path)/blog/blog", 1, 1) }
}
