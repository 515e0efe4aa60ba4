import Foundation
import Glibc
import Synchronization

enum EngineKind: String, CaseIterable, Sendable, CustomStringConvertible {
  case docker, podman
  var description: String { rawValue }
}

/// A real engine of the tests' own, made by `ops/lib/engine` in a network namespace of its own.
///
/// `shared(_:)` starts one of each kind for the whole test process and ends it at the process's exit. A watcher ends it
/// also when the process is killed.
final class PrivateEngine: Sendable {
  let kind: EngineKind
  /// The folder that `ops/lib/engine` keeps it in.
  let folder: String
  let socket: String
  /// For `nsenter --net=PATH`.
  let networkNamespace: String
  /// An address in the namespace that every container reaches through its gateway.
  let address: String

  static func shared(_ kind: EngineKind) async throws -> PrivateEngine {
    try await shelf.engine(kind)
  }

  /// An engine that a test may kill and restart. End it with `stop()`.
  static func start(_ kind: EngineKind) async throws -> PrivateEngine {
    // Short: a socket's path ends at 107 bytes.
    let folder =
      "/tmp/ok-\(kind.rawValue.prefix(1))\(getpid())-\(UInt16.random(in: 0...UInt16.max))"
    try endAtExit(folder)
    let output = try await run([tool, "start", kind.rawValue, folder])
    return try PrivateEngine(kind, folder: folder, output: output)
  }

  private init(_ kind: EngineKind, folder: String, output: String) throws {
    var values: [Substring: String] = [:]
    for line in output.split(separator: "\n") {
      let parts = line.split(separator: "=", maxSplits: 1)
      if parts.count == 2 { values[parts[0]] = String(parts[1]) }
    }
    guard let socket = values["SOCKET"], let namespace = values["NETNS"],
      let address = values["ADDRESS"]
    else { throw TestFailure("ops/lib/engine start did not say where the engine is: \(output)") }
    (self.kind, self.folder, self.socket) = (kind, folder, socket)
    (networkNamespace, self.address) = (namespace, address)
  }

  /// kill -9 of the daemon; its containers live on.
  func kill() async throws { try await run([Self.tool, "kill", folder]) }

  /// Brings a killed one back on the same data.
  func startAgain() async throws { try await run([Self.tool, "start", kind.rawValue, folder]) }

  /// As a reboot does it.
  func restart() async throws { try await run([Self.tool, "restart", folder]) }

  /// Ends it with its containers and removes its files.
  func stop() async throws {
    try await run([Self.tool, "stop", folder])
    try await run(["/bin/rm", "-rf", folder])
  }

  private static let shelf = Shelf()
  fileprivate static let tool = repository.appending(path: "ops/lib/engine").path
}

/// The root of the working copy that these tests were built from.
private let repository = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
  .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
  .deletingLastPathComponent()

/// One engine of each kind, started once however many tests ask at the same time.
private actor Shelf {
  private var engines: [EngineKind: Task<PrivateEngine, any Error>] = [:]

  func engine(_ kind: EngineKind) async throws -> PrivateEngine {
    let task = engines[kind] ?? Task { try await PrivateEngine.start(kind) }
    engines[kind] = task
    return try await task.value
  }
}

private let foldersToEnd = Mutex<[String]>([])

/// Twice: at the exit of this process, so that a test run leaves nothing behind when it returns; and by a watcher that
/// waits for this process to be gone, however it went.
private func endAtExit(_ folder: String) throws {
  let isFirst = foldersToEnd.withLock { folders in
    folders.append(folder)
    return folders.count == 1
  }
  let script = "tail --pid=\(getpid()) -f /dev/null; \(ending(folder))"
  _ = try spawn(["/bin/sh", "-c", script], environment: nil, log: "/dev/null")
  guard isFirst else { return }
  atexit {
    for folder in foldersToEnd.withLock({ $0 }) {
      // Its status tells nothing that could still be used; the watcher comes after it.
      _ = system("{ \(ending(folder)); } </dev/null >/dev/null 2>&1")
    }
  }
}

private func ending(_ folder: String) -> String {
  "[ ! -e \(folder) ] || { \(PrivateEngine.tool) stop \(folder); rm -rf \(folder); }"
}
