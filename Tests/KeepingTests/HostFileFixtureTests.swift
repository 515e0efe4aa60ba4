import FixtureFiles
import Foundation
import Glibc
import OnionModel
import Testing

@testable import Keeping

/// Host files that say themselves what is wrong with them, in `Fixtures/host`: `# expect: 5:3: path: message` for each
/// diagnostic in order, or `# expect: valid`. `FOLDER` stands for the folder of the files that they name.
struct HostFileFixtureTests {
  private static let fixtures = Fixture.all(in: "host", beside: #filePath)

  @Test func theFolderIsWhole() { #expect(Self.fixtures.count >= 10) }

  @Test(arguments: fixtures) func hostFile(_ fixture: Fixture) throws {
    let folder = try HostFileTests.Folder()
    try furnish(folder)
    func placed(_ text: String) -> String {
      text.replacingOccurrences(of: "FOLDER", with: folder.path)
    }
    var found: [String] = []
    do throws(HostFileError) {
      _ = try folder.read(placed(String(decoding: fixture.bytes, as: UTF8.self)))
    } catch {
      found = error.diagnostics.map(\.description)
    }
    let expected = fixture.notes("expect").filter { $0 != "valid" }
    #expect(found == expected.map { "\(folder.path)/host.yaml:\(placed($0))" })
    #expect(found.isEmpty == fixture.notes("expect").contains("valid"))
  }

  /// Everything that a host file may name, good and bad.
  private func furnish(_ folder: HostFileTests.Folder) throws {
    try folder.write("token", "abc\n", mode: 0o600)
    try folder.write("push-secret", "sixteen-or-more-bytes\n", mode: 0o600)
    try folder.write("authorities", "-----BEGIN CERTIFICATE-----\n", mode: 0o644)
    try folder.write("identity", "# created\nAGE-SECRET-KEY-1QQQ\n", mode: 0o600)
    try folder.write("locked", "age-encryption.org/v1\n-> scrypt x 18\n", mode: 0o600)
    try folder.write("open", "AGE-SECRET-KEY-1QQQ\n", mode: 0o644)
    try folder.write("writable", "alice ssh-ed25519 AAAA\n", mode: 0o664)
    try folder.write("of-alice", "TestingTorNetwork 1\n", mode: 0o644)
    #expect(chown("\(folder.path)/of-alice", 1000, 1000) == 0)
    for (name, mode, owner) in [("alice", 0o755, 1000), ("shared", 0o1777, 0)] {
      let path = "\(folder.path)/\(name)"
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
      try folder.write("\(name)/secret", "x", mode: 0o600)
      try folder.write("\(name)/authorities", "x", mode: 0o644)
      #expect(chmod(path, mode_t(mode)) == 0 && chown(path, uid_t(owner), gid_t(owner)) == 0)
    }
    #expect(symlink("missing", "\(folder.path)/link") == 0)
  }
}
