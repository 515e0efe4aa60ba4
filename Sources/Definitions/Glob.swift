/// `*` is any run of characters, `?` any one; everything else is itself.
///
/// - Parameter separator: a byte that neither crosses; `nil` where they cross everything.
func globMatches(_ pattern: String, _ text: String, separator: UInt8? = nil) -> Bool {
  guard let separator else { return matches(Array(pattern.utf8), Array(text.utf8)) }
  let patterns = pattern.utf8.split(separator: separator, omittingEmptySubsequences: false)
  let texts = text.utf8.split(separator: separator, omittingEmptySubsequences: false)
  return patterns.count == texts.count
    && zip(patterns, texts).allSatisfy { matches(Array($0), Array($1)) }
}

/// Only the last `*` is ever taken back, so the cost is the product of the lengths at worst.
private func matches(_ pattern: [UInt8], _ text: [UInt8]) -> Bool {
  var inPattern = 0
  var inText = 0
  var star: (pattern: Int, text: Int)?
  while inText < text.count {
    if inPattern < pattern.count, pattern[inPattern] == UInt8(ascii: "*") {
      star = (inPattern, inText)
      inPattern += 1
    } else if inPattern < pattern.count,
      pattern[inPattern] == UInt8(ascii: "?") || pattern[inPattern] == text[inText]
    {
      inPattern += 1
      inText += 1
    } else if let last = star {
      star = (last.pattern, last.text + 1)
      inPattern = last.pattern + 1
      inText = last.text + 1
    } else {
      return false
    }
  }
  return pattern[inPattern...].allSatisfy { $0 == UInt8(ascii: "*") }
}
