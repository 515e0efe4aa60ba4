import Crypto

/// The public files of a key directory that follow from values alone (facts: tor.md §3; tor's src/feature/hs/hs_service.c).
public enum KeyFiles {
  public static let secretKey = "hs_ed25519_secret_key"
  public static let publicKey = "hs_ed25519_public_key"
  public static let hostname = "hostname"
  public static let clients = "authorized_clients"
  /// The front end's address of an Onionbalance instance (tor's hs_ob.c).
  public static let onionBalance = "ob_config"
  /// Always beside the real clients: tor opens a service to everybody soon after a reload that finds no client file.
  public static let decoy = "0-onionkeeper.auth"

  /// 64 bytes: tor's tagged header and the key.
  public static func publicKeyBytes(_ address: OnionAddress) -> [UInt8] {
    Array("== ed25519v1-public: type0 ==".utf8) + [0, 0, 0] + address.publicKey
  }

  /// 63 bytes.
  public static func hostnameText(_ address: OnionAddress) -> String { "\(address)\n" }

  /// File name in `authorized_clients/` to content; empty where the service is open.
  public static func clientFiles(access: Access, address: OnionAddress) -> [String: String] {
    guard case .clients(let clients) = access, !clients.isEmpty else { return [:] }
    var files = [decoy: decoyText(address)]
    for client in clients { files["\(client.name).auth"] = client.fileText }
    return files
  }

  /// A point whose private half nobody knows or ever knew: a hash, read as an x25519 u-coordinate (RFC 7748 §5
  /// takes any 32 bytes). Derived from the address, so that the start guard's sums follow from values alone.
  public static func decoyText(_ address: OnionAddress) -> String {
    let point = SHA256.hash(data: Array("onionkeeper decoy client\n\(address)".utf8))
    return "descriptor:x25519:\(Base32.encode(point).uppercased())\n"
  }

  /// What the start guard checks, in order of path.
  static func guarded(
    _ address: OnionAddress, _ companions: CompanionFiles
  ) -> [(path: String, bytes: [UInt8])] {
    var files: [(path: String, bytes: [UInt8])] = [
      (publicKey, publicKeyBytes(address)),
      (hostname, Array(hostnameText(address).utf8)),
    ]
    files += companions.clientFiles(of: address).map {
      ("\(clients)/\($0.key)", Array($0.value.utf8))
    }
    if let text = companions.onionBalanceText { files.append((onionBalance, Array(text.utf8))) }
    return files.sorted { $0.path < $1.path }
  }
}

/// What a definition wants to lie beside a key.
public struct CompanionFiles: Hashable, Sendable, Codable {
  public var access: Access
  public var onionBalanceMaster: OnionAddress?

  public init(access: Access, onionBalanceMaster: OnionAddress? = nil) {
    self.access = access
    self.onionBalanceMaster = onionBalanceMaster
  }

  /// File name in `authorized_clients/` to content; empty where the service is open.
  public func clientFiles(of address: OnionAddress) -> [String: String] {
    KeyFiles.clientFiles(access: access, address: address)
  }

  /// The content of `ob_config` (tor's hs_ob.c); `nil` where there is to be none.
  public var onionBalanceText: String? {
    onionBalanceMaster.map { "MasterOnionAddress \($0)\n" }
  }
}
