import FixtureFiles
import Foundation
import Testing

@testable import Explaining

@Suite("Bounds")
struct BoundsTests {
  @Test("Mutated input ends, says a bounded amount, and never recommends what it must not")
  func mutations() {
    let corpus = CaseFixture.all.flatMap { $0.inputs.map(\.bytes) }
    let pieces = [
      "[warn] ", "Directory /", " cannot be read: ", "avc:  denied  { ", "type=AVC msg=audit(",
      "DIRECTORY",
      "HiddenServiceDir /", "HiddenServicePort 80 ", "- '/a:/b'", "[Service]\n", "\n", "\0",
      "\u{fffd}",
      "{", "}", "'", "\\", "|", "=", ":", "\r\n", "drwx------ 2 a b 1 Jan 1 1:1 /x\n",
    ].map { Array($0.utf8) }
    var mutation = Mutation(seed: 11, corpus: corpus, pieces: pieces)
    for number in 0..<400 {
      let bytes = mutation.next()
      let explanation = CaseTests.explain([("m", bytes)])
      #expect(explanation.findings.count <= Judge.findingLimit)
      #expect(explanation.unexplained.count <= Suspicious.limit)
      let fixes = explanation.findings.flatMap(\.fixes)
      for word in CaseFixture.never {
        // What the input itself holds may stand in a path of a command.
        guard !String(decoding: bytes, as: UTF8.self).contains(word) else { continue }
        #expect(!fixes.contains { $0.action.contains(word) }, "\(number)")
      }
    }
  }

  /// Peak resident memory of this process, in bytes.
  private func peak() throws -> Int {
    let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
    let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") })
    return try #require(Int(line.split(separator: " ").dropFirst().first ?? "")) << 10
  }

  @Test("A long stream of different troubles stays within its limits")
  func memory() throws {
    var explainer = Explainer()
    explainer.begin("stream")
    explainer.read(Array(chunk(0).utf8))
    let before = try peak()
    for number in 1..<120 { explainer.read(Array(chunk(number).utf8)) }
    #expect(try peak() - before < 64 << 20)
    let explanation = explainer.finish()
    #expect(explanation.findings.count == Judge.findingLimit)
    #expect(explanation.notes.contains { $0.contains("only counted") })
    #expect(explanation.inputs.first?.lines == 120 * 800)
  }

  /// 800 lines, each of another path, inode and shape; about 160 kB.
  private func chunk(_ number: Int) -> String {
    (0..<200).map { index in
      let id = number * 200 + index
      return """
        Jan 05 10:00:00.199 [warn] Directory /srv/onion\(id)/x cannot be read: Permission denied
        Jan 05 10:00:00.199 [warn] \(String(UnicodeScalar(UInt8(97 + id % 26))))\(id % 7) widget\(id) failed in a new way
        type=AVC msg=audit(1795490942.236:\(id)): avc:  denied  { read } for  pid=\(id) comm="tor" name="n\(id)" dev="vda" ino=\(id) scontext=system_u:system_r:tor_t:s0 tcontext=system_u:object_r:default_t:s0 tclass=dir permissive=0
        HiddenServiceDir /var/lib/tor/s\(id)

        """
    }.joined()
  }

  @Test("A line without an end is cut and said to be")
  func longLine() {
    var explainer = Explainer()
    explainer.begin("long")
    for _ in 0..<40 { explainer.read([UInt8](repeating: UInt8(ascii: "x"), count: 1 << 16)) }
    let explanation = explainer.finish()
    #expect(explanation.notes.contains { $0.contains("were cut") })
    #expect(explanation.inputs.first?.lines == 1)
  }
}
