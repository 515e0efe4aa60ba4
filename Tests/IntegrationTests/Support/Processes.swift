import Foundation
import Glibc
import Synchronization

/// A program that runs beside a test, its output in a file. Ends with its process group when it is stopped or released;
/// only ever by the pid that was started here.
final class RunningProcess: Sendable {
  let pid: pid_t
  private let words: [String]
  private let log: String
  private let status = Mutex<Int32?>(nil)

  /// - Parameters:
  ///   - words: an absolute path and its arguments.
  ///   - environment: instead of the test's own.
  ///   - log: a file that gets stdout and stderr.
  init(_ words: [String], environment: [String: String]? = nil, log: String) throws {
    self.words = words
    self.log = log
    pid = try spawn(words, environment: environment, log: log)
  }

  deinit {
    guard isRunning else { return }
    kill(-pid, SIGKILL)
    waitpid(pid, nil, 0)
  }

  var isRunning: Bool { exitStatus == nil }

  /// `nil` while it runs; 128 and the signal's number if one ended it.
  var exitStatus: Int32? {
    status.withLock { status in
      if status == nil {
        var word: Int32 = 0
        if waitpid(pid, &word, WNOHANG) == pid {
          status = word & 0x7f == 0 ? (word >> 8) & 0xff : 128 + (word & 0x7f)
        }
      }
      return status
    }
  }

  /// What it has written so far.
  var output: String {
    String(decoding: FileManager.default.contents(atPath: log) ?? Data(), as: UTF8.self)
  }

  /// Waits until its output has a line that `condition` takes.
  /// - Throws: `TestFailure` with the output if it ends or the deadline passes first.
  func waitForLine(
    within deadline: Duration = .seconds(60), _ condition: (Substring) -> Bool
  ) async throws -> String {
    let end = ContinuousClock.now + deadline
    while true {
      let hasEnded = !isRunning
      if let line = output.split(separator: "\n").first(where: condition) { return String(line) }
      guard !hasEnded, ContinuousClock.now < end else {
        throw TestFailure("\(words.joined(separator: " ")): the line did not come:\n\(output)")
      }
      try await Task.sleep(for: .milliseconds(10))
    }
  }

  /// - Returns: its exit status.
  /// - Throws: `TestFailure` if the deadline passes first.
  func waitForEnd(within deadline: Duration = .seconds(120)) async throws -> Int32 {
    let end = ContinuousClock.now + deadline
    while true {
      if let exitStatus { return exitStatus }
      guard ContinuousClock.now < end else {
        throw TestFailure("\(words.joined(separator: " ")) does not end:\n\(output)")
      }
      try await Task.sleep(for: .milliseconds(5))
    }
  }

  /// SIGTERM to the group, and SIGKILL if it does not help.
  func stop(grace: Duration = .seconds(10)) async throws {
    guard isRunning else { return }
    kill(-pid, SIGTERM)
    do {
      _ = try await waitForEnd(within: grace)
    } catch is TestFailure {
      kill(-pid, SIGKILL)
      _ = try await waitForEnd(within: .seconds(10))
    }
  }
}

/// Runs a program to its end.
/// - Returns: what it wrote, stdout and stderr together.
/// - Throws: `TestFailure` with its output if it fails or does not end in time.
@discardableResult
func run(
  _ words: [String], environment: [String: String]? = nil, within deadline: Duration = .seconds(120)
) async throws -> String {
  let folder = try TemporaryFolder()
  defer { folder.remove() }
  let process = try RunningProcess(words, environment: environment, log: folder.path("output"))
  let status = try await process.waitForEnd(within: deadline)
  guard status == 0 else {
    throw TestFailure("\(words.joined(separator: " ")): status \(status):\n\(process.output)")
  }
  return process.output
}

/// Polls until `condition` holds; `false` if it does not within the deadline, which is far beyond what any machine needs.
func waitUntil(
  within deadline: Duration = .seconds(60), _ condition: () async throws -> Bool
) async throws -> Bool {
  let end = ContinuousClock.now + deadline
  while ContinuousClock.now < end {
    if try await condition() { return true }
    try await Task.sleep(for: .milliseconds(20))
  }
  return try await condition()
}

/// Starts a program in a process group of its own, with none of this process's descriptors: a child that lives on
/// would keep other tests' connections open.
func spawn(
  _ words: [String], environment: [String: String]?, log: String
) throws -> pid_t {
  var actions = posix_spawn_file_actions_t()
  posix_spawn_file_actions_init(&actions)
  defer { posix_spawn_file_actions_destroy(&actions) }
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
  posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0o600)
  posix_spawn_file_actions_adddup2(&actions, 1, 2)
  for name in try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd") {
    // One that is closed by then is no error for an addclose.
    if let descriptor = Int32(name), descriptor > 2 {
      posix_spawn_file_actions_addclose(&actions, descriptor)
    }
  }
  var attributes = posix_spawnattr_t()
  posix_spawnattr_init(&attributes)
  defer { posix_spawnattr_destroy(&attributes) }
  var signals = sigset_t()
  sigemptyset(&signals)
  posix_spawnattr_setsigmask(&attributes, &signals)
  posix_spawnattr_setpgroup(&attributes, 0)
  posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK))

  let pairs = environment ?? ProcessInfo.processInfo.environment
  var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
  var variables: [UnsafeMutablePointer<CChar>?] =
    pairs.map { strdup("\($0.key)=\($0.value)") } + [nil]
  defer { for text in arguments + variables { free(text) } }
  var pid = pid_t()
  let error = posix_spawn(&pid, words[0], &actions, &attributes, &arguments, &variables)
  guard error == 0 else { throw TestFailure("\(words[0]): \(String(cString: strerror(error)))") }
  return pid
}
