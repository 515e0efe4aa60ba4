import Foundation

/// `onionkeeper run` of a host, in the background.
struct RunningAgent: Sendable {
  let host: CommandHost
  let pid: String
  let log: String

  static func start(on host: CommandHost) async throws -> RunningAgent {
    let log = "\(host.folder)/run.log"
    let pid = try await must(
      "\(CommandHost.program) run --config \(host.folder)/host.yaml >\(log) 2>&1 </dev/null & echo $!"
    ).trimmingCharacters(in: .whitespacesAndNewlines)
    let agent = RunningAgent(host: host, pid: pid, log: log)
    try await eventually("the agent runs") {
      try await host.onionkeeper("status --json").output.contains("\"isRunning\" : true")
    }
    return agent
  }

  /// Looks at the repository and the host file now.
  func hangUp() async throws { try await must("kill -HUP \(pid)") }

  /// How often its log says so.
  func said(_ words: String) throws -> Int {
    try String(contentsOfFile: log, encoding: .utf8).components(separatedBy: words).count - 1
  }

  func stop() async throws {
    try await must("kill -TERM \(pid)")
    try await eventually("SIGTERM ends the agent", within: 15) {
      try await bash("kill -0 \(pid)").code != 0
    }
  }
}
