import Engine
import Foundation
import Glibc
import OnionModel
import Testing
import Transport

/// Both real engines, the same tests. Each test has an agent identifier of its own, so that no test sees another's
/// containers.
@Suite struct EngineIntegrationTests {
  @Test(arguments: EngineKind.allCases) func itSaysWhoItIs(kind: EngineKind) async throws {
    let bench = try await EngineBench.shared(kind)
    let description = bench.client.description
    #expect(description.identity.kind.rawValue == kind.rawValue)
    #expect(description.refusals.isEmpty)
    #expect(description.dataRoot.hasPrefix(bench.engine.folder))
    try await bench.client.ping()
    let again = try await EngineClient.connect(socket: bench.engine.socket, http: HTTPClient())
    #expect(again.description == description)
  }

  @Test(arguments: EngineKind.allCases) func aWholeLife(kind: EngineKind) async throws {
    let place = try await EngineBench.place(kind)
    defer { place.close() }
    let (client, specification) = (place.client, place.specification)
    let id = try await client.create(
      specification, labels: specification.labels(agent: place.agent))

    let created = try #require(try await client.inspect(specification.name))
    #expect(created.id == id)
    #expect(created.state == .created)
    // What both engines echo truthfully is what was asked for.
    #expect(specification.deviations(of: created.facts) == [])
    #expect(specification.looseLimits(of: created.facts) == [])

    try await place.start(id)
    try await client.start(id)
    let running = try #require(try await client.inspect(id))
    #expect(running.state == .running)
    #expect(specification.deviations(of: running.facts) == [])
    try expectConfined(pid: running.facts.pid)
    let listed = try await client.containers(of: place.agent)
    #expect(listed.map(\.id) == [id])
    #expect(listed.first?.name == specification.name)
    #expect(listed.first?.state == .running)
    #expect(listed.first?.mounts == specification.mounts)
    #expect(listed.first?.labels[ContainerLabelKey.specification] == specification.digest)

    try await client.stop(id, timeout: 20)
    try await client.stop(id, timeout: 20)
    let stopped = try #require(try await client.inspect(id))
    #expect(stopped.state == .exited)
    #expect(stopped.facts.exitCode == 0)
    #expect(stopped.facts.pid == 0)

    // A second start: a tmpfs without its directory in the image would fail here.
    try await place.start(id)
    let second = try #require(try await client.inspect(id))
    try await client.restart(id, timeout: 20)
    let third = try #require(try await client.inspect(id))
    #expect(second.state == .running && third.state == .running)
    #expect(third.facts.pid != second.facts.pid)

    #expect(
      await errorCode { () async throws(EngineError) in try await client.remove(id) } == .conflict)
    try await client.remove(id, force: true)
    try await client.remove(id, force: true)
    #expect(try await client.inspect(id) == nil)
    #expect(try await client.containers(of: place.agent) == [])
  }

  @Test(arguments: EngineKind.allCases) func whatIsMissingOrTakenIsNamed(kind: EngineKind)
    async throws
  {
    let place = try await EngineBench.place(kind)
    defer { place.close() }
    let (client, specification) = (place.client, place.specification)
    let id = try await client.create(specification, labels: [:])
    #expect(
      await errorCode { () async throws(EngineError) in
        try await client.create(specification, labels: [:])
      } == .conflict)
    var other = specification
    other.name += "-2"
    other.image = "ok-no-such-image:1"
    let missing = other
    #expect(
      await errorCode { () async throws(EngineError) in
        try await client.create(missing, labels: [:])
      } == .notFound)
    let none = specification.name + "-none"
    #expect(
      await errorCode { () async throws(EngineError) in try await client.start(none) } == .notFound)
    #expect(
      await errorCode { () async throws(EngineError) in try await client.logs(none, tail: 1) }
        == .notFound)
    #expect(
      await errorCode { () async throws(EngineError) in
        try await client.kill(id, signal: "HUP")
      } == .conflict)
    #expect(try await client.inspect(none) == nil)
    try await client.remove(id)
  }

  @Test(arguments: EngineKind.allCases) func namesMoveAndIdentifiersStay(kind: EngineKind)
    async throws
  {
    let place = try await EngineBench.place(kind)
    defer { place.close() }
    let (client, name) = (place.client, place.specification.name)
    let id = try await client.create(place.specification, labels: [:])
    try await client.rename(id, to: name + "-moved")
    #expect(try await client.inspect(name) == nil)
    #expect(try await client.inspect(name + "-moved")?.id == id)
    try await client.rename(id, to: name)
    #expect(try await client.inspect(id)?.name == name)
    try await client.remove(id)
  }

  @Test(arguments: EngineKind.allCases) func limitsArePutBackWhereItCan(kind: EngineKind)
    async throws
  {
    let place = try await EngineBench.place(kind)
    defer { place.close() }
    let client = place.client
    let id = try await client.create(place.specification, labels: [:])
    let smaller = ContainerLimits(memory: 64 << 20, milliCPUs: 500, pids: 32)
    let result = await errorCode { () async throws(EngineError) in
      try await client.update(id, limits: smaller)
    }
    #expect(result == (kind == .docker ? nil : .unsupported))
    if kind == .docker {
      let facts = try #require(try await client.inspect(id)).facts
      #expect(facts.memory == smaller.memory)
      #expect(facts.milliCPUs == smaller.milliCPUs)
      #expect(facts.pids == smaller.pids)
      #expect(facts.restartPolicy == "always")
      #expect(place.specification.looseLimits(of: facts).count == 3)
    }
    try await client.remove(id)
  }

  @Test(arguments: EngineKind.allCases) func pausedOnesCanBeStopped(kind: EngineKind) async throws {
    let place = try await EngineBench.place(kind)
    defer { place.close() }
    let client = place.client
    let id = try await client.create(place.specification, labels: [:])
    try await place.start(id)
    try await place.pause(id)
    #expect(try await client.inspect(id)?.state == .paused)
    try await client.unpause(id)
    #expect(try await client.inspect(id)?.state == .running)
    try await place.pause(id)
    try await client.stop(id, timeout: 20)
    #expect(try await client.inspect(id)?.state == .exited)
    #expect(await errorCode { () async throws(EngineError) in try await client.unpause(id) } != nil)
    try await client.remove(id)
  }

  @Test(arguments: EngineKind.allCases) func logsAreRead(kind: EngineKind) async throws {
    let place = try await EngineBench.place(kind)
    defer { place.close() }
    let client = place.client
    let id = try await client.create(place.specification, labels: [:])
    try await client.start(id)
    let isWhole = try await waitUntil {
      try await client.logs(id, tail: 50).lines.sorted() == ["err", "out"]
    }
    #expect(isWhole)
    #expect(try await client.logs(id, tail: 1).lines.count == 1)
    try await client.remove(id, force: true)
  }

  @Test(arguments: EngineKind.allCases) func oneShots(kind: EngineKind) async throws {
    let place = try await EngineBench.place(kind)
    defer { place.close() }
    let (client, specification) = (place.client, place.specification)
    let name = specification.name + "-check"
    let labels = ["onionkeeper.check": place.agent.text]
    let result = try await client.runOnce(
      specification, command: ["/bin/sh", "-c", "echo $HOME; echo bad >&2; exit 7"], name: name,
      labels: labels, timeout: .seconds(60))
    #expect(result.exitCode == 7)
    #expect(result.log.lines.sorted() == ["/data", "bad"])
    #expect(try await client.inspect(name) == nil)

    let late = await errorCode { () async throws(EngineError) in
      try await client.runOnce(
        specification, command: ["/bin/sleep", "600"], name: name, labels: labels,
        timeout: .milliseconds(300))
    }
    #expect(late == .timeout)
    #expect(try await client.inspect(name) == nil)

    let task = Task {
      try await client.runOnce(
        specification, command: ["/bin/sleep", "600"], name: name, labels: labels,
        timeout: .seconds(600))
    }
    #expect(try await waitUntil { try await client.inspect(name)?.state == .running })
    task.cancel()
    await #expect(throws: EngineError.self) { try await task.value }
    #expect(try await client.inspect(name) == nil)

    var foreign = specification
    foreign.name = name
    let id = try await client.create(foreign, labels: [:])
    let taken = await errorCode { () async throws(EngineError) in
      try await client.runOnce(
        specification, command: ["/bin/cat"], name: name, labels: labels, timeout: .seconds(60))
    }
    #expect(taken == .conflict)
    #expect(try await client.inspect(name)?.id == id)
    try await client.remove(id)
  }

  @Test(arguments: EngineKind.allCases) func foreignUsersOfKeysAreSeen(kind: EngineKind)
    async throws
  {
    let place = try await EngineBench.place(kind)
    defer { place.close() }
    let client = place.client
    let keys = try #require(place.specification.mounts.first { $0.destination == "/keys" }).source
    let root = place.folder.path
    let id = try await client.create(place.specification, labels: [:])
    // One that does not run cannot use a key.
    #expect(try await client.foreignUsers(of: [keys], below: root, agent: place.agent) == [:])
    try await client.start(id)
    #expect(
      try await client.foreignUsers(of: [keys], below: root, agent: place.agent)
        == [keys: [place.specification.name]])
    try await client.remove(id, force: true)
  }

  /// `/proc/<pid>/status` of what runs: the promise, not the request.
  private func expectConfined(pid: Int) throws {
    let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
    for line in [
      "Uid:\t7942\t7942\t7942\t7942", "Gid:\t7942\t7942\t7942\t7942", "CapInh:\t0000000000000000",
      "CapPrm:\t0000000000000000", "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000",
      "CapAmb:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2",
    ] { #expect(status.contains("\(line)\n"), "\(line) is not in /proc/\(pid)/status") }
  }
}

/// The code of the error that `body` throws; `nil` if it throws none.
func errorCode(of body: () async throws(EngineError) -> some Any) async -> EngineError.Code? {
  do throws(EngineError) {
    _ = try await body()
    return nil
  } catch {
    return error.code
  }
}
