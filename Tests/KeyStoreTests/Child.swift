import Descriptors
import Glibc
import Testing

/// A process that a test starts and ends itself, by its number; its output goes to a file.
final class Child: Sendable {
  private let pid: pid_t
  private let log: String

  /// - Parameter log: The path of a new file for its output.
  init(_ command: [String], log: String) throws {
    self.log = log
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_EXCL, 0o600)
    posix_spawn_file_actions_adddup2(&actions, 1, 2)
    var arguments: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) }
    arguments.append(nil)
    defer { for argument in arguments { free(argument) } }
    var environment: [UnsafeMutablePointer<CChar>?] = [nil]
    var pid: pid_t = 0
    let result = posix_spawn(&pid, command[0], &actions, nil, arguments, &environment)
    try #require(
      result == 0, "\(command[0]) must be installed: \(String(cString: strerror(result)))")
    self.pid = pid
  }

  /// Its number is its own until it is reaped, which only these two do.
  deinit { stop() }

  /// Killed: none of them has anything to put in order.
  func stop() {
    if waitpid(pid, nil, WNOHANG) == 0 {
      kill(pid, SIGKILL)
      waitpid(pid, nil, 0)
    }
  }

  /// It ended by itself; not reaped yet.
  var hasEnded: Bool {
    var info = siginfo_t()
    return waitid(P_PID, id_t(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_signo != 0
  }

  var text: String {
    do {
      let parts = log.split(separator: "/")
      let folder = try Descriptor.folder(at: "/" + parts.dropLast().joined(separator: "/"))
      let bytes = try folder.file(FileName(String(parts.last ?? ""))).read(limit: 1 << 20)
      return String(decoding: bytes, as: UTF8.self)
    } catch {
      return "\(error)"
    }
  }
}

/// Polls a condition; fails after 60 s, far more than any of them takes on a slow machine.
func eventually(
  _ what: String, saying details: @autoclosure () -> String = "",
  _ condition: () async throws -> Bool
) async throws {
  let deadline = ContinuousClock.now + .seconds(60)
  while try await !condition() {
    try #require(ContinuousClock.now < deadline, "\(what) within 60 s: \(details())")
    try await Task.sleep(for: .milliseconds(20))
  }
}
