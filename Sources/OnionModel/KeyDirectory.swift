/// One service's key directory as a look by descriptor found it.
public struct KeyDirectory: Hashable, Sendable {
  public enum Secret: Hashable, Sendable {
    /// 96 bytes, tor's header, and it makes this address.
    case whole(OnionAddress)
    case missing
    /// What is wrong with it, for people; never its bytes.
    case damaged(String)
  }

  public var secret: Secret
  /// Owner, mode, label, public key and `hostname`: what may be repaired in place.
  public var flaws: [Deviation]
  /// File name in `authorized_clients/` to content. Public keys, no secrets.
  public var clientFiles: [String: String]
  /// The content of `ob_config`, if it is there.
  public var onionBalance: String?
  /// Names inside that nobody defined: files, links, folders. They are moved to `retired/`.
  public var foreign: [String]

  public init(
    secret: Secret, flaws: [Deviation] = [], clientFiles: [String: String] = [:],
    onionBalance: String? = nil, foreign: [String] = []
  ) {
    self.secret = secret
    self.flaws = flaws
    self.clientFiles = clientFiles
    self.onionBalance = onionBalance
    self.foreign = foreign
  }

  public var address: OnionAddress? {
    if case .whole(let address) = secret { address } else { nil }
  }
}

/// A place `keys/INSTANCE/SERVICE`.
public struct KeyPlace: Hashable, Sendable, Comparable, Codable, CustomStringConvertible {
  public var instance: InstanceName
  public var service: ServiceName

  public init(instance: InstanceName, service: ServiceName) {
    self.instance = instance
    self.service = service
  }

  public var description: String { "\(instance)/\(service)" }

  public static func < (left: Self, right: Self) -> Bool {
    (left.instance, left.service) < (right.instance, right.service)
  }
}

/// A key directory that was put away in `keys/.onionkeeper/retired/`.
public struct RetiredKey: Hashable, Sendable, Codable {
  /// The folder's name: `NAME-<UTC>` or `NAME-<UTC>-<n>`.
  public var id: String
  public var service: ServiceName
  public var address: OnionAddress

  public init(id: String, service: ServiceName, address: OnionAddress) {
    self.id = id
    self.service = service
    self.address = address
  }
}

/// What a key directory should look like, but for its secret.
public struct KeyDirectoryWish: Hashable, Sendable, Codable {
  /// The address whose key must lie there, verified before anything is written.
  public var address: OnionAddress
  /// Owner and group of the directory and all in it, as the host sees them.
  public var owner: Int
  /// File name to content, exactly.
  public var clientFiles: [String: String]
  /// The content of `ob_config`; `nil` where there is to be none.
  public var onionBalance: String?
  public var label: ContainerLabel?

  public init(
    address: OnionAddress, owner: Int, clientFiles: [String: String],
    onionBalance: String? = nil, label: ContainerLabel?
  ) {
    self.address = address
    self.owner = owner
    self.clientFiles = clientFiles
    self.onionBalance = onionBalance
    self.label = label
  }
}
