public import OnionModel

extension EngineClient {
  /// The network of this name; `nil` if there is none.
  /// - Throws: `EngineError`; `.malformed` if it has no gateway that containers could reach the host by.
  public func network(
    _ name: String, agent: AgentID
  ) async throws(EngineError) -> NetworkObservation? {
    let call = EngineCall("GET", "/networks/\(percentEncoded(name))")
    let wire: NetworkWire
    do {
      wire = try await calls.decode(NetworkWire.self, call)
    } catch where error.code == .notFound {
      return nil
    }
    // Engines also take the beginning of an identifier.
    guard wire.name == name else { return nil }
    guard let gateway = wire.gateway else {
      throw EngineError(.malformed, operation: call.operation, message: "it has no gateway")
    }
    return NetworkObservation(
      name: wire.name, gateway: gateway, isOurs: wire.labels?[ContainerLabelKey.agent] == agent.text)
  }

  /// Makes the network if it is missing: a bridge whose containers cannot reach each other on Docker, one that is
  /// isolated from other networks on Podman, where each instance has its own.
  /// - Throws: `.conflict` if there is one of this name that is not ours.
  public func ensureNetwork(
    _ name: String, agent: AgentID
  ) async throws(EngineError) -> NetworkObservation {
    if let found = try await network(name, agent: agent) { return try ours(found) }
    do {
      if isPodman { try await createIsolated(name, agent) } else { try await createBridge(name, agent) }
    } catch where error.code == .conflict {
      // Somebody was faster; whose it is shows below.
    }
    guard let made = try await network(name, agent: agent) else {
      throw EngineError(
        .malformed, operation: "GET /networks/\(name)", message: "it is not there after it was made")
    }
    return try ours(made)
  }

  /// Removes a network of ours; one that is gone is fine.
  /// - Throws: `.conflict` if containers are in it or it is not ours.
  public func removeNetwork(_ name: String, agent: AgentID) async throws(EngineError) {
    guard let found = try await network(name, agent: agent) else { return }
    _ = try ours(found)
    do {
      _ = try await calls.call(
        EngineCall("DELETE", "/networks/\(percentEncoded(name))").within(.seconds(60)))
    } catch where error.code == .notFound {
      return
    }
  }

  /// The names of all networks that bear the agent's label.
  public func networkNames(of agent: AgentID) async throws(EngineError) -> [String] {
    let filter = try filters(["label": ["\(ContainerLabelKey.agent)=\(agent)"]])
    let call = EngineCall("GET", "/networks", query: [("filters", filter)])
      .answering(upTo: networkListLimit)
    return try await calls.decode([NetworkWire].self, call).map(\.name).sorted()
  }

  private func ours(_ network: NetworkObservation) throws(EngineError) -> NetworkObservation {
    guard network.isOurs else {
      throw EngineError(
        .conflict, operation: "network \(network.name)",
        message: "a network of this name is there and is not ours: rename or remove it")
    }
    return network
  }

  private func createBridge(_ name: String, _ agent: AgentID) async throws(EngineError) {
    let wire = NewBridge(
      name: name, labels: [ContainerLabelKey.agent: agent.text],
      options: ["com.docker.network.bridge.enable_icc": "false"])
    _ = try await calls.call(EngineCall("POST", "/networks/create").sending(json: wire))
  }

  /// By libpod's own call: the compatible one of 4.3 says that it does not know `isolate` and makes an open network.
  private func createIsolated(_ name: String, _ agent: AgentID) async throws(EngineError) {
    let wire = NewIsolated(
      name: name, labels: [ContainerLabelKey.agent: agent.text], options: ["isolate": "true"])
    let libpod = EngineCalls(http: http, socket: socket, prefix: "/v4.0.0/libpod")
    _ = try await libpod.call(EngineCall("POST", "/networks/create").sending(json: wire))
  }
}

/// A network with 2,000 containers in it names each: about 250 bytes.
private let networkListLimit = 8 << 20

private struct NewBridge: Encodable {
  var name: String
  var driver = "bridge"
  /// Docker before API 1.44 makes a second network of the same name without it.
  var checkDuplicate = true
  var labels: [String: String]
  var options: [String: String]

  enum CodingKeys: String, CodingKey {
    case name = "Name"
    case driver = "Driver"
    case checkDuplicate = "CheckDuplicate"
    case labels = "Labels"
    case options = "Options"
  }
}

private struct NewIsolated: Encodable {
  var name: String
  var driver = "bridge"
  var labels: [String: String]
  var options: [String: String]
}

private struct NetworkWire: Decodable {
  struct IPAM: Decodable {
    struct Subnet: Decodable {
      var gateway: String?
      enum CodingKeys: String, CodingKey { case gateway = "Gateway" }
    }

    var subnets: [Subnet]?
    enum CodingKeys: String, CodingKey { case subnets = "Config" }
  }

  var name: String
  var ipam: IPAM
  var labels: [String: String]?

  enum CodingKeys: String, CodingKey {
    case name = "Name"
    case ipam = "IPAM"
    case labels = "Labels"
  }

  /// The first IPv4 gateway, else the first of any kind. Old Dockers write it with the length of the prefix.
  var gateway: String? {
    let gateways = (ipam.subnets ?? []).compactMap(\.gateway).filter { !$0.isEmpty }
      .map { String($0.prefix { $0 != "/" }) }
    return gateways.first { !$0.contains(":") } ?? gateways.first
  }
}
