import Definitions
import Foundation
import Glibc
import OnionModel
import Testing

@testable import Keeping

/// What `check DIR` reads, and what it says of odd folders.
struct DefinitionFolderTests {
  private func refusal(_ path: String) -> String? {
    do {
      _ = try DefinitionFolder(path).read()
      return nil
    } catch {
      return "\(error)"
    }
  }

  @Test func aFolderIsReadAsACommitIs() throws {
    let host = try House()
    try host.write("repository/services/README.md", "x")
    let files = try DefinitionFolder("\(host.path)/repository").read()
    #expect(
      files.files.map(\.path).sorted() == [
        "onionkeeper.yaml", "services/README.md", "services/blog.yaml",
      ])
    #expect(readRevision(files).services.count == 1)
  }

  /// A link or a pointer refuses the revision, and the errors of the other files are told beside it.
  @Test func everythingIsToldAtOnce() throws {
    let host = try House()
    try host.write("repository/services/wide.yaml", House.blog + "surprise: 1\n")
    try host.write(
      "repository/services/merged.yaml", "hosts: [a]\n<<<<<<< HEAD\nkey: generate\n=======\n")
    try host.write(
      "repository/services/large.yaml",
      "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n")
    try FileManager.default.createSymbolicLink(
      atPath: "\(host.path)/repository/services/link.yaml", withDestinationPath: "/etc/passwd")
    let found = RepositoryCheck(
      folder: "repository", hostFiles: [], current: host.path
    ).run().filter { $0.severity == .error }
    #expect(found.contains { $0.file == "services/link.yaml" && $0.message.contains("link") })
    #expect(found.contains { $0.file == "services/large.yaml" && $0.message.contains("LFS") })
    #expect(found.contains { $0.file == "services/wide.yaml" && $0.path == "surprise" })
    #expect(found.contains { $0.file == "services/merged.yaml" && $0.line == 2 })
    #expect(found.filter { $0.file == "services/merged.yaml" }.count == 1)
    let refusal = refusal("\(host.path)/repository")
    #expect(refusal?.contains("services/link.yaml") ?? false)
    #expect(refusal?.contains("services/large.yaml") ?? false)
  }

  @Test func windowsTextIsFine() throws {
    let host = try House()
    try host.write("repository/onionkeeper.yaml", "\u{feff}version: 1\r\n")
    try host.write(
      "repository/\(House.file)",
      "\u{feff}" + House.blog.replacingOccurrences(of: "\n", with: "\r\n"))
    let reading = readRevision(try DefinitionFolder("\(host.path)/repository").read())
    #expect(reading.diagnostics.filter { $0.severity == .error }.isEmpty)
  }

  @Test func oddFoldersAreNamed() throws {
    let host = try House()
    #expect(refusal("\(host.path)/nowhere")?.contains("\(host.path)/nowhere") == true)
    #expect(refusal("\(host.path)/host.yaml")?.contains("Not a directory") == true)
    try FileManager.default.createDirectory(
      atPath: "\(host.path)/empty", withIntermediateDirectories: false)
    let empty = readRevision(try DefinitionFolder("\(host.path)/empty").read())
    #expect(empty.isRefused)
  }

  @Test func linksAndPipesAreNotRead() throws {
    let host = try House()
    let services = "\(host.path)/repository/services"
    try FileManager.default.createSymbolicLink(
      atPath: "\(services)/a.yaml", withDestinationPath: "blog.yaml")
    #expect(refusal("\(host.path)/repository")?.contains("a.yaml is a symbolic link") == true)
    try FileManager.default.removeItem(atPath: "\(services)/a.yaml")
    #expect(mkfifo("\(services)/b.yaml", 0o600) == 0)
    #expect(refusal("\(host.path)/repository")?.contains("b.yaml is a named pipe") == true)
  }

  @Test func largeFilesAndFoldersAreStrays() throws {
    let host = try House()
    try host.write("repository/services/big.yaml", String(repeating: "#", count: 300_000))
    try FileManager.default.createDirectory(
      atPath: "\(host.path)/repository/services/sub", withIntermediateDirectories: false)
    let reading = readRevision(try DefinitionFolder("\(host.path)/repository").read())
    let errors = reading.diagnostics.filter { $0.severity == .error }.map(\.file).sorted()
    #expect(errors == ["services/big.yaml", "services/sub/"])
  }
}
