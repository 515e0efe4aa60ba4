import Descriptors
import OnionModel
import Spawning
import Testing

@testable import KeyStore

/// Keys that take another's place, come back, or are deleted: by a person's word.
@Suite struct SuccessorTests {
  let spot = place("blog/blog")
  let retiredFolder = ".onionkeeper/retired"

  @Test func aSuccessorLiesBesideAndIsPinnedLast() async throws {
    let folder = try KeyFolder()
    let old = try await folder.store.generate(spot, owner: 7942)
    let before = try folder.bytes("blog/blog/hs_ed25519_secret_key")
    let aside = try await folder.store.makeSuccessor(of: spot, old, pins: false, now: now)
    #expect(await folder.store.pins() == .present([spot.service: old]))
    let next = try await folder.store.makeSuccessor(of: spot, old, pins: true, now: now)
    #expect(await folder.store.pins() == .present([spot.service: next.address]))
    #expect(Set([old, aside.address, next.address]).count == 3)
    #expect(try folder.bytes("blog/blog/hs_ed25519_secret_key") == before)
    #expect(
      await folder.store.retired().value?.map(\.address).sorted()
        == [aside.address, next.address].sorted())
    // A rotation that is under way is not begun twice, and no other key is taken for it.
    #expect(
      await code {
        _ = try await folder.store.makeSuccessor(of: spot, old, pins: true, now: now)
      } == .keyMismatch)
    // The exchange, as a pass does it.
    _ = try await folder.store.retire(spot, old, now: now)
    try await folder.store.restore(next.id, to: spot, next.address, owner: 7942)
    try await folder.store.repair(spot, folder.wish(next.address), now: now)
    #expect(
      await folder.observe(spot)[spot]?.value
        == KeyDirectory(
          secret: .whole(next.address),
          clientFiles: KeyFiles.clientFiles(access: .open, address: next.address)))
    #expect(await folder.store.retired().value?.contains { $0.address == old } == true)
  }

  @Test func aKeyFromElsewhereIsPutAsideOnce() async throws {
    let folder = try KeyFolder()
    let old = try await folder.store.generate(spot, owner: 7942)
    let keys = try KeyForm.read(try secret(try Corpus.bytes("ok.vanity.file")), origin: "file")
    let aside = try await folder.store.setAside(keys, for: spot, owner: 7942, now: now)
    #expect(aside.address == Corpus.vanity)
    #expect(try await folder.store.setAside(keys, for: spot, owner: 7942, now: now) == aside)
    #expect(
      try folder.bytes("\(retiredFolder)/\(aside.id)/hs_ed25519_secret_key")
        == Corpus.file(Corpus.vanity))
    #expect(await folder.store.pins() == .present([spot.service: old]))
    // Of another service of this host it is not taken.
    _ = try await folder.store.importKey(keys, to: place("wiki/wiki"), owner: 7942)
    #expect(
      await code { _ = try await folder.store.setAside(keys, for: spot, owner: 7942, now: now) }
        == .keyPresent)
  }

  @Test func restoredByHandNothingIsOverwritten() async throws {
    let folder = try KeyFolder()
    let store = folder.store
    let old = try await store.generate(spot, owner: 7942)
    let id = try await store.retire(spot, old, now: now)
    let key = RetiredKey(id: id, service: spot.service, address: old)
    #expect(key.time == "2026-11-25T06:21:18Z")
    // Another service's place and pin.
    let wiki = try await store.generate(place("wiki/wiki"), owner: 7942)
    #expect(
      await code { try await store.restoreByHand(key, to: place("wiki/wiki"), owner: 7942) }
        == .keyMismatch)
    #expect(await store.pins().value?[place("wiki/wiki").service] == wiki)
    // Anything at its place.
    try folder.descriptor().makeFolder("blog")
    try folder.descriptor("blog").makeFolder("blog")
    #expect(await code { try await store.restoreByHand(key, to: spot, owner: 7942) } == .keyPresent)
    try folder.descriptor("blog").removeFolder("blog")
    // Under another name the pin moves along; it is gone from the list, and not restored twice.
    let journal = place("shared/journal")
    try await store.restoreByHand(key, to: journal, owner: 7942)
    #expect(await folder.observe(journal)[journal]?.value?.address == old)
    #expect(
      await store.pins() == .present([journal.service: old, place("wiki/wiki").service: wiki]))
    #expect(await code { try await store.restoreByHand(key, to: spot, owner: 7942) } == .keyPresent)
    #expect(await store.retired() == .present([]))
  }

  @Test func onlyTheRightAddressIsPurged() async throws {
    let folder = try KeyFolder()
    let store = folder.store
    let old = try await store.generate(spot, owner: 7942)
    let other = try await store.generate(place("wiki/wiki"), owner: 7942)
    let id = try await store.retire(spot, old, now: now)
    let before = try folder.names(retiredFolder)
    #expect(await code { _ = try await store.purge(id, other) } == .keyMismatch)
    for name in ["blog", "../pins", "foreign.blog-20261125", "blog-20270101T000000Z"] {
      #expect(await code { _ = try await store.purge(name, old) } == .keyMissing, "\(name)")
    }
    #expect(try folder.names(retiredFolder) == before)
    #expect(try await store.purge(id, old))
    #expect(try folder.names(retiredFolder).isEmpty)
    #expect(await store.pins() == .present([place("wiki/wiki").service: other]))
    // Its name is free again.
    _ = try await store.generate(spot, owner: 7942)
  }

  /// What lies behind a link is not ours to delete, and a copy keeps the pin.
  @Test func purgingFollowsNoLinkAndKeepsThePinOfACopy() async throws {
    let folder = try KeyFolder()
    let store = folder.store
    let old = try await store.generate(spot, owner: 7942)
    let id = try await store.retire(spot, old, now: now)
    let copy = "blog-20200101T000000Z"
    let retired = "\(folder.path)/\(retiredFolder)"
    let out = "\(folder.path)/out"
    func run(_ words: String...) throws { try #require(try spawn(words).code == 0, "\(words)") }
    try run("cp", "-a", "\(retired)/\(id)", "\(retired)/\(copy)")
    try run("mkdir", out)
    try run("touch", "\(out)/kept")
    try run("ln", "-s", out, "\(retired)/\(id)/link")
    #expect(try await store.purge(id, old) == false)
    #expect(try folder.names("out") == ["kept"])
    #expect(await store.pins() == .present([spot.service: old]))
    try run("mv", "\(retired)/\(copy)", "\(out)/real")
    try run("ln", "-s", "\(out)/real", "\(retired)/\(copy)")
    #expect(await code { _ = try await store.purge(copy, old) } != nil)
    #expect(try folder.names("out/real").contains("hs_ed25519_secret_key"))
  }
}
