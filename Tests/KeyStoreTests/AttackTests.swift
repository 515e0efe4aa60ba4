import Descriptors
import Glibc
import OnionModel
import Swapping
import Testing

@testable import KeyStore

/// A container that owns its key directory is an attacker: nothing outside is touched, each look and step ends, and what
/// is wrong is said. On the real disk, as root.
@Suite(.serialized) struct AttackTests {
  let spot = place("shared/blog")
  let other = place("wiki/wiki")

  @Test(arguments: Attack.allCases) func touchesNothingOutside(_ attack: Attack) async throws {
    let folder = try KeyFolder(in: attack.isMany ? KeyFolder.memory : "/tmp")
    let store = folder.store
    let address = try await store.generate(
      spot, owner: KeyFolder.owner, CompanionFiles(access: clients))
    let neighbour = try await store.generate(other, owner: KeyFolder.owner)
    let attacker = Attacker(folder: folder, address: address)
    try attacker.prepare()
    let before = try attacker.outsideState()
    #expect(before.count == 6)
    defer { #expect(throws: Never.self) { try attacker.clear() } }
    try attacker.inflict(attack)

    let seen = await folder.observe(spot, other)
    #expect(said(of: seen[spot]).contains(attack.word), "\(said(of: seen[spot]))")
    #expect(seen[other]?.value?.address == neighbour, "the neighbour is seen as ever")
    let wish = folder.wish(address, access: clients)
    #expect(await code { try await store.repair(spot, wish, now: now) } == attack.ending)
    if attack.ending == nil, attack != .manyPlaces, attack != .manyLeftovers {
      #expect(
        await folder.observe(spot)[spot]?.value
          == KeyDirectory(secret: .whole(address), clientFiles: wish.clientFiles))
    }
    _ = try await store.sweep()
    #expect(try attacker.outsideState() == before)

    // Put away, taken back, moved on: whatever each comes to.
    _ = await code { _ = try await store.generate(spot, owner: KeyFolder.owner) }
    _ = await code { try await store.pin(spot.service, address, at: spot) }
    do {
      let id = try await store.retire(spot, nil, now: now)
      #expect(await store.retired().value != nil, "one of them hides no other")
      _ = await code { try await store.restore(id, to: spot, address, owner: KeyFolder.owner) }
      _ = await code {
        try await store.move(from: spot, to: place("new/blog"), address, owner: KeyFolder.owner)
      }
    } catch {
      #expect(error.code == .denied, "\(error)")
    }
    #expect(try attacker.outsideState() == before)
    #expect(await store.observe([other], owner: KeyFolder.owner)[other]?.value?.flaws == [])
  }

  /// All that a look says, in one text.
  private func said(of look: Observation<KeyDirectory>?) -> String {
    guard let directory = look?.value else { return look?.unknownReason ?? "absent" }
    var words = directory.flaws.map(\.description) + directory.foreign
    if case .damaged(let why) = directory.secret { words.append(why) }
    return words.joined(separator: "; ")
  }

  /// An error tells what to do, not only that something is wrong.
  @Test func whatIsImmutableIsNamed() async throws {
    let folder = try KeyFolder()
    let address = try await folder.store.generate(
      spot, owner: KeyFolder.owner, CompanionFiles(access: clients))
    let attacker = Attacker(folder: folder, address: address)
    try attacker.prepare()
    defer { #expect(throws: Never.self) { try attacker.clear() } }
    try attacker.inflict(.immutableSecret)
    do {
      try await folder.store.repair(spot, folder.wish(address, access: clients), now: now)
      Issue.record("it was changed")
    } catch {
      #expect("\(error)".contains("lsattr") && "\(error)".contains("hs_ed25519_secret_key"))
    }
  }

  /// A second name of its own, with everything right: nobody has to change anything, so it serves.
  @Test func aSecondNameAloneIsNoHarm() async throws {
    let folder = try KeyFolder()
    let address = try await folder.store.generate(spot, owner: KeyFolder.owner)
    let secret = "\(folder.path)/shared/blog/hs_ed25519_secret_key"
    try #require(link(secret, "\(folder.path)/copy") == 0)
    #expect(await folder.observe(spot)[spot]?.value == KeyDirectory(secret: .whole(address)))
    try await folder.store.repair(spot, folder.wish(address), now: now)
  }

  /// One instance's filled folder neither keeps the agent from starting nor hides its neighbours.
  @Test func leftoversThatCannotGoAreNamed() async throws {
    let folder = try KeyFolder()
    let address = try await folder.store.generate(spot, owner: KeyFolder.owner)
    let attacker = Attacker(folder: folder, address: address)
    defer { #expect(throws: Never.self) { try attacker.clear() } }
    try attacker.inflict(.immutableLeftover)
    let instance = try folder.descriptor("shared")
    // As old as a crash's: the clock cannot be set back, so the limit is put forward.
    #expect(throws: FileError.self) {
      try instance.removeLeftovers(changedBefore: .max, limit: 10)
    }
    #expect(try await folder.store.sweep() == Swept())
  }

  /// Swapped without pause, at every moment of a repair, for what must not be touched.
  @Test(arguments: ["hostname", "hs_ed25519_public_key", "hs_ed25519_secret_key"])
  func aSwappedFileTouchesNothingOutside(_ name: String) async throws {
    let folder = try KeyFolder()
    let address = try await folder.store.generate(
      spot, owner: KeyFolder.owner, CompanionFiles(access: clients))
    let attacker = Attacker(folder: folder, address: address)
    try attacker.prepare()
    let here = "\(folder.path)/shared/blog"
    // The decoy lies beside it; it is moved away as foreign, so it is put there anew.
    let before = try attacker.outsideState()
    var ends: [KeyStoreError.Code?: Int] = [:]
    for round in 0..<200 {
      unlink("\(here)/decoy")
      try #require(link("\(folder.path)/outside/\(name)", "\(here)/decoy") == 0)
      // Something to do; a foreign file that bears the name now belongs to 1 anyway.
      lchown("\(here)/\(name)", 1, 1)
      let swapper = Swapper(here, name, "decoy")
      let wish = folder.wish(address, access: clients)
      let end = await code {
        try await folder.store.repair(spot, wish, now: now.adding(seconds: Double(round) * 86_400))
      }
      swapper.stop()
      ends[end, default: 0] += 1
      // A secret of one name must be there again for the next round.
      if name == "hs_ed25519_secret_key" { try restoreSecret(folder, address) }
      #expect(try attacker.outsideState() == before, "round \(round)")
    }
    #expect(!ends.isEmpty)
  }

  private func restoreSecret(_ folder: KeyFolder, _ address: OnionAddress) throws {
    let directory = try folder.descriptor("shared/blog")
    let content = try folder.bytes("outside/hs_ed25519_secret_key")
    try directory.write(
      content, to: "hs_ed25519_secret_key", FileAttributes(owner: KeyFolder.owner))
  }

  /// The clients' folder is swapped for a link to one outside.
  @Test func aSwappedClientsFolderTouchesNothingOutside() async throws {
    let folder = try KeyFolder()
    let address = try await folder.store.generate(
      spot, owner: KeyFolder.owner, CompanionFiles(access: clients))
    let attacker = Attacker(folder: folder, address: address)
    try attacker.prepare()
    let before = try attacker.outsideState()
    let here = "\(folder.path)/shared/blog"
    for round in 0..<100 {
      // A link goes, a folder stays: the last round may have ended with the two exchanged, or one of them put away.
      unlink("\(here)/authorized_clients")
      if unlink("\(here)/decoy") != 0, errno == EISDIR,
        rename("\(here)/decoy", "\(here)/authorized_clients") != 0
      {
        try #require(rename("\(here)/decoy", "\(folder.path)/aside-\(round)") == 0)
      }
      try #require(symlink("\(folder.path)/outside", "\(here)/decoy") == 0)
      unlink("\(here)/authorized_clients/alice.auth")
      let swapper = Swapper(here, "authorized_clients", "decoy")
      let wish = folder.wish(address, access: clients)
      _ = await code {
        try await folder.store.repair(spot, wish, now: now.adding(seconds: Double(round) * 86_400))
      }
      swapper.stop()
      #expect(try attacker.outsideState() == before, "round \(round)")
    }
  }
}
