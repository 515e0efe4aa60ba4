import Engine
import OnionModel
import StubServer
import Synchronization
import Testing

/// Containers that targets name, and the networks that a tor joins for them.
@Suite struct TargetTests {
  private static func entry(
    _ name: String = "web", state: String = "running", labels: String = "{}", networks: String
  ) -> String {
    let id = String(repeating: "a", count: 64)
    return
      #"{"Id":"\#(id)","Names":["/\#(name)","/other/alias"],"Image":"i","ImageID":"s","State":"\#(state)","#
      + #""Created":1,"Labels":\#(labels),"NetworkSettings":{"Networks":\#(networks)}}"#
  }

  private func look(
    _ entry: String, for name: String = "web", besides ours: Set<String> = ["onionkeeper"]
  ) async throws -> Observation<TargetContainer> {
    let engine = try await StubEngine { _ in stubAnswer(200, "[\(entry)]") }
    return targetContainer(name, in: try await engine.client.containers(), besides: ours)
  }

  @Test(arguments: [
    (EngineIdentity.Kind.docker, "172.18.0.2"), (.podman, "10.89.0.2"),
  ])
  func recordedListsTellOfNetworks(kind: EngineIdentity.Kind, address: String) async throws {
    let text = try Fixture.text("\(kind.rawValue)-list.json")
      .replacing(ContainerLabelKey.agent, with: "another.label")
    let engine = try await StubEngine(kind) { _ in stubAnswer(200, text) }
    let containers = try await engine.client.containers()
    #expect(
      targetContainer("ok-a", in: containers, besides: [])
        == .present(TargetContainer(address: address, network: "ok-net")))
  }

  @Test(arguments: [
    // Networks that people made before the engine's own, then by name.
    (
      #"{"bridge":{"IPAddress":"172.17.0.2"},"z":{"IPAddress":"10.2.0.2"},"db":{"IPAddress":"10.1.0.2"}}"#,
      "10.1.0.2", "db"
    ),
    (#"{"bridge":{"IPAddress":"172.17.0.2"}}"#, "172.17.0.2", "bridge"),
    (#"{"six":{"IPAddress":"","GlobalIPv6Address":"fd77::2"}}"#, "fd77::2", "six"),
    (#"{"both":{"IPAddress":"10.1.0.2","GlobalIPv6Address":"fd77::2"}}"#, "10.1.0.2", "both"),
    // Containers in our network cannot reach each other.
    (
      #"{"onionkeeper":{"IPAddress":"10.3.0.2"},"web":{"IPAddress":"10.1.0.2"}}"#, "10.1.0.2", "web"
    ),
    (#"{"onionkeeper":{"IPAddress":"10.3.0.2"}}"#, "", "onionkeeper"),
    (#"{"host":{"IPAddress":"","GlobalIPv6Address":""}}"#, "", "host"),
    (#"{"none":{"IPAddress":""}}"#, "", "none"), (#"{"a":null}"#, "", "a"), ("{}", "", "none"),
    ("null", "", "none"),
    // It would be a line of a torrc.
    (#"{"a":{"IPAddress":"10.1.0.2\\nSocksPort 1"},"b":{"IPAddress":"web"}}"#, "", "a"),
  ])
  func theAddressIsOneThatOthersCanReach(
    networks: String, address: String, network: String
  ) async throws {
    #expect(
      try await look(Self.entry(networks: networks))
        == .present(TargetContainer(address: address, network: network)))
  }

  private static let network = #"{"a":{"IPAddress":"10.1.0.2"}}"#

  @Test(arguments: ["exited", "paused", "created", "restarting"])
  func whatDoesNotRunIsAbsent(state: String) async throws {
    #expect(try await look(Self.entry(state: state, networks: Self.network)) == .absent)
    #expect(try await look(Self.entry(networks: Self.network), for: "we") == .absent)
    // An alias in somebody else's links is not its name.
    #expect(try await look(Self.entry(networks: Self.network), for: "other/alias") == .absent)
  }

  @Test func aTorOfOursIsNoTarget() async throws {
    let labels = #"{"onionkeeper.agent":"0123456789abcdef0123456789abcdef"}"#
    let seen = try await look(Self.entry(labels: labels, networks: Self.network))
    #expect(seen.unknownReason?.contains("name the backend") == true)
  }

  // MARK: Joining

  /// An engine whose container is in the networks that it was joined to.
  private func engine(
    _ kind: EngineIdentity.Kind, newest: String = "1.41", failing: String? = nil, joins: Bool = true
  ) async throws -> StubEngine {
    let text = try Fixture.text("\(kind.rawValue)-inspect.json")
    let joined = Joined()
    return try await StubEngine(kind, newest: newest) { request in
      guard request.method == "POST" else {
        let also = joined.value ? #""Networks":{"app":{"IPAddress":""},"# : #""Networks":{"#
        return stubAnswer(
          200, text.replacing(#""Networks": {"#, with: also).replacing(#""Networks":{"#, with: also)
        )
      }
      if joins { joined.set(request.target.hasSuffix("/connect")) }
      return failing ?? stubAnswer(200, "")
    }
  }

  private final class Joined: Sendable {
    private let state = Mutex(false)
    var value: Bool { state.withLock { $0 } }
    func set(_ value: Bool) { state.withLock { $0 = value } }
  }

  /// The default route stays with our own network where the engine can say so.
  @Test func newDockersKeepTheDefaultRoute() async throws {
    let engine = try await engine(.docker, newest: "1.48")
    try await engine.client.joinNetwork("ok-a", "app")
    try await engine.client.leaveNetwork("ok-a", "app")
    let posts = engine.asked.filter { $0.method == "POST" }
    #expect(
      posts.map(\.target)
        == ["/v1.48/networks/app/connect", "/v1.41/networks/app/disconnect"])
    #expect(
      String(decoding: posts[0].body, as: UTF8.self)
        == #"{"Container":"ok-a","EndpointConfig":{"GwPriority":-1}}"#)
  }

  @Test(arguments: [
    (EngineIdentity.Kind.docker, "/v1.41/networks/app", #"{"Container":"ok-a"}"#),
    (.podman, "/v4.0.0/libpod/networks/app", #"{"container":"ok-a"}"#),
  ])
  func joinedAndLeftOnce(kind: EngineIdentity.Kind, path: String, body: String) async throws {
    let engine = try await engine(kind)
    for _ in 1...2 { try await engine.client.joinNetwork("ok-a", "app") }
    for _ in 1...2 { try await engine.client.leaveNetwork("ok-a", "app") }
    let posts = engine.asked.filter { $0.method == "POST" }
    #expect(posts.map(\.target) == [path + "/connect", path + "/disconnect"])
    #expect(
      posts.map { String(decoding: $0.body, as: UTF8.self) }
        == [body, #"{"Container":"ok-a","Force":false}"#])
  }

  /// Whatever an engine says to one that somebody was faster with.
  @Test(arguments: [
    stubAnswer(403, #"{"message":"endpoint with name ok-a already exists in network app"}"#),
    stubAnswer(500, #"{"cause":"network is already connected","message":"is already"}"#),
  ])
  func alreadyJoinedIsFine(answer: String) async throws {
    let engine = try await engine(.docker, failing: answer)
    try await engine.client.joinNetwork("ok-a", "app")
    try await engine.client.leaveNetwork("ok-a", "app")
  }

  @Test func whatIsMissingIsSaidSo() async throws {
    let client = try await engine(
      .docker, failing: stubAnswer(404, #"{"message":"network app not found"}"#), joins: false
    ).client
    #expect(
      await EngineError.code { () async throws(EngineError) in
        try await client.joinNetwork("ok-a", "app")
      } == .notFound)
    for network in ["host", "none", "container:x"] {
      #expect(
        await EngineError.code { () async throws(EngineError) in
          try await client.joinNetwork("ok-a", network)
        } == .invalid)
    }
    #expect(
      await EngineError.code { () async throws(EngineError) in
        try await client.joinNetwork("ok-b", "app")
      } == .notFound)
  }
}
