import Foundation
import KeyStore
import OnionModel
import Testing

@testable import Keeping

/// A copy of a whole machine has its agent id and its keys: it must not publish them a second time.
@Suite struct MachineTests {
  private func failure(_ body: () async throws -> Void) async -> String {
    do {
      try await body()
      return ""
    } catch { return "\(error)" }
  }

  @Test func aCopyIsRefusedUntilAPersonSaysThatItHasMoved() async throws {
    let house = try House()
    try house.setUp()
    let keys = try house.keys
    let file = "\(house.path)/machine-id"
    func become(_ letter: Character) throws {
      try house.write("machine-id", String(repeating: letter, count: 32) + "\n")
    }
    try become("a")
    try await Machine.check(keys, file: file)
    try await Machine.check(keys, file: file)
    let mark = await keys.machine().value
    #expect(mark?.contains("aaaa") == false)
    try become("b")
    #expect(
      await failure { try await Machine.check(keys, file: file) }.contains("setup --moved"))
    #expect(await keys.machine().value == mark)
    try await Machine.check(keys, isMoved: true, file: file)
    try await Machine.check(keys, file: file)
    try become("a")
    #expect(await failure { try await Machine.check(keys, file: file) }.contains("a copy of"))
  }

  /// What says nothing holds nobody up, and marks nothing.
  @Test(arguments: ["", "uninitialized\n", "abc\n"]) func noIdentity(text: String) async throws {
    let house = try House()
    try house.setUp()
    try house.write("machine-id", text)
    try await Machine.check(try house.keys, file: "\(house.path)/machine-id")
    try await Machine.check(try house.keys, file: "\(house.path)/not-there")
    #expect(try await house.keys.machine() == .absent)
  }
}
