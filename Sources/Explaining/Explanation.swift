/// What was found in all that was given.
public struct Explanation: Hashable, Sendable, Encodable {
  /// Of the JSON form; a change that breaks readers raises it.
  public var version = 1
  /// What blocks first comes first.
  public var findings: [Finding]
  /// Lines that look like trouble and that nothing here knows, one for each shape.
  public var unexplained: [Unexplained]
  /// What the reader must know of the reading itself: skipped bytes, what was too much.
  public var notes: [String]
  public var inputs: [Input]

  public struct Unexplained: Hashable, Sendable, Encodable {
    public var evidence: Evidence
    /// Lines of the same shape.
    public var count: Int
  }

  public struct Input: Hashable, Sendable, Encodable {
    public var name: String
    public var lines: Int
    /// `audit`, `tor log`, `journal`, `torrc`, `unit`, `listing`, `container`, `state`, `log`.
    public var kinds: [String]
  }

  /// Something keeps tor or a service down.
  public var isBlocked: Bool { findings.contains { $0.impact == .blocks } }
}

extension Explanation {
  /// The last lines of a tor that ended, explained: for the event of a crash loop.
  /// - Parameter lines: as the engine gives them; at most the last `LogLimits.lines` are looked at.
  public static func ofLog(_ lines: [String]) -> Explanation {
    var explainer = Explainer()
    explainer.begin("log")
    for line in lines.suffix(LogLimits.lines) { explainer.read(Array((line + "\n").utf8)) }
    return explainer.finish()
  }

  /// The first finding in one sentence or two, for an event; `nil` if there is none.
  public var summary: String? {
    guard let first = findings.first(where: { $0.impact != .notice }) else { return nil }
    return ([first.title, first.fixes.first?.action].compactMap { $0 }).joined(separator: " ")
  }
}

enum LogLimits {
  /// tor writes its reason within the last lines before it ends.
  static let lines = 200
}
