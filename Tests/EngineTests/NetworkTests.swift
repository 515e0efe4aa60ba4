import Engine
import OnionModel
import StubServer
import Synchronization
import Testing

@Suite struct NetworkTests {
  @Test(arguments: [(EngineIdentity.Kind.docker, "172.18.0.1"), (.podman, "10.89.1.1")])
  func recordedNetworksAreRead(kind: EngineIdentity.Kind, gateway: String) async throws {
    let text = try Fixture.text("\(kind.rawValue)-network.json")
    let engine = try await StubEngine(kind) { _ in stubAnswer(200, text) }
    let found = try await engine.client.network("ok-net", agent: agent())
    #expect(found == NetworkObservation(name: "ok-net", gateway: gateway, isOurs: true))
    let other = try known(AgentID(String(repeating: "1", count: 32)))
    #expect(try await engine.client.network("ok-net", agent: other)?.isOurs == false)
    // An identifier's beginning is not the name.
    #expect(try await engine.client.network("01f4d522", agent: agent()) == nil)
    let path = kind == .docker ? "/v1.41/networks/ok-net" : "/v4.0.0/libpod/networks/ok-net/json"
    #expect(engine.asked.first?.target == path)
  }

  @Test(arguments: [
    (
      EngineIdentity.Kind.docker, "/v1.41/networks/create",
      #"{"CheckDuplicate":true,"Driver":"bridge","Labels":{"onionkeeper.agent":"0123456789abcdef0123456789abcdef"},"Name":"ok-net","Options":{"com.docker.network.bridge.enable_icc":"false"}}"#
    ),
    (
      .podman, "/v4.0.0/libpod/networks/create",
      #"{"driver":"bridge","labels":{"onionkeeper.agent":"0123456789abcdef0123456789abcdef"},"name":"ok-net","options":{"isolate":"true"}}"#
    ),
  ])
  func missingOnesAreMade(kind: EngineIdentity.Kind, path: String, body: String) async throws {
    let text = try Fixture.text("\(kind.rawValue)-network.json")
    let isThere = Made()
    let engine = try await StubEngine(kind) { request in
      if request.method == "POST" {
        isThere.make()
        return stubAnswer(201, "{}")
      }
      return isThere.isMade ? stubAnswer(200, text) : stubAnswer(404, #"{"message":"not found"}"#)
    }
    _ = try await engine.client.ensureNetwork("ok-net", agent: agent())
    let made = try #require(engine.asked.first { $0.method == "POST" })
    #expect(made.target == path)
    #expect(String(decoding: made.body, as: UTF8.self) == body)
  }

  /// Podman's service forgets the option when somebody looks at the network by the compatible API.
  @Test(arguments: kinds) func openOnesAreMadeAnew(kind: EngineIdentity.Kind) async throws {
    let text = try Fixture.text("\(kind.rawValue)-network.json")
      .replacing("enable_icc", with: "other").replacing("isolate", with: "other")
    let engine = try await StubEngine(kind) { request in
      request.method == "GET" ? stubAnswer(200, text) : stubAnswer(204, "")
    }
    _ = try await engine.client.ensureNetwork("ok-net", agent: agent())
    #expect(engine.asked.map(\.method) == ["GET", "GET", "DELETE", "POST", "GET"])
  }

  private final class Made: Sendable {
    private let value = Mutex(false)
    var isMade: Bool { value.withLock { $0 } }
    func make() { value.withLock { $0 = true } }
  }

  @Test func foreignOnesAreNotTouched() async throws {
    let text = try Fixture.text("docker-network.json").replacing("0123456789abcdef", with: "f")
    let engine = try await StubEngine { _ in stubAnswer(200, text) }
    let client = engine.client
    let agent = try agent()
    #expect(
      await EngineError.code { () async throws(EngineError) in
        try await client.ensureNetwork("ok-net", agent: agent)
      } == .conflict)
    #expect(
      await EngineError.code { () async throws(EngineError) in
        try await client.removeNetwork("ok-net", agent: agent)
      } == .conflict)
    #expect(engine.asked.allSatisfy { $0.method == "GET" })
  }

  @Test(arguments: [
    (#"[{"Subnet":"fd00::/64","Gateway":"fd00::1"},{"Gateway":"10.0.0.1/16"}]"#, "10.0.0.1"),
    (#"[{"Gateway":"fd00::1"}]"#, "fd00::1"), (#"[{"Subnet":"10.0.0.0/8"}]"#, nil), ("[]", nil),
    ("null", nil),
    (#"[{"Gateway":""}]"#, nil),
  ])
  func gatewaysOfAllShapes(config: String, gateway: String?) async throws {
    let text = #"{"Name":"n","IPAM":{"Config":\#(config)},"Labels":null}"#
    let engine = try await StubEngine { _ in stubAnswer(200, text) }
    if let gateway {
      #expect(try await engine.client.network("n", agent: agent())?.gateway == gateway)
    } else {
      let error = await #expect(throws: EngineError.self) {
        try await engine.client.network("n", agent: agent())
      }
      #expect(error?.code == .malformed)
    }
  }
}
