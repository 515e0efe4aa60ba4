import Engine
import Foundation
import OnionModel
import Testing
import Transport

@Suite struct EngineNetworksIntegrationTests {
  @Test(arguments: EngineKind.allCases) func networksAreMadeUsedAndRemoved(kind: EngineKind)
    async throws
  {
    let place = try await EngineBench.place(kind)
    defer { place.close() }
    let (client, agent) = (place.client, place.agent)
    let name = "ok-net-\(agent.text.prefix(8))"
    #expect(try await client.network(name, agent: agent) == nil)
    let made = try await client.ensureNetwork(name, agent: agent)
    #expect(made.isOurs && made.name == name)
    #expect(made.gateway.split(separator: ".").count == 4)
    #expect(try await client.ensureNetwork(name, agent: agent) == made)
    #expect(try await client.networkNames(of: agent) == [name])

    // Another agent neither takes nor removes it.
    let other = try randomAgent()
    #expect(
      await errorCode { () async throws(EngineError) in
        try await client.ensureNetwork(name, agent: other)
      } == .conflict)
    #expect(
      await errorCode { () async throws(EngineError) in
        try await client.removeNetwork(name, agent: other)
      } == .conflict)

    var specification = place.specification
    specification.network = name
    let id = try await client.create(specification, labels: [:])
    try await client.start(id)
    let details = try #require(try await client.inspect(id))
    #expect(details.facts.networks == [name])
    #expect(details.addresses[name]?.isEmpty == false)
    try await expectShut(name, place)
    #expect(
      await errorCode { () async throws(EngineError) in
        try await client.removeNetwork(name, agent: agent)
      } == .conflict)
    try await client.remove(id, force: true)
    try await client.removeNetwork(name, agent: agent)
    try await client.removeNetwork(name, agent: agent)
    #expect(try await client.network(name, agent: agent) == nil)
  }

  /// The packet filter's rules, not the engine's word: Docker drops what goes from the bridge to itself, Podman what
  /// comes from another of its networks.
  private func expectShut(_ name: String, _ place: EnginePlace) async throws {
    let engine = place.bench.engine
    let path = engine.kind == .docker ? "networks/\(name)" : "v4.0.0/libpod/networks/\(name)/json"
    let request = HTTPRequest("GET", "http://engine/\(path)", route: .unixSocket(engine.socket))
    let answer = Data(try await HTTPClient().send(request).body)
    let rules = try await run([
      "/usr/bin/nsenter", "--net=\(engine.networkNamespace)", "/usr/sbin/iptables", "-S",
    ])
    switch engine.kind {
    case .docker:
      let network = try JSONDecoder().decode([String: Text].self, from: answer)
      let bridge = "br-\(try #require(network["Id"]?.text).prefix(12))"
      #expect(rules.contains("-A FORWARD -i \(bridge) -o \(bridge) -j DROP\n"))
    case .podman:
      let network = try JSONDecoder().decode([String: Text].self, from: answer)
      let bridge = try #require(network["network_interface"]?.text)
      #expect(rules.contains("-A NETAVARK_ISOLATION_2 -o \(bridge) -j DROP\n"))
    }
  }

  /// A value that may be anything; only texts are of interest.
  private struct Text: Decodable {
    var text: String?

    init(from decoder: any Decoder) throws {
      do {
        text = try decoder.singleValueContainer().decode(String.self)
      } catch is DecodingError {
        text = nil
      }
    }
  }
}
