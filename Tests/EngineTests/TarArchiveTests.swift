import Engine
import Foundation
import Glibc
import OnionModel
import StubServer
import Testing

@Suite struct TarArchiveTests {
  private func sample() throws -> TarArchive {
    var archive = TarArchive()
    try archive.addDirectory("data", mode: 0o1777)
    try archive.add("Dockerfile", text: "FROM scratch\n")
    try archive.add("bin/run", mode: 0o755, [UInt8](repeating: 7, count: 512))
    try archive.add("empty", mode: 0o600, [])
    try archive.add(longPath, text: "deep")
    return archive
  }

  private let longPath =
    String(repeating: "d", count: 120) + "/" + String(repeating: "f", count: 99)

  @Test func equalContentsMakeEqualBytes() throws {
    let bytes = try sample().bytes
    #expect(bytes.count == 512 * 10)
    #expect(try sample().bytes == bytes)
    #expect(sha256(bytes) == "54d5d8561d4c7fe3508423fedf4e7a30cc87c83b6457b8a111551179fd16ea78")
  }

  @Test func tarReadsIt() throws {
    let folder = try TemporaryPath()
    defer { folder.remove() }
    try Data(sample().bytes).write(to: URL(fileURLWithPath: folder.appending("a.tar")))
    let listing = try output(
      "TZ=UTC LC_ALL=C tar --numeric-owner -tvf \(folder.appending("a.tar"))")
    let lines = listing.split(separator: "\n").map {
      $0.split(separator: " ").joined(separator: " ")
    }
    #expect(
      lines == [
        "drwxrwxrwt 0/0 0 1970-01-01 00:00 data/", "-rw-r--r-- 0/0 13 1970-01-01 00:00 Dockerfile",
        "-rwxr-xr-x 0/0 512 1970-01-01 00:00 bin/run", "-rw------- 0/0 0 1970-01-01 00:00 empty",
        "-rw-r--r-- 0/0 4 1970-01-01 00:00 \(longPath)",
      ])
    #expect(try output("tar -xOf \(folder.appending("a.tar")) \(longPath)") == "deep")
  }

  @Test(arguments: [
    "", "/etc/passwd", "a/../b", "..", "a\u{0}b", String(repeating: "x", count: 101),
  ])
  func pathsThatDoNotFit(path: String) {
    var archive = TarArchive()
    let error = #expect(throws: EngineError.self) { try archive.add(path, text: "") }
    #expect(error?.code == .invalid)
  }

  private func output(_ command: String) throws -> String {
    let pipe = try #require(popen("exec 2>&1; \(command)", "r"))
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    while case let count = fread(&chunk, 1, chunk.count, pipe), count > 0 {
      bytes += chunk.prefix(count)
    }
    let status = pclose(pipe)
    let text = String(decoding: bytes, as: UTF8.self)
    guard status == 0 else { throw StubServer.Failure(description: "\(command): \(text)") }
    return text
  }
}
