public import OnionModel

extension Journal {
  /// Notes a start of the agent.
  ///
  /// - Parameter window: seconds; what is older, or of a clock that was ahead, is forgotten.
  /// - Returns: the starts of the last `window` seconds, this one included; at most `starts`, the newest.
  public func noteStart(at now: Timestamp, window: Double) async throws(JournalError) -> [Timestamp]
  {
    try await write("note a start") { database in
      let before: [Timestamp] =
        try Meta.starts.read(database).map {
          try JSON.value($0, place: "meta starts")
        } ?? []
      let recent = before.filter { (0...window).contains(now.since($0)) } + [now]
      let kept = Array(recent.suffix(Self.starts))
      try Meta.starts.write(database, try JSON.text(kept))
      return kept
    }
  }

  /// Starts that are remembered.
  static let starts = 20
}
