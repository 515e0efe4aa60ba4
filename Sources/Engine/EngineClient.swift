import OnionModel
public import Transport

/// One engine at one socket.
public struct EngineClient: Sendable {
  /// The path of the engine's Unix socket.
  public let socket: String
  /// What the engine said of itself when it was connected to.
  public let description: EngineDescription
  let http: HTTPClient

  /// Asks the engine who it is, and agrees on a version of the API.
  /// - Parameter socket: its path; `/run/docker.sock` or `/run/podman/podman.sock`.
  /// - Throws: `EngineError`; `.unsupported` if it is too old or too new, `.unreachable` or `.timeout` if it is silent.
  public static func connect(
    socket: String, http: HTTPClient
  ) async throws(EngineError) -> EngineClient {
    let description = try await EngineDescription.ask(EngineCalls(http: http, socket: socket))
    return EngineClient(socket: socket, description: description, http: http)
  }

  /// Whether the engine answers, quickly and without looking at anything.
  /// - Throws: `.unreachable`, `.timeout`, or whatever it answers instead.
  public func ping() async throws(EngineError) {
    let call = EngineCall("GET", "/_ping").within(.seconds(5))
    _ = try await EngineCalls(http: http, socket: socket).call(call)
  }

  /// The calls under the agreed version.
  var calls: EngineCalls { calls(description.apiVersion) }

  /// The same under another version that the engine knows.
  func calls(_ version: APIVersion) -> EngineCalls {
    EngineCalls(http: http, socket: socket, prefix: "/v\(version)")
  }

  var isPodman: Bool { description.identity.kind == .podman }
}
