import OnionModel
import Subprocess

/// How a program of the host ended.
struct CommandResult: Sendable {
  var isSuccess: Bool
  /// What it said on standard output, where it was asked for.
  var output = ""
  /// The end of what it said on standard error, in one line.
  var lastLines: String
}

/// What a program may say before the rest is too much to be of use.
private let outputLimit = 1 << 20

/// Runs a program of the host with a plain environment, and ends it and its children after `limit` or when the task is
/// cancelled.
func run(_ name: String, _ arguments: [String], limit: Duration) async throws -> CommandResult {
  try await bounded(name, limit) { options in
    let record = try await Subprocess.run(
      .name(name), arguments: Arguments(arguments), environment: plainEnvironment,
      platformOptions: options, input: .none, output: .discarded,
      error: .string(limit: outputLimit))
    return CommandResult(
      isSuccess: record.terminationStatus.isSuccess, lastLines: lastLines(record.standardError))
  }
}

/// The same, with what it said on standard output.
func ask(_ name: String, _ arguments: [String], limit: Duration) async throws -> CommandResult {
  try await bounded(name, limit) { options in
    let record = try await Subprocess.run(
      .name(name), arguments: Arguments(arguments), environment: plainEnvironment,
      platformOptions: options, input: .none, output: .string(limit: outputLimit),
      error: .string(limit: outputLimit))
    return CommandResult(
      isSuccess: record.terminationStatus.isSuccess, output: record.standardOutput,
      lastLines: lastLines(record.standardError))
  }
}

private let plainEnvironment = Environment.custom([
  "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "HOME": "/root",
])

private func lastLines(_ text: String) -> String {
  let lines = text.split(whereSeparator: \.isNewline).suffix(3)
  return String(lines.joined(separator: " | ").prefix(500))
}

private func bounded(
  _ name: String, _ limit: Duration,
  _ body: @escaping @Sendable (PlatformOptions) async throws -> CommandResult
) async throws -> CommandResult {
  var options = PlatformOptions()
  options.processGroupID = 0
  options.teardownSequence = [
    .gracefulShutDown(toProcessGroup: true, allowedDurationToNextStep: .seconds(2))
  ]
  let configured = options
  return try await withThrowingTaskGroup(of: CommandResult.self) { group in
    group.addTask { try await body(configured) }
    group.addTask {
      try await Task.sleep(for: limit)
      throw StepFailure(code: "timeout", message: "\(name) did not end within \(limit)")
    }
    defer { group.cancelAll() }
    guard let result = try await group.next() else {
      throw StepFailure(code: "cancelled", message: "\(name) was not run")
    }
    return result
  }
}
