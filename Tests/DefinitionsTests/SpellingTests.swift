import OnionModel
import Testing

@testable import Definitions

@Suite struct SpellingTests {
  @Test(arguments: [
    ("0s", 0), ("90s", 90), ("5m", 300), ("2h", 7200), ("30d", 2_592_000),
  ])
  func durations(_ text: String, seconds: Int) {
    #expect(duration(text) == seconds)
  }

  @Test(arguments: ["", "s", "30", "1.5h", "-1s", "+1s", "01s", "1_0s", "1w", "30 s", "1H", "1ms"])
  func badDurations(_ text: String) { #expect(duration(text) == nil) }

  @Test(arguments: [("1KiB", 1024), ("256MiB", 268_435_456), ("2GiB", 2_147_483_648)])
  func sizes(_ text: String, bytes: Int) {
    #expect(size(text) == bytes)
    #expect(sizeText(bytes) == text)
  }

  @Test(arguments: ["", "256", "256M", "256MB", "1.5GiB", "0x1KiB", "999999999999999GiB", "1kib"])
  func badSizes(_ text: String) { #expect(size(text) == nil) }

  @Test(arguments: [("1", 1000), ("1.0", 1000), ("0.5", 500), ("0.125", 125), ("16.25", 16250)])
  func thousandths(_ text: String, value: Int) { #expect(decimalThousandths(text) == value) }

  @Test(arguments: ["", ".5", "1.", "1.0001", "1,0", "1e0", "-1", "01.0", "1.0.0", "1._0"])
  func badThousandths(_ text: String) { #expect(decimalThousandths(text) == nil) }

  @Test(arguments: [
    "y", "no", "ON", "~", "null", "12", "-3", "1_000", "0o17", "017", "0x1F", "0b11", "1.5", ".5",
    "1e3", "12:30:00", "2026-11-25", "2026-11-25T01:02:03Z", ".inf", ".NaN", "",
  ])
  func surprises(_ text: String) { #expect(surprise(text) != nil) }

  @Test(arguments: [
    "web-1", "192.0.2.1", "192.0.2.1:80", "host:80", "1a", "0xg", "eu", "nope", "e3", "1-2",
    "256MiB", "30d", "-", "3e", "unix:/x", "2gzyxa5ihm7n.onion",
  ])
  func noSurprises(_ text: String) { #expect(surprise(text) == nil) }

  @Test(arguments: [
    ("prots", "ports"), ("port", "ports"), ("Ports", "ports"), ("adress", "address"),
    ("acess", "access"), ("client", "clients"), ("clinets", "clients"), ("host", "hosts"),
    ("formely", "formerly"), ("pasued", "paused"),
  ])
  func misspelt(_ word: String, meant: String) {
    #expect(nearest(to: word, among: DefinitionFields.definition.map(\.name)) == meant)
  }

  @Test(arguments: ["colour", "x", "", "servicename", String(repeating: "ports", count: 100)])
  func unrelated(_ word: String) {
    #expect(nearest(to: word, among: DefinitionFields.definition.map(\.name)) == nil)
  }

  /// No field of ours may look like a misspelt restriction: it would stop services.
  @Test func noFieldLooksLikeAccess() {
    func names(_ fields: [Field]) -> [String] {
      fields.flatMap { [$0.name] + names($0.type) }
    }
    func names(_ type: FieldType) -> [String] {
      switch type {
      case .record(let fields): names(fields)
      case .list(let item, _): names(item)
      case .either(let types, _): types.flatMap(names)
      default: []
      }
    }
    let all = names(DefinitionFields.definition)
    #expect(all.contains("introDoS") && all.contains("queueBurst") && all.contains("sealed"))
    for name in all where !["access", "clients"].contains(name) {
      #expect(nearest(to: name, among: ["access", "clients"]) == nil, "\(name)")
    }
  }

  @Test(arguments: [
    ("::1", "::1"), ("2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
    ("1:0:0:2:0:0:0:3", "1:0:0:2::3"),
    ("::ffff:1.2.3.4", "1.2.3.4"), ("64:ff9b::1.2.3.4", "64:ff9b::102:304"), ("fe80::", "fe80::"),
    ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"), ("0:1:2:3:4:5:6:7", "0:1:2:3:4:5:6:7"),
    ("255.255.255.255", "255.255.255.255"), ("::", "::"),
  ])
  func addresses(_ text: String, canonical: String) throws {
    #expect(try #require(IPAddress(text)).text == canonical)
  }

  @Test(arguments: [
    "", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "1.2.3.4 ", "0x1.2.3.4", ":", ":::",
    "1::2::3",
    "12345::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7::8", "::1%lo", "g::",
    "1.2.3.4::",
    "::1.2.3", "1:", ":1", "+1::", "::١",
  ])
  func noAddresses(_ text: String) { #expect(IPAddress(text) == nil) }
}
