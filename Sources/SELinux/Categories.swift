import OnionModel

/// Pairs of MCS categories. A container with one pair cannot read what bears another.
public enum Categories {
  /// c0 to c1023: what every targeted policy has (`mls_num_cats`).
  static let count = 1024
  /// Pairs of two different categories.
  static let pairs = count * (count - 1) / 2

  /// The level for a new instance, `s0:cA,cB` with A < B: always the same for one name as long as it is free, otherwise
  /// the next free one.
  /// - Parameters:
  ///   - taken: Levels in use on this host, however written; what is no pair of `s0` is disregarded.
  ///   - seed: The instance's name, with the agent's where two share a host.
  /// - Returns: `nil` if all 523,776 pairs are taken.
  public static func nextLevel(taken: Set<String>, seed: String) -> String? {
    // Twelve hexadecimal digits always fit.
    let start = (Int(sha256(seed).prefix(12), radix: 16) ?? 0) % pairs
    return free(from: start, used: Set(taken.compactMap(pair).map(index))).map(level)
  }

  /// The first number from `start` on, round to it, that is not used.
  static func free(from start: Int, used: Set<Int>) -> Int? {
    (0..<pairs).lazy.map { (start + $0) % pairs }.first { !used.contains($0) }
  }

  /// The two categories of `s0:cA,cB` in order, or of `s0:cA.cB` where B follows A; `nil` for anything else.
  static func pair(_ level: String) -> (low: Int, high: Int)? {
    guard level.hasPrefix("s0:") else { return nil }
    let list = level.dropFirst(3)
    let isRange = list.contains(".")
    let numbers = list.split(separator: isRange ? "." : ",", omittingEmptySubsequences: false)
      .map(category)
    guard numbers.count == 2, let first = numbers[0], let second = numbers[1], first != second
    else { return nil }
    if isRange, second != first + 1 { return nil }
    return (min(first, second), max(first, second))
  }

  private static func category(_ text: Substring) -> Int? {
    guard text.first == "c", let number = Int(text.dropFirst()), (0..<count).contains(number),
      "\(number)" == text.dropFirst()
    else { return nil }
    return number
  }

  /// Pairs counted by their higher category: (0,1) is 0, (0,2) is 1, (1,2) is 2.
  static func index(_ pair: (low: Int, high: Int)) -> Int {
    pair.high * (pair.high - 1) / 2 + pair.low
  }

  static func level(_ index: Int) -> String {
    var high = Int((Double(2 * index) + 0.25).squareRoot() + 0.5)
    // Square roots round: settle it in whole numbers.
    while high * (high - 1) / 2 > index { high -= 1 }
    while (high + 1) * high / 2 <= index { high += 1 }
    return "s0:c\(index - high * (high - 1) / 2),c\(high)"
  }
}
