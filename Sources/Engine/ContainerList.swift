public import OnionModel

/// A container as the list gives it.
public struct ContainerSummary: Hashable, Sendable {
  public var id: String
  /// Without the leading slash. Docker lists aliases of links too; the container's own comes first.
  public var names: [String]
  /// As the engine writes it: a familiar name, Podman's long one, or an identifier if the tag has gone.
  public var image: String
  public var imageID: String
  public var state: ContainerState
  /// For people: `Up 3 minutes`.
  public var status: String
  public var labels: [String: String]
  public var created: Timestamp
  public var mounts: [Mount]
  /// The networks that it is joined to, in order of name. Podman lists none of the host's own, nor a stopped one's.
  public var endpoints: [NetworkEndpoint]

  public var name: String { names.first ?? id }
}

extension EngineClient {
  /// All containers with a label, running or not; without a label, all.
  /// - Parameter label: `key=value` or `key`.
  /// - Throws: `EngineError`; `.malformed` names the field that is wrong.
  public func containers(
    label: String? = nil, onlyRunning: Bool = false
  ) async throws(EngineError) -> [ContainerSummary] {
    var query = [("all", onlyRunning ? "0" : "1")]
    if let label { query.append(("filters", try filters(["label": [label]]))) }
    let call = EngineCall("GET", "/containers/json", query: query).answering(upTo: listSizeLimit)
    let wires = try await calls.decode([SummaryWire].self, call)
    guard wires.count <= containerLimit else {
      throw EngineError(
        .malformed, operation: call.operation, message: "more than \(containerLimit) containers")
    }
    return wires.map(\.summary)
  }

  /// All containers of one agent: one call for everything of ours.
  public func containers(of agent: AgentID) async throws(EngineError) -> [ContainerSummary] {
    try await containers(label: "\(ContainerLabelKey.agent)=\(agent)")
  }

  /// Running containers other than the agent's own that reach one of `directories`: mount it, something in it, or a
  /// folder above it down from `root`.
  /// - Returns: by directory the names of those that reach it; directories that nobody reaches are left out.
  public func foreignUsers(
    of directories: [String], below root: String, agent: AgentID
  ) async throws(EngineError) -> [String: [String]] {
    let running = try await containers(onlyRunning: true)
      .filter { $0.labels[ContainerLabelKey.agent] != agent.text }
    var users: [String: [String]] = [:]
    for directory in directories {
      let names = running.filter { $0.reaches(directory, below: root) }.map(\.name)
      if !names.isEmpty { users[directory] = names.sorted() }
    }
    return users
  }
}

extension ContainerSummary {
  /// Whether a mount of this shows `directory`, something in it, or a folder from `root` down to it. A mount of more
  /// than `root` (a backup of the whole disk) is somebody's decision about this host, not a second user of a key.
  public func reaches(_ directory: String, below root: String) -> Bool {
    mounts.contains { mount in
      isPath(mount.source, in: directory)
        || isPath(directory, in: mount.source) && isPath(mount.source, in: root)
    }
  }
}

/// Whether `path` is `folder` or lies in it, by its text; engines give absolute sources without `..`.
private func isPath(_ path: String, in folder: String) -> Bool {
  path == folder || path.hasPrefix(folder.hasSuffix("/") ? folder : folder + "/")
}

/// `filters={"label":["…"]}` as both engines read it.
func filters(_ values: [String: [String]]) throws(EngineError) -> String {
  do {
    return String(decoding: try JSONReader.encode(values), as: UTF8.self)
  } catch {
    throw EngineError(.invalid, operation: "filters", message: "cannot be encoded")
  }
}

/// 2,000 services at about 2 KiB each are 4 MB; eight times that.
private let listSizeLimit = 32 << 20
/// More containers on one host than any engine runs.
private let containerLimit = 20_000

private struct SummaryWire: Decodable {
  var id: EngineID
  /// `null` for one that is being removed.
  var names: [String]?
  var image: String
  var imageID: String
  var state: String
  var status: String?
  var labels: [String: String]?
  var created: Int64
  var mounts: [MountWire]?
  var settings: Settings?

  struct Settings: Decodable {
    var networks: [String: EndpointWire?]?
    enum CodingKeys: String, CodingKey { case networks = "Networks" }
  }

  enum CodingKeys: String, CodingKey {
    case settings = "NetworkSettings"
    case id = "Id"
    case names = "Names"
    case image = "Image"
    case imageID = "ImageID"
    case state = "State"
    case status = "Status"
    case labels = "Labels"
    case created = "Created"
    case mounts = "Mounts"
  }

  var summary: ContainerSummary {
    let plain = (names ?? []).map(withoutSlash)
    let ownFirst = plain.filter { !$0.contains("/") } + plain.filter { $0.contains("/") }
    return ContainerSummary(
      id: id.text, names: ownFirst,
      image: image, imageID: imageID, state: ContainerState(state), status: status ?? "",
      labels: labels ?? [:], created: Timestamp(seconds: max(0, min(created, 1 << 40))),
      mounts: (mounts ?? []).compactMap(\.mount).sorted(),
      endpoints: (settings?.networks ?? [:])
        .map { NetworkEndpoint(network: $0.key, address: $0.value?.usable) }
        .sorted { $0.network < $1.network })
  }
}

/// A mount as list and inspect give it.
struct MountWire: Decodable {
  var type: String?
  var source: String?
  var destination: String
  var isWritable: Bool

  enum CodingKeys: String, CodingKey {
    case type = "Type"
    case source = "Source"
    case destination = "Destination"
    case isWritable = "RW"
  }

  /// `nil` for a tmpfs, which nothing of the host is in. A volume counts: nobody asked for one.
  var mount: Mount? {
    guard type != "tmpfs" else { return nil }
    return Mount(source: source ?? "", destination: destination, isReadOnly: !isWritable)
  }
}

/// An identifier of a container: what both engines make is 64 hexadecimal digits. It goes into paths, so nothing else is
/// taken.
struct EngineID: Decodable {
  var text: String

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    text = try container.decode(String.self)
    let isHexadecimal = text.utf8.allSatisfy {
      (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
        || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
    }
    guard isHexadecimal, text.utf8.count == 64 else {
      throw DecodingError.dataCorruptedError(
        in: container, debugDescription: "not 64 hexadecimal digits")
    }
  }
}

func withoutSlash(_ name: String) -> String {
  name.hasPrefix("/") ? String(name.dropFirst()) : name
}
