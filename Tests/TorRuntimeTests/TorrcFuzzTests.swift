import Testing

@testable import TorRuntime

/// Fixtures with pieces moved, doubled, cut out and thrown in; the same seed, the same texts.
struct TorrcMutation {
  /// SplitMix64 (Steele, Lea, Flood 2014).
  private struct Seeded: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
      state &+= 0x9e37_79b9_7f4a_7c15
      var value = state
      value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
      value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
      return value ^ (value >> 31)
    }
  }

  private var generator: Seeded
  private static let corpus: [[UInt8]] = TorrcFixture.all.compactMap { $0.files[$0.torrc] }.filter {
    !$0.isEmpty
  }
  private static let pieces: [[UInt8]] = [
    "\n", "\r\n", "\\\n", "#", "\"", "\\", "\\x00", "\\377", "\t", " ", "\u{0}", "+", "/", "80",
    "unix:", "[::1]:80", "HiddenServiceDir /var/lib/tor/x\n", "HiddenServicePort 80\n",
    "HiddenServiceMaxStreams 5\n", "/HiddenServicePort\n", "HiddenServiceAuthorizeClient basic a\n",
    "\u{feff}", "# x \\\n",
  ].map { Array($0.utf8) }

  init(seed: UInt64) { generator = Seeded(state: seed) }

  /// Without includes: the texts of `%include` are tried with a file system of their own.
  mutating func text() -> [UInt8] { mutated().replacing(Array("%include".utf8), with: [0x23]) }

  mutating func mutated() -> [UInt8] {
    var bytes = Self.corpus.randomElement(using: &generator) ?? []
    for _ in 0..<Int.random(in: 1...4, using: &generator) {
      let start = Int.random(in: 0...bytes.count, using: &generator)
      let end = min(bytes.count, start + Int.random(in: 0...30, using: &generator))
      switch Int.random(in: 0..<6, using: &generator) {
      case 0: bytes.removeSubrange(start..<end)
      case 1: bytes.insert(contentsOf: bytes[start..<end], at: start)
      case 2 where start < bytes.count:
        bytes[start] = UInt8.random(in: 0...255, using: &generator)
      case 3:
        let other = Self.corpus.randomElement(using: &generator) ?? []
        bytes = Array(bytes[..<start]) + other.suffix(other.count / 2)
      default:
        bytes.insert(contentsOf: Self.pieces.randomElement(using: &generator) ?? [], at: start)
      }
    }
    return bytes
  }
}

@Suite struct TorrcFuzzTests {
  @Test(arguments: [1, 2, 3, 4, 5, 6])
  func nothingBreaks(_ seed: UInt64) {
    var generator = TorrcMutation(seed: seed)
    for _ in 0..<600 {
      let bytes = generator.mutated()
      let end = bytes.count { $0 == 0x0a } + 2
      // Whatever is included includes more: nested, looped, refused.
      do throws(TorrcError) {
        let torrc = try TorrcReader.read("/t/torrc", bytes: bytes, roots: ["/t", "/etc"]) {
          $0.utf8.count % 3 == 0 ? .folder(["a", "b"]) : .file(Array("%include \($0)x\n".utf8))
        }
        let instance = TorrcInstance(torrc)
        for finding in instance.findings + instance.services.flatMap(\.findings) {
          #expect((1...end).contains(finding.place?.line ?? 0))
          let isPlain = finding.description.unicodeScalars.allSatisfy { $0.value >= 0x20 }
          #expect(isPlain && finding.description.utf8.count < 4000, "\(finding)")
        }
        for service in instance.services {
          let isRefused = service.findings.contains { $0.severity == .error }
          #expect(isRefused || (service.directory.hasPrefix("/") && !service.ports.isEmpty))
          #expect(Set(service.ports.map(\.virtual)).count == service.ports.count)
        }
        #expect(Set(instance.services.map(\.directory)).count == instance.services.count)
      } catch {
        #expect(error.description.utf8.count < 2000)
      }
    }
  }

  /// A value alone: every prefix and every one-byte change of some.
  @Test func portValues() {
    let values = [
      "80 10.0.0.1:8080", "80 unix:\"/run/a b\"", "80 [2001:db8::1]:80", "80 2001:db8::1", "80",
      "80 name.example:80", "65535 unix:/x",
    ]
    let odd: [UInt8] = Array(" \t:[].\"\\0#x\u{0}".utf8) + [0xff]
    for value in values.map({ Array($0.utf8) }) {
      for index in value.indices {
        for byte: UInt8 in odd {
          let head = Array(value[..<index])
          let cut: [UInt8] = head + [byte]
          let inserted: [UInt8] = cut + Array(value[index...])
          let replaced: [UInt8] = cut + Array(value[(index + 1)...])
          for bytes: [UInt8] in [head, cut, inserted, replaced] {
            do throws(TorrcPortValue.Refusal) {
              let port = try TorrcPortValue(bytes)
              #expect((1...65535).contains(port.virtual))
            } catch { #expect(!error.message.isEmpty) }
          }
        }
      }
    }
  }

  /// Two includes of one file, thirty deep, would be a thousand million files.
  @Test func nestedIncludesAreBounded() {
    let error = #expect(throws: TorrcError.self) {
      try TorrcReader.read("/t/0", bytes: Self.twice(1), roots: ["/t"]) { path in
        .file(Self.twice((Int(path.split(separator: "/")[1]) ?? 0) + 1))
      }
    }
    #expect(error?.message.contains("files") == true || error?.message.contains("includes") == true)
    let long = Array(String(repeating: "SocksPort 0\n", count: 200_000).utf8)
    #expect(throws: TorrcError.self) {
      try TorrcReader.read("/t/0", bytes: long, roots: []) { _ in .absent }
    }
  }

  private static func twice(_ next: Int) -> [UInt8] {
    next > 29 ? [] : Array("%include /t/\(next)\n%include /t/\(next)\n".utf8)
  }

  @Test func clientFiles() {
    let key = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567ABCDEFGHIJKLMNOPQRSA"
    for text in [
      "descriptor:x25519:\(key)", "descriptor:x25519:\(key)\n",
      " descriptor : x25519 : \(key) \r\n",
      "descriptor:x25519:\(key.lowercased())\n",
      "descriptor:x25519:\(key.dropLast())B",  // bits that no key has
    ] {
      #expect(ClientFile.key(Array(text.utf8)) == key, "\(text)")
    }
    for text in [
      "", key, "descriptor:x25519:\(key.dropLast())", "descriptor:x25519:\(key)A",
      "Descriptor:x25519:\(key)", "descriptor:x25519:\(key)\nx", "descriptor:x25519:\(key):x",
      "name:descriptor:x25519:\(key)", "descriptor:x25519:\(key.dropLast(2))01",
    ] {
      #expect(ClientFile.key(Array(text.utf8)) == nil, "\(text)")
    }
    #expect(ClientFile.isRead("a.auth") && ClientFile.isRead(".a.auth"))
    #expect(!ClientFile.isRead(".auth") && !ClientFile.isRead("a.auth.bak"))
  }
}
