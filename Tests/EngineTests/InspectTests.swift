import Engine
import OnionModel
import StubServer
import Testing

@Suite struct InspectTests {
  @Test(arguments: kinds) func recordedContainersAreRead(kind: EngineIdentity.Kind) async throws {
    let text = try Fixture.text("\(kind.rawValue)-inspect.json")
    let engine = try await StubEngine(kind) { _ in stubAnswer(200, text) }
    let details = try #require(try await engine.client.inspect("ok-a"))
    #expect(details.name == "ok-a")
    #expect(details.state == .running)
    let facts = details.facts
    #expect(facts.isReadOnly && !facts.isPrivileged)
    #expect(facts.user == "7942:7942")
    #expect(facts.entrypoint == ["/bin/sh", "-c"])
    #expect(facts.mounts.map(\.destination) == ["/keys", "/run/tor"])
    #expect(facts.networks == ["ok-net"])
    #expect(facts.memory == 268_435_456)
    #expect(facts.milliCPUs == 1000)
    #expect(facts.pids == 64)
    #expect(facts.restartPolicy == "always")
    #expect(facts.addedCapabilities == [])
    #expect(facts.extras == [])
    #expect(!facts.image.isEmpty)
    #expect(facts.pid > 1)
    #expect(details.addresses["ok-net"]?.isEmpty == false)
  }

  /// What /proc does not show of a container that somebody made by hand.
  @Test(arguments: [
    (#""PidMode":"host""#, "process namespace host"),
    (#""IpcMode":"container:abc""#, "IPC namespace container:abc"),
    (#""UTSMode":"host""#, "UTS namespace host"),
    (#""PortBindings":{"80/tcp":[{"HostIp":"","HostPort":"1"}]}"#, "published port 80/tcp"),
    (#""PublishAllPorts":true"#, "all ports published"),
    (#""Devices":[{"PathOnHost":"/dev/kmsg"}]"#, "devices"),
    (#""GroupAdd":["docker"]"#, "group docker"),
    (#""SecurityOpt":["no-new-privileges","seccomp=unconfined"]"#, "seccomp=unconfined"),
    (#""Env":["HOME=/data","LD_PRELOAD=/x"]"#, "variable LD_PRELOAD=/x"),
  ])
  func optionsGivenByHandAreSeen(field: String, words: String) async throws {
    let key = field.prefix(while: { $0 != ":" })
    let place = key == #""Env""# ? #""Config""# : #""HostConfig""#
    let text = try Fixture.text("docker-inspect.json")
      .replacing("\(key):", with: "\"x\":").replacing("\(place): {", with: "\(place): {\(field),")
      .replacing("\(place):{", with: "\(place):{\(field),")
    let engine = try await StubEngine { _ in stubAnswer(200, text) }
    let facts = try #require(try await engine.client.inspect("ok-a")).facts
    #expect(facts.extras == [words])
  }

  @Test func theBeginningOfAnIdentifierIsNoName() async throws {
    let text = try Fixture.text("docker-inspect.json")
    let engine = try await StubEngine { _ in stubAnswer(200, text) }
    #expect(try await engine.client.inspect("bd3a22be23a2") == nil)
  }

  @Test func absentIsNotUnknown() async throws {
    let engine = try await StubEngine { request in
      request.target.contains("gone")
        ? stubAnswer(404, #"{"message":"No such container: gone"}"#)
        : request.target.contains("router") ? stubAnswer(404, "Not Found") : stubAnswer(500, "")
    }
    let client = engine.client
    #expect(try await client.inspect("gone") == nil)
    #expect(
      await EngineError.code { () async throws(EngineError) in try await client.inspect("router") }
        == .unsupported)
    #expect(
      await EngineError.code { () async throws(EngineError) in try await client.inspect("other") }
        == .failed(500))
  }

  @Test(arguments: [
    "", "..", ".", "a/b", "a?b", "-x", "_x", "a b", "a\r\nb", "é",
    String(repeating: "a", count: 129),
  ])
  func namesThatAreNoneAreNotSent(name: String) async throws {
    let engine = try await StubEngine { _ in stubAnswer(200, "{}") }
    let client = engine.client
    #expect(
      await EngineError.code { () async throws(EngineError) in try await client.inspect(name) }
        == .invalid)
    #expect(
      await EngineError.code { () async throws(EngineError) in try await client.remove(name) }
        == .invalid)
    #expect(
      await EngineError.code { () async throws(EngineError) in
        try await client.rename("a", to: name)
      } == .invalid)
    #expect(engine.asked.isEmpty)
  }

  @Test(arguments: [
    "State", "HostConfig", "Config", "Id", "Name", "RestartCount", "NetworkSettings", "Image",
  ])
  func missingPartsAreNamed(field: String) async throws {
    let text = try Fixture.text("docker-inspect.json")
      .replacing("\"\(field)\":", with: "\"x\(field)\":")
    let engine = try await StubEngine { _ in stubAnswer(200, text) }
    let error = await #expect(throws: EngineError.self) { try await engine.client.inspect("ok-a") }
    #expect(error?.code == .malformed)
    #expect(error?.message == ".\(field) is missing")
  }

  @Test(arguments: [
    (#""PidsLimit":64"#, #""PidsLimit":null"#, "pids 64 0"),
    (#""NanoCpus":1000000000"#, #""NanoCpus":0"#, "cpu 1000 0"),
    (#""NanoCpus":1000000000,"CgroupParent""#, #""NanoCpus":0,"CgroupParent""#, "cpu 1000 0"),
    (#""CpuPeriod":0,"CpuQuota":0"#, #""CpuPeriod":50000,"CpuQuota":25000"#, "cpu 1000 1000"),
  ])
  func limitsOfOtherHandsAreSeen(from: String, to: String, expected: String) async throws {
    let text = try Fixture.text("docker-inspect.json").replacing(from, with: to)
    let engine = try await StubEngine { _ in stubAnswer(200, text) }
    let facts = try #require(try await engine.client.inspect("ok-a")).facts
    let words = expected.split(separator: " ")
    #expect(words[0] == "pids" ? facts.pids == Int(words[2]) : facts.milliCPUs == Int(words[2]))
  }
}
