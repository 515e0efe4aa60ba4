import Descriptors
import Glibc
import OnionModel
import Swapping
import Testing

@testable import KeyStore

/// Sources on a disk: folders, files, what lies about.
@Suite struct KeyReaderTests {
  private let reader = KeyReader()

  private func folder(
    _ folder: KeyFolder, _ inner: String, _ address: OnionAddress = Corpus.plain, mode: Int = 0o600
  ) throws {
    if let slash = inner.lastIndex(of: "/") {
      let above = FileName(String(inner[..<slash]))
      if try folder.descriptor().status(of: above) == nil {
        try folder.descriptor().makeFolder(above)
      }
    }
    let parts = inner.split(separator: "/").map(String.init)
    let parent = try folder.descriptor(parts.count > 1 ? parts[0] : ".")
    let made = try parent.makeFolder(FileName(parts.last ?? inner))
    try made.write(
      try Corpus.file(address), to: "hs_ed25519_secret_key", FileAttributes(mode: mode))
    for (name, content) in Inspection.publicFiles(address) { try made.write(content, to: name) }
  }

  @Test func aTorDirectoryIsReadAndLeftAsItIs() async throws {
    let host = try KeyFolder()
    try folder(host, "hs", Corpus.vanity)
    let path = "\(host.path)/hs/hs_ed25519_secret_key"
    // An old access time, which relatime would move at the next read.
    var times = [
      timespec(tv_sec: 1_000_000_000, tv_nsec: 0), timespec(tv_sec: 1_000_000_000, tv_nsec: 0),
    ]
    try #require(utimensat(AT_FDCWD, path, &times, 0) == 0)
    try #require(utimensat(AT_FDCWD, "\(host.path)/hs", &times, 0) == 0)
    let before = try host.descriptor("hs").status()
    for source in [path, "\(host.path)/hs", "\(host.path)/hs/", "\(host.path)/hs/."] {
      let keys = try await reader.read(.path(source))
      #expect(keys.entries.map(\.address) == [Corpus.vanity], "\(source)")
      #expect(keys.entries[0].warnings == [])
    }
    for path in [path, "\(host.path)/hs/hostname"] {
      var status = stat()
      try #require(stat(path, &status) == 0)
      #expect(status.st_atim.tv_sec == 1_000_000_000 || path.hasSuffix("hostname"))
    }
    #expect(try host.descriptor("hs").status() == before)
  }

  @Test func whatOthersCanReadIsSaid() async throws {
    let host = try KeyFolder()
    try folder(host, "hs", mode: 0o644)
    let keys = try await reader.read(.path("\(host.path)/hs"))
    #expect(keys.entries[0].warnings.count == 1)
    #expect(keys.entries[0].warnings[0].contains("0644"))
    let file = try await reader.read(.path("\(host.path)/hs/hs_ed25519_secret_key"))
    #expect(file.entries[0].warnings.count == 1)
  }

  /// The secret decides; what lies beside it and says otherwise is named.
  @Test(arguments: ["hostname", "hs_ed25519_public_key"])
  func disagreementIsSaid(_ name: String) async throws {
    let host = try KeyFolder()
    try folder(host, "hs")
    try folder(host, "other", Corpus.vanity)
    try host.write("hs/\(name)", try host.bytes("other/\(name)"))
    let keys = try await reader.read(.path("\(host.path)/hs"))
    #expect(keys.entries.map(\.address) == [Corpus.plain])
    #expect(keys.entries[0].warnings.count == 1)
    #expect(keys.entries[0].warnings[0].contains("hs/\(name)"))
  }

  /// mkp224o's output: one folder an address.
  @Test func oneOfSeveralIsChosen() async throws {
    let host = try KeyFolder()
    try folder(host, "out/\(Corpus.plain)")
    let single = try await reader.read(.path("\(host.path)/out"))
    #expect(single.entries.map(\.address) == [Corpus.plain])
    try folder(host, "out/\(Corpus.vanity)", Corpus.vanity)
    let error = await #expect(throws: KeyStoreError.self) {
      _ = try await reader.read(.path("\(host.path)/out"))
    }
    #expect(error?.code == .keyUnusable)
    for address in [Corpus.plain, Corpus.vanity] {
      #expect(error?.message.contains(address.text) == true)
      let keys = try await reader.read(.path("\(host.path)/out"), choosing: address)
      #expect(keys.entries.map(\.address) == [address])
    }
    let other = OnionAddress(publicKey: [UInt8](repeating: 7, count: 32))
    #expect(
      await code { _ = try await reader.read(.path("\(host.path)/out"), choosing: other) }
        == .keyMismatch)
    // Named otherwise, it is chosen by its key.
    try host.descriptor("out").rename(
      FileName(Corpus.vanity.text), to: host.descriptor("out"), as: "renamed")
    let keys = try await reader.read(.path("\(host.path)/out"), choosing: Corpus.vanity)
    #expect(keys.entries.map(\.address) == [Corpus.vanity])
  }

  @Test func version2AndEmptyFoldersAreNamed() async throws {
    let host = try KeyFolder()
    for (name, file, words) in [
      ("v2", "private_key", "version 2"), ("public", "hs_ed25519_public_key", "public key"),
      ("nothing", "notes", "holds no hs_ed25519_secret_key"),
    ] {
      try host.descriptor().makeFolder(FileName(name))
      try host.write("\(name)/\(file)", [1])
      let error = await #expect(throws: KeyStoreError.self) {
        _ = try await reader.read(.path("\(host.path)/\(name)"))
      }
      #expect(error?.message.contains(words) == true)
    }
  }

  @Test func onlyPlainFilesAreRead() async throws {
    let host = try KeyFolder()
    try folder(host, "hs")
    try #require(symlink("hs", "\(host.path)/link") == 0)
    try #require(symlink("hs/hs_ed25519_secret_key", "\(host.path)/filelink") == 0)
    try #require(mkfifo("\(host.path)/pipe", 0o600) == 0)
    try host.descriptor().makeFolder("linked")
    try #require(
      symlink("../hs/hs_ed25519_secret_key", "\(host.path)/linked/hs_ed25519_secret_key") == 0)
    for name in ["link", "filelink", "pipe", "linked"] {
      #expect(
        await code { _ = try await reader.read(.path("\(host.path)/\(name)")) } == .keyUnusable,
        "\(name)")
    }
    #expect(await code { _ = try await reader.read(.path("\(host.path)/none")) } == .io)
    // A link on the way is its owner's business.
    let keys = try await reader.read(.path("\(host.path)/link/hs_ed25519_secret_key"))
    #expect(keys.entries.map(\.address) == [Corpus.plain])
  }

  /// The source is exchanged for a link without pause: the key is one of the two that were named, or nothing.
  @Test func aSwappedSourceIsNeverFollowed() async throws {
    let host = try KeyFolder()
    try folder(host, "hs")
    try folder(host, "secretly", Corpus.vanity)
    try #require(symlink("secretly", "\(host.path)/decoy") == 0)
    let swapper = Swapper(host.path, "hs", "decoy")
    var (read, refused) = (0, 0)
    for _ in 0..<20_000 where read < 30 || refused < 30 {
      do {
        let keys = try await reader.read(.path("\(host.path)/hs"))
        #expect(keys.entries.map(\.address) == [Corpus.plain])
        read += 1
      } catch {
        #expect(error.code == .keyUnusable || error.code == .io, "\(error)")
        refused += 1
      }
    }
    swapper.stop()
    #expect(read >= 30 && refused >= 30, "read \(read), refused \(refused)")
  }

  @Test func anExtractedExportIsReadWhole() async throws {
    let host = try KeyFolder()
    try folder(host, "shared/blog")
    try folder(host, "wiki/wiki", Corpus.vanity)
    let keys = try await reader.readAll(.path(host.path))
    #expect(keys.entries.map(\.place) == [place("shared/blog"), place("wiki/wiki")])
    try folder(host, "wiki/Not A Name")
    #expect(await code { _ = try await reader.readAll(.path(host.path)) } == .keyUnusable)
    #expect(
      await code {
        _ = try await reader.readAll(.path("\(host.path)/wiki/wiki/hs_ed25519_secret_key"))
      }
        == .keyUnusable)
  }
}
