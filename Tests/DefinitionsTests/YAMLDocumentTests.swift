import OnionModel
import Testing

@testable import Definitions

/// Limits and places that need more bytes than a fixture should have.
@Suite struct YAMLDocumentTests {
  private func messages(_ text: String) -> [String] {
    YAMLDocument.read(bytes: Array(text.utf8), file: "f").diagnostics.map(\.description)
  }

  @Test func theLargestFileIsReadAndOneByteMoreIsNot() {
    let head = "a: b\n#"
    let fits = head + String(repeating: "x", count: YAMLDocument.byteLimit - head.utf8.count)
    #expect(messages(fits) == [])
    #expect(messages(fits + "x") == ["f: is 262145 bytes long (at most 262144)"])
  }

  @Test func depthIsLimited() {
    func nested(_ depth: Int) -> String {
      String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    }
    #expect(messages(nested(32)) == [])
    #expect(messages(nested(33)).map { $0.hasSuffix("too deep (at most 32 levels)") } == [true])
    #expect(messages(String(repeating: "[", count: 200_000)).count == 1)
    #expect(messages(String(repeating: "{a: ", count: 60_000)).count == 1)
    #expect(messages(String(repeating: "- ", count: 120_000)).count == 1)
    #expect(messages(String(repeating: "? ", count: 120_000)).count >= 1)
  }

  @Test func valuesAreCounted() {
    let items = String(repeating: "x,", count: 20_001)
    #expect(
      messages("[\(items)]").map { $0.hasSuffix("too many values (at most 20000)") } == [true])
    #expect(messages("[\(String(repeating: "x,", count: 19_999))]") == [])
  }

  @Test func aLongValueIsItsOwnError() {
    let long = String(repeating: "x", count: 16 << 10)
    #expect(messages("a: \(long)\n") == [])
    #expect(
      messages("a: \(long)x\nb: *c\n") == [
        "f:1:4: a: 16385 bytes long (at most 16384 in one value)",
        "f:2:4: b: an alias `*` (write the value out)",
      ])
  }

  @Test func findingsAreLimited() {
    #expect(messages(String(repeating: "a: *a\n", count: 1000)).count == 100)
    #expect(messages(String(repeating: "\u{1}", count: 1000)).count == 10)
    #expect(messages(String(repeating: "\ta\n", count: 1000)).count == 10)
  }

  @Test func utf16IsNamed() {
    let bytes: [UInt8] = [0xff, 0xfe, 0x61, 0x00]
    #expect(
      YAMLDocument.read(bytes: bytes, file: "f").diagnostics.map(\.description)
        == ["f:1:1: is UTF-16 (UTF-8)"])
    #expect(
      YAMLDocument.read(bytes: [], file: "f").diagnostics.map(\.description)
        == ["f:1:1: is empty (key: value)"])
  }

  @Test func placesAndStyles() throws {
    let text = "\u{feff}# c\r\na:\r\n  - \"b\"\r\n  - {ä: c, d: }\r\n"
    let document = YAMLDocument.read(bytes: Array(text.utf8), file: "f")
    let pair = try #require(document.root?.pairs.first)
    #expect(pair.place == Place(line: 2, column: 1))
    let items = pair.value.items
    #expect(items.map(\.place) == [Place(line: 3, column: 5), Place(line: 4, column: 5)])
    #expect(items[0].content == .scalar("b", isPlain: false))
    #expect(items[1].pairs.map(\.place) == [Place(line: 4, column: 6), Place(line: 4, column: 12)])
    #expect(items[1].pairs[1].value.isNull)
    #expect(document.isWhole && document.diagnostics.isEmpty)
  }

  @Test func aBrokenTextKeepsWhatCameBefore() throws {
    let document = YAMLDocument.read(bytes: Array("a: [b]\nc: [d, \"e\n".utf8), file: "f")
    let pairs = try #require(document.root?.pairs)
    #expect(pairs.map(\.key) == ["a", "c"])
    #expect(pairs.map(\.value.isWhole) == [true, false])
    #expect(document.root?.isWhole == false && !document.isWhole)
  }
}
