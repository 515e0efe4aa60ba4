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
