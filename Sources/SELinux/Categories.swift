/// The categories of a level, as multi-category security compares them.
public struct Categories: Hashable, Sendable {
  public var sensitivity: String
  public var numbers: Set<Int>

  /// A kernel knows 1024.
  private static let limit = 1024

  /// Of the upper level of a range: what a process may use, and what an object needs.
  /// - Returns: `nil` for a level that is translated or malformed.
  public init?(upperOf level: String) {
    let upper = level.split(separator: "-", maxSplits: 1).last.map(String.init) ?? level
    let parts = upper.split(separator: ":", maxSplits: 1)
    guard let first = parts.first, first.hasPrefix("s"), Int(first.dropFirst()) != nil else {
      return nil
    }
    sensitivity = String(first)
    numbers = []
    guard parts.count > 1 else { return }
    for item in parts[1].split(separator: ",") {
      let ends = item.split(separator: ".", maxSplits: 1).map { Int($0.dropFirst()) }
      guard item.hasPrefix("c"), let low = ends.first ?? nil, let high = ends.last ?? nil,
        (0..<Self.limit).contains(low), (low..<Self.limit).contains(high)
      else { return nil }
      numbers.formUnion(low...high)
    }
  }

  /// Whether a process with these may use an object with `other`.
  public func dominates(_ other: Categories) -> Bool {
    sensitivity == other.sensitivity && numbers.isSuperset(of: other.numbers)
  }
}
