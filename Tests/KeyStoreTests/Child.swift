import Foundation
import Synchronization
import Testing

/// A process that a test starts and ends itself; its output is collected.
final class Child: Sendable {
  private let process: Process
  private let input = Pipe()
  private let output = Mutex("")

  init(_ command: [String], directory: String? = nil) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: command[0])
    process.arguments = Array(command.dropFirst())
    if let directory { process.currentDirectoryURL = URL(fileURLWithPath: directory) }
    let pipe = Pipe()
    process.standardInput = input
    process.standardOutput = pipe
    process.standardError = pipe
    self.process = process
    pipe.fileHandleForReading.readabilityHandler = { [weak self] handle in
      let data = handle.availableData
      if data.isEmpty { handle.readabilityHandler = nil }
      self?.output.withLock { $0 += String(decoding: data, as: UTF8.self) }
    }
    try process.run()
  }

  deinit { if process.isRunning { kill(process.processIdentifier, SIGKILL) } }

  var text: String { output.withLock { $0 } }

  func waitForOutput(_ wanted: String) async throws {
    try await eventually("'\(wanted)' is written", saying: { self.text }) {
      self.text.contains(wanted)
    }
  }

  /// Ends its input, asks it to end, and waits.
  func stop() async throws {
    try input.fileHandleForWriting.close()
    if process.isRunning { process.terminate() }
    try await eventually("the child has ended", saying: { self.text }) { !self.process.isRunning }
  }
}

/// Polls a condition; fails after 60 s, far more than any of them takes on a slow machine.
func eventually(
  _ what: String, saying details: () -> String = { "" }, _ condition: () async throws -> Bool
) async throws {
  let deadline = ContinuousClock.now + .seconds(60)
  while try await !condition() {
    try #require(ContinuousClock.now < deadline, "\(what) within 60 s: \(details())")
    try await Task.sleep(for: .milliseconds(20))
  }
}
