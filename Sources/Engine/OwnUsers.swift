import OnionModel

extension EngineClient {
  /// Refuses a container that Podman has given a user namespace of its own (`userns = "auto"` in containers.conf): its
  /// keys' owner would be another number for each container. Neither the engine's introduction nor Docker's inspect tells.
  /// - Throws: `.unsupported`, and the container is gone.
  func refuseOwnUsers(_ container: String) async throws(EngineError) {
    guard description.identity.kind == .podman else { return }
    let call = EngineCall("GET", "/containers/\(container)/json")
    guard try await libpod.decode(MappedWire.self, call).host?.mappings?.users?.isEmpty == false
    else { return }
    try await remove(container, force: true)
    throw EngineError(
      .unsupported, operation: call.operation,
      message: "Podman gives each container users of its own (userns auto), which is not supported:"
        + " set userns = \"host\" under [containers] in containers.conf")
  }
}

private struct MappedWire: Decodable {
  struct Host: Decodable {
    var mappings: Mappings?
    enum CodingKeys: String, CodingKey { case mappings = "IDMappings" }
  }

  struct Mappings: Decodable {
    var users: [String]?
    enum CodingKeys: String, CodingKey { case users = "UidMap" }
  }

  var host: Host?
  enum CodingKeys: String, CodingKey { case host = "HostConfig" }
}
