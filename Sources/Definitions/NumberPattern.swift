/// An expression (ECMA 262 and most others) for the decimal numbers of a range, without leading zeros and without
/// anchors: `(?:[1-9]|1[0-9]|20)` for 1 to 20.
///
/// The range is cut where one more digit becomes free, so each piece is a fixed number of digit classes.
func numberPattern(_ range: ClosedRange<Int>) -> String {
  guard range.upperBound >= 0 else { return "(?!)" }
  let (low, high) = (max(0, range.lowerBound), range.upperBound)
  var ends: Set<Int> = [high]
  var power = 10
  while case let end = low / power * power + power - 1, end < high {
    ends.insert(end)
    power *= 10
  }
  power = 10
  while case let end = (high + 1) / power * power - 1, end > low {
    ends.insert(end)
    power *= 10
  }
  var start = low
  var pieces: [String] = []
  for end in ends.sorted() {
    pieces.append(digitClasses(start, end))
    start = end + 1
  }
  return "(?:" + pieces.joined(separator: "|") + ")"
}

/// Two numbers of equal length whose digits may run independently of each other.
private func digitClasses(_ low: Int, _ high: Int) -> String {
  zip(String(low), String(high)).map { $0 == $1 ? String($0) : "[\($0)-\($1)]" }.joined()
}

/// An expression for counts with a unit whose value is in a range: `256MiB`, `30d`.
func quantityPattern(_ range: ClosedRange<Int>, units: [(name: String, factor: Int)]) -> String {
  let pieces = units.compactMap { unit -> String? in
    let low = (max(0, range.lowerBound) + unit.factor - 1) / unit.factor
    let high = range.upperBound / unit.factor
    return low <= high ? numberPattern(low...high) + unit.name : nil
  }
  return "^(?:" + pieces.joined(separator: "|") + ")$"
}
