import Definitions
import Foundation
import OnionModel
import Testing

@testable import Keeping

/// `init`: what it writes `check` takes, and it overwrites nothing.
struct StarterTests {
  /// A folder of its own, gone with this value.
  private final class Scratch {
    let path = NSTemporaryDirectory() + "oki-\(UUID().uuidString.prefix(8))"

    init() throws {
      try FileManager.default.createDirectory(
        atPath: path, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
    }

    deinit {
      do { try FileManager.default.removeItem(atPath: path) } catch {
        Issue.record("\(path) stays: \(error)")
      }
    }

    func text(_ name: String) throws -> String {
      try String(contentsOfFile: "\(path)/\(name)", encoding: .utf8)
    }
  }

  private func refusal(_ starter: Starter) -> String? {
    do {
      _ = try starter.write()
      return nil
    } catch { return error.description }
  }

  private func check(_ folder: String) -> [Diagnostic] {
    RepositoryCheck(folder: ".", hostFiles: ["hosts"], current: folder).run()
  }

  @Test func checkTakesItAsItIs() throws {
    let scratch = try Scratch()
    let written = try Starter(folder: "\(scratch.path)/onions").write()
    #expect(written.count == 5)
    let found = check("\(scratch.path)/onions")
    #expect(!found.contains { $0.severity == .error }, "\(found)")
    // One hint, to pin the address once there is one.
    #expect(found.map(\.path) == ["address"])
    // Nothing starts before somebody has edited it.
    let files = try DefinitionFolder("\(scratch.path)/onions").read()
    let services = readRevision(files).services.values.compactMap(\.definition?.service)
    #expect(services.map(\.isPaused) == [true])
  }

  @Test func theHostFileIsGoodOnItsMachine() throws {
    let scratch = try Scratch()
    let path = "\(scratch.path)/host.yaml"
    _ = try Starter(folder: "\(scratch.path)/onions", hostFile: path).write()
    let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    #expect(mode == 0o600)
    // As it is, it says which file to write next; then all is well.
    let early = RepositoryCheck(folder: nil, hostFiles: [path], current: "/").run()
    #expect(early.map(\.path) == ["repository.trust.signers"])
    #expect(early.first?.message.contains("allowed_signers") == true)
    let signers = "\(scratch.path)/allowed_signers"
    try Data("a@example.org namespaces=\"git\" ssh-ed25519 AAAA\n".utf8).write(
      to: URL(fileURLWithPath: signers))
    let text = try scratch.text("host.yaml").replacingOccurrences(
      of: "/etc/onionkeeper/allowed_signers", with: signers)
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    #expect(RepositoryCheck(folder: nil, hostFiles: [path], current: "/").run().isEmpty)
  }

  @Test func nothingIsOverwritten() throws {
    let scratch = try Scratch()
    let starter = Starter(folder: scratch.path)
    try Data("mine".utf8).write(to: URL(fileURLWithPath: "\(scratch.path)/README.md"))
    let said = try #require(refusal(starter))
    #expect(said.contains("\(scratch.path)/README.md"))
    #expect(said.contains("nothing was written"))
    #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path) == ["README.md"])
    #expect(try scratch.text("README.md") == "mine")
    // Beside other files it writes its own.
    try FileManager.default.moveItem(
      atPath: "\(scratch.path)/README.md", toPath: "\(scratch.path)/NOTES.md")
    #expect(refusal(starter) == nil)
    #expect(refusal(starter)?.contains("services/example.yaml") == true)
    #expect(
      refusal(Starter(folder: "\(scratch.path)/b", hostFile: "\(scratch.path)/NOTES.md")) != nil)
    #expect(!FileManager.default.fileExists(atPath: "\(scratch.path)/b"))
  }

  @Test(arguments: ["services", "hosts", "onionkeeper.yaml", "README.md"])
  func noLinkIsFollowed(_ name: String) throws {
    let scratch = try Scratch()
    let elsewhere = try Scratch()
    try FileManager.default.createSymbolicLink(
      atPath: "\(scratch.path)/\(name)", withDestinationPath: "\(elsewhere.path)/x")
    #expect(refusal(Starter(folder: scratch.path)) != nil)
    try FileManager.default.createDirectory(
      atPath: "\(elsewhere.path)/x", withIntermediateDirectories: false)
    #expect(refusal(Starter(folder: scratch.path)) != nil)
    #expect(try FileManager.default.contentsOfDirectory(atPath: "\(elsewhere.path)/x").isEmpty)
    #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path) == [name])
  }

  @Test func theFolderItselfIsNoLink() throws {
    let scratch = try Scratch()
    let elsewhere = try Scratch()
    let link = "\(scratch.path)/link"
    try FileManager.default.createSymbolicLink(
      atPath: link, withDestinationPath: elsewhere.path)
    #expect(refusal(Starter(folder: link))?.contains("symbolic link") == true)
    #expect(refusal(Starter(folder: "\(scratch.path)/no/such")) != nil)
    #expect(try FileManager.default.contentsOfDirectory(atPath: elsewhere.path).isEmpty)
  }
}
