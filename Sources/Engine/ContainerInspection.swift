public import OnionModel

/// A container as inspect gives it.
public struct ContainerDetails: Hashable, Sendable {
  public var id: String
  public var name: String
  public var labels: [String: String]
  public var state: ContainerState
  /// What both engines say truthfully.
  public var facts: ContainerFacts
  /// Docker only; Podman here never says so, and exit code 137 is what is left.
  public var wasKilledForMemory: Bool
  /// The engine's own words if a start failed; else empty.
  public var error: String
  /// RFC 3339; `0001-01-01T00:00:00Z` if it never started.
  public var startedAt: String
  /// The address in each network, where it has one.
  public var addresses: [String: String]
}

extension EngineClient {
  /// One container by identifier or exact name; `nil` if there is none.
  /// - Throws: `EngineError`; `.malformed` names the field that is wrong.
  public func inspect(_ container: String) async throws(EngineError) -> ContainerDetails? {
    let call = EngineCall("GET", try path(container, "/json"))
    let wire: InspectWire
    do {
      wire = try await calls.decode(InspectWire.self, call)
    } catch  where error.code == .notFound {
      return nil
    }
    let details = try wire.details(operation: call.operation)
    // Engines also take the beginning of an identifier: a name such as "beef" could mean another container.
    guard details.id == container || details.name == container else { return nil }
    return details
  }

  /// `/containers/NAME` + suffix. Names and identifiers of both engines fit `[a-zA-Z0-9][a-zA-Z0-9_.-]*`.
  func path(_ container: String, _ suffix: String) throws(EngineError) -> String {
    guard let first = container.utf8.first, isNameByte(first), first > UInt8(ascii: "."),
      first != UInt8(ascii: "_"), container.utf8.count <= 128,
      container.utf8.allSatisfy(isNameByte)
    else {
      throw EngineError(
        .invalid, operation: "/containers/…\(suffix)",
        message: "\"\(container.prefix(60))\" cannot be a container's name")
    }
    return "/containers/\(container)\(suffix)"
  }
}

private func isNameByte(_ byte: UInt8) -> Bool {
  switch byte {
  case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."),
    UInt8(ascii: "-"):
    true
  default: false
  }
}

private struct InspectWire: Decodable {
  struct State: Decodable {
    var status: String
    var pid: Int
    var exitCode: Int
    var wasKilledForMemory: Bool?
    var error: String?
    var startedAt: String?

    enum CodingKeys: String, CodingKey {
      case status = "Status"
      case pid = "Pid"
      case exitCode = "ExitCode"
      case wasKilledForMemory = "OOMKilled"
      case error = "Error"
      case startedAt = "StartedAt"
    }
  }

  struct Config: Decodable {
    var user: String
    var entrypoint: Words?
    var labels: [String: String]?
    var image: String
    var environment: [String]?

    enum CodingKeys: String, CodingKey {
      case user = "User"
      case image = "Image"
      case environment = "Env"
      case entrypoint = "Entrypoint"
      case labels = "Labels"
    }
  }

  struct Networks: Decodable {
    var networks: [String: EndpointWire?]?
    enum CodingKeys: String, CodingKey { case networks = "Networks" }
  }

  var id: EngineID
  var name: String
  var image: String
  var restartCount: Int
  var state: State
  var config: Config
  var host: HostWire
  var mounts: [MountWire]?
  var network: Networks

  enum CodingKeys: String, CodingKey {
    case id = "Id"
    case name = "Name"
    case image = "Image"
    case restartCount = "RestartCount"
    case state = "State"
    case config = "Config"
    case host = "HostConfig"
    case mounts = "Mounts"
    case network = "NetworkSettings"
  }

  func details(operation: String) throws(EngineError) -> ContainerDetails {
    guard state.pid >= 0, restartCount >= 0 else {
      throw EngineError(.malformed, operation: operation, message: "a count is negative")
    }
    let endpoints = network.networks ?? [:]
    let facts = ContainerFacts(
      isReadOnly: host.isReadOnly, isPrivileged: host.isPrivileged, user: config.user,
      entrypoint: config.entrypoint?.words ?? [], mounts: (mounts ?? []).compactMap(\.mount),
      networks: Array(endpoints.keys), networkMode: host.networkMode, memory: max(0, host.memory),
      milliCPUs: host.milliCPUs, pids: max(0, host.pids ?? 0),
      restartPolicy: host.restartPolicy?.name ?? "",
      addedCapabilities: host.addedCapabilities ?? [],
      extras: host.extras + loaderVariables(config.environment ?? []), image: config.image,
      imageID: image, restartCount: restartCount, exitCode: state.exitCode, pid: state.pid)
    return ContainerDetails(
      id: id.text, name: withoutSlash(name), labels: config.labels ?? [:],
      state: ContainerState(state.status), facts: facts,
      wasKilledForMemory: state.wasKilledForMemory ?? false,
      error: String((state.error ?? "").prefix(500)), startedAt: state.startedAt ?? "",
      addresses: endpoints.compactMapValues { $0?.usable })
  }
}

/// A list of words that some versions write as one.
private struct Words: Decodable {
  var words: [String]

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    do {
      words = try container.decode([String].self)
    } catch DecodingError.typeMismatch {
      let word = try container.decode(String.self)
      words = word.isEmpty ? [] : [word]
    }
  }
}
