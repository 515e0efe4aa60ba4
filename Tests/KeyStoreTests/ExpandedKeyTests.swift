import Crypto
import Foundation
import OnionModel
import Testing

@testable import KeyStore

@Suite struct ExpandedKeyTests {
  /// A seed's public key by swift-crypto is what the expanded form gives; wrong keys are never given.
  @Test func seedsExpandToTheirOwnPublicKey() throws {
    for _ in 0..<50 {
      var expanded = [UInt8](repeating: 0, count: 64)
      let key = try expanded.withUnsafeMutableBytes { try ExpandedKey.generate(into: $0) }
      #expect(publicKey(expanded) == key)
    }
  }

  /// RFC 8032 §7.1, tests 1 to 3.
  @Test(arguments: [
    (
      "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
      "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    ),
    (
      "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
      "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    ),
    (
      "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
      "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025"
    ),
  ])
  func standardVectors(_ seed: String, _ expected: String) {
    var expanded = Array(SHA512.hash(data: bytes(seed)))
    expanded[0] &= 0xf8
    expanded[31] = expanded[31] & 0x3f | 0x40
    #expect(publicKey(expanded) == bytes(expected))
  }

  @Test func whatIsNotClampedIsRefused() throws {
    var expanded = [UInt8](repeating: 0, count: 64)
    _ = try expanded.withUnsafeMutableBytes { try ExpandedKey.generate(into: $0) }
    for (index, mask) in [(0, 1), (0, 2), (0, 4), (31, 0x80), (31, 0x40)] as [(Int, UInt8)] {
      var other = expanded
      other[index] ^= mask
      #expect(publicKey(other) == nil, "byte \(index), bits \(mask)")
    }
    #expect(publicKey(Array(expanded.dropLast())) == nil)
    #expect(publicKey([UInt8](repeating: 0, count: 64)) == nil)
    // Another scalar is another key.
    var other = expanded
    other[5] ^= 1
    #expect(publicKey(other) != nil && publicKey(other) != publicKey(expanded))
  }

  /// Against numbers counted another way: Foundation has no big integers, so identities.
  @Test func fieldAndScalarObeyTheirLaws() {
    var random = SystemRandomNumberGenerator()
    for _ in 0..<200 {
      let numbers = (0..<3).map { _ in
        (0..<32).map { _ in UInt8.random(in: 0...255, using: &random) }
      }
      let (x, y, z) = (FieldElement(numbers[0]), FieldElement(numbers[1]), FieldElement(numbers[2]))
      #expect((x + y) * z == x * z + y * z)
      #expect(x - y + y == x)
      #expect(x * x.inverted == .one)
      let (a, b, c) = (scalar(numbers[0]), scalar(numbers[1]), scalar(numbers[2]))
      #expect((a + b).times(open: c).bytes == (a.times(open: c) + b.times(open: c)).bytes)
      #expect(a.times(open: b).bytes == b.times(open: a).bytes)
      #expect(scalar(a.bytes).bytes == a.bytes)
    }
    let zero = FieldElement([UInt8](repeating: 0, count: 32))
    // The modulus, and the modulus and one, are not canonical.
    let modulus = [0xed] + [UInt8](repeating: 0xff, count: 30) + [0x7f]
    #expect(FieldElement(modulus) == zero)
    #expect(FieldElement([0xee] + modulus.dropFirst()) == .one)
    #expect(zero - .one == FieldElement([0xec] + modulus.dropFirst()))
    #expect((zero - .one) * (zero - .one) == .one)
    // L is zero modulo itself.
    let order = bytes("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")
    #expect(scalar(order).bytes == [UInt8](repeating: 0, count: 32))
  }

  private func publicKey(_ expanded: [UInt8]) -> [UInt8]? {
    expanded.withUnsafeBytes { ExpandedKey.publicKey(of: $0) }
  }

  private func scalar(_ bytes: [UInt8]) -> Scalar {
    bytes.withUnsafeBytes { Scalar(reducing: $0) }
  }
}

func bytes(_ hexadecimal: String) -> [UInt8] {
  stride(from: 0, to: hexadecimal.count, by: 2).compactMap { offset in
    let start = hexadecimal.index(hexadecimal.startIndex, offsetBy: offset)
    return UInt8(hexadecimal[start..<hexadecimal.index(start, offsetBy: 2)], radix: 16)
  }
}
