import Glibc
public import OnionModel

/// A container's place in one network of its engine.
public struct NetworkEndpoint: Hashable, Sendable {
  public var network: String
  /// IPv4 first, else IPv6; `nil` where it has none: stopped, or in the host's own network.
  public var address: String?

  public init(network: String, address: String?) {
    self.network = network
    self.address = address
  }
}

/// Finds the container that a target names in one look at all of them: where a tor of ours could reach it.
///
/// Docker and Podman list a running container's addresses as truthfully as they inspect them (measured: after start,
/// restart, connect and disconnect), so following a target costs no call.
/// - Parameter ours: names of networks that our instances are in; containers there are kept apart from each other.
/// - Returns: absent if there is no such container or it does not run. One without a network that another container can
///   join is present in `host` or `none`, with an empty address. Unknown if it must not be a target.
public func targetContainer(
  _ name: String, in containers: [ContainerSummary], besides ours: Set<String>
) -> Observation<TargetContainer> {
  guard let container = containers.first(where: { $0.name == name }), container.state == .running
  else { return .absent }
  guard container.labels[ContainerLabelKey.agent] == nil else {
    return .unknown(
      "it is a tor of Onionkeeper's, which serves nothing to others: name the backend")
  }
  let joinable = container.endpoints.filter {
    $0.address != nil && !unjoinable.contains($0.network) && !ours.contains($0.network)
  }
  // The engines' own networks last: containers of Docker's are looked up by no name, and people expect less of them.
  guard
    let best = joinable.min(by: { ($0.isDefault, $0.network) < ($1.isDefault, $1.network) }),
    let address = best.address
  else {
    return .present(
      TargetContainer(address: "", network: container.endpoints.first?.network ?? "none"))
  }
  return .present(TargetContainer(address: address, network: best.network))
}

/// Networks by which a container shares another's or has nothing.
let unjoinable: Set<String> = ["host", "none"]

extension NetworkEndpoint {
  /// Docker's `bridge`, Podman's `podman`.
  fileprivate var isDefault: Int { network == "bridge" || network == "podman" ? 1 : 0 }
}

/// `NetworkSettings.Networks.NAME` of list and inspect.
struct EndpointWire: Decodable {
  var address: String?
  var longAddress: String?

  enum CodingKeys: String, CodingKey {
    case address = "IPAddress"
    case longAddress = "GlobalIPv6Address"
  }

  /// An address goes into a torrc: what is none is taken for nothing.
  var usable: String? {
    [address, longAddress].compactMap(\.self).first(where: isAddress)
  }
}

private func isAddress(_ text: String) -> Bool {
  var room = in6_addr()
  return inet_pton(text.contains(":") ? AF_INET6 : AF_INET, text, &room) == 1
}
