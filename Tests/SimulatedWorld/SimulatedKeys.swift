public import OnionModel

/// One key directory.
public struct SimulatedKeyDirectory: Hashable, Sendable {
  public enum Secret: Hashable, Sendable {
    case whole(OnionAddress)
    case missing, damaged
  }

  public var secret: Secret
  /// What `hs_ed25519_public_key` and `hostname` say; `nil` if deleted.
  public var publicKey: OnionAddress?
  public var hostname: OnionAddress?
  public var owner: Int
  public var clientFiles: [String: String]
  /// `ob_config`
  public var onionBalance: String?
  public var foreign: [String] = []
  /// Nobody can tell what is in it.
  public var isUnreadable = false

  public init(
    _ address: OnionAddress, owner: Int, clientFiles: [String: String], onionBalance: String? = nil
  ) {
    secret = .whole(address)
    publicKey = address
    hostname = address
    self.owner = owner
    self.clientFiles = clientFiles
    self.onionBalance = onionBalance
  }

  public var address: OnionAddress? {
    if case .whole(let address) = secret { address } else { nil }
  }

  /// As a look by descriptor finds it.
  func observed(owner wanted: Int) -> Observation<KeyDirectory> {
    if isUnreadable { return .unknown("input/output error") }
    var flaws: [Deviation] = []
    if owner != wanted {
      flaws.append(Deviation("owner", expected: "\(wanted)", observed: "\(owner)"))
    }
    if let address {
      for (name, value) in [("hs_ed25519_public_key", publicKey), ("hostname", hostname)]
      where value != address {
        flaws.append(
          Deviation(name, expected: address.text, observed: value?.text ?? "absent"))
      }
    }
    let seen: KeyDirectory.Secret =
      switch secret {
      case .whole(let address): .whole(address)
      case .missing: .missing
      case .damaged: .damaged("63 bytes instead of 96")
      }
    return .present(
      KeyDirectory(
        secret: seen, flaws: flaws, clientFiles: clientFiles, onionBalance: onionBalance,
        foreign: foreign))
  }

  /// A file's content as the start guard sums it; `nil` if it is not there.
  func content(_ path: String) -> [UInt8]? {
    switch path {
    case KeyFiles.publicKey: return publicKey.map(KeyFiles.publicKeyBytes)
    case KeyFiles.onionBalance: return onionBalance.map { Array($0.utf8) }
    case KeyFiles.hostname: return hostname.map { Array(KeyFiles.hostnameText($0).utf8) }
    default:
      let parts = path.split(separator: "/")
      guard parts.count == 2, parts[0] == KeyFiles.clients else { return nil }
      return clientFiles[String(parts[1])].map { Array($0.utf8) }
    }
  }

  /// Whom a tor that reads this directory now lets in: everybody where no client file is (tor fails open).
  var access: Access {
    if clientFiles.isEmpty { return .open }
    let clients = clientFiles.filter { $0.key != KeyFiles.decoy }.sorted { $0.key < $1.key }
    return .clients(
      clients.map { file in
        AuthorizedClient(
          name: String(file.key.dropLast(".auth".count)),
          key: String(file.value.dropFirst("descriptor:x25519:".count).filter { $0 != "\n" }))
      })
  }
}

/// A directory in `retired/`.
public struct SimulatedRetiredKey: Hashable, Sendable {
  public var service: ServiceName
  public var directory: SimulatedKeyDirectory
}

extension Access {
  /// Admits nobody whom `other` does not.
  public func isWithin(_ other: Access) -> Bool {
    switch (self, other) {
    case (_, .open): true
    case (.open, .clients): false
    case (.clients(let mine), .clients(let theirs)): Set(mine).isSubset(of: theirs)
    }
  }

  /// The same people, in whatever order.
  public func admitsTheSame(as other: Access) -> Bool { isWithin(other) && other.isWithin(self) }

  func joined(_ other: Access) -> Access {
    guard case .clients(let mine) = self, case .clients(let theirs) = other else { return .open }
    return .clients(mine + theirs.filter { !mine.contains($0) })
  }
}

extension SealedKey {
  /// No ciphertext: the key's address.
  init(simulated file: String, _ address: OnionAddress) {
    self.init(file: file, bytes: address.publicKey)
  }

  /// What it opens to.
  var simulatedAddress: OnionAddress { OnionAddress(publicKey: bytes) }
}
