import Descriptors
import Glibc
import OnionModel
import Testing

@testable import KeyStore

@Suite struct StatesTests {
  let spot = place("shared/blog")

  @Test func eachStateHasItsRow() {
    #expect(
      KeyState.table.map(\.fault).sorted { $0.rawValue < $1.rawValue }
        == Fault.allCases.sorted { $0.rawValue < $1.rawValue })
  }

  @Test(arguments: KeyState.table) func isSeenAndRepaired(_ state: KeyState) async throws {
    let folder = try KeyFolder()
    let address = try await folder.store.generate(
      spot, owner: KeyFolder.owner, CompanionFiles(access: clients))
    let other = try await folder.store.generate(place("other/other"), owner: KeyFolder.owner)
    let wish = folder.wish(address, access: clients)
    try Vandal(folder: folder, address: address).inflict(state.fault)
    let before = try DiskModel.secrets(folder)

    let seen = await folder.observe(spot)[spot]
    switch state.finds {
    case .whole: #expect(seen?.value?.secret == .whole(address))
    case .missing: #expect(seen?.value?.secret == .missing)
    case .absent: #expect(seen == .absent)
    case .other:
      let found = try #require(seen?.value?.address)
      #expect(found != address && (state.fault != .swapped || found == other))
    case .damaged:
      guard case .damaged? = seen?.value?.secret else {
        Issue.record("\(String(describing: seen))")
        return
      }
    }
    let isClean =
      seen?.value?.flaws == [] && seen?.value?.foreign == []
      && seen?.value?.clientFiles == wish.clientFiles
    if state.finds == .whole { #expect(isClean == (state.does == .nothing)) }
    let ending = await code { try await folder.store.repair(spot, wish, now: now) }
    if case .holds(let code) = state.does {
      #expect(ending == code)
      #expect(await folder.observe(spot)[spot] == seen, "what is held is left as it is")
    } else {
      #expect(ending == nil)
      #expect(
        await folder.observe(spot)[spot]?.value
          == KeyDirectory(secret: .whole(address), clientFiles: wish.clientFiles))
    }
    #expect(try DiskModel.secrets(folder) == before, "no secret is written")
    // Nobody is made another key of: the pin stays, or something is at the place.
    #expect(
      await code { _ = try await folder.store.generate(spot, owner: KeyFolder.owner) } == .keyLost)
    try folder.descriptor(".onionkeeper/pins").unlink("blog")
    if state.finds != .absent {
      #expect(
        await code { _ = try await folder.store.generate(spot, owner: KeyFolder.owner) }
          == .keyPresent)
    }
    #expect(try folder.bytes("outside") == Array("outside".utf8), "nothing outside is touched")
    #expect(try folder.descriptor().status(of: "outside")?.mode == 0o644)
    #expect(try folder.descriptor().status(of: "outside")?.owner == 0)
  }

  @Test func foreignEntriesAreKept() async throws {
    let folder = try KeyFolder()
    let address = try await folder.store.generate(spot, owner: KeyFolder.owner)
    for round in 0..<2 {
      try folder.write("shared/blog/notes.txt", Array("round \(round)".utf8))
      try await folder.store.repair(spot, folder.wish(address), now: now)
    }
    let kept = ".onionkeeper/retired/foreign.blog-\(now.compact.prefix(8))"
    #expect(try folder.names(kept) == ["notes.txt", "notes.txt-1"])
    #expect(try folder.bytes("\(kept)/notes.txt") == Array("round 0".utf8))
    #expect(await folder.store.retired() == .present([]))
  }

  /// The folder itself is something else: held, never followed.
  @Test(arguments: ["link", "file", "instanceLink", "pipe"])
  func aFolderReplaced(_ by: String) async throws {
    let folder = try KeyFolder()
    let address = try await folder.store.generate(spot, owner: KeyFolder.owner)
    let path = "\(folder.path)/shared"
    try #require(rename("\(path)/blog", "\(folder.path)/away") == 0)
    switch by {
    case "link": try #require(symlink("\(folder.path)/away", "\(path)/blog") == 0)
    case "file": try folder.write("shared/blog", [1])
    case "pipe": try #require(mkfifo("\(path)/blog", 0o600) == 0)
    default:
      try #require(rmdir(path) == 0)
      try #require(mkdir("\(folder.path)/real", 0o700) == 0)
      try #require(symlink("real", path) == 0)
      try #require(rename("\(folder.path)/away", "\(folder.path)/real/blog") == 0)
    }
    guard case .damaged = try #require(await folder.observe(spot)[spot]?.value?.secret) else {
      Issue.record("not seen as damaged")
      return
    }
    let wish = folder.wish(address)
    #expect(await code { try await folder.store.repair(spot, wish, now: now) } == .keyDamaged)
    #expect(
      await code { _ = try await folder.store.retire(spot, address, now: now) } == .keyDamaged)
    #expect(await code { _ = try await folder.store.generate(spot, owner: 7942) } == .keyLost)
    // Undefined, it is nobody's business.
    #expect(await folder.observe()[spot] == nil)
  }

  @Test func aMountIsNotEntered() async throws {
    let folder = try KeyFolder()
    let address = try await folder.store.generate(spot, owner: KeyFolder.owner)
    let path = "\(folder.path)/shared/blog"
    try #require(mount("none", path, "tmpfs", 0, nil) == 0)
    defer { umount2(path, detached) }
    #expect(await folder.observe(spot)[spot]?.unknownReason != nil)
    #expect(
      await code { try await folder.store.repair(spot, folder.wish(address), now: now) } == .io)
  }

  @Test func tooManyNamesAreUnknown() async throws {
    let folder = try KeyFolder()
    _ = try await folder.store.generate(spot, owner: KeyFolder.owner)
    let clients = try folder.descriptor("shared/blog/authorized_clients")
    for number in 0...Look.clientLimit { _ = try clients.newFile(FileName("\(number).auth")) }
    #expect(await folder.observe(spot)[spot]?.unknownReason != nil)
  }

  @Test func labelsAreSeenAndSet() async throws {
    let folder = try KeyFolder()
    let label = ContainerLabel(type: "container_t", level: "s0:c1,c2")
    let address = try await folder.store.generate(
      spot, owner: KeyFolder.owner, CompanionFiles(access: clients), label: label)
    func flaws() async -> [Deviation]? {
      await folder.store.observe([spot], owner: 7942, labels: [spot.instance: label])[spot]?
        .value?.flaws
    }
    let secret = FileName("hs_ed25519_secret_key")
    // The instance's folder too: the container mounts it.
    #expect(await flaws() == [])
    try folder.descriptor("shared").setLabel("system_u:object_r:var_lib_t:s0")
    #expect(await flaws()?.map(\.what) == ["shared label"])
    var wish = folder.wish(address, access: clients)
    wish.label = label
    try await folder.store.repair(spot, wish, now: now)
    #expect(await flaws() == [])
    try folder.descriptor("shared/blog").file(secret).setLabel("system_u:object_r:etc_t:s0")
    try folder.descriptor("shared/blog/authorized_clients").file("bob.auth").setLabel("x")
    #expect(await flaws()?.count == 2)
    try await folder.store.repair(spot, wish, now: now)
    #expect(await flaws() == [])
    #expect(
      try folder.descriptor("shared/blog").file(secret).label()
        == "system_u:object_r:container_file_t:s0:c1,c2")
  }
}
