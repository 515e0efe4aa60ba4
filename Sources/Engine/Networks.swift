public import OnionModel

extension EngineClient {
  /// The network of this name; `nil` if there is none.
  /// - Throws: `EngineError`; `.malformed` if it has no gateway that containers could reach the host by.
  public func network(
    _ name: String, agent: AgentID
  ) async throws(EngineError) -> NetworkObservation? {
    try await look(name)?.observation(agent)
  }

  /// Makes the network if it is missing: a bridge whose containers cannot reach each other on Docker, one that is
  /// isolated from other networks on Podman, where each instance has its own. One of ours that is open (Podman's
  /// service can forget the option) is made anew.
  /// - Throws: `.conflict` if there is one of this name that is not ours, or an open one that is in use.
  public func ensureNetwork(
    _ name: String, agent: AgentID
  ) async throws(EngineError) -> NetworkObservation {
    if let found = try await look(name) {
      let observation = try ours(found.observation(agent))
      if found.isShut { return observation }
      try await removeNetwork(name, agent: agent)
    }
    do {
      if isPodman {
        try await createIsolated(name, agent)
      } else {
        try await createBridge(name, agent)
      }
    } catch  where error.code == .conflict {
      // Somebody was faster; whose it is shows below.
    }
    guard let made = try await network(name, agent: agent) else {
      throw EngineError(
        .malformed, operation: "GET /networks/\(name)", message: "it is not there after it was made"
      )
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
    } catch  where error.code == .notFound {
      return
    }
  }

  /// The names of all networks that bear the agent's label.
  public func networkNames(of agent: AgentID) async throws(EngineError) -> [String] {
    let query = [
      ("filters", try filters(["label": ["\(ContainerLabelKey.agent)=\(agent)"]]))
    ]
    if isPodman {
      let call = EngineCall("GET", "/networks/json", query: query).answering(upTo: networkListLimit)
      return try await libpod.decode([LibpodNetworkWire].self, call).map(\.name).sorted()
    }
    let call = EngineCall("GET", "/networks", query: query).answering(upTo: networkListLimit)
    return try await calls.decode([NetworkWire].self, call).map(\.name).sorted()
  }

  private func look(_ name: String) async throws(EngineError) -> FoundNetwork? {
    let path = "/networks/\(percentEncoded(name))"
    do {
      let found =
        isPodman
        ? try await libpod.decode(LibpodNetworkWire.self, EngineCall("GET", path + "/json")).found
        : try await calls.decode(NetworkWire.self, EngineCall("GET", path)).found
      // Engines also take the beginning of an identifier.
      return found.name == name ? found : nil
    } catch  where error.code == .notFound {
      return nil
    }
  }

  private func ours(_ network: NetworkObservation) throws(EngineError) -> NetworkObservation {
    guard network.isOurs else {
      throw EngineError(
        .conflict, operation: "network \(network.name)",
        message: "a network of this name is there and is not ours: rename or remove it")
    }
    return network
  }

  /// Podman's own API. Its compatible one does not know `isolate`, and, worse, looking at a network by it makes the
  /// running service forget the option (4.3.1): the next container in the network starts unisolated.
  var libpod: EngineCalls {
    EngineCalls(http: http, socket: socket, prefix: "/v4.0.0/libpod")
  }

  private func createBridge(_ name: String, _ agent: AgentID) async throws(EngineError) {
    let wire = NewBridge(
      name: name, labels: [ContainerLabelKey.agent: agent.text],
      options: [isolationOption: "false"])
    _ = try await calls.call(EngineCall("POST", "/networks/create").sending(json: wire))
  }

  private func createIsolated(_ name: String, _ agent: AgentID) async throws(EngineError) {
    let wire = NewIsolated(
      name: name, labels: [ContainerLabelKey.agent: agent.text], options: ["isolate": "true"])
    _ = try await libpod.call(EngineCall("POST", "/networks/create").sending(json: wire))
  }
}

/// A network, whichever API told of it.
private struct FoundNetwork {
  var name: String
  var gateways: [String]
  var labels: [String: String]
  /// The option that keeps containers apart is set.
  var isShut: Bool

  /// The gateway is the first of IPv4, else the first. Old Dockers write it with the length of the prefix.
  func observation(_ agent: AgentID) throws(EngineError) -> NetworkObservation {
    let addresses = gateways.filter { !$0.isEmpty }.map { String($0.prefix { $0 != "/" }) }
    guard let gateway = addresses.first(where: { !$0.contains(":") }) ?? addresses.first else {
      throw EngineError(
        .malformed, operation: "GET /networks/\(name)", message: "the network has no gateway")
    }
    return NetworkObservation(
      name: name, gateway: gateway, isOurs: labels[ContainerLabelKey.agent] == agent.text)
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
  var options: [String: String]?

  enum CodingKeys: String, CodingKey {
    case name = "Name"
    case ipam = "IPAM"
    case labels = "Labels"
    case options = "Options"
  }

  var found: FoundNetwork {
    FoundNetwork(
      name: name, gateways: (ipam.subnets ?? []).compactMap(\.gateway), labels: labels ?? [:],
      isShut: options?[isolationOption] == "false")
  }
}

private struct LibpodNetworkWire: Decodable {
  struct Subnet: Decodable { var gateway: String? }

  var name: String
  var subnets: [Subnet]?
  var labels: [String: String]?
  var options: [String: String]?

  var found: FoundNetwork {
    FoundNetwork(
      name: name, gateways: (subnets ?? []).compactMap(\.gateway), labels: labels ?? [:],
      isShut: options?["isolate"] == "true")
  }
}

/// Docker's: traffic between containers of one bridge.
private let isolationOption = "com.docker.network.bridge.enable_icc"
