import Foundation
import Subprocess
import Testing

/// How a program ended.
struct Ended: Sendable {
  var code: Int
  var output: String
  var errors: String
}

/// Something that a test needs and that is not so: what, in words.
struct Unfit: Error, CustomStringConvertible {
  var description: String
  init(_ description: String) { self.description = description }
}

/// The project's own folder.
let projectFolder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
  .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

/// Runs a command line in bash. Its output is bounded; it gets `seconds`.
func bash(_ command: String, seconds: Int = 300) async throws -> Ended {
  let record = try await Subprocess.run(
    .name("timeout"), arguments: ["-k", "5", "\(seconds)", "/bin/bash", "-c", command],
    output: .string(limit: 8 << 20), error: .string(limit: 8 << 20))
  var code = -1
  if case .exited(let exited) = record.terminationStatus { code = Int(exited) }
  return Ended(code: code, output: record.standardOutput, errors: record.standardError)
}

/// Runs a command line that must succeed.
@discardableResult
func must(_ command: String, seconds: Int = 300) async throws -> String {
  let ended = try await bash(command, seconds: seconds)
  guard ended.code == 0 else {
    throw Unfit("`\(command)` ended with \(ended.code): \(ended.errors)\(ended.output)")
  }
  return ended.output
}

/// Waits until a condition holds; noise on these machines triples every time, so the limit is generous.
func eventually(
  _ what: String, within seconds: Double = 60, saying more: () -> String = { "" },
  _ condition: () async throws -> Bool
) async throws {
  let end = ContinuousClock.now.advanced(by: .seconds(seconds))
  while try await !condition() {
    guard ContinuousClock.now < end else {
      throw Unfit("not within \(seconds) s: \(what)\n\(more())")
    }
    try await Task.sleep(for: .milliseconds(50))
  }
}

/// A host of its own: a private engine, a repository, a host file, and the built program.
final class CommandHost: Sendable {
  let folder: String
  let kind: String
  let socket: String

  private static let tools = "\(projectFolder)/ops/lib"

  /// - Parameters:
  ///   - services: name of each definition and its text.
  ///   - environment: words before the engine tool's own: `ENGINE_ARGS=…`.
  init(kind: String, services: [String: String], environment: String = "") async throws {
    self.kind = kind
    folder = "/tmp/okc-\(UUID().uuidString.prefix(6).lowercased())"
    // Remapped users pass through to the engine's data.
    try await must("mkdir -m 711 \(folder) \(folder)/e")
    let lines = try await must("\(environment) \(Self.tools)/engine start \(kind) \(folder)/e")
    guard let line = lines.split(separator: "\n").first(where: { $0.hasPrefix("SOCKET=") }) else {
      throw Unfit("ops/lib/engine names no socket: \(lines)")
    }
    socket = String(line.dropFirst("SOCKET=".count))
    try await must("mkdir -p \(repository)/services")
    try write("repository/onionkeeper.yaml", "version: 1\n")
    for (name, text) in services { try write("repository/services/\(name).yaml", text) }
    try await must("git -C \(repository) init -qb main")
    try await commit("first")
    try write("host.yaml", hostFile)
    try await must("chmod 600 \(folder)/host.yaml")
  }

  var repository: String { "\(folder)/repository" }
  var keys: String { "\(folder)/keys" }
  var state: String { "\(folder)/state" }

  var hostFile: String {
    """
    host: web-1
    repository: {url: \(repository), trust: {transport: true}}
    interval: 60s
    engine: {socket: \(socket)}
    directories: {keys: \(keys), state: \(state)}
    image: {base: "bootstrap:bookworm"}
    allow: {targets: [host]}
    tor: {network: off}

    """
  }

  static func definition(_ more: String = "", port: Int = 80) -> String {
    "hosts: [web-1]\n\(more)ports:\n  - virtual: \(port)\n    target: host:8080\n"
  }

  func write(_ path: String, _ text: String) throws {
    try Data(text.utf8).write(to: URL(fileURLWithPath: "\(folder)/\(path)"))
  }

  func commit(_ message: String) async throws {
    try await must(
      "cd \(repository) && git add -A && git -c user.name=t -c user.email=t@t commit -q --allow-empty -m '\(message)'"
    )
  }

  func define(_ name: String, _ text: String) async throws {
    try write("repository/services/\(name).yaml", text)
    try await commit("define \(name)")
  }

  func undefine(_ name: String, trailer: String = "") async throws {
    try await must("rm \(repository)/services/\(name).yaml")
    try await commit("remove \(name)\n\n\(trailer)")
  }

  /// The built program with this host's file.
  func onionkeeper(_ arguments: String, seconds: Int = 300) async throws -> Ended {
    try await bash("\(Self.program) \(arguments) --config \(folder)/host.yaml", seconds: seconds)
  }

  static let program = "\(projectFolder)/.build/debug/onionkeeper"

  /// Sets up, with the cached base image in its place: no test bootstraps its own.
  func setUp() async throws {
    let ended = try await onionkeeper("setup")
    guard ended.code == 0 else { throw Unfit("setup: \(ended.errors)") }
    let cache = "/var/cache/onionkeeper"
    try await must(
      "mkdir -p \(cache) \(state)/images && \(Self.tools)/base-image \(cache)/bookworm.tar >&2"
        + " && cp \(cache)/bookworm.tar \(state)/images/")
  }

  /// One answer of the engine's API.
  func engine(_ arguments: String) async throws -> String {
    try await must("curl -sS --fail-with-body --unix-socket \(socket) \(arguments)")
  }

  /// Container names and their states.
  func containers() async throws -> [String: String] {
    let text = try await engine("'http://e/containers/json?all=1'")
    var found: [String: String] = [:]
    for row in try JSONDecoder().decode([ListedContainer].self, from: Data(text.utf8)) {
      found[String(row.names[0].drop { $0 == "/" })] = row.state
    }
    return found
  }

  /// What the engine says of one container, by the service's name.
  func container(_ name: String) async throws -> InspectedContainer {
    let text = try await engine("'http://e/containers/onionkeeper-\(name)/json'")
    return try JSONDecoder().decode(InspectedContainer.self, from: Data(text.utf8))
  }

  /// `keys/NAME/NAME/hostname`
  func address(_ name: String) throws -> String {
    try String(contentsOfFile: "\(keys)/\(name)/\(name)/hostname", encoding: .utf8)
      .trimmingCharacters(in: .whitespacesAndNewlines)
  }

  /// An instance's torrc as it lies in `etc/`.
  func torrc(_ instance: String) throws -> String {
    try String(
      contentsOfFile: "\(state)/instances/\(instance)/etc/torrc", encoding: .utf8)
  }

  /// The process of an instance's tor: the same number is the same tor.
  func pid(_ instance: String) async throws -> Int { try await container(instance).state.pid }

  /// Applies, and fails the test with everything that was said unless it did what was wanted.
  func apply() async throws {
    let ended = try await onionkeeper("apply")
    guard ended.code == 0 else { throw Unfit("apply: \(ended.output)\(ended.errors)") }
  }

  func engineTool(_ verb: String, environment: String = "") async throws {
    try await must("\(environment) \(Self.tools)/engine \(verb) \(folder)/e")
  }

  func close() async throws {
    try await engineTool("stop")
    try await must("rm -rf \(folder)")
  }
}

struct ListedContainer: Decodable {
  var names: [String]
  var state: String

  enum CodingKeys: String, CodingKey {
    case names = "Names"
    case state = "State"
  }
}

struct InspectedContainer: Decodable {
  struct State: Decodable {
    var startedAt: String
    var pid: Int
    var exitCode: Int

    enum CodingKeys: String, CodingKey {
      case startedAt = "StartedAt"
      case pid = "Pid"
      case exitCode = "ExitCode"
    }
  }

  struct Networks: Decodable {
    struct Endpoint: Decodable {
      var address: String

      enum CodingKeys: String, CodingKey { case address = "IPAddress" }
    }

    var networks: [String: Endpoint]

    enum CodingKeys: String, CodingKey { case networks = "Networks" }
  }

  struct Configuration: Decodable {
    var image: String

    enum CodingKeys: String, CodingKey { case image = "Image" }
  }

  var state: State
  var configuration: Configuration
  var settings: Networks

  enum CodingKeys: String, CodingKey {
    case state = "State"
    case configuration = "Config"
    case settings = "NetworkSettings"
  }
}

/// Runs a test's body with a host, and takes the host down whatever happens.
func withHost(
  _ kind: String, _ services: [String: String], environment: String = "",
  _ body: (CommandHost) async throws -> Void
) async throws {
  let host = try await CommandHost(kind: kind, services: services, environment: environment)
  do {
    try await body(host)
  } catch {
    try await host.close()
    throw error
  }
  try await host.close()
}
