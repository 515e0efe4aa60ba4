/// The known word that was probably meant, `nil` if none is near.
///
/// Near: equal but for case, `-` and `_`; or a third of its letters (at least one) away by insertion, deletion,
/// replacement and exchange of neighbours.
public func nearest(to word: String, among known: [String]) -> String? {
  // Nobody misspells a word of ours into more than this; it bounds the table below.
  guard word.utf8.count <= 40 else { return nil }
  let folded = fold(word)
  var best: (word: String, distance: Int)?
  for candidate in known {
    let other = fold(candidate)
    let limit = max(1, min(folded.count, other.count) / 3)
    guard abs(folded.count - other.count) <= limit else { continue }
    let found = distance(folded, other)
    if found <= limit, found < best?.distance ?? .max { best = (candidate, found) }
  }
  return best?.word
}

private func fold(_ word: String) -> [UInt8] {
  word.lowercased().utf8.filter { $0 != UInt8(ascii: "-") && $0 != UInt8(ascii: "_") }
}

/// Optimal string alignment distance.
private func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
  guard !left.isEmpty, !right.isEmpty else { return max(left.count, right.count) }
  var beforeLast: [Int] = []
  var last = Array(0...right.count)
  for row in 1...left.count {
    var current = [row]
    for column in 1...right.count {
      let isEqual = left[row - 1] == right[column - 1]
      var cost = min(
        last[column] + 1, current[column - 1] + 1, last[column - 1] + (isEqual ? 0 : 1))
      if row > 1, column > 1, left[row - 1] == right[column - 2],
        left[row - 2] == right[column - 1]
      {
        cost = min(cost, beforeLast[column - 2] + 1)
      }
      current.append(cost)
    }
    (beforeLast, last) = (last, current)
  }
  return last[right.count]
}
