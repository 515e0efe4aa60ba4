import Crypto
import FoundationEssentials

/// The expanded form of an ed25519 secret, as tor keeps it: 32 bytes of scalar, 32 of prefix (RFC 8032 §5.1.5).
///
/// There is no way back to a seed, and swift-crypto makes public keys from seeds only. Still no curve arithmetic of ours
/// is needed: X25519 of the scalar gives the Montgomery form u of the public point, y = (u−1)/(u+1) (RFC 7748 §4.1), and
/// which of the two points with that y it is, a signature made with the scalar tells.
enum ExpandedKey {
  static let count = 64

  /// The 32 byte public key of an expanded secret.
  /// - Returns: `nil` if the scalar is not clamped as every ed25519 scalar is, or makes no usable point.
  static func publicKey(of expanded: UnsafeRawBufferPointer) -> [UInt8]? {
    guard expanded.count == count, isClamped(expanded) else { return nil }
    let scalar = UnsafeRawBufferPointer(rebasing: expanded[..<32])
    guard let u = montgomery(scalar) else { return nil }
    let x = FieldElement(u)
    var candidate = ((x - .one) * (x + .one).inverted).bytes
    for sign: UInt8 in [0, 0x80] {
      candidate[31] = candidate[31] & 0x7f | sign
      if isKey(candidate, of: scalar) { return candidate }
    }
    return nil
  }

  /// Fills `expanded` from a seed of the system's randomness.
  /// - Returns: The public key.
  static func generate(into expanded: UnsafeMutableRawBufferPointer) throws -> [UInt8] {
    let seed = SymmetricKey(size: .bits256)
    return try seed.withUnsafeBytes { seed in
      let key = try Curve25519.Signing.PrivateKey(rawRepresentation: seed)
      expand(seed, into: expanded)
      return Array(key.publicKey.rawRepresentation)
    }
  }

  private static func isClamped(_ expanded: UnsafeRawBufferPointer) -> Bool {
    expanded[0] & 7 == 0 && expanded[31] & 0xc0 == 0x40
  }

  private static func expand(
    _ seed: UnsafeRawBufferPointer, into expanded: UnsafeMutableRawBufferPointer
  ) {
    var hash = SHA512()
    hash.update(bufferPointer: seed)
    var digest = hash.finalize()
    digest.withUnsafeBytes { expanded.copyMemory(from: $0) }
    // A plain struct of eight words, though it is not declared so.
    withUnsafeMutableBytes(of: &digest, wipe)
    expanded[0] &= 0xf8
    expanded[31] = expanded[31] & 0x3f | 0x40
  }

  private static func montgomery(_ scalar: UnsafeRawBufferPointer) -> [UInt8]? {
    do {
      let key = try Curve25519.KeyAgreement.PrivateKey(rawRepresentation: scalar)
      return Array(key.publicKey.rawRepresentation)
    } catch {
      // 32 bytes always make one; whatever else it was, this scalar is not usable.
      return nil
    }
  }

  /// Signs a message with the scalar and a fresh nonce, as RFC 8032 §5.1.6, and lets swift-crypto judge the signature.
  /// The nonce is a fresh signing key: its public key is R. The signature never leaves this function.
  private static func isKey(_ candidate: [UInt8], of scalar: UnsafeRawBufferPointer) -> Bool {
    let message = Array("onionkeeper key proof".utf8)
    do {
      let nonce = try SecretBytes(count: count)
      let r = try generate(into: nonce.mutableBytes)
      var hash = SHA512()
      hash.update(data: r + candidate + message)
      let challenge = hash.finalize().withUnsafeBytes { Scalar(reducing: $0) }
      var a = Scalar(reducing: scalar)
      var k = Scalar(reducing: UnsafeRawBufferPointer(rebasing: nonce.bytes[..<32]))
      let s = k + a.times(open: challenge)
      wipe(&a)
      wipe(&k)
      return try Curve25519.Signing.PublicKey(rawRepresentation: candidate)
        .isValidSignature(r + s.bytes, for: message)
    } catch {
      // No memory, or no such point: not shown to be the key.
      return false
    }
  }
}
