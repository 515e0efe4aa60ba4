import OnionModel
import Transport

extension EngineClient {
  /// Joins a container to a network beside its own; one that is in it already is fine.
  ///
  /// Its default route: Docker gives it to the network whose name sorts first, unless the engine knows priorities (API
  /// 1.48), where ours stays; Podman to any of them. Networks without a way out (`internal`) never get it. The gateway
  /// of its own network stays reachable in any case.
  /// - Throws: `.invalid` for a network that cannot be joined, `.notFound` if network or container is gone.
  public func joinNetwork(_ container: String, _ network: String) async throws(EngineError) {
    guard !unjoinable.contains(network), !network.contains(":") else {
      throw EngineError(
        .invalid, operation: "join", message: "\(network.prefix(60)) cannot be joined")
    }
    guard try await !isJoined(container, network) else { return }
    let path = "/networks/\(percentEncoded(network))/connect"
    do {
      if isPodman {
        let call = EngineCall("POST", path).within(joinLimit)
        _ = try await libpod.call(call.sending(json: LibpodJoin(container: container)))
      } else {
        let hasPriorities = description.highestVersion >= gatewayPriorities
        let call = try EngineCall("POST", path).within(joinLimit)
          .sending(
            json: Join(container: container, endpoint: hasPriorities ? Join.Endpoint() : nil))
        _ = try await (hasPriorities ? calls(gatewayPriorities) : calls).call(call)
      }
    } catch {
      // Engines say "already joined" in three ways; somebody may have been faster.
      guard try await isJoined(container, network) else { throw error }
    }
  }

  /// Takes a container out of a network; one that is not in it is fine.
  /// - Throws: `EngineError`.
  public func leaveNetwork(_ container: String, _ network: String) async throws(EngineError) {
    guard try await isJoined(container, network) else { return }
    let path = "/networks/\(percentEncoded(network))/disconnect"
    let call = try EngineCall("POST", path).within(joinLimit)
      .sending(json: Leave(container: container))
    do {
      _ = try await (isPodman ? libpod : calls).call(call)
    } catch {
      guard try await isJoined(container, network) else { return }
      throw error
    }
  }

  private func isJoined(_ container: String, _ network: String) async throws(EngineError) -> Bool {
    guard let details = try await inspect(container) else {
      throw EngineError(
        .notFound, operation: "GET /containers/\(container)/json", message: "no such container")
    }
    return details.facts.networks.contains(network)
  }
}

/// 0.03 to 0.07 s were measured; a busy machine may take long.
private let joinLimit = Duration.seconds(60)
/// `GwPriority` (docs/api/version-history of Moby, v1.48): the highest has the default route.
private let gatewayPriorities = APIVersion(1, 48)

private struct Join: Encodable {
  struct Endpoint: Encodable {
    /// Below every other's, which is 0.
    var gatewayPriority = -1

    enum CodingKeys: String, CodingKey { case gatewayPriority = "GwPriority" }
  }

  var container: String
  var endpoint: Endpoint?

  enum CodingKeys: String, CodingKey {
    case container = "Container"
    case endpoint = "EndpointConfig"
  }
}

private struct LibpodJoin: Encodable {
  var container: String
}

private struct Leave: Encodable {
  var container: String
  var force = false

  enum CodingKeys: String, CodingKey {
    case container = "Container"
    case force = "Force"
  }
}
