import Foundation
import Journaling
import OnionModel
import Testing

/// A folder of its own, gone when the closure ends.
func withFolder<Value>(
  _ body: (String) async throws -> Value
) async throws -> Value {
  let folder = "\(NSTemporaryDirectory())/journaling-\(UUID().uuidString)"
  try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  let result: Result<Value, any Error>
  do { result = .success(try await body(folder)) } catch { result = .failure(error) }
  try FileManager.default.removeItem(atPath: folder)
  return try result.get()
}

/// A literal of a test that is known to be valid.
func valid<Value>(_ value: Value?) -> Value {
  guard let value else { preconditionFailure("a sample is not valid") }
  return value
}

enum Sample {
  static let agent = valid(AgentID(String(repeating: "ab", count: 16)))
  static let host = valid(HostName("web-1"))
  static let start = Timestamp(seconds: 1_800_000_000)

  static func time(_ seconds: Double) -> Timestamp { start.adding(seconds: seconds) }

  static func commit(_ digit: Character) -> CommitID {
    valid(CommitID(String(repeating: digit, count: 40)))
  }

  static func service(_ name: String) -> ServiceName { valid(ServiceName(name)) }

  static func instance(_ name: String) -> InstanceName { valid(InstanceName(name)) }

  static func address(_ byte: UInt8) -> OnionAddress {
    OnionAddress(publicKey: Array(repeating: byte, count: 32))
  }

  static func event(
    _ kind: EventKind, _ subject: String = "host", at seconds: Double = 0, error: String? = nil,
    message: String? = nil, action: String? = nil, drift: [Deviation]? = nil
  ) -> Event {
    Event(
      kind: kind, subject: subject, time: time(seconds),
      data: EventData(host: host, drift: drift, action: action, error: error, message: message))
  }

  static func step(_ id: String = "c1") -> Step {
    Step(
      .removeContainer(instance("blog"), id: id), cause: .drift, service: service("blog"),
      deviations: [Deviation("state", expected: "running", observed: "exited")], interrupts: true)
  }

  static func outcome(_ result: Outcome.Result = .succeeded(.none), at seconds: Double = 1)
    -> Outcome
  {
    Outcome(
      subject: .instance(instance("blog")), step: step(), result: result, started: start,
      ended: time(seconds))
  }

  /// A memory with something in each field.
  static func memory() -> Memory {
    var memory = Memory(agent: agent)
    memory.instances[instance("blog")] = InstanceMemory(
      containerIDs: ["c1", "c2"], failedSpecification: "d1",
      applied: AppliedConfiguration(
        containerID: "c1", torrc: "t1",
        services: [service("blog"): AppliedService(address: address(7), access: .open)]),
      failures: 2, retryAt: time(300), interruptions: [time(1), time(2)], level: "s0:c1,c2",
      services: [service("blog")],
      configured: [
        ConfiguredService(
          name: service("blog"), address: address(7),
          ports: [OnionPort(virtual: 80, target: .container("web", port: 8080))], access: .open)
      ], containers: ["web": "10.9.0.1"],
      keyRetries: [service("blog"): Retry(failures: 1, at: time(5))])
    memory.instances[instance("wiki")] = InstanceMemory(containerIDs: ["c3"])
    memory.services = [service("blog"): instance("blog"), service("wiki"): instance("wiki")]
    memory.identity = "identity"
    memory.previouslyDefined = [service("blog"), service("old")]
    memory.heldFromPruning = [service("old"), service("blog")]
    memory.engine = EngineIdentity(kind: .podman, version: "5.0", id: "engine")
    return memory
  }
}
