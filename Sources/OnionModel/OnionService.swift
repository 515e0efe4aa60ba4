/// One client that may reach a service with client authorization.
public struct AuthorizedClient: Hashable, Sendable, Codable {
  /// `[a-z0-9][a-z0-9-]{0,47}`: the stem of its file in `authorized_clients/`.
  public let name: String
  /// The x25519 public key: 52 upper-case base32 characters.
  public let key: String

  public init(name: String, key: String) {
    self.name = name
    self.key = key
  }

  /// The one line of `authorized_clients/NAME.auth` (tor's rend-spec-v3 appendix F).
  public var fileText: String { "descriptor:x25519:\(key)\n" }
}

/// Who may reach a service.
public enum Access: Hashable, Sendable, Codable {
  case open
  /// Only these; never empty in a valid definition.
  case clients([AuthorizedClient])

  public var clients: [AuthorizedClient] {
    if case .clients(let clients) = self { clients } else { [] }
  }

  public var asksForClients: Bool { self != .open }
}

/// Where a service's connections go.
public enum Target: Hashable, Sendable, Codable, CustomStringConvertible {
  /// An IPv4 or IPv6 address (without brackets) and a port.
  case address(String, port: Int)
  /// The gateway of our network, that is: the host, as the container reaches it.
  case gateway(port: Int)
  /// An absolute path of a socket on the host; its directory is mounted.
  case unixSocket(String)
  /// A container of the same engine, by name; its address is looked up there and followed when it moves.
  case container(String, port: Int)

  /// As it stands in a definition.
  public var description: String {
    switch self {
    case .address(let address, let port):
      address.contains(":") ? "[\(address)]:\(port)" : "\(address):\(port)"
    case .gateway(let port): "host:\(port)"
    case .unixSocket(let path): "unix:\(path)"
    case .container(let name, let port): "container:\(name):\(port)"
    }
  }

  /// The directory that must be mounted, and the socket's file name in it.
  public var socket: (directory: String, file: String)? {
    guard case .unixSocket(let path) = self, let slash = path.lastIndex(of: "/") else { return nil }
    return (String(path[..<slash]), String(path[path.index(after: slash)...]))
  }

  /// The container whose address must be looked up.
  public var containerName: String? { if case .container(let name, _) = self { name } else { nil } }
}

/// One `HiddenServicePort`.
public struct OnionPort: Hashable, Sendable, Codable {
  /// 1 to 65535: what visitors dial.
  public let virtual: Int
  public let target: Target

  public init(virtual: Int, target: Target) {
    self.virtual = virtual
    self.target = target
  }
}

/// Where a service's key comes from.
public enum KeySource: Hashable, Sendable, Codable {
  /// Made once, on the one literal host.
  case generate
  /// Made once on each host that is selected, each with an address of its own: instances behind Onionbalance.
  case generatePerHost
  /// Put there by a person; the agent waits for it.
  case existing
  /// Opened from a file of the repository, relative to the folder of `onionkeeper.yaml`: `secrets/blog.age`.
  case sealed(file: String)

  /// Whether the agent may make a new key.
  public var isGenerated: Bool { self == .generate || self == .generatePerHost }
}

/// What a removal does.
public enum Prune: String, Hashable, Sendable, Codable {
  /// Its key directory moves to `retired/`.
  case retire
  /// Waits for a person.
  case hold
}

/// What a container may use.
public struct ContainerLimits: Hashable, Sendable, Codable {
  /// Bytes.
  public var memory: Int
  /// Thousandths of a processor.
  public var milliCPUs: Int
  public var pids: Int

  public init(memory: Int, milliCPUs: Int, pids: Int) {
    self.memory = memory
    self.milliCPUs = milliCPUs
    self.pids = pids
  }

  /// 256 MiB, one processor, 64 processes.
  public static let standard = ContainerLimits(memory: 256 << 20, milliCPUs: 1000, pids: 64)
}

/// One onion service as a definition wants it on this host.
public struct OnionService: Hashable, Sendable, Codable {
  public var name: ServiceName
  public var instance: InstanceName
  /// The only address that is accepted for it, if the definition pins one.
  public var address: OnionAddress?
  public var key: KeySource
  /// A name that it bore before: key, pin and history move over.
  public var formerly: ServiceName?
  public var access: Access
  public var ports: [OnionPort]
  public var tor: TorOptions
  public var limits: ContainerLimits
  public var prune: Prune
  /// Observed and reported, not changed.
  public var isPaused: Bool

  public init(
    name: ServiceName, instance: InstanceName? = nil, address: OnionAddress? = nil,
    key: KeySource = .generate, formerly: ServiceName? = nil, access: Access, ports: [OnionPort],
    tor: TorOptions = TorOptions(), limits: ContainerLimits = .standard, prune: Prune = .retire,
    isPaused: Bool = false
  ) {
    self.name = name
    self.instance = instance ?? InstanceName(name)
    self.address = address
    self.key = key
    self.formerly = formerly
    self.access = access
    self.ports = ports
    self.tor = tor
    self.limits = limits
    self.prune = prune
    self.isPaused = isPaused
  }
}

extension OnionService {
  /// What lies beside its key.
  public var companions: CompanionFiles {
    CompanionFiles(access: access, onionBalanceMaster: tor.onionBalanceMaster)
  }
}
