import Engine
import OnionModel
import StubServer
import Testing

@Suite struct ListTests {
  @Test(arguments: kinds) func recordedListsAreRead(kind: EngineIdentity.Kind) async throws {
    let text = try Fixture.text("\(kind.rawValue)-list.json")
    let engine = try await StubEngine(kind) { _ in stubAnswer(200, text) }
    let found = try await engine.client.containers(of: agent())
    let container = try #require(found.first)
    #expect(found.count == 1)
    #expect(container.name == "ok-a")
    #expect(container.state == .running)
    #expect(container.labels[ContainerLabelKey.instance] == "a")
    #expect(container.mounts.map(\.destination) == ["/keys", "/run/tor"])
    #expect(container.mounts.map(\.isReadOnly) == [true, false])
    #expect(container.imageID.hasPrefix("sha256:"))
    let asked = try #require(engine.asked.first)
    #expect(
      asked.target == "/v1.41/containers/json?all=1&filters="
        + "%7B%22label%22%3A%5B%22onionkeeper.agent%3D0123456789abcdef0123456789abcdef%22%5D%7D")
  }

  private static let id = String(repeating: "ab", count: 32)
  private static func entry(
    id: String = Self.id, state: String = #""running""#, more: String = ""
  ) -> String {
    #"{"Id":"\#(id)","Names":["/x"],"Image":"i","ImageID":"sha256:1","State":\#(state),"Created":1\#(more)}"#
  }

  @Test(arguments: [
    "", "null", "{}", "[", "[{}]", "[null]", "<html>busy</html>", "[\(entry())", "[\(entry())]x",
    "[\(entry(id: "../../images/x"))]", "[\(entry(id: ""))]", "[\(entry(state: "3"))]",
    "[\(entry(state: "null"))]", "[\(entry(more: #","Labels":{"a":1}"#))]",
    "[\(entry(more: #","Mounts":[{"Type":"bind"}]"#))]", "[\(entry(more: #","Mounts":"x""#))]",
    String(repeating: "[", count: 100_000),
  ])
  func malformedListsAreErrors(text: String) async throws {
    let engine = try await StubEngine { _ in stubAnswer(200, text) }
    let error = await #expect(throws: EngineError.self) { try await engine.client.containers() }
    #expect(error?.code == .malformed)
    #expect(error?.operation == "GET /containers/json")
    #expect((error?.message.count ?? 0) <= 500)
  }

  @Test func leanListsAreRead() async throws {
    let engine = try await StubEngine { _ in
      stubAnswer(200, "[\(Self.entry(state: #""removing""#))]")
    }
    let found = try await engine.client.containers()
    #expect(found.first?.state == .other("removing"))
    #expect(found.first?.labels == [:])
    #expect(found.first?.mounts == [])
  }

  @Test func cutListsAreNoLists() async throws {
    let whole = try Fixture.text("docker-list.json")
    let engine = try await StubEngine(.docker) { connection, _ in
      try connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(whole.utf8.count)\r\n\r\n[]")
      throw StubServer.Failure(description: "enough")
    }
    #expect(
      await EngineError.code { () async throws(EngineError) in try await engine.client.containers()
      } == .unreachable)
  }

  @Test func hugeListsAreRefused() async throws {
    let engine = try await StubEngine(.docker) { connection, _ in
      try connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
      let chunk = "10000\r\n\(String(repeating: " ", count: 0x10000))\r\n"
      while true { try connection.send(chunk) }
    }
    #expect(
      await EngineError.code { () async throws(EngineError) in try await engine.client.containers()
      } == .malformed)
  }

  @Test(arguments: [
    ("/keys/blog", ["x"]), ("/keys/blog/blog", ["x"]), ("/keys", ["x"]), ("/", []),
    ("/keys/blogs", []),
    ("/keys/shop", []), ("/", []), ("/key", []), ("/keys/", ["x"]),
  ])
  func foreignUsersAreSeen(source: String, expected: [String]) async throws {
    let mounts = #","Mounts":[{"Type":"bind","Source":"\#(source)","Destination":"/a","RW":false}]"#
    let engine = try await StubEngine { _ in stubAnswer(200, "[\(Self.entry(more: mounts))]") }
    let users = try await engine.client.foreignUsers(
      of: ["/keys/blog"], below: "/keys", agent: agent())
    #expect(users["/keys/blog"] ?? [] == expected)
  }

  @Test func ourOwnAreNotForeign() async throws {
    let text = try Fixture.text("docker-list.json")
    let engine = try await StubEngine { _ in stubAnswer(200, text) }
    let users = try await engine.client.foreignUsers(
      of: ["/tmp/okE/state/keys"], below: "/tmp/okE/state", agent: agent())
    #expect(users.isEmpty)
    let other = try known(AgentID(String(repeating: "1", count: 32)))
    let seen = try await engine.client.foreignUsers(
      of: ["/tmp/okE/state/keys"], below: "/tmp/okE/state", agent: other)
    #expect(seen == ["/tmp/okE/state/keys": ["ok-a"]])
  }
}
