import OnionModel
import Testing

@testable import Definitions

/// What is printed from a description; that it agrees with the reader is tested beside the host file's, in KeepingTests.
@Suite struct JSONSchemaTests {
  /// Ranges with every kind of edge; each number from 0 to beyond the range is asked.
  @Test(
    arguments: [
      0...0, 0...9, 1...1, 1...9, 1...10, 3...20, 9...11, 0...100, 10...99, 16...32768, 99...101,
      100...999, 123...4567, 999...1000, 1009...1011, 1...65535, 4999...5001, 0...5000, 48...4999,
    ] as [ClosedRange<Int>])
  func aNumberPatternIsItsRange(_ range: ClosedRange<Int>) throws {
    let expression = try Regex("^\(numberPattern(range))$")
    for number in 0...(range.upperBound + 1200) {
      let isIn = try expression.wholeMatch(in: "\(number)") != nil
      if isIn != range.contains(number) { Issue.record("\(number) of \(range)") }
    }
    for text in ["", "-1", "01", "1.0", "+1", "1 "] {
      #expect(try expression.wholeMatch(in: text) == nil, "\(text) of \(range)")
    }
  }

  @Test func aQuantityPatternIsTheReadersRange() throws {
    let sizes: ClosedRange<Int> = (48 << 20)...(64 << 30)
    let size = try Regex(quantityPattern(sizes, units: sizeUnits))
    for unit in ["KiB", "MiB", "GiB", "KB", "B", ""] {
      for count in [0, 1, 47, 48, 64, 65, 4096, 49151, 49152, 65536, 65537, 67_108_864, 67_108_865]
      {
        let text = "\(count)\(unit)"
        let isRead = Definitions.size(text).map(sizes.contains) ?? false
        let isMatched = try size.wholeMatch(in: text) != nil
        #expect(isMatched == isRead, "\(text)")
      }
    }
    let durations = 0...2_592_000
    let time = try Regex(quantityPattern(durations, units: durationUnits))
    for text in [
      "0s", "0d", "30d", "31d", "720h", "721h", "2592000s", "2592001s", "1w", "60", "05m",
    ] {
      let isRead = duration(text).map(durations.contains) ?? false
      let isMatched = try time.wholeMatch(in: text) != nil
      #expect(isMatched == isRead, "\(text)")
    }
  }

  @Test func aSchemaReadsInTheDescriptionsOrder() {
    let fields = [
      Field("zeta", .integer(1...9, noun: "a digit"), isRequired: true, summary: "First."),
      Field("alpha", .boolean, default: "false", summary: "Second, \"quoted\"."),
      Field("size", .size(1024...2048), default: "1KiB", summary: "Third."),
      Field("word", .choice([Choice("a"), Choice("b", isSupported: false)]), summary: "Fourth."),
      .never("old", because: "it is gone"),
    ]
    #expect(
      jsonSchema(of: fields, title: "T").text == """
        {
          "$schema": "https://json-schema.org/draft/2020-12/schema",
          "title": "T",
          "type": "object",
          "properties": {
            "zeta": {
              "description": "First. Allowed: 1–9.",
              "type": "integer",
              "minimum": 1,
              "maximum": 9
            },
            "alpha": {
              "description": "Second, \\"quoted\\".",
              "default": false,
              "type": "boolean"
            },
            "size": {
              "description": "Third. Allowed: 1KiB–2KiB.",
              "default": "1KiB",
              "type": "string",
              "pattern": "^(?:(?:[1-2])KiB)$"
            },
            "word": {
              "description": "Fourth.",
              "enum": ["a"]
            },
            "old": {
              "description": "Never here: it is gone.",
              "not": {}
            }
          },
          "additionalProperties": false,
          "required": ["zeta"]
        }
        """)
  }

  @Test func aTableHasARowAField() {
    let inner = [Field("port", .integer(1...2, noun: "a port"), isRequired: true, summary: "P.")]
    let fields = [
      Field("list", .list(.record(inner), count: 1...3), summary: "L."),
      Field("word", .choice([Choice("a"), Choice("b")]), default: "a", summary: "W|x."),
    ]
    #expect(
      fieldTable(of: fields) == """
        | field | value | default | |
        |---|---|---|---|
        | `list` | 1–3 × a mapping |  | L. |
        | `list[].port` | a port, 1–2 | required | P. |
        | `word` | `a`, `b` | `a` | W\\|x. |

        """)
  }
}
