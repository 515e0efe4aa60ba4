import Definitions
import FixtureFiles
import Foundation
import Testing

/// A hostile file is refused within bounds: what the whole program takes for it, measured from outside.
@Suite(.timeLimit(.minutes(5))) struct HostileFileTests {
  /// For the program and the file together.
  private static let limitKiB = 64 << 10

  @Test(arguments: HostileFile.all) func takesLittleMemory(_ file: HostileFile) async throws {
    #expect(
      file.bytes.count > YAMLDocument.byteLimit - 64 && file.bytes.count <= YAMLDocument.byteLimit)
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    _ = try folder.folder("services")
    _ = try folder.file("onionkeeper.yaml", Array("version: 1\n".utf8))
    _ = try folder.file("services/blog.yaml", file.bytes)
    // Of a process that forks from a small one: the peak of a child of this one would begin with our own.
    let measure = """
      import resource, subprocess, sys
      done = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE)
      print(done.returncode, len(done.stdout), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
      """
    let ended = try await bash(
      "python3 -c '\(measure)' \(CommandHost.program) check \(folder.path)")
    let numbers = ended.output.split(separator: " ").compactMap {
      Int($0.trimmingCharacters(in: .whitespacesAndNewlines))
    }
    try #require(numbers.count == 3, "\(ended)")
    #expect(numbers[0] == 1)
    #expect(numbers[1] < 200_000)
    #expect(numbers[2] <= Self.limitKiB)
  }
}
