import FixtureFiles

extension Fixture {
  /// All of a folder of this target's `Fixtures/`.
  static func all(in folder: String) -> [Fixture] { all(in: folder, beside: #filePath) }
}
