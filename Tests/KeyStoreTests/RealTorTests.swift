import Descriptors
import Glibc
import OnionModel
import Testing

@testable import KeyStore

/// Keys between us and the real tor, which never meets a network.
@Suite struct RealTorTests {
  static let user = 7942

  /// A folder for tor beside the keys, and a tor that runs over the given service folders.
  private func run(_ folder: KeyFolder, _ services: [String]) async throws -> String {
    let data = try folder.descriptor().makeFolder("tor-data", owner: Self.user)
    var lines = [
      "DataDirectory \(folder.path)/tor-data", "DisableNetwork 1", "SocksPort 0",
      "Log notice stdout",
    ]
    for service in services {
      lines += ["HiddenServiceDir \(folder.path)/\(service)", "HiddenServicePort 80 127.0.0.1:9"]
    }
    try data.write(
      Array((lines.joined(separator: "\n") + "\n").utf8), to: "torrc",
      FileAttributes(owner: Self.user))
    let tor = try Child(
      [
        "/usr/bin/setpriv", "--reuid=\(Self.user)", "--regid=\(Self.user)", "--clear-groups",
        "/usr/sbin/tor", "-f", "\(folder.path)/tor-data/torrc", "--defaults-torrc", "/dev/null",
      ], log: "\(folder.path)/log")
    defer { tor.stop() }
    // What it says after it has loaded its keys.
    try await eventually("tor has read its keys", saying: tor.text) {
      tor.text.contains("Delaying directory fetches")
    }
    return tor.text
  }

  /// Whole directories of ours stay as they are; where only the secret is left, tor makes the same address of it.
  @Test func torTakesOurKeys() async throws {
    let folder = try KeyFolder()
    var addresses: [String: OnionAddress] = [:]
    for number in 0..<10 {
      let name = "s\(number)"
      let address = try await folder.store.generate(
        place("all/\(name)"), owner: Self.user,
        CompanionFiles(access: number < 5 ? .open : clients))
      addresses[name] = address
      if number % 2 == 1 {
        try folder.descriptor("all/\(name)").unlink("hostname")
        try folder.descriptor("all/\(name)").unlink("hs_ed25519_public_key")
      }
    }
    let whole = try folder.descriptor("all/s0").status()
    let secret = try folder.descriptor("all/s0").status(of: "hs_ed25519_secret_key")
    let log = try await run(folder, addresses.keys.map { "all/\($0)" })
    for (name, address) in addresses {
      let hostname = String(decoding: try folder.bytes("all/\(name)/hostname"), as: UTF8.self)
      #expect(hostname == "\(address)\n")
      #expect(
        try folder.bytes("all/\(name)/hs_ed25519_public_key") == KeyFiles.publicKeyBytes(address))
    }
    #expect(try folder.descriptor("all/s0").status().changed == whole.changed)
    #expect(try folder.descriptor("all/s0").status(of: "hs_ed25519_secret_key") == secret)
    #expect(!log.contains("[err]"), "\(log)")
    let places = addresses.keys.map { place("all/\($0)") }
    let seen = await folder.store.observe(Set(places), owner: Self.user)
    for place in places { #expect(seen[place]?.value?.flaws == []) }
  }

  /// Twenty of tor's own: each is read with its address, and a public key with a flipped sign is seen as another's.
  @Test func torsKeysAreRead() async throws {
    let folder = try KeyFolder()
    _ = try folder.descriptor().makeFolder("made", owner: Self.user)
    let names = (0..<20).map { "t\($0)" }
    _ = try await run(folder, names.map { "made/\($0)" })
    let places = Set(names.map { place("made/\($0)") })
    for (place, seen) in await folder.store.observe(places, owner: Self.user)
    where places.contains(place) {
      let path = "made/\(place.service)"
      let hostname = String(decoding: try folder.bytes("\(path)/hostname"), as: UTF8.self)
      #expect(seen.value?.address?.text == String(hostname.dropLast()))
      #expect(seen.value?.flaws == [])
      var key = try folder.bytes("\(path)/hs_ed25519_public_key")
      key[63] ^= 0x80
      try folder.write("\(path)/hs_ed25519_public_key", key)
    }
    for (place, seen) in await folder.store.observe(places, owner: Self.user)
    where places.contains(place) {
      #expect(seen.value?.address != nil && seen.value?.flaws.count == 1)
    }
  }
}
