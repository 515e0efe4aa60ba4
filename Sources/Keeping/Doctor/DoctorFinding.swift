/// One thing that `doctor` found, and what mends it.
public struct DoctorFinding: Hashable, Sendable, Encodable {
  /// How much it matters; in this order they are told.
  public enum Weight: String, Hashable, Sendable, Encodable, CaseIterable, Comparable {
    /// Something does not work, or a promise does not hold.
    case broken
    /// It works, and somebody should act before it no longer does.
    case risk
    /// It could not be looked at, or cannot be told from here.
    case unknown
    /// Worth knowing; nothing is to be done.
    case note
    case ok

    public static func < (left: Self, right: Self) -> Bool { left.rank < right.rank }

    private var rank: Int { Self.allCases.firstIndex(of: self) ?? 0 }

    /// Something is wrong: `doctor` exits with 1.
    public var isWrong: Bool { self == .broken || self == .risk }
  }

  /// What it is about: a word for programs.
  public enum Area: String, Hashable, Sendable, Encodable, CaseIterable {
    case hostFile = "host-file"
    case folders, engine, selinux, keys, backups, targets, tor, image, disk, storage, users, cgroups
    case clock, programs, agent
  }

  public var area: Area
  public var weight: Weight
  /// What is so, in one sentence.
  public var message: String
  /// Commands or settings that mend it, in order.
  public var mend: [String]

  public init(_ area: Area, _ weight: Weight, _ message: String, mend: [String] = []) {
    self.area = area
    self.weight = weight
    self.message = message
    self.mend = mend
  }
}

/// Everything that `doctor` found.
public struct DoctorReport: Sendable, Encodable {
  /// By weight, then by area.
  public let findings: [DoctorFinding]
  /// Nothing is wrong, as far as could be seen.
  public let isWell: Bool

  public init(_ findings: [DoctorFinding]) {
    let areas = DoctorFinding.Area.allCases
    self.findings = findings.enumerated().sorted { left, right in
      let (first, second) = (left.element, right.element)
      guard first.weight == second.weight else { return first.weight < second.weight }
      let (one, other) = (
        areas.firstIndex(of: first.area) ?? 0, areas.firstIndex(of: second.area) ?? 0
      )
      return (one, left.offset) < (other, right.offset)
    }.map(\.element)
    isWell = !findings.contains { $0.weight.isWrong }
  }

  /// For people: a line a finding, and under it what mends it.
  /// - Parameter isQuiet: only what is wrong.
  public func lines(isQuiet: Bool = false) -> [String] {
    var lines = findings.filter { !isQuiet || $0.weight.isWrong }.flatMap { finding in
      let head = Self.padded(finding.weight.rawValue, 8) + Self.padded(finding.area.rawValue, 10)
      return ["\(head)\(finding.message)"]
        + finding.mend.map { String(repeating: " ", count: 18) + "-> \($0)" }
    }
    if isQuiet { return lines }
    let wrong = findings.filter { $0.weight.isWrong }.count
    let unseen = findings.filter { $0.weight == .unknown }.count
    lines.append(
      (wrong == 0 ? "nothing is wrong" : "\(wrong) to mend")
        + (unseen == 0 ? "" : ", \(unseen) could not be looked at"))
    return lines
  }

  private static func padded(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(1, width - text.count))
  }
}
