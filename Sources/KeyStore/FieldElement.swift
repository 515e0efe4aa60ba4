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
