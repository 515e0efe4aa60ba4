import Foundation
import KeyStore
import OnionModel
import Testing

@testable import Keeping

/// All keys of one host, taken to another: every address stays.
@Suite struct KeyMovingTests {
  private func place(_ text: String) throws -> KeyPlace {
    let parts = text.split(separator: "/").map(String.init)
    return KeyPlace(
      instance: try #require(InstanceName(parts[0])), service: try #require(ServiceName(parts[1])))
  }

  @Test func allKeysOfAHost() async throws {
    let old = try House()
    let new = try House()
    try old.setUp()
    try new.setUp()
    var addresses: [KeyPlace: OnionAddress] = [:]
    for text in ["blog/blog", "shared/wiki", "shared/forum"] {
      let spot = try place(text)
      addresses[spot] = try await old.keys.generate(spot, owner: TorLayout.user)
    }
    let archive = "\(old.path)/keys.tar"
    let report = try await KeyExporter(try old.configuration(), uid: 0).all(.plain, to: archive)
    #expect(report.keys == addresses && report.missing == [])
    // A definition that is accepted there says another instance: it wins over the archive.
    try new.write("repository/services/wiki.yaml", House.blog + "key: existing\n")
    try new.commit()
    _ = try await new.pass()
    let importer = KeyImporter(try new.configuration(), uid: 0)
    let reports = try await importer.all(from: archive)
    #expect(reports.count == 3 && reports.allSatisfy { !$0.wasThere && $0.aside == nil })
    addresses[try place("wiki/wiki")] = addresses.removeValue(forKey: try place("shared/wiki"))
    let seen = try await new.keys.observe([], owner: TorLayout.user)
    #expect(seen.compactMapValues { $0.value?.address } == addresses)
    #expect(seen.values.allSatisfy { $0.value?.flaws == [] })
    #expect(
      try await new.keys.pins().value
        == Dictionary(uniqueKeysWithValues: addresses.map { ($0.key.service, $0.value) }))
    // Cut off and done again.
    #expect(try await importer.all(from: archive).allSatisfy(\.wasThere))
    let kinds = try await new.agent { try await $0.journal.kinds() }
    #expect(kinds.filter { $0 == .keyRestored }.count == 3)
  }
}
