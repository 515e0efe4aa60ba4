import Foundation
import Journaling
import KeyStore
import OnionModel
import Testing

@testable import Keeping

/// `keys restore`, `purge`, `rotate`, `import` and `list --retired` on a real key folder and a real journal. No engine is
/// needed for any of it.
@Suite struct KeyCommandTests {
  private let blog: ServiceName
  private let spot: KeyPlace

  init() throws {
    blog = try #require(ServiceName("blog"))
    spot = KeyPlace(instance: InstanceName(blog), service: blog)
  }

  /// A house that has accepted a definition of blog, and has its key.
  private func house(_ more: String = "") async throws -> (House, OnionAddress) {
    let house = try House()
    try house.setUp()
    let address = try await house.keys.generate(spot, owner: TorLayout.user)
    try await define(house, more)
    return (house, address)
  }

  private func define(_ house: House, _ more: String) async throws {
    try house.write("repository/\(House.file)", House.blog + more)
    try house.commit()
    _ = try await house.pass()
  }

  private func undefine(_ house: House) async throws {
    try FileManager.default.removeItem(atPath: "\(house.path)/repository/\(House.file)")
    try house.commit()
    _ = try await house.pass()
  }

  /// Messages of the newest events.
  private func told(_ house: House) async throws -> [String] {
    try await house.agent { try await $0.journal.latestEvents(limit: 50) }
      .compactMap { event in
        event.event.data.message.map { "\(event.event.kind.rawValue) \($0)" }
      }
  }

  private func failure(_ body: () async throws -> Void) async -> String {
    do {
      try await body()
      return ""
    } catch { return "\(error)" }
  }

  @Test func rotatedByHand() async throws {
    let (house, old) = try await house()
    let rotator = KeyRotator(try house.configuration(), uid: 7)
    #expect(try await rotator.look(blog) == old)
    let foreign = OnionAddress(publicKey: Array(repeating: 9, count: 32))
    #expect(
      await failure { _ = try await rotator.rotate(blog, confirmed: foreign) }
        .contains("nothing was made"))
    #expect(try await house.keys.retired() == .present([]))
    let report = try await rotator.rotate(blog, confirmed: old)
    #expect(report.isDue && report.next == [] && report.warnings == [])
    #expect(try await house.keys.pins().value?[blog] == report.new)
    let list = try await KeyList.read(try house.configuration(), uid: 7)
    #expect(list.retired.map(\.address) == [report.new])
    #expect(list.retired.first?.isSuccessor == true)
    #expect(list.retired.first?.reason?.contains("uid 7 made a new key of blog") == true)
    #expect(
      try await told(house).contains { $0.hasPrefix("key.generated uid 7 made a new key of blog") })
    // Not twice before the exchange.
    #expect(await failure { _ = try await rotator.look(blog) }.contains("no whole key"))
    // It cannot be deleted meanwhile.
    let purger = KeyPurger(try house.configuration(), uid: 7)
    #expect(
      await failure { _ = try await purger.purge(report.id, confirmed: report.new) }
        .contains("Nothing is deleted"))
  }

  @Test func withAnAddressTheCommitDecides() async throws {
    let (house, old) = try await house()
    try await define(house, "address: \(old)\nkey: existing\n")
    let report = try await KeyRotator(try house.configuration(), uid: 7)
      .rotate(blog, confirmed: old)
    #expect(!report.isDue && report.next == ["services/blog.yaml: address: \(report.new)"])
    #expect(try await house.keys.pins().value?[blog] == old)
  }

  @Test func importedUnderANewAddress() async throws {
    let (house, old) = try await house()
    let native = try NativeTor(house, "")
    let new = try await native.directory("new")
    let source = "\(native.root)/var/lib/tor/new"
    let importer = KeyImporter(try house.configuration(), uid: 7)
    #expect(await failure { _ = try await importer.one(blog, from: source) }.contains("pinned"))
    try await define(house, "address: \(new)\nkey: existing\n")
    let report = try await importer.one(blog, from: source)
    let aside = try #require(report.aside)
    #expect(report.address == new)
    #expect(try await house.keys.retired().value?.map(\.id) == [aside])
    #expect(try await house.keys.pins().value?[blog] == old)
    #expect(
      try await house.keys.observe([spot], owner: TorLayout.user)[spot]?.value?.address == old)
    #expect(try await importer.one(blog, from: source).aside == aside, "done again")
  }

  @Test func restoredAndPurged() async throws {
    let (house, address) = try await house()
    let configuration = try house.configuration()
    let id = try await house.keys.retire(spot, address, now: wallTime())
    let restorer = KeyRestorer(configuration, uid: 7)
    #expect(
      await failure { _ = try await restorer.restore("blog", as: ServiceName("wiki")) }
        .contains("formerly: blog"))
    let back = try await restorer.restore("blog")
    #expect(back.address == address && back.id == id && back.warnings == [] && back.next == [])
    #expect(
      try await house.keys.observe([spot], owner: TorLayout.user)[spot]?.value?.flaws == [])
    #expect(
      try await told(house).contains { $0.hasPrefix("key.restored uid 7 restored the key of blog") }
    )
    #expect(
      await failure { _ = try await restorer.restore("blog") }.contains("no retired key"))

    // The active key is not deleted, under whatever name.
    let purger = KeyPurger(configuration, uid: 7)
    for name in ["blog", "blog/blog"] {
      #expect(
        await failure { _ = try await purger.look(name) }.contains("is an active key"), "\(name)")
    }
    // Nor one that its definition takes back.
    let again = try await house.keys.retire(spot, address, now: wallTime().adding(seconds: 1))
    #expect(await failure { _ = try await purger.look(again) }.contains("the next pass takes"))
    try await undefine(house)
    let candidate = try await purger.look(again)
    #expect(candidate.warnings.count == 1)
    let foreign = OnionAddress(publicKey: Array(repeating: 9, count: 32))
    #expect(
      await failure { _ = try await purger.purge(again, confirmed: foreign) }
        .contains("nothing is deleted"))
    #expect(try await house.keys.retired().value?.count == 1)
    let gone = try await purger.purge(again, confirmed: address)
    #expect(gone.isUnpinned)
    #expect(try await house.keys.retired() == .present([]))
    let events = try await told(house)
    #expect(events.contains { $0.contains("begins to delete the key of blog") })
    #expect(events.contains { $0.contains("deleted the key of blog for good") })
  }

  /// A key under a place is never exchanged by hand, and one of several is named.
  @Test func restoringOverwritesNothing() async throws {
    let (house, old) = try await house()
    let configuration = try house.configuration()
    let first = try await house.keys.retire(spot, old, now: Timestamp(seconds: 1_800_000_000))
    _ = try await house.keys.purge(first, old)
    let new = try await house.keys.generate(spot, owner: TorLayout.user)
    let secret = "\(house.path)/keys/blog/blog/hs_ed25519_secret_key"
    let before = FileManager.default.contents(atPath: secret)
    let aside = try await house.keys.makeSuccessor(
      of: spot, new, pins: false, now: Timestamp(seconds: 1_800_000_000))
    let restorer = KeyRestorer(configuration, uid: 7)
    let message = await failure { _ = try await restorer.restore(aside.id) }
    #expect(message.contains("address: \(aside.address)"), "\(message)")
    #expect(FileManager.default.contents(atPath: secret) == before)
    _ = try await house.keys.makeSuccessor(
      of: spot, new, pins: false, now: Timestamp(seconds: 1_800_000_001))
    #expect(
      await failure { _ = try await restorer.restore("blog") }.contains("name one by its id"))
  }
}
