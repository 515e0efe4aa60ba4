import Testing

@testable import TorRuntime

@Suite struct ReplyParserTests {
  private func parse(_ text: String, chunk: Int = .max) throws(ControlError) -> [ControlReply] {
    var parser = ReplyParser()
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      try parser.append(rest.prefix(chunk))
      rest = rest.dropFirst(chunk)
    }
    return parser.replies
  }

  @Test(arguments: [1, 2, 3, 7, .max])
  func everyFormHoweverItIsCut(chunk: Int) throws {
    let text =
      "250-version=0.4.9.11\r\n250+circuit-status=\r\n1 BUILT\r\n..dot\r\n\r\n.\r\n250 OK\r\n"
      + "650 CIRC 5 BUILT\r\n552 Unrecognized key \"foo\"\r\n"
    let replies = try parse(text, chunk: chunk)
    try #require(replies.count == 2)
    #expect(replies[0].status == 250)
    #expect(replies[0].values.map(\.name) == ["version", "circuit-status"])
    #expect(replies[0].values.map(\.value) == ["0.4.9.11", "1 BUILT\n.dot\n"])
    #expect(replies[1].status == 552)
    #expect(!replies[1].isPositive)
    #expect(replies[1].complaint == "Unrecognized key \"foo\"")
  }

  @Test(arguments: ["hello\r\n", "25\r\n", "250\r\n", "25x OK\r\n", "250=OK\r\n", "\r\n"])
  func nonsense(_ text: String) {
    #expect(throws: ControlError.self) { try parse(text) }
  }

  @Test func lineLimit() throws {
    // The carriage return counts.
    let longest = String(repeating: "x", count: ReplyParser.lineLimit - 5)
    #expect(try parse("250 \(longest)\r\n").count == 1)
    let error = #expect(throws: ControlError.self) { try parse("250 \(longest)x\r\n") }
    #expect(error?.code == .oversized)
  }

  @Test(arguments: ["250-a=b\r\n", "650 EVENT\r\n"])
  func replyLimitCountsEventsToo(_ line: String) {
    let error = #expect(throws: ControlError.self) {
      try parse(String(repeating: line, count: ReplyParser.replyLimit / line.utf8.count + 1))
    }
    #expect(error?.code == .oversized)
  }

  @Test(arguments: [
    ("plain", "plain"), ("\"quoted\"", "quoted"), (#""a \"b\" \\c""#, #"a "b" \c"#),
    ("\"", "\""), (#""a" b "c""#, #""a" b "c""#), (#""a\""#, #""a\""#), ("", ""),
  ])
  func quotedStrings(_ text: String, _ expected: String) {
    #expect(unquoted(text) == expected)
  }
}
