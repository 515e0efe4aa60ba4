import Descriptors
import Glibc
import OnionModel
import Testing

@testable import KeyStore

/// Keys between us and the real tor, which never meets a network.
@Suite struct RealTorTests {
  static let user = OfflineTor.user

  private func run(_ folder: KeyFolder, _ services: [String]) async throws -> String {
    let tor = try await OfflineTor.run(folder, services)
    #expect(tor.serves, "\(tor.log)")
    return tor.log
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

  /// A key of which nobody knows a seed, as mkp224o finds it: tor makes the same public key of it.
  @Test func torTakesAVanityKey() async throws {
    let folder = try KeyFolder()
    let keys = try await KeyReader().read(
      .path("\(Corpus.folder)/ok.vanity.file"))
    #expect(
      try await folder.store.importKey(keys, to: place("all/vanity"), owner: Self.user)
        == Corpus.vanity)
    try folder.descriptor("all/vanity").unlink("hostname")
    try folder.descriptor("all/vanity").unlink("hs_ed25519_public_key")
    _ = try await run(folder, ["all/vanity"])
    #expect(
      try folder.bytes("all/vanity/hs_ed25519_public_key")
        == KeyFiles.publicKeyBytes(Corpus.vanity))
  }

  /// The last column of the table.
  @Test(arguments: KeyState.table.filter { $0.tor != .unasked })
  func torDoesWhatTheTableSays(_ state: KeyState) async throws {
    let folder = try KeyFolder()
    let address = try await stage(state, folder)
    let before = try DiskModel.secrets(folder)
    let tor = try await OfflineTor.run(folder, ["shared/blog"])
    let after = try DiskModel.secrets(folder)
    switch state.tor {
    case .serves, .opens(nil):
      #expect(tor.serves && after == before, "\(tor.log)")
      #expect(!tor.log.contains("[warn]"), "\(tor.log)")
      let name = String(decoding: try folder.bytes("shared/blog/hostname"), as: UTF8.self)
      // It leaves a name that ends in CRLF.
      #expect(name.hasPrefix("\(address)") == (state.fault != .swapped), "\(name)")
    case .opens(let words?):
      #expect(tor.serves && after == before && tor.log.contains(words), "\(tor.log)")
    case .refuses(let words):
      #expect(!tor.serves && after == before && tor.log.contains(words), "\(tor.log)")
    case .replaces:
      let name = String(decoding: try folder.bytes("shared/blog/hostname"), as: UTF8.self)
      #expect(tor.serves && after != before && name != "\(address)\n", "\(tor.log)")
    case .unasked: break
    }
  }

  /// What would be the end of an identity is the end of tor where it has the folder read-only, as ours have.
  @Test(arguments: KeyState.table.filter { $0.tor == .replaces })
  func readOnlyItReplacesNothing(_ state: KeyState) async throws {
    let folder = try KeyFolder()
    _ = try await stage(state, folder)
    let before = try DiskModel.secrets(folder)
    let path = "\(folder.path)/shared"
    // MS_BIND; with MS_REMOUNT and MS_RDONLY.
    try #require(mount(path, path, nil, 4096, nil) == 0)
    defer { umount2(path, detached) }
    try #require(mount(nil, path, nil, 4096 | 32 | 1, nil) == 0)
    let tor = try await OfflineTor.run(folder, ["shared/blog"])
    #expect(!tor.serves, "\(tor.log)")
    umount2(path, detached)
    #expect(try DiskModel.secrets(folder) == before)
  }

  private func stage(_ state: KeyState, _ folder: KeyFolder) async throws -> OnionAddress {
    let address = try await folder.store.generate(
      place("shared/blog"), owner: Self.user, CompanionFiles(access: clients))
    _ = try await folder.store.generate(place("other/other"), owner: Self.user)
    try Vandal(folder: folder, address: address).inflict(state.fault)
    return address
  }

  /// The same key in two places: tor drops one of them with a complaint of its own code; we never start the second.
  @Test func oneKeyTwiceIsABugToTor() async throws {
    let folder = try KeyFolder()
    _ = try await folder.store.generate(place("all/one"), owner: Self.user)
    _ = try await folder.store.generate(place("all/two"), owner: Self.user)
    for name in ["hs_ed25519_secret_key", "hs_ed25519_public_key", "hostname"] {
      try folder.write("all/two/\(name)", try folder.bytes("all/one/\(name)"))
    }
    let seen = await folder.store.observe(
      [place("all/one"), place("all/two")], owner: Self.user)
    #expect(Set(seen.values.map { $0.value?.address }).count == 1)
    let tor = try await OfflineTor.run(folder, ["all/one", "all/two"])
    #expect(tor.log.contains("register_all_services"), "\(tor.log)")
  }
}
