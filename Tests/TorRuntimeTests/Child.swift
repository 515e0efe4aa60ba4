import Glibc

/// A process of this test, started and ended by its number.
final class Child: Sendable {
  let pid: pid_t

  /// Output of both kinds goes to the file.
  init(_ arguments: [String], environment: [String: String] = [:], output: String) throws {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_APPEND, 0o644)
    posix_spawn_file_actions_adddup2(&actions, 1, 2)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    // The test runner blocks or ignores signals that the child must get.
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))

    var argv: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
    var variables: [UnsafeMutablePointer<CChar>?] =
      environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer {
      for pointer in argv + variables { free(pointer) }
    }
    var pid: pid_t = 0
    let code = posix_spawn(&pid, arguments[0], &actions, &attributes, &argv, &variables)
    guard code == 0 else {
      throw TestFailure("\(arguments[0]): \(String(cString: strerror(code)))")
    }
    self.pid = pid
  }

  /// The exit code, or 128 + the signal; `nil` while it runs. Reaps: once it has answered, it is over.
  func status() -> Int? {
    var status: Int32 = 0
    guard waitpid(pid, &status, WNOHANG) == pid else { return nil }
    let signal = Int(status & 0x7F)
    return signal == 0 ? Int((status >> 8) & 0xFF) : 128 + signal
  }

  func wait(seconds: Double = 60) async throws -> Int {
    var result: Int?
    try await eventually("process \(pid) ends", seconds: seconds) {
      result = self.status()
      return result != nil
    }
    return result ?? -1
  }
}

struct TestFailure: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

/// Polls a condition until it holds; throws after a limit far beyond what a slow machine needs.
func eventually(
  _ what: String, seconds: Double = 60, _ condition: () throws -> Bool
) async throws {
  let end = ContinuousClock.now + .seconds(seconds)
  while try !condition() {
    guard ContinuousClock.now < end else { throw TestFailure("not within \(seconds) s: \(what)") }
    try await Task.sleep(for: .milliseconds(10))
  }
}
