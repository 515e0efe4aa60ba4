import Foundation
import Testing

/// `Fixtures/sentences.md`: each sentence has a proof, and each proof is there.
@Suite struct SentenceTests {
  private static let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent()

  struct Sentence: Sendable, CustomTestStringConvertible {
    var text: String
    var proofs: [String] = []

    var testDescription: String { text }
  }

  private static func sentences() throws -> [Sentence] {
    let file = tests.appendingPathComponent("DefinitionsTests/Fixtures/sentences.md")
    var sentences: [Sentence] = []
    for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") {
      if line.hasPrefix("> ") {
        sentences.append(Sentence(text: String(line.dropFirst(2))))
      } else if line.hasPrefix("- "), !sentences.isEmpty {
        sentences[sentences.count - 1].proofs.append(String(line.dropFirst(2)))
      }
    }
    return sentences
  }

  @Test func eachHasAProof() throws {
    let sentences = try Self.sentences()
    #expect(sentences.count >= 39)
    let sources = try Self.sources()
    for sentence in sentences {
      #expect(!sentence.proofs.isEmpty, "\(sentence.text)")
      for proof in sentence.proofs {
        #expect(Self.isThere(proof, sources), "\(sentence.text): \(proof)")
      }
    }
  }

  /// Every Swift file of the tests, by its name.
  private static func sources() throws -> [String: String] {
    let paths = try FileManager.default.subpathsOfDirectory(atPath: tests.path)
    var sources: [String: String] = [:]
    for path in paths where path.hasSuffix("Tests.swift") {
      let text = try String(contentsOf: tests.appendingPathComponent(path), encoding: .utf8)
      sources[(path as NSString).lastPathComponent, default: ""] += text
    }
    return sources
  }

  private static func isThere(_ proof: String, _ sources: [String: String]) -> Bool {
    let words = proof.split(separator: " ").map(String.init)
    if words.count == 2 { return sources[words[0]]?.contains("func \(words[1])(") == true }
    let fixture = tests.appendingPathComponent("DefinitionsTests/Fixtures/\(proof)")
    return FileManager.default.fileExists(atPath: fixture.path)
  }
}
