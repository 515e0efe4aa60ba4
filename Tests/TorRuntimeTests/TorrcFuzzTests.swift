import FixtureFiles
import Testing

@testable import TorRuntime

/// The torrc fixtures, mutated.
struct TorrcMutation {
  private var mutation: Mutation
  private static let corpus: [[UInt8]] = TorrcFixture.all.compactMap { $0.files[$0.torrc] }.filter {
    !$0.isEmpty
  }
  private static let pieces: [[UInt8]] = [
    "\n", "\r\n", "\\\n", "#", "\"", "\\", "\\x00", "\\377", "\t", " ", "\u{0}", "+", "/", "80",
    "unix:", "[::1]:80", "HiddenServiceDir /var/lib/tor/x\n", "HiddenServicePort 80\n",
    "HiddenServiceMaxStreams 5\n", "/HiddenServicePort\n", "HiddenServiceAuthorizeClient basic a\n",
    "\u{feff}", "# x \\\n",
  ].map { Array($0.utf8) }

  init(seed: UInt64) {
    mutation = Mutation(seed: seed, corpus: Self.corpus, pieces: Self.pieces)
  }

  mutating func next() -> [UInt8] { mutation.next() }

  /// Without includes: the texts of `%include` are tried with a file system of their own.
  mutating func text() -> [UInt8] { next().replacing(Array("%include".utf8), with: [0x23]) }
}

@Suite struct TorrcFuzzTests {
  @Test(arguments: [1, 2, 3, 4, 5, 6])
  func nothingBreaks(_ seed: UInt64) {
    var generator = TorrcMutation(seed: seed)
    for _ in 0..<150 {
      let bytes = generator.next()
      let end = bytes.count { $0 == 0x0a } + 2
      // Whatever is included includes more: nested, looped, refused.
      do throws(TorrcError) {
        let torrc = try TorrcReader.read("/t/torrc", bytes: bytes, roots: ["/t", "/etc"]) {
          // Short: what deep nesting costs is told by another test, once.
          if $0.utf8.count > 20 { return .absent }
          return $0.utf8.count % 3 == 0
            ? .folder(["a", "b"]) : .file(Array("%include \($0)x\n".utf8))
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
