public import OnionModel
import Transport

/// What an engine says of itself.
public struct EngineDescription: Hashable, Sendable {
  /// Kind, version and an identifier that stays: Docker's own and where its data is (two engines of one host share the
  /// first); for Podman, whose own is new at each call, the path of
  /// its storage.
  public var identity: EngineIdentity
  public var apiVersion: APIVersion
  /// The newest version that it knows, for the few calls that ask for more than the agreed one.
  public var highestVersion: APIVersion
  /// The engine does not run as root: users inside are others outside.
  public var isRootless: Bool
  /// Docker's `--userns-remap`: the same, by one map for all containers.
  public var remapsUsers: Bool
  /// The engine labels its containers.
  public var hasSELinux: Bool
  /// The engine confines containers by a seccomp profile of its own.
  public var hasSeccomp: Bool
  /// Where it keeps its data; on a host with remapped users it ends in `/UID.GID`.
  public var dataRoot: String

  public init(
    identity: EngineIdentity, apiVersion: APIVersion, highestVersion: APIVersion,
    isRootless: Bool = false, remapsUsers: Bool = false, hasSELinux: Bool = false,
    hasSeccomp: Bool = true, dataRoot: String
  ) {
    self.identity = identity
    self.apiVersion = apiVersion
    self.highestVersion = highestVersion
    self.isRootless = isRootless
    self.remapsUsers = remapsUsers
    self.hasSELinux = hasSELinux
    self.hasSeccomp = hasSeccomp
    self.dataRoot = dataRoot
  }

  /// The host's number for tor's user and group: with remapped users, shifted by the map's base, which the end of the
  /// data's path tells (moby's daemon/daemon_unix.go, setupDaemonRoot). `nil` if it does not, or groups are mapped otherwise.
  public var torOwner: Int? {
    guard remapsUsers else { return TorLayout.user }
    let bases = (dataRoot.split(separator: "/").last ?? "").split(separator: ".").map { Int($0) }
    guard bases.count == 2, let base = bases[0], bases[1] == base, base > 0, base < 1 << 31 else {
      return nil
    }
    return base + TorLayout.user
  }

  /// By name, what Onionkeeper does not work with; empty is good.
  public var refusals: [String] {
    var names: [String] = []
    if isRootless { names.append("a rootless engine") }
    if torOwner == nil { names.append("remapped users (userns-remap) whose map is not known") }
    if !hasSeccomp { names.append("an engine without seccomp") }
    return names
  }

  static func ask(_ calls: EngineCalls) async throws(EngineError) -> EngineDescription {
    let ping = try await calls.call(EngineCall("GET", "/_ping"))
    let version = try await calls.decode(VersionWire.self, EngineCall("GET", "/version"))
    let info = try await calls.decode(InfoWire.self, EngineCall("GET", "/info"))
    let isPodman = ping.headers["Libpod-Api-Version"] != nil
    var description = try EngineDescription(isPodman: isPodman, version: version, info: info)
    if description.identity.kind == .podman {
      description.hasSELinux = try await podmanLabels(calls)
    }
    return description
  }

  /// Podman's Docker-compatible answer names AppArmor and seccomp and never SELinux (4.3, seen under enforcing).
  private static func podmanLabels(_ calls: EngineCalls) async throws(EngineError) -> Bool {
    let libpod = EngineCalls(http: calls.http, socket: calls.socket, prefix: "/v4.0.0/libpod")
    return try await libpod.decode(LibpodInfoWire.self, EngineCall("GET", "/info"))
      .host?.security?.selinuxEnabled == true
  }

  private init(isPodman: Bool, version: VersionWire, info: InfoWire) throws(EngineError) {
    let announced = "\(version.minAPIVersion ?? version.apiVersion) to \(version.apiVersion)"
    guard let highest = APIVersion(version.apiVersion),
      let lowest = APIVersion(version.minAPIVersion ?? version.apiVersion)
    else {
      throw EngineError(
        .malformed, operation: "GET /version", message: "ApiVersion is not a version")
    }
    guard let agreed = APIVersion.agreed(lowest: lowest, highest: highest) else {
      throw EngineError(
        .unsupported, operation: "GET /version",
        message: "the engine speaks API \(announced.prefix(40)); "
          + "\(APIVersion.oldest) to \(APIVersion.newest) is needed")
    }
    let isPodman =
      isPodman || (version.components ?? []).contains { $0.name == "Podman Engine" }
    if isPodman, !Self.isRecentPodman(version.version) {
      throw EngineError(
        .unsupported, operation: "GET /version",
        message: "Podman \(version.version.prefix(40)); 4.3 or later is needed")
    }
    let options = info.securityOptions ?? []
    identity = EngineIdentity(
      kind: isPodman ? .podman : .docker, version: String(version.version.prefix(80)),
      id: isPodman ? "podman:\(info.dockerRootDir)" : "\(info.id) \(info.dockerRootDir)")
    apiVersion = agreed
    highestVersion = highest
    isRootless = info.rootless == true || options.contains { $0.hasPrefix("name=rootless") }
    remapsUsers = options.contains { $0.hasPrefix("name=userns") }
    hasSELinux = options.contains { $0.hasPrefix("name=selinux") }
    hasSeccomp = options.contains { $0.hasPrefix("name=seccomp") && !$0.hasSuffix("unconfined") }
    dataRoot = info.dockerRootDir
  }

  private static func isRecentPodman(_ version: String) -> Bool {
    let numbers = version.split(whereSeparator: { $0 == "." || $0 == "-" }).prefix(2).map {
      Int($0)
    }
    guard numbers.count == 2, let major = numbers[0], let minor = numbers[1] else { return false }
    return (major, minor) >= (4, 3)
  }
}

private struct VersionWire: Decodable {
  struct Component: Decodable {
    var name: String
    enum CodingKeys: String, CodingKey { case name = "Name" }
  }

  var version: String
  var apiVersion: String
  var minAPIVersion: String?
  var components: [Component]?

  enum CodingKeys: String, CodingKey {
    case version = "Version"
    case apiVersion = "ApiVersion"
    case minAPIVersion = "MinAPIVersion"
    case components = "Components"
  }
}

private struct LibpodInfoWire: Decodable {
  struct Host: Decodable { var security: Security? }
  struct Security: Decodable { var selinuxEnabled: Bool? }

  var host: Host?
}

private struct InfoWire: Decodable {
  var id: String
  var dockerRootDir: String
  var securityOptions: [String]?
  /// Podman only.
  var rootless: Bool?

  enum CodingKeys: String, CodingKey {
    case id = "ID"
    case dockerRootDir = "DockerRootDir"
    case securityOptions = "SecurityOptions"
    case rootless = "Rootless"
  }
}
