import Descriptors
import Foundation
import OnionModel
import Testing

@testable import KeyStore

/// Mutations of the corpus: whatever comes, a key that proves itself or an error of ours, without a secret.
@Suite struct KeyFuzzTests {
  /// Ended by whichever comes first.
  private static let rounds = 1000
  private static let seconds = 10

  @Test func anyInputIsAKeyOrAnError() throws {
    var seeds: [[UInt8]] = []
    for prefix in ["ok.", "two.", "bad."] {
      seeds += try Corpus.names(prefix).map { try Corpus.bytes($0) }
    }
    let known = try [Corpus.plain, Corpus.vanity].map { try Corpus.file($0) }
    var random = Mutator(seed: 7)
    let end = ContinuousClock.now + .seconds(Self.seconds)
    var (keys, errors) = (0, 0)
    for _ in 0..<Self.rounds where ContinuousClock.now < end {
      let input = random.mutated(seeds[random.below(seeds.count)], with: seeds)
      do {
        let found = try KeyForm.read(try secret(input), origin: "fuzz")
        keys += 1
        for (index, entry) in found.entries.enumerated() {
          #expect(found.withSecret(index, SecretKeyFile.judge) == .whole(entry.address))
        }
        // What was read goes out and comes back.
        let again = try KeyForm.read(try found.placed().archive(), origin: "again")
        #expect(again.entries.map(\.address) == found.entries.map(\.address))
      } catch {
        errors += 1
        guard let error = error as? KeyStoreError, error.code == .keyUnusable else {
          Issue.record("\(error) for \(Data(input).base64EncodedString())")
          continue
        }
        let text = Array(error.description.utf8)
        #expect(!known.contains { leaks($0, in: text) }, "\(error)")
      }
    }
    #expect(keys > 20 && errors > 20, "\(keys) keys, \(errors) errors")
  }

  /// A hostile archive or text takes no memory that it does not bring itself.
  @Test func limitsHold() throws {
    let long = [UInt8](repeating: UInt8(ascii: "A"), count: KeyForm.textLimit + 1)
    #expect(throws: KeyStoreError.self) { try KeyForm.read(try secret(long), origin: "x") }
    #expect(
      try Secret.collect(limit: 100) { buffer throws(FileError) in buffer.count } == nil)
  }
}

extension KeyBundle {
  /// Each at a place of its own.
  fileprivate func placed() throws -> KeyBundle {
    var number = 0
    return try mapping {
      $0.place = place("i/s\(number)")
      number += 1
    }
  }
}

/// The same mutations every time.
private struct Mutator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func below(_ limit: Int) -> Int {
    // Numerical Recipes' constants; the high bits are the good ones.
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Int((state >> 33) % UInt64(max(limit, 1)))
  }

  private static let words = [
    "ED25519-V3:", "hs_ed25519_secret_key: ", "!!binary |\n", "---\n", "hostname: ", "ustar",
    "\r\n",
    "== ed25519v1-secret: type0 ==\0\0\0", "=", "\0", "NEW:", "-----BEGIN AGE ENCRYPTED FILE-----",
  ].map { Array($0.utf8) }

  mutating func mutated(_ seed: [UInt8], with others: [[UInt8]]) -> [UInt8] {
    var bytes = seed
    for _ in 0..<below(4) {
      let offset = below(bytes.count + 1)
      switch below(7) {
      case 0: if offset < bytes.count { bytes[offset] ^= UInt8(1 << below(8)) }
      case 1: bytes.removeSubrange(offset..<min(bytes.count, offset + below(64)))
      case 2: bytes.insert(contentsOf: Self.words[below(Self.words.count)], at: offset)
      case 3: bytes = Array(bytes[..<offset])
      case 4: bytes += others[below(others.count)]
      case 5: bytes.insert(contentsOf: others[below(others.count)].prefix(below(600)), at: offset)
      default: if offset < bytes.count { bytes[offset] = UInt8(below(256)) }
      }
    }
    return bytes
  }
}
