import Foundation

/// A backend of somebody else's: a container in a network of its own, which only sleeps, made of our instances' image.
struct Backend: Sendable {
  let host: CommandHost
  let name: String
  let network: String

  /// - Parameter image: one that the engine has.
  static func start(
    _ name: String, in network: String, of host: CommandHost, image: String
  ) async throws -> Backend {
    let backend = Backend(host: host, name: name, network: network)
    let made = #"{"Name":"\#(network)","CheckDuplicate":true}"#
    if try await host.engine("'http://e/v1.41/networks'").contains("\"\(network)\"") == false {
      _ = try await host.engine("-X POST \(json(made)) 'http://e/v1.41/networks/create'")
    }
    try await backend.create(image)
    return backend
  }

  private static func json(_ text: String) -> String {
    "-H 'Content-Type: application/json' -d '\(text)'"
  }

  /// The container; its address is the next free one of the network.
  func create(_ image: String, start: Bool = true) async throws {
    let limit =
      #"{"Name":"nofile","Soft":1024,"Hard":1024},{"Name":"nproc","Soft":1024,"Hard":1024}"#
    let body =
      #"{"Image":"\#(image)","Entrypoint":["sleep","1000"],"Cmd":[],"StopSignal":"SIGKILL","#
      + #""HostConfig":{"NetworkMode":"\#(network)","Ulimits":[\#(limit)]}}"#
    _ = try await host.engine(
      "-X POST \(Self.json(body)) 'http://e/v1.41/containers/create?name=\(name)'")
    if start { _ = try await host.engine("-X POST 'http://e/v1.41/containers/\(name)/start'") }
  }

  /// By hand, as an operator would.
  func join(_ container: String) async throws {
    _ = try await host.engine(
      "-X POST \(Self.json("{\"Container\":\"\(container)\"}")) 'http://e/v1.41/networks/\(network)/connect'"
    )
  }

  func remove() async throws {
    _ = try await host.engine("-X DELETE 'http://e/v1.41/containers/\(name)?force=1&v=1'")
  }

  func address() async throws -> String {
    let text = try await host.engine("'http://e/v1.41/containers/\(name)/json'")
    let seen = try JSONDecoder().decode(InspectedContainer.self, from: Data(text.utf8))
    guard let address = seen.settings.networks[network]?.address, !address.isEmpty else {
      throw Unfit("\(name) has no address in \(network)")
    }
    return address
  }
}
