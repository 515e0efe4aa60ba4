import Foundation
import Testing

/// One key takes another's place on a real engine: by hand, by a new `address:`, and back again.
@Suite(.serialized) struct KeyExchangeTests {
  private func secret(_ host: CommandHost, _ path: String) throws -> Data {
    try Data(contentsOf: URL(fileURLWithPath: "\(host.keys)/\(path)/hs_ed25519_secret_key"))
  }

  /// Addresses in a text, in order.
  private func addresses(_ text: String) -> [String] {
    text.split(whereSeparator: \.isWhitespace).map(String.init).filter {
      $0.hasSuffix(".onion") && $0.count == 62
    }
  }

  @Test func rotatedAndTakenBack() async throws {
    let other = CommandHost.definition()
    try await withHost("docker", ["blog": CommandHost.definition(), "wiki": other]) { host in
      try await host.setUp()
      try await host.apply()
      let old = try host.address("blog")
      let key = try secret(host, "blog/blog")
      let wiki = try await host.pid("wiki")

      // Nobody is at a terminal; another address is no consent.
      #expect(try await host.onionkeeper("keys rotate blog </dev/null").errors.contains("terminal"))
      let wrong = try await host.onionkeeper(
        "keys rotate blog --yes-rotate \(try host.address("wiki"))")
      #expect(wrong.code == 1)
      #expect(try await host.onionkeeper("plan").code == 0)

      let rotated = try await host.onionkeeper("keys rotate blog --yes-rotate \(old)")
      #expect(rotated.code == 0, "\(rotated.errors)")
      let new = try #require(addresses(rotated.output).last)
      #expect(new != old)
      #expect(try host.address("blog") == old, "until the next pass")
      try await host.apply()
      #expect(try host.address("blog") == new)
      #expect(try await host.onionkeeper("status --pins").output.contains(new))
      #expect(try await host.containers()["onionkeeper-blog"] == "running")
      #expect(try await host.pid("wiki") == wiki, "no other tor is touched")
      #expect(try await host.onionkeeper("plan").code == 0)
      let list = try await host.onionkeeper("keys list --retired").output
      #expect(addresses(list) == [old] && list.contains("by revision"))

      // The way back, by the definition.
      try await host.define("blog", CommandHost.definition("address: \(old)\nkey: existing\n"))
      try await host.apply()
      #expect(try host.address("blog") == old)
      #expect(try secret(host, "blog/blog") == key)
      #expect(try await host.onionkeeper("plan").code == 0)

      // What is retired now is deleted by its address alone, and no active key ever.
      let retired = try await host.onionkeeper("keys list --retired").output
      let id = String(retired.prefix { $0 != " " })
      #expect(try await host.onionkeeper("keys purge \(id) --yes-delete \(old)").code == 1)
      #expect(try await host.onionkeeper("keys purge \(id) </dev/null").code == 1)
      #expect(try await host.onionkeeper("keys purge blog --yes-delete \(old)").code == 1)
      let purged = try await host.onionkeeper("keys purge \(id) --yes-delete \(new)")
      #expect(purged.code == 0 && purged.errors.contains("no backup"), "\(purged.errors)")
      #expect(try await host.onionkeeper("keys list --retired").output == "no key is retired\n")
      #expect(try await host.onionkeeper("plan").code == 0)
    }
  }

  /// Removed, restored by hand before it is defined again, and served under its address.
  @Test func restoredByHand() async throws {
    try await withHost(
      "docker", ["blog": CommandHost.definition(), "wiki": CommandHost.definition()]
    ) { host in
      try await host.setUp()
      try await host.apply()
      let address = try host.address("blog")
      let key = try secret(host, "blog/blog")
      try await host.undefine("blog")
      try await host.apply()
      #expect(try await host.containers()["onionkeeper-blog"] == nil)
      let restored = try await host.onionkeeper("keys restore blog")
      #expect(restored.code == 0 && restored.output.contains("address: \(address)"))
      #expect(try secret(host, "blog/blog") == key)
      #expect(try await host.onionkeeper("keys restore blog").code == 1)
      #expect(try await host.onionkeeper("plan").code == 0, "it waits for its definition")
      try await host.define("blog", CommandHost.definition("address: \(address)\nkey: existing\n"))
      try await host.apply()
      #expect(try host.address("blog") == address)
      #expect(try await host.containers()["onionkeeper-blog"] == "running")
    }
  }
}
