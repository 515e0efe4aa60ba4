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

  /// A container beside its own network in a target's: it reaches the target and, by its own gateway, the host.
  @Test(arguments: EngineKind.allCases) func targetsAreJoinedAndLeft(kind: EngineKind) async throws
  {
    let place = try await EngineBench.place(kind)
    defer { place.close() }
    let (client, agent) = (place.client, place.agent)
    let own = "ok-own-\(agent.text.prefix(8))"
    // Sorts before our own: Docker gives it the default route.
    let app = "ok-app-\(agent.text.prefix(8))"
    let gateway = try await client.ensureNetwork(own, agent: agent).gateway
    _ = try await client.ensureNetwork(app, agent: agent)
    var backend = place.specification
    backend.network = app
    backend.name += "-web"
    let web = try await client.create(backend, labels: [:])
    try await client.start(web)
    var specification = place.specification
    specification.network = own
    let id = try await client.create(
      specification, labels: specification.labels(agent: agent))
    try await client.start(id)

    let target = targetContainer(backend.name, in: try await client.containers(), besides: [own])
    let address = try #require(target.value?.address)
    #expect(target.value?.network == app)
    #expect(
      try await client.inspect(web)?.addresses == [app: address], "list and inspect disagree")
    let pid = try #require(try await client.inspect(id)).facts.pid
    #expect(try await dial(gateway, from: pid) == "refused")

    for _ in 1...2 { try await client.joinNetwork(id, app) }
    let joined = try #require(try await client.inspect(id))
    #expect(joined.facts.networks == [app, own])
    #expect(joined.facts.pid == pid)
    #expect(specification.deviations(of: joined.facts, joined: [app]) == [])
    #expect(specification.deviations(of: joined.facts).map(\.what) == ["networks"])
    #expect(
      try await client.containers(of: agent).first?.endpoints.map(\.network) == [app, own])
    #expect(try await dial(gateway, from: pid) == "refused")

    // Where nothing listens a reachable address refuses. Ours keeps its containers apart, so only the host's side of
    // the other network is asked.
    let other = try #require(try await client.network(app, agent: agent)).gateway
    #expect(try await dial(other, from: pid) == "refused")
    try await client.restart(id, timeout: 5)
    let again = try #require(try await client.inspect(id)).facts.pid
    #expect(try await dial(gateway, from: again) == "refused")

    for _ in 1...2 { try await client.leaveNetwork(id, app) }
    #expect(try await client.inspect(id)?.facts.networks == [own])
    #expect(try await dial(gateway, from: again) == "refused")
    for container in [id, web] { try await client.remove(container, force: true) }
    for network in [own, app] { try await client.removeNetwork(network, agent: agent) }
  }

  /// What a dial from a container's network comes to, where nobody listens: `refused` means that the host was reached.
  private func dial(_ address: String, from pid: Int) async throws -> String {
    let script = """
      import socket
      try:
          socket.create_connection(("\(address)", 9), 5)
      except ConnectionRefusedError:
          print("refused")
      except OSError as error:
          print(error)
      """
    return try await run([
      "/usr/bin/nsenter", "--target", "\(pid)", "--net", "/usr/bin/python3", "-c", script,
    ]).trimmingCharacters(in: .whitespacesAndNewlines)
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
