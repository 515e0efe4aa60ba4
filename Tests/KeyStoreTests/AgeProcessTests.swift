import Foundation
import Glibc
import Testing

@testable import KeyStore

/// The process that seals and opens, with a program of the test's own in age's place: it says that it runs, what it was told
/// and what surrounds it, and then waits for as long as the test wants, at no cost.
@Suite struct AgeProcessTests {
  private let sealed = Array("age-encryption.org/v1\n".utf8)

  /// A folder with `age`, which writes `arguments`, `environment` and, last, `pid`, and then `wait`s or ends with what it
  /// read.
  private func program(_ folder: KeyFolder) throws {
    let place = folder.path
    try #require(mkfifo("\(place)/gate", 0o600) == 0)
    let text = """
      #!/bin/sh
      /usr/bin/printf '%s\\n' "$@" >\(place)/arguments
      /usr/bin/tr '\\0' '\\n' </proc/$$/environ >\(place)/environment
      echo $$ >\(place)/pid.part
      /bin/mv \(place)/pid.part \(place)/pid
      exec /bin/cat \(place)/gate
      """
    try Data(text.utf8).write(to: URL(fileURLWithPath: "\(place)/age"))
    try #require(chmod("\(place)/age", 0o755) == 0)
  }

  /// Waits without a limit of its own: a busy machine is no failure, and a hang is the test run's to end.
  private func wait(_ isSo: () throws -> Bool) async throws {
    while try !isSo() { try await Task.sleep(for: .milliseconds(10)) }
  }

  private func pid(_ folder: KeyFolder) async throws -> pid_t {
    try await wait { access("\(folder.path)/pid", F_OK) == 0 }
    let text = String(decoding: try folder.bytes("pid"), as: UTF8.self)
    return try #require(pid_t(text.trimmingCharacters(in: .whitespacesAndNewlines)))
  }

  private func open(_ folder: KeyFolder) -> Task<Result<Int, KeyStoreError>, Never> {
    let age = Age(path: folder.path, patience: .seconds(3600))
    return Task {
      do throws(KeyStoreError) {
        return .success(
          try await age.open(sealed, identity: "/etc/identity", limit: 1000, name: "x").count)
      } catch {
        return .failure(error)
      }
    }
  }

  @Test func aCancelledOneIsEnded() async throws {
    let folder = try KeyFolder()
    try program(folder)
    let work = open(folder)
    // Not before: swift-subprocess 1.0.2 ends the whole process where it is cancelled in the midst of a spawn.
    let pid = try await pid(folder)
    #expect(kill(pid, 0) == 0)
    work.cancel()
    guard case .failure(let error) = await work.value else {
      Issue.record("opened")
      return
    }
    #expect(error.code == .cancelled)
    try await wait { kill(pid, 0) != 0 }
  }

  @Test func nothingSecretIsInArgumentsOrEnvironment() async throws {
    let folder = try KeyFolder()
    try program(folder)
    let work = open(folder)
    _ = try await pid(folder)
    func lines(_ name: String) throws -> Set<String> {
      Set(
        String(decoding: try folder.bytes(name), as: UTF8.self).split(separator: "\n").map(
          String.init))
    }
    #expect(try lines("arguments") == ["--decrypt", "--identity", "/etc/identity"])
    // A shell adds its own.
    let shells: Set<String> = ["PWD", "OLDPWD", "SHLVL", "_"]
    let seen = try lines("environment").filter { line in
      !shells.contains { line.hasPrefix("\($0)=") }
    }
    #expect(seen == ["PATH=\(folder.path)", "LC_ALL=C", "HOME=/root"], "\(seen)")
    let gate = Glibc.open("\(folder.path)/gate", O_WRONLY)
    #expect(write(gate, "plain", 5) == 5)
    close(gate)
    #expect(await work.value == .success(5))
  }
}
