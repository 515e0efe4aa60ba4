// Arithmetic on 64-bit limbs, without branches on their values.

func littleEndian(_ limb: UInt64) -> [UInt8] {
  (0..<8).map { UInt8(truncatingIfNeeded: limb >> ($0 * 8)) }
}

func add(_ x: UInt64, _ y: UInt64, _ carry: inout Bool) -> UInt64 {
  let (first, one) = x.addingReportingOverflow(y)
  let (second, two) = first.addingReportingOverflow(carry ? 1 : 0)
  carry = one != two
  return second
}

func subtract(_ x: UInt64, _ y: UInt64, _ borrow: inout Bool) -> UInt64 {
  let (first, one) = x.subtractingReportingOverflow(y)
  let (second, two) = first.subtractingReportingOverflow(borrow ? 1 : 0)
  borrow = one != two
  return second
}

/// `x` where the mask is all ones, `y` where it is zero.
func select(_ mask: UInt64, _ x: UInt64, _ y: UInt64) -> UInt64 { y ^ mask & (x ^ y) }

/// x·y + p + q as two limbs: it always fits.
func multiply(
  _ x: UInt64, _ y: UInt64, plus p: UInt64, _ q: UInt64
) -> (low: UInt64, high: UInt64) {
  let (high, low) = x.multipliedFullWidth(by: y)
  let (first, one) = low.addingReportingOverflow(p)
  let (second, two) = first.addingReportingOverflow(q)
  return (second, high &+ (one ? 1 : 0) &+ (two ? 1 : 0))
}
