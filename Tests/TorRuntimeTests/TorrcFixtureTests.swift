import Testing

@testable import TorRuntime

/// Every file of `Fixtures/torrc/` says what is to be read from it, and what is to be said of it.
@Suite struct TorrcFixtureTests {
  @Test func theFolderIsWhole() {
    #expect(TorrcFixture.all.count >= 50)
  }

  @Test(arguments: TorrcFixture.all)
  func torrc(_ fixture: TorrcFixture) {
    let found = fixture.outcome()
    #expect(
      found == fixture.expectation,
      "\(fixture.name):\n\(found.sorted { $0.key > $1.key }.flatMap { key, lines in lines.map { "# \(key): \($0)" } }.joined(separator: "\n"))"
    )
  }
}
