import Engine
import OnionModel
import StubServer
import Transport

/// A stub that introduces itself with a real engine's recorded words and then answers what a test wants.
struct StubEngine {
  let client: EngineClient
  let server: StubServer
  private let folder: TemporaryPath

  /// - Parameters:
  ///   - newest: the newest version of the API that it says it knows.
  ///   - answer: gets every call after the introduction; its path begins with the version.
  init(
    _ kind: EngineIdentity.Kind = .docker, newest: String = "1.41",
    answer: @escaping @Sendable (StubRequest) -> String
  ) async throws {
    try await self.init(kind, newest: newest) { connection, request in
      try connection.send(answer(request))
    }
  }

  init(
    _ kind: EngineIdentity.Kind, newest: String = "1.41",
    handler: @escaping @Sendable (StubConnection, StubRequest) throws -> Void
  ) async throws {
    folder = try TemporaryPath()
    server = try StubServer(.unix(folder.appending("s"))) { connection in
      while let request = try connection.readRequest() {
        if let text = try Self.introduction(request.target, kind, newest) {
          try connection.send(text)
        } else {
          try handler(connection, request)
        }
      }
    }
    client = try await EngineClient.connect(socket: folder.appending("s"), http: try HTTPClient())
  }

  /// What was asked after the introduction.
  var asked: [StubRequest] {
    server.requests.filter {
      !["/_ping", "/version", "/info", "/v4.0.0/libpod/info"].contains($0.target)
    }
  }

  private static func introduction(
    _ target: String, _ kind: EngineIdentity.Kind, _ newest: String
  ) throws -> String? {
    switch target {
    case "/_ping":
      stubAnswer(
        200, "OK",
        headers: kind == .podman ? ["Libpod-Api-Version": "4.3.1"] : ["Api-Version": "1.41"])
    case "/version":
      stubAnswer(
        200,
        try Fixture.text("\(kind.rawValue)-version.json")
          .replacing(#""ApiVersion":"1.41""#, with: #""ApiVersion":"\#(newest)""#))
    case "/v4.0.0/libpod/info": stubAnswer(200, #"{"host":{"security":{"selinuxEnabled":false}}}"#)
    case "/info": stubAnswer(200, try Fixture.text("\(kind.rawValue)-info.json"))
    default: nil
    }
  }
}

let kinds: [EngineIdentity.Kind] = [.docker, .podman]

func agent() throws -> AgentID { try known(AgentID("0123456789abcdef0123456789abcdef")) }

func known<Value>(_ value: Value?) throws -> Value {
  guard let value else {
    throw StubServer.Failure(description: "a value of this test is not valid")
  }
  return value
}

func specification(mounts: [Mount]? = nil, label: ContainerLabel? = nil) throws
  -> ContainerSpecification
{
  ContainerSpecification(
    name: "onionkeeper-blog", instance: try known(InstanceName("blog")),
    image: "onionkeeper-tor:0123456789ab", network: "onionkeeper", user: 7942,
    entrypoint: ["/bin/sh", "/etc/onionkeeper/start"],
    mounts: mounts ?? [
      Mount(source: "/var/lib/onionkeeper/keys/blog", destination: "/keys", isReadOnly: true),
      Mount(
        source: "/var/lib/onionkeeper/state/blog/run", destination: "/run/tor", isReadOnly: false),
    ], limits: .standard, label: label)
}

extension EngineError {
  static func code(
    of body: () async throws(EngineError) -> some Any
  ) async -> EngineError.Code? {
    do throws(EngineError) {
      _ = try await body()
      return nil
    } catch {
      return error.code
    }
  }
}
