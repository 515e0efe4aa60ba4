import Engine
import Foundation
import OnionModel
import Testing
import Transport

@Suite struct EngineNetworksIntegrationTests {
  @Test(arguments: EngineKind.allCases) func networksAreMadeUsedAndRemoved(kind: EngineKind) async throws {
    let place = try await EngineBench.place(kind)
    let (client, agent) = (place.client, place.agent)
    let name = "ok-net-\(agent.text.prefix(8))"
    #expect(try await client.network(name, agent: agent) == nil)
    let made = try await client.ensureNetwork(name, agent: agent)
    #expect(made.isOurs && made.name == name)
    #expect(made.gateway.split(separator: ".").count == 4)
    #expect(try await client.ensureNetwork(name, agent: agent) == made)
    #expect(try await client.networkNames(of: agent) == [name])
    try await expectShut(name, place)

    // Another agent neither takes nor removes it.
    let other = try randomAgent()
    #expect(await code { () async throws(EngineError) in try await client.ensureNetwork(name, agent: other) } == .conflict)
    #expect(await code { () async throws(EngineError) in try await client.removeNetwork(name, agent: other) } == .conflict)

    var specification = place.specification
    specification.network = name
    let id = try await client.create(specification, labels: [:])
    try await client.start(id)
    let details = try #require(try await client.inspect(id))
    #expect(details.facts.networks == [name])
    #expect(details.addresses[name]?.isEmpty == false)
    #expect(await code { () async throws(EngineError) in try await client.removeNetwork(name, agent: agent) } == .conflict)
    try await client.remove(id, force: true)
    try await client.removeNetwork(name, agent: agent)
    try await client.removeNetwork(name, agent: agent)
    #expect(try await client.network(name, agent: agent) == nil)
  }

  /// The engine's own words of the option that keeps containers apart.
  private func expectShut(_ name: String, _ place: EnginePlace) async throws {
    let kind = place.bench.engine.kind
    let path = kind == .docker ? "networks/\(name)" : "v4.0.0/libpod/networks/\(name)/json"
    let request = HTTPRequest(
      "GET", "http://engine/\(path)", route: .unixSocket(place.bench.engine.socket))
    let text = String(decoding: try await HTTPClient().send(request).body, as: UTF8.self)
    #expect(
      text.contains(
        kind == .docker
          ? #""com.docker.network.bridge.enable_icc":"false""# : #""isolate":"true""#))
  }
}
