import Engine
import OnionModel
import StubServer
import Testing

@Suite struct EventTests {
  private func events(_ kind: EngineIdentity.Kind, _ text: String) async throws -> [EngineEvent] {
    let engine = try await StubEngine(kind) { connection, _ in
      // Without a length: the end of the connection is the end, as when an engine is killed.
      try connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
      // Cut in the midst of a line, as a network does.
      for part in [text.prefix(text.count / 3), text.dropFirst(text.count / 3)] where !part.isEmpty
      {
        try connection.send("\(String(part.utf8.count, radix: 16))\r\n\(part)\r\n")
      }
      throw StubServer.Failure(description: "the engine was killed")
    }
    var found: [EngineEvent] = []
    for try await event in try await engine.client.events() { found.append(event) }
    return found
  }

  @Test func dockersWordsAreUnderstood() async throws {
    let found = try await events(.docker, Fixture.text("docker-events.ndjson"))
    #expect(
      found.map(\.action) == [
        .kill, .kill, .die, .stop, .start, .restart, .pause, .unpause, .rename, .kill, .die,
        .remove,
      ])
    #expect(found.allSatisfy { $0.containerID.hasPrefix("bd3a22be23a2") })
    #expect(found[2].exitCode == 137)
    #expect(found[8].oldName == "ok-b" && found[8].name == "ok-c")
    #expect(found[0].labels.keys.sorted() == [ContainerLabelKey.agent, ContainerLabelKey.instance])
    #expect(found[0].time == Timestamp(milliseconds: 1_795_589_945_332))
  }

  @Test func podmansWordsAreTheSame() async throws {
    let found = try await events(.podman, Fixture.text("podman-events.ndjson"))
    #expect(
      found.map(\.action) == [
        .restart, .die, .other("cleanup"), .other("init"), .start, .pause, .unpause, .rename, .kill,
        .die, .other("cleanup"), .remove,
      ])
    #expect(found[1].exitCode == 137)
    #expect(found[0].labels.keys.sorted() == [ContainerLabelKey.agent, ContainerLabelKey.instance])
  }

  /// As recorded: Docker names the network and tells of the container, Podman names the container alone.
  @Test(arguments: [
    (
      EngineIdentity.Kind.docker,
      #"{"Type":"network","Action":"connect","Actor":{"ID":"4b60","Attributes":{"container":"57ab","name":"a-six","type":"bridge"}},"scope":"local","time":1795647134}"#,
      ""
    ),
    (
      .podman,
      #"{"status":"connect","id":"57ab","Type":"network","Action":"connect","Actor":{"ID":"57ab","Attributes":{"containerExitCode":"0","image":"","name":"web","podId":""}},"scope":"local","time":1795647786}"#,
      "web"
    ),
  ])
  func movesBetweenNetworksAreTold(
    kind: EngineIdentity.Kind, line: String, name: String
  ) async throws {
    let gone = line.replacing(#""connect""#, with: #""disconnect""#)
    let made = line.replacing(#""connect""#, with: #""create""#)
    let found = try await events(kind, [line, gone, made].joined(separator: "\n") + "\n")
    #expect(found.map(\.action) == [.connect, .disconnect, .other("create")])
    #expect(found.allSatisfy { $0.containerID == "57ab" && $0.name == name && $0.agent == nil })
  }

  private func line(_ action: String) -> String {
    #"{"Type":"container","Action":"\#(action)","Actor":{"ID":"x","Attributes":{"name":"n"}},"time":5}"#
      + "\n"
  }

  @Test func commandLinesAreNotKept() async throws {
    let found = try await events(.docker, line("exec_create: sh -c secret") + line("died"))
    #expect(found.map(\.action) == [.other("exec_create"), .die])
    #expect(found.first?.time == Timestamp(seconds: 5))
  }

  @Test(arguments: [
    "nonsense\n", "{}\n", "[]\n", #"{"Action":1}"# + "\n", String(repeating: "x", count: 300 << 10),
  ])
  func linesThatAreNoEvents(text: String) async throws {
    let error = await #expect(throws: EngineError.self) {
      try await events(.docker, line("start") + text)
    }
    #expect(error?.code == .malformed)
  }

  @Test func whatIsAskedFor() async throws {
    let engine = try await StubEngine { _ in stubAnswer(200, "") }
    for try await _ in try await engine.client.events() {}
    let target = try #require(engine.asked.first?.target)
    #expect(
      target.hasPrefix("/v1.41/events?filters=%7B%22event%22%3A%5B%22connect%22%2C%22create%22"))
    #expect(target.hasSuffix("%22type%22%3A%5B%22container%22%2C%22network%22%5D%7D"))
    // Health checks run in every container, all day long.
    #expect(!target.contains("exec"))
  }

  @Test func cancellationEndsTheWait() async throws {
    let engine = try await StubEngine(.docker) { connection, _ in
      try connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
      try connection.waitForEnd()
    }
    let task = Task { () -> EngineError.Code? in
      await EngineError.code { () async throws(EngineError) in
        var iterator = try await engine.client.events().makeAsyncIterator()
        return try await iterator.next()
      }
    }
    #expect(await eventually { !engine.asked.isEmpty })
    task.cancel()
    #expect(await task.value == .cancelled)
  }
}
