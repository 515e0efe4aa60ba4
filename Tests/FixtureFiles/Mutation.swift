/// Texts of a corpus with parts moved, doubled, cut out and thrown in: the same seed, the same texts.
public struct Mutation {
  /// SplitMix64 (Steele, Lea, Flood 2014).
  private struct Seeded: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
      state &+= 0x9e37_79b9_7f4a_7c15
      var value = state
      value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
      value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
      return value ^ (value >> 31)
    }
  }

  private var generator: Seeded
  private let corpus: [[UInt8]]
  private let pieces: [[UInt8]]

  /// - Parameters:
  ///   - corpus: whole texts.
  ///   - pieces: what is thrown in, now and then five thousand times over.
  public init(seed: UInt64, corpus: [[UInt8]], pieces: [[UInt8]]) {
    generator = Seeded(state: seed)
    self.corpus = corpus
    self.pieces = pieces
  }

  public mutating func next() -> [UInt8] {
    var bytes = corpus.randomElement(using: &generator) ?? []
    for _ in 0..<Int.random(in: 1...6, using: &generator) {
      let start = Int.random(in: 0...bytes.count, using: &generator)
      let end = min(bytes.count, start + Int.random(in: 0...40, using: &generator))
      let piece = pieces.randomElement(using: &generator) ?? []
      switch Int.random(in: 0..<6, using: &generator) {
      case 0: bytes.removeSubrange(start..<end)
      case 1: bytes.insert(contentsOf: bytes[start..<end], at: start)
      case 2 where start < bytes.count:
        bytes[start] = UInt8.random(in: 0...255, using: &generator)
      case 3:
        let count = Int.random(in: 0..<40, using: &generator) == 0 ? 5000 : 1
        bytes.insert(contentsOf: Array(repeating: piece, count: count).joined(), at: start)
      case 4:
        let other = corpus.randomElement(using: &generator) ?? []
        bytes = Array(bytes[..<start]) + other.suffix(other.count / 2)
      default: bytes.insert(contentsOf: piece, at: start)
      }
    }
    return bytes
  }
}
