import Testing

@testable import SELinux

@Suite struct CategoriesTests {
  @Test func numberingIsABijection() {
    var index = 0
    for high in 1..<Categories.count {
      for low in [0, high / 2, high - 1] {
        let number = Categories.index((low, high))
        #expect(Categories.level(number) == "s0:c\(low),c\(high)")
      }
      index += high
    }
    #expect(index == Categories.pairs)
    #expect(Categories.level(0) == "s0:c0,c1")
    #expect(Categories.level(Categories.pairs - 1) == "s0:c1022,c1023")
  }

  @Test func oneNameAlwaysGetsTheSame() throws {
    let level = try #require(Categories.nextLevel(taken: [], seed: "blog"))
    #expect(Categories.nextLevel(taken: ["s0", "s0:c1,c2", "nonsense"], seed: "blog") == level)
    #expect(Categories.nextLevel(taken: [], seed: "shop") != level)
  }

  @Test func takenIsAvoidedHoweverItIsWritten() throws {
    let level = try #require(Categories.nextLevel(taken: [], seed: "blog"))
    let pair = try #require(Categories.pair(level))
    let next = try #require(
      Categories.nextLevel(taken: ["s0:c\(pair.high),c\(pair.low)"], seed: "blog"))
    #expect(next != level)
    let third = try #require(Categories.nextLevel(taken: [level, next], seed: "blog"))
    #expect(Set([level, next, third]).count == 3)
  }

  @Test func manyInstancesAllDiffer() {
    var taken: Set<String> = []
    for number in 0..<500 {
      guard let level = Categories.nextLevel(taken: taken, seed: "instance-\(number)") else {
        Issue.record("no pair left")
        return
      }
      #expect(taken.insert(level).inserted)
    }
  }

  @Test func lastFreePairIsFoundAndThenNone() {
    var used = Set(0..<Categories.pairs)
    #expect(Categories.free(from: 5, used: used) == nil)
    used.remove(4)
    #expect(Categories.free(from: 5, used: used) == 4)
  }

  @Test(arguments: [
    ("s0:c1,c2", "1 2"), ("s0:c2,c1", "1 2"), ("s0:c1.c2", "1 2"), ("s0:c1.c3", "-"), ("s0", "-"),
    ("s0:c1", "-"), ("s0:c1,c1", "-"), ("s0:c1,c1024", "-"), ("s0:c01,c2", "-"), ("s1:c1,c2", "-"),
    ("s0:c1,c2,c3", "-"), ("s0:c-1,c2", "-"), ("", "-"),
  ])
  func pairs(of level: String, are expected: String) {
    #expect((Categories.pair(level).map { "\($0.low) \($0.high)" } ?? "-") == expected)
  }
}
