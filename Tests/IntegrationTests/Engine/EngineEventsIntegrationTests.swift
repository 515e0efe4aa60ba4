import Engine
import Foundation
import Glibc
import OnionModel
import Synchronization
import Testing
import Transport

@Suite struct EngineEventsIntegrationTests {
  @Test(arguments: EngineKind.allCases) func everythingOfOursIsTold(kind: EngineKind) async throws {
    let place = try await EngineBench.place(kind)
    defer { place.close() }
    let (client, specification) = (place.client, place.specification)
    let events = Events()
    let stream = try await client.events()
    let agent = place.agent
    let follower = Task {
      for try await event in stream where event.agent == agent { events.append(event) }
    }
    defer { follower.cancel() }

    let id = try await client.create(
      specification, labels: specification.labels(agent: place.agent))
    try await client.start(id)
    let pid = try #require(try await client.inspect(id)).facts.pid
    #expect(Glibc.kill(pid_t(pid), SIGKILL) == 0)
    // The engine's own restart.
    #expect(try await waitUntil { events.actions.filter { $0 == .start }.count == 2 })
    try await client.rename(id, to: specification.name + "-moved")
    try await place.pause(id)
    try await client.unpause(id)
    try await client.remove(id, force: true)
    #expect(try await waitUntil { events.actions.contains(.remove) })

    let seen = events.actions
    for action: EngineEvent.Action in [.create, .start, .die, .rename, .pause, .unpause, .remove] {
      #expect(seen.contains(action), "\(action) is missing in \(seen)")
    }
    #expect(events.all.allSatisfy { $0.containerID == id })
    #expect(events.all.contains { $0.action == .die && $0.exitCode == 137 })
    #expect(events.all.first?.name == specification.name)
    #expect(
      events.all.allSatisfy { $0.labels[ContainerLabelKey.instance] == specification.instance.text }
    )
  }

  @Test(arguments: EngineKind.allCases) func aKilledEngineIsUnreachable(kind: EngineKind)
    async throws
  {
    let engine = try await PrivateEngine.start(kind)
    let client = try await EngineClient.connect(socket: engine.socket, http: HTTPClient())
    let stream = try await client.events()
    let follower = Task { for try await _ in stream {} }
    try await engine.kill()
    // The end of the engine is the end of the sequence, no error.
    try await follower.value
    #expect(
      await errorCode { () async throws(EngineError) in try await client.ping() } == .unreachable)
    #expect(
      await errorCode { () async throws(EngineError) in try await client.containers() }
        == .unreachable)
    try await engine.startAgain()
    #expect(try await client.containers() == [])
    try await engine.stop()
  }

  private final class Events: Sendable {
    private let events = Mutex<[EngineEvent]>([])
    var all: [EngineEvent] { events.withLock { $0 } }
    var actions: [EngineEvent.Action] { all.map(\.action) }
    func append(_ event: EngineEvent) { events.withLock { $0.append(event) } }
  }
}
