import Descriptors
import Foundation
import Glibc
import OnionModel
import Spawning
import Testing

@testable import KeyStore

/// An age identity of a test's own.
struct AgeIdentity {
  let path: String
  let recipient: String

  init(_ folder: KeyFolder, _ name: String = "identity") throws {
    path = "\(folder.path)/\(name)"
    guard try spawn(["/usr/bin/age-keygen", "-o", path]).code == 0 else {
      throw KeyStoreError(.io, "test", "age-keygen failed: is age installed?")
    }
    let (_, output) = try spawn(["/usr/bin/age-keygen", "-y", path])
    recipient = String(decoding: output, as: UTF8.self).trimmingCharacters(
      in: .whitespacesAndNewlines)
  }
}

/// With the real age.
@Suite struct SealingTests {
  let spot = place("shared/blog")

  private func unseal(
    _ folder: KeyFolder, _ sealed: [UInt8], _ identity: String, _ address: OnionAddress? = nil,
    store: KeyRoot? = nil
  ) async throws -> OnionAddress {
    try await (store ?? folder.store).unseal(
      spot, SealedKey(file: "secrets/blog.age", bytes: sealed), identity: identity,
      address: address, owner: KeyFolder.owner, CompanionFiles(access: clients), label: nil)
  }

  @Test func sealedAndOpenedAgain() async throws {
    let (folder, other) = (try KeyFolder(), try KeyFolder())
    let identity = try AgeIdentity(folder)
    _ = try await folder.store.importKey(
      try KeyForm.read(try secret(try Corpus.bytes("ok.vanity.file")), origin: "x"), to: spot,
      owner: 7942)
    let sealed = try await folder.store.seal(spot, Corpus.vanity, recipients: [identity.recipient])
    #expect(sealed.starts(with: "-----BEGIN AGE ENCRYPTED FILE-----".utf8))
    #expect(!leaks(try Corpus.file(Corpus.vanity), in: sealed))
    let address = try await unseal(other, sealed, identity.path, Corpus.vanity)
    #expect(address == Corpus.vanity)
    #expect(try other.bytes("shared/blog/hs_ed25519_secret_key") == Corpus.file(address))
    #expect(
      await other.observe(spot)[spot]?.value
        == KeyDirectory(
          secret: .whole(address),
          clientFiles: KeyFiles.clientFiles(access: clients, address: address)))
    #expect(await other.store.pins() == .present([spot.service: address]))
    // Everything that age sealed by hand, binary or armored, of any form.
    for name in ["ok.vanity.yaml", "ok.vanity.file"] {
      let third = try KeyFolder()
      let path = "\(third.path)/sealed.age"
      try #require(
        try spawn([
          "/usr/bin/age", "-r", identity.recipient, "-o", path, "\(Corpus.folder)/\(name)",
        ]).code == 0)
      _ = try await unseal(third, try third.bytes("sealed.age"), identity.path)
      #expect(try third.bytes("shared/blog/hs_ed25519_secret_key") == Corpus.file(address))
    }
  }

  @Test func onlyTheWantedAddressComesIn() async throws {
    let folder = try KeyFolder()
    let identity = try AgeIdentity(folder)
    let sealed = try await Age().seal(
      try secret(try Corpus.bytes("ok.file")), recipients: [identity.recipient])
    #expect(
      await code { _ = try await unseal(folder, sealed, identity.path, Corpus.vanity) }
        == .keyMismatch)
    let old = try await folder.store.generate(spot, owner: 7942)
    #expect(await code { _ = try await unseal(folder, sealed, identity.path) } == .keyMismatch)
    _ = try await folder.store.retire(spot, old, now: now)
    #expect(
      await code { _ = try await unseal(folder, sealed, identity.path) } == .keyMismatch,
      "the pin stays")
    try folder.descriptor(".onionkeeper/pins").unlink("blog")
    #expect(try await unseal(folder, sealed, identity.path) == Corpus.plain)
    #expect(await code { _ = try await unseal(folder, sealed, identity.path) } == .keyPresent)
  }

  @Test func whatDoesNotOpenIsSaidPlainly() async throws {
    let folder = try KeyFolder()
    let identity = try AgeIdentity(folder)
    let stranger = try AgeIdentity(folder, "stranger")
    let sealed = try await Age().seal(
      try secret(try Corpus.bytes("ok.file")), recipients: [identity.recipient])
    let notAKey = try await Age().seal(
      try secret(Array("nothing".utf8)), recipients: [identity.recipient])
    let two = try await Age().seal(
      try secret(try Corpus.bytes("two.control")), recipients: [identity.recipient])
    let long = try await Age().seal(
      try secret([UInt8](repeating: 65, count: SealedKey.limit + 1)),
      recipients: [identity.recipient])
    let cases: [([UInt8], String, KeyStoreError.Code, String)] = [
      (sealed, stranger.path, .keySealed, "does not open"),
      (sealed, "\(folder.path)/none", .keySealed, "is not there"),
      (sealed, "\(Corpus.folder)/ok.file", .keySealed, "no file of age identities"),
      (Array(sealed.prefix(200)), identity.path, .keySealed, "damaged or cut off"),
      (Array("no age file".utf8), identity.path, .keySealed, "is no age file"),
      ([], identity.path, .keySealed, "is no age file"),
      (notAKey, identity.path, .keyUnusable, "holds no secret key"),
      (two, identity.path, .keyUnusable, "2 keys"),
      (long, identity.path, .keyUnusable, "more than 64 KiB"),
    ]
    for (bytes, path, code, words) in cases {
      do {
        _ = try await unseal(folder, bytes, path)
        Issue.record("opened: \(words)")
      } catch let error as KeyStoreError {
        #expect(error.code == code && error.message.contains(words), "\(error)")
        #expect(!leaks(try Corpus.file(Corpus.plain), in: Array("\(error)".utf8)))
      }
      #expect(try folder.names(".").isDisjoint(with: ["shared"]), "nothing was made")
    }
    let store = KeyRoot(path: folder.path, id: KeyFolder.agent, agePath: folder.path)
    do {
      _ = try await unseal(folder, sealed, identity.path, store: store)
      Issue.record("opened without age")
    } catch let error as KeyStoreError {
      #expect(error.code == .ageMissing && error.message.contains("apt install age"))
    }
  }

  @Test(arguments: [
    [], ["age1"], ["-o/tmp/x"], ["age1 x"], ["AGE-SECRET-KEY-1QQQQ"], ["ssh-ed25519 AAAA"],
  ]) func onlyRecipientsAreSealedTo(_ recipients: [String]) async throws {
    let folder = try KeyFolder()
    let address = try await folder.store.generate(spot, owner: 7942)
    do {
      _ = try await folder.store.seal(spot, address, recipients: recipients)
      Issue.record("sealed")
    } catch {
      #expect(error.code == .keySealed, "\(error)")
      #expect(!error.description.contains("QQQQ"), "an identity is a secret")
    }
    #expect(await folder.store.backups() == .present([]))
  }

  @Test func backedUpOnceForEachSetOfRecipients() async throws {
    let folder = try KeyFolder()
    let (first, second) = (try AgeIdentity(folder, "a"), try AgeIdentity(folder, "b"))
    let address = try await folder.store.generate(spot, owner: 7942)
    let file = try folder.bytes("shared/blog/hs_ed25519_secret_key")
    var names: Set<String> = []
    for recipients in [[first.recipient], [first.recipient, second.recipient]] {
      for _ in 0..<2 { try await folder.store.backUp(spot, address, recipients: recipients) }
      let name = KeyBackup.fileName(of: spot.service, address, recipients: recipients)
      names.insert(name)
      #expect(await folder.store.backups() == .present(names))
      let backup = try folder.descriptor(".onionkeeper/backup")
      let status = try #require(try backup.status(of: FileName(name)))
      #expect(status.mode == 0o600 && status.owner == 0)
      let reader = KeyReader(identity: recipients.count == 1 ? first.path : second.path)
      let keys = try await reader.read(.path("\(folder.path)/.onionkeeper/backup/\(name)"))
      #expect(keys.withSecret(0) { Array($0) } == file)
    }
    let other = OnionAddress(publicKey: [UInt8](repeating: 7, count: 32))
    #expect(
      await code {
        try await folder.store.backUp(spot, other, recipients: [first.recipient])
      } == .keyMismatch)
    #expect(
      await code {
        try await folder.store.backUp(place("no/no"), other, recipients: [first.recipient])
      } == .keyMissing)
  }

  /// An age that ends before it has read anything, with more to read than a pipe holds.
  @Test func whoEndsEarlyIsNoHarm() async throws {
    let folder = try KeyFolder()
    let program = "\(folder.path)/age"
    try Data("#!/bin/sh\nexit 3\n".utf8).write(to: URL(fileURLWithPath: program))
    try #require(chmod(program, 0o755) == 0)
    let sealed = Array("age-encryption.org/v1\n".utf8) + [UInt8](repeating: 65, count: 1 << 20)
    for _ in 0..<20 {
      let error = await #expect(throws: KeyStoreError.self) {
        try await Age(path: folder.path).open(sealed, identity: "x", limit: 1000, name: "x").count
      }
      #expect(error?.code == .keySealed)
    }
  }

  // MARK: - Archives

  @Test func aHostMovesInOneFile() async throws {
    let (folder, other) = (try KeyFolder(), try KeyFolder())
    let identity = try AgeIdentity(folder)
    var places: [KeyPlace: OnionAddress] = [:]
    let long = String(repeating: "n", count: 48)
    for name in ["shared/blog", "shared/wiki", "forum/forum", "\(long)/\(long)"] {
      places[place(name)] = try await folder.store.generate(place(name), owner: 7942)
    }
    let bundle = try await folder.store.bundle(places)
    try KeyOutput.newFile("\(folder.path)/sealed").write(
      try await bundle.sealedArchive(recipients: [identity.recipient]))
    try bundle.writeArchive(to: .newFile("\(folder.path)/plain"))
    for file in ["sealed", "plain"] {
      #expect(try folder.descriptor().status(of: FileName(file))?.mode == 0o600)
      #expect(
        await code { try bundle.writeArchive(to: .newFile("\(folder.path)/\(file)")) }
          == .keyPresent)
    }
    #expect(
      !leaks(try folder.bytes("shared/blog/hs_ed25519_secret_key"), in: try folder.bytes("sealed")))
    let reader = KeyReader(identity: identity.path)
    #expect(
      try await reader.readAll(.path("\(folder.path)/plain")).entries.map(\.address)
        == places.sorted { $0.key < $1.key }.map(\.value))
    let keys = try await reader.readAll(.path("\(folder.path)/sealed"))
    for (index, entry) in keys.entries.enumerated() {
      _ = try await other.store.importKey(keys, index, to: try #require(entry.place), owner: 7942)
    }
    let seen = await other.store.observe(Set(places.keys), owner: 7942)
    #expect(seen.mapValues { $0.value?.address } == places.mapValues { $0 })
    for place in places.keys {
      let path = "\(place)/hs_ed25519_secret_key"
      #expect(try other.bytes(path) == folder.bytes(path))
    }
    // tar itself reads it, and tor its folders.
    try folder.descriptor().makeFolder("extracted")
    let (code, _) = try spawn([
      "/bin/tar", "-C", "\(folder.path)/extracted", "-xf", "\(folder.path)/plain",
    ])
    #expect(code == 0)
    let extracted = try await reader.readAll(.path("\(folder.path)/extracted"))
    #expect(Set(extracted.entries.compactMap(\.place)) == Set(places.keys))
    #expect(extracted.entries.allSatisfy { $0.warnings.isEmpty })
  }
}

extension FileManager {
  fileprivate func contents(_ path: String) throws -> [UInt8] {
    Array(try #require(contents(atPath: path)))
  }
}
