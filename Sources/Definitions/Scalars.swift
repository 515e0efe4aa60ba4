/// The spellings of numbers, sizes and durations: one each, so that nothing is read as something else.

private let digits: ClosedRange<UInt8> = UInt8(ascii: "0")...UInt8(ascii: "9")

/// Decimal digits only: no sign, `_`, point, `0o17` or leading zero.
func decimalInteger(_ text: some StringProtocol) -> Int? {
  let bytes = text.utf8
  // 15 digits are far over every range of ours and far under an overflow.
  guard (1...15).contains(bytes.count), bytes.allSatisfy(digits.contains),
    bytes.count == 1 || bytes.first != UInt8(ascii: "0")
  else { return nil }
  return Int(text)
}

/// `1`, `1.0`, `0.125`: thousandths.
func decimalThousandths(_ text: String) -> Int? {
  let parts = text.split(separator: ".", omittingEmptySubsequences: false)
  guard let first = parts.first, let whole = decimalInteger(first), whole < 1_000_000 else {
    return nil
  }
  guard parts.count == 2 else { return parts.count == 1 ? whole * 1000 : nil }
  let places = parts[1]
  guard (1...3).contains(places.utf8.count), places.utf8.allSatisfy(digits.contains),
    let value = Int(places)
  else { return nil }
  let scale = [1: 100, 2: 10, 3: 1][places.utf8.count] ?? 1
  return whole * 1000 + value * scale
}

let sizeUnits: [(name: String, factor: Int)] = [
  ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10),
]
let durationUnits: [(name: String, factor: Int)] = [("d", 86400), ("h", 3600), ("m", 60), ("s", 1)]

/// `256MiB` in bytes.
func size(_ text: String) -> Int? { quantity(text, sizeUnits) }

/// `30d` in seconds.
func duration(_ text: String) -> Int? { quantity(text, durationUnits) }

func sizeText(_ bytes: Int) -> String { quantityText(bytes, sizeUnits) ?? "\(bytes) bytes" }

func durationText(_ seconds: Int) -> String {
  quantityText(seconds, durationUnits) ?? "\(seconds)s"
}

func thousandthsText(_ value: Int) -> String {
  var places = String(value % 1000 + 1000).dropFirst()
  while places.last == "0", places.count > 1 { places.removeLast() }
  return "\(value / 1000).\(places)"
}

private func quantity(_ text: String, _ units: [(name: String, factor: Int)]) -> Int? {
  for (unit, factor) in units where text.hasSuffix(unit) {
    guard let count = decimalInteger(text.dropLast(unit.count)) else { return nil }
    let (value, overflow) = count.multipliedReportingOverflow(by: factor)
    return overflow ? nil : value
  }
  return nil
}

private func quantityText(_ value: Int, _ units: [(name: String, factor: Int)]) -> String? {
  for (unit, factor) in units where value != 0 && value % factor == 0 {
    return "\(value / factor)\(unit)"
  }
  return value == 0 ? units.last.map { "0\($0.0)" } : nil
}

/// What YAML 1.1 or 1.2 readers take a plain scalar for, where that is no text (yaml.org/type: bool, null, int,
/// float, timestamp). `nil` for what everybody reads as text.
func surprise(_ text: String) -> String? {
  let lower = text.lowercased()
  switch lower {
  case "y", "yes", "on", "true": return "true"
  case "n", "no", "off", "false": return "false"
  case "", "~", "null": return "nothing"
  case ".inf", "-.inf", "+.inf", ".nan": return "a number"
  default: break
  }
  var rest = Array(lower.utf8)
  if rest.first == UInt8(ascii: "-") || rest.first == UInt8(ascii: "+") { rest.removeFirst() }
  guard let first = rest.first, digits.contains(first) || first == UInt8(ascii: ".") else {
    return nil
  }
  if isDate(rest) { return "a date" }
  if isFloat(rest) { return rest.contains(UInt8(ascii: ":")) ? "a number in base 60" : "a number" }
  return isPrefixedInteger(rest) ? "a number" : nil
}

/// `0x1f`, `0o17`, `0b101`, in lower case.
private func isPrefixedInteger(_ bytes: [UInt8]) -> Bool {
  guard bytes.count > 2, bytes[0] == UInt8(ascii: "0") else { return false }
  let allowed: [UInt8]
  switch bytes[1] {
  case UInt8(ascii: "x"): allowed = Array("0123456789abcdef_".utf8)
  case UInt8(ascii: "o"): allowed = Array("01234567_".utf8)
  case UInt8(ascii: "b"): allowed = Array("01_".utf8)
  default: return false
  }
  return bytes[2...].allSatisfy(allowed.contains)
}

/// Digits, `_`, `:` (base 60), at most one point, an exponent: integers are among them. A little wider than YAML.
private func isFloat(_ bytes: [UInt8]) -> Bool {
  let parts = bytes.split(separator: UInt8(ascii: "e"), omittingEmptySubsequences: false)
  guard parts.count <= 2, parts[0].contains(where: digits.contains) else { return false }
  if parts.count == 2 {
    var exponent = parts[1]
    if exponent.first == UInt8(ascii: "-") || exponent.first == UInt8(ascii: "+") {
      exponent.removeFirst()
    }
    guard !exponent.isEmpty, exponent.allSatisfy(digits.contains) else { return false }
  }
  let allowed = Array("0123456789_.:".utf8)
  return parts[0].allSatisfy(allowed.contains)
    && parts[0].count(where: { $0 == UInt8(ascii: ".") }) <= 1
}

/// `2026-11-25`, with or without a time behind it.
private func isDate(_ bytes: [UInt8]) -> Bool {
  let day = bytes.prefix { $0 != UInt8(ascii: "t") && $0 != UInt8(ascii: " ") }
  let parts = day.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
  return parts.count == 3 && parts[0].count == 4 && (1...2).contains(parts[1].count)
    && (1...2).contains(parts[2].count) && parts.allSatisfy { $0.allSatisfy(digits.contains) }
}
