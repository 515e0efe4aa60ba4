import Foundation
import Testing

/// `git daemon` for the repositories in a folder, ended by its process.
enum GitDaemon {
  static func serving(_ folder: String, _ body: (String) async throws -> Void) async throws {
    var failure: any Error = CommandFailed(description: "git daemon did not start")
    // The port is chosen here; somebody may take it in between.
    for _ in 0..<5 {
      let port = String(Int.random(in: 20_000..<32_000))
      let process = Process()
      // Not by way of `git`, which would have to be ended, too.
      process.executableURL = URL(filePath: "/usr/lib/git-core/git-daemon")
      process.arguments = [
        "--export-all", "--reuseaddr", "--listen=127.0.0.1",
        "--port=\(port)", "--base-path=\(folder)", folder,
      ]
      process.environment = [
        "PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*",
      ]
      try process.run()
      defer {
        // A thread of Swift's pool blocks SIGTERM, and its children inherit that.
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
      }
      do {
        try await ready(port, process)
        return try await body(port)
      } catch let error as CommandFailed {
        guard !process.isRunning else { throw error }
        failure = error
      }
    }
    throw failure
  }

  private static func ready(_ port: String, _ process: Process) async throws {
    for _ in 0..<500 {
      guard process.isRunning else { throw CommandFailed(description: "git daemon ended") }
      do {
        _ = try await run("bash", ["-c", "exec 3<>/dev/tcp/127.0.0.1/\(port)"])
        return
      } catch { try await Task.sleep(for: .milliseconds(20)) }
    }
    throw CommandFailed(description: "git daemon does not listen")
  }
}
