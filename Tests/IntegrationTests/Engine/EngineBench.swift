import Engine
import Foundation
import OnionModel
import Testing
import Transport

/// A real engine of each kind with an image and a network in it, made once for all tests.
struct EngineBench: Sendable {
  static let image = "ok-test:1"
  static let network = "ok-test"

  let engine: PrivateEngine
  let client: EngineClient

  static func shared(_ kind: EngineKind) async throws -> EngineBench {
    try await benches.bench(kind)
  }

  /// A test's own folder, agent and specification.
  static func place(_ kind: EngineKind) async throws -> EnginePlace {
    try await EnginePlace(shared(kind))
  }

  private static let benches = Benches()

  fileprivate static func make(_ kind: EngineKind) async throws -> EngineBench {
    let engine = try await PrivateEngine.shared(kind)
    let client = try await EngineClient.connect(socket: engine.socket, http: HTTPClient())
    let folder = try TemporaryFolder()
    let tar = try folder.file("root.tar", try await tinyRoot().bytes)
    _ = try await client.importImage(tar: tar, as: image)
    folder.remove()
    _ = try await client.ensureNetwork(network, agent: randomAgent())
    return EngineBench(engine: engine, client: client)
  }
}

private actor Benches {
  private var made: [EngineKind: Task<EngineBench, any Error>] = [:]

  func bench(_ kind: EngineKind) async throws -> EngineBench {
    let task = made[kind] ?? Task { try await EngineBench.make(kind) }
    made[kind] = task
    return try await task.value
  }
}

/// What one test works with; `close` it at its end.
struct EnginePlace: Sendable {
  let bench: EngineBench
  let agent: AgentID
  let folder: TemporaryFolder
  let specification: ContainerSpecification

  var client: EngineClient { bench.client }

  fileprivate init(_ bench: EngineBench) async throws {
    self.bench = bench
    agent = try randomAgent()
    folder = try TemporaryFolder()
    let name = try #require(InstanceName("t" + String(agent.text.prefix(12))))
    specification = ContainerSpecification(
      name: "ok-\(name)", instance: name, image: EngineBench.image, network: EngineBench.network,
      user: TorLayout.user,
      entrypoint: [
        "/bin/sh", "-c",
        "trap 'exit 0' TERM; echo out; echo err >&2; : >/tmp/x || exit 3; while :; do sleep 600 & wait $!; done",
      ],
      mounts: [
        Mount(
          source: try folder.folder("keys", owner: 7942), destination: TorLayout.keys,
          isReadOnly: true),
        Mount(
          source: try folder.folder("run", owner: 7942), destination: TorLayout.run,
          isReadOnly: false),
      ], limits: ContainerLimits(memory: 128 << 20, milliCPUs: 1000, pids: 64))
  }

  /// Removes its folders. At the end of a test: an engine makes a bind source that is gone anew, as root's.
  func close() { folder.remove() }

  /// Starts it and waits until its shell has set its trap: a SIGTERM before that is lost on a first process.
  func start(_ container: String) async throws {
    let before = try await client.logs(container, tail: 100).lines.filter { $0 == "err" }.count
    try await client.start(container)
    let isReady = try await waitUntil {
      try await client.logs(container, tail: 100).lines.filter { $0 == "err" }.count > before
    }
    guard isReady else { throw TestFailure("\(container) does not say that it is ready") }
  }

  /// By hand, as an operator would: the agent never pauses anything.
  func pause(_ container: String) async throws {
    let request = HTTPRequest(
      "POST", "http://engine/containers/\(container)/pause", route: .unixSocket(bench.engine.socket)
    )
    let response = try await HTTPClient().send(request)
    guard response.isSuccess else { throw TestFailure("pause: \(response.status)") }
  }
}

func randomAgent() throws -> AgentID {
  let text = (0..<32).map { _ in String(Int.random(in: 0..<16), radix: 16) }.joined()
  return try #require(AgentID(text))
}
