/// A number modulo L, the order of ed25519's base point (RFC 8032 §5.1): 2^252 + 27742317777372353535851937790883648493.
///
/// Sums and reductions take the same time whatever the numbers are: masks instead of branches.
struct Scalar: BitwiseCopyable {
  /// Least significant first; always less than L.
  private var a: UInt64
  private var b: UInt64
  private var c: UInt64
  private var d: UInt64

  private static let order = Scalar(
    a: 0x5812_631a_5cf5_d3ed, b: 0x14de_f9de_a2f7_9cd6, c: 0, d: 0x1000_0000_0000_0000)

  private init(a: UInt64, b: UInt64, c: UInt64, d: UInt64) {
    self.a = a
    self.b = b
    self.c = c
    self.d = d
  }

  /// Little-endian bytes of any number, reduced.
  init(reducing bytes: UnsafeRawBufferPointer) {
    self.init(a: 0, b: 0, c: 0, d: 0)
    for byte in bytes.reversed() {
      for bit in stride(from: 7, through: 0, by: -1) {
        self = self + self
        self = self + Scalar(a: UInt64(byte >> bit & 1), b: 0, c: 0, d: 0)
      }
    }
  }

  /// Modulo L.
  static func + (x: Scalar, y: Scalar) -> Scalar {
    // Both are less than 2^253: no carry leaves the fourth limb.
    var carry = false
    let sum = Scalar(
      a: add(x.a, y.a, &carry), b: add(x.b, y.b, &carry), c: add(x.c, y.c, &carry),
      d: add(x.d, y.d, &carry))
    var borrow = false
    let less = Scalar(
      a: subtract(sum.a, order.a, &borrow), b: subtract(sum.b, order.b, &borrow),
      c: subtract(sum.c, order.c, &borrow), d: subtract(sum.d, order.d, &borrow))
    // All ones where the sum was already less than L.
    let keep = 0 &- UInt64(borrow ? 1 : 0)
    return Scalar(
      a: select(keep, sum.a, less.a), b: select(keep, sum.b, less.b),
      c: select(keep, sum.c, less.c), d: select(keep, sum.d, less.d))
  }

  /// `open` · this modulo L. The time depends on `open`, which anybody may know, and not on this.
  func times(open: Scalar) -> Scalar {
    var product = Scalar(a: 0, b: 0, c: 0, d: 0)
    for limb in [open.d, open.c, open.b, open.a] {
      for bit in stride(from: 63, through: 0, by: -1) {
        product = product + product
        if limb >> bit & 1 == 1 { product = product + self }
      }
    }
    return product
  }

  /// 32 bytes, little-endian.
  var bytes: [UInt8] { [a, b, c, d].flatMap(littleEndian) }
}

/// A number modulo 2^255 − 19. Only public points are counted with: times may depend on values.
struct FieldElement: Equatable {
  /// Least significant first; always less than the modulus.
  private var limbs: [UInt64]

  private static let modulus: [UInt64] = [
    0xffff_ffff_ffff_ffed, .max, .max, 0x7fff_ffff_ffff_ffff,
  ]
  static let one = FieldElement(limbs: [1, 0, 0, 0])

  private init(limbs: [UInt64]) { self.limbs = limbs }

  /// 32 little-endian bytes, of which the highest bit is ignored (RFC 7748 §5).
  init(_ bytes: [UInt8]) {
    var limbs = [UInt64](repeating: 0, count: 4)
    for (index, byte) in bytes.prefix(32).enumerated() {
      limbs[index / 8] |= UInt64(byte) << UInt64(index % 8 * 8)
    }
    limbs[3] &= 0x7fff_ffff_ffff_ffff
    self.init(limbs: limbs)
    reduce()
  }

  private mutating func reduce() {
    var borrow = false
    let less = zip(limbs, Self.modulus).map { subtract($0, $1, &borrow) }
    if !borrow { limbs = less }
  }

  static func + (x: FieldElement, y: FieldElement) -> FieldElement {
    var carry = false
    var sum = FieldElement(limbs: zip(x.limbs, y.limbs).map { add($0, $1, &carry) })
    sum.reduce()
    return sum
  }

  static func - (x: FieldElement, y: FieldElement) -> FieldElement {
    var borrow = false
    let negative = zip(modulus, y.limbs).map { subtract($0, $1, &borrow) }
    // The modulus itself where y is zero: `+` reduces it.
    return x + FieldElement(limbs: negative)
  }

  static func * (x: FieldElement, y: FieldElement) -> FieldElement {
    var wide = [UInt64](repeating: 0, count: 8)
    for i in 0..<4 {
      var carry: UInt64 = 0
      for j in 0..<4 {
        (wide[i + j], carry) = multiply(x.limbs[i], y.limbs[j], plus: wide[i + j], carry)
      }
      wide[i + 4] = carry
    }
    // 2^256 is 38 modulo 2^255 − 19.
    var low = Array(wide[..<4])
    var high: UInt64 = 0
    for i in 0..<4 { (low[i], high) = multiply(wide[i + 4], 38, plus: low[i], high) }
    while high != 0 {
      var carry = high * 38
      high = 0
      for i in 0..<4 { (low[i], carry) = multiply(1, carry, plus: low[i], 0) }
      high = carry
    }
    // Less than 2^256 is at most twice the modulus and a rest of 37.
    var product = FieldElement(limbs: low)
    product.reduce()
    product.reduce()
    return product
  }

  /// 1/x as x^(p−2); zero for zero.
  var inverted: FieldElement {
    var result = Self.one
    // p − 2 is 2^255 − 21: its bits from 254 down are ones, but for bits 2 and 4.
    for bit in stride(from: 254, through: 0, by: -1) {
      result = result * result
      if bit != 2, bit != 4 { result = result * self }
    }
    return result
  }

  /// 32 bytes, little-endian.
  var bytes: [UInt8] { limbs.flatMap(littleEndian) }
}

private func littleEndian(_ limb: UInt64) -> [UInt8] {
  (0..<8).map { UInt8(truncatingIfNeeded: limb >> ($0 * 8)) }
}

private func add(_ x: UInt64, _ y: UInt64, _ carry: inout Bool) -> UInt64 {
  let (first, one) = x.addingReportingOverflow(y)
  let (second, two) = first.addingReportingOverflow(carry ? 1 : 0)
  carry = one != two
  return second
}

private func subtract(_ x: UInt64, _ y: UInt64, _ borrow: inout Bool) -> UInt64 {
  let (first, one) = x.subtractingReportingOverflow(y)
  let (second, two) = first.subtractingReportingOverflow(borrow ? 1 : 0)
  borrow = one != two
  return second
}

/// `x` where the mask is all ones, `y` where it is zero.
private func select(_ mask: UInt64, _ x: UInt64, _ y: UInt64) -> UInt64 { y ^ mask & (x ^ y) }

/// x·y + p + q as two limbs: it always fits.
private func multiply(
  _ x: UInt64, _ y: UInt64, plus p: UInt64, _ q: UInt64
) -> (low: UInt64, high: UInt64) {
  let (high, low) = x.multipliedFullWidth(by: y)
  let (first, one) = low.addingReportingOverflow(p)
  let (second, two) = first.addingReportingOverflow(q)
  return (second, high &+ (one ? 1 : 0) &+ (two ? 1 : 0))
}
