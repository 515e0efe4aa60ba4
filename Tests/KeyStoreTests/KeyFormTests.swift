import Descriptors
import Foundation
import OnionModel
import Testing

@testable import KeyStore

/// The forms of secret keys, by a corpus whose files say by name what they are.
struct Corpus {
  static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().path + "/Corpus"
  /// Of RFC 8032 §7.1, test 1.
  static let plain = valid(
    OnionAddress("25njqamcweflpvkl73j4szahhihoc4xt3ktcgjnpaingr5yhkenl5sid.onion"))
  static let vanity = valid(
    OnionAddress("favhefrq4fvqt5zqmchidxvadvf3pbjn32pmvfqbfzvkdnv6migsxfqd.onion"))

  static func bytes(_ name: String) throws -> [UInt8] {
    try Descriptor.folder(at: folder).file(FileName(name)).read(limit: 1 << 20)
  }

  static func names(_ prefix: String) throws -> [String] {
    let names = try Descriptor.folder(at: folder).names(limit: 10_000).map(\.description)
    return names.filter { $0.hasPrefix(prefix) }.sorted()
  }

  /// The 96 bytes of either key.
  static func file(_ address: OnionAddress) throws -> [UInt8] {
    try bytes(address == vanity ? "ok.vanity.file" : "ok.file")
  }

  /// Every spelling of a key that a text could leak: raw, hexadecimal, base64, base32; of its scalar and prefix, whole
  /// and in parts.
  static func spellings(_ file: [UInt8]) -> [[UInt8]] {
    let expanded = Array(file.dropFirst(32))
    var found: [[UInt8]] = []
    for part in [Array(expanded[..<16]), Array(expanded[32..<48]), Array(expanded[16..<32])] {
      found.append(part)
      let hexadecimal = part.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
      found += [Array(hexadecimal.utf8), Array(hexadecimal.uppercased().utf8)]
      let base32 = Base32.encode(part).dropLast()
      found += [Array(base32.utf8), Array(base32.uppercased().utf8)]
    }
    // Base64 depends on where it begins: of the file, and of the 64 bytes.
    for whole in [file, expanded] {
      let text = Array(Data(whole).base64EncodedString().utf8)
      found += [Array(text[48..<64]), Array(text[64..<80])]
    }
    return found
  }
}

/// Whether any spelling of a key is in there.
func leaks(_ file: [UInt8], in text: [UInt8]) -> Bool {
  let text = Data(text)
  return Corpus.spellings(file).contains { text.range(of: Data($0)) != nil }
}

func secret(_ bytes: [UInt8]) throws -> Secret {
  let memory = try SecretBytes(count: bytes.count)
  memory.mutableBytes.copyBytes(from: bytes)
  return Secret(memory)
}

@Suite struct KeyFormTests {
  @Test(arguments: try Corpus.names("ok.")) func isRead(_ name: String) throws {
    let keys = try KeyForm.read(try secret(try Corpus.bytes(name)), origin: name)
    let address = name.hasPrefix("ok.vanity") ? Corpus.vanity : Corpus.plain
    #expect(keys.entries.map(\.address) == [address])
    #expect(keys.withSecret(0) { Array($0) } == (try Corpus.file(address)))
    #expect(keys.entries[0].warnings.isEmpty == !name.contains("lying"))
    #expect(keys.entries[0].place == (name == "ok.file" ? nil : keys.entries[0].place))
  }

  @Test(arguments: try Corpus.names("two.")) func bothAreRead(_ name: String) throws {
    let keys = try KeyForm.read(try secret(try Corpus.bytes(name)), origin: name)
    #expect(Set(keys.entries.map(\.address)) == [Corpus.plain, Corpus.vanity])
    for (index, entry) in keys.entries.enumerated() {
      #expect(keys.withSecret(index) { Array($0) } == (try Corpus.file(entry.address)))
      #expect(try keys.only(index).withSecret(0) { Array($0) } == (try Corpus.file(entry.address)))
    }
  }

  @Test(arguments: try Corpus.names("bad.")) func isRefused(_ name: String) throws {
    let error = #expect(throws: KeyStoreError.self) {
      _ = try KeyForm.read(try secret(try Corpus.bytes(name)), origin: name)
    }
    #expect(error?.code == .keyUnusable)
    #expect(error?.message.contains(name) == true)
    #expect(!leaks(try Corpus.file(Corpus.plain), in: Array("\(try #require(error))".utf8)))
  }

  /// What people are told is what they can act on.
  @Test(arguments: [
    ("bad.version2", "version 2"), ("bad.version2.control", "version 2"), ("bad.gzip", "gzip"),
    ("bad.utf16", "UTF-8"), ("bad.public", "hs_ed25519_secret_key"),
    ("bad.raw64", "ED25519-V3:<base64>"), ("bad.tar.cut", "cut off"),
    ("bad.truncated", "95 bytes long instead of 96"), ("bad.base64.of-64", "write ED25519-V3:"),
  ])
  func saysWhatToDo(_ name: String, _ words: String) throws {
    let error = #expect(throws: KeyStoreError.self) {
      _ = try KeyForm.read(try secret(try Corpus.bytes(name)), origin: name)
    }
    #expect(error?.message.contains(words) == true, "\(error?.message ?? "")")
  }

  @Test func placesComeFromAnArchive() throws {
    let keys = try KeyForm.read(try secret(try Corpus.bytes("ok.tar.ustar")), origin: "x")
    #expect(keys.entries.map(\.place) == [place("blog/blog")])
    let other = try KeyForm.read(try secret(try Corpus.bytes("ok.tar.gnu")), origin: "x")
    #expect(other.entries.map(\.place) == [nil])
  }

  /// Secrets are no text to whoever prints them.
  @Test func nothingPrintsASecret() throws {
    let file = try Corpus.file(Corpus.plain)
    let content = try secret(file)
    let keys = try KeyForm.read(content, origin: "x")
    var dumped = ""
    dump(keys, to: &dumped)
    dump(content, to: &dumped)
    for text in ["\(content)", "\(keys)", dumped, String(reflecting: content)] {
      #expect(!leaks(file, in: Array(text.utf8)))
    }
    #expect(leaks(file, in: file), "the check itself finds one")
    #expect(leaks(file, in: Array("x \(Data(file).base64EncodedString())".utf8)))
    #expect(leaks(file, in: Array("\(Data(file.dropFirst(32)).base64EncodedString())".utf8)))
  }

  @Test func base64IsStrict() throws {
    func decode(_ text: String, room: Int = 64) -> [UInt8]? {
      var output = [UInt8](repeating: 0, count: room)
      let count = output.withUnsafeMutableBytes { output in
        Array(text.utf8).withUnsafeBytes { Base64.decode($0, into: output) }
      }
      return count.map { Array(output[..<$0]) }
    }
    for count in 0..<64 {
      let bytes = (0..<count).map { _ in UInt8.random(in: 0...255) }
      let text = Data(bytes).base64EncodedString()
      #expect(decode(text) == bytes)
      #expect(decode(text.replacing("=", with: "")) == bytes)
      #expect(decode(text.map { "\($0)\r\n " }.joined()) == bytes)
    }
    for text in [
      "A", "AAAAA", "AA=A", "A===", "AB", "AAAA====", "AA=", "AA-_", "AAA\u{e4}", "====", "=",
    ] {
      #expect(decode(text) == nil, "\(text)")
    }
    #expect(decode("AAAA", room: 2) == nil)
  }
}
