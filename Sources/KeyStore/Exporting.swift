import Descriptors
public import OnionModel

extension KeyRoot {
  /// Seals the key at a place to age recipients, into `.onionkeeper/backup/` under `KeyBackup.fileName`; done again it
  /// replaces the file by one that is worth the same.
  /// - Parameter address: What the key there must make.
  /// - Throws: `key.missing`, `key.damaged` or `key.mismatch`; `key.sealed` if `age` refuses a recipient; `age.missing`;
  ///   `timeout`; `cancelled`.
  public func backUp(
    _ place: KeyPlace, _ address: OnionAddress, recipients: [String]
  ) async throws(KeyStoreError) {
    let sealed = try await seal(place, address, recipients: recipients)
    let name = KeyBackup.fileName(of: place.service, address, recipients: recipients)
    try changing("back up") { root in
      try root.own.folder(Self.backup).write(sealed, to: FileName(name))
    }
  }

  /// File names in `.onionkeeper/backup/`.
  public func backups() -> Observation<Set<String>> {
    do {
      let root = try open("list backups")
      let names = try root.own.folder(Self.backup).names(limit: Self.placeLimit)
      return .present(Set(names.filter { !$0.isTemporary }.map(\.description)))
    } catch {
      return .unknown("\(error)")
    }
  }

  /// The key at a place, sealed to age recipients: `hs_ed25519_secret_key` in age's armored form.
  /// - Throws: as `backUp`.
  public func seal(
    _ place: KeyPlace, _ address: OnionAddress, recipients: [String]
  ) async throws(KeyStoreError) -> [UInt8] {
    let keys = try bundle([place: address], "seal")
    let secret = try converting("seal") {
      try keys.withSecret(0) { Secret(try SecretBytes(copying: $0)) }
    }
    return try await Age(path: agePath).seal(secret, recipients: recipients)
  }

  /// The keys at places, each of which must make its address, in order of place.
  public func bundle(
    _ places: [KeyPlace: OnionAddress], _ operation: String = "export"
  ) throws(KeyStoreError) -> KeyBundle {
    try converting(operation) {
      let root = try open(operation)
      var collector = try KeyCollector()
      for (place, address) in places.sorted(by: { $0.key < $1.key }) {
        let file = try verifiedSecret(address, in: try folder(place, root, operation), operation)
        let secret = try SecretBytes(count: SecretKeyFile.count)
        _ = try file.read(into: secret.mutableBytes, at: 0)
        // It may have changed since it was verified.
        guard try collector.add(secret.bytes, origin: "\(place)", place: place) == address else {
          throw KeyStoreError(.keyMismatch, operation, "\(file.path) is being changed")
        }
      }
      return collector.bundle()
    }
  }
}

extension KeyBundle {
  /// A tar archive of tor directories, `INSTANCE/NAME/hs_ed25519_secret_key` with public key and `hostname`, sealed to age
  /// recipients.
  public func sealedArchive(recipients: [String]) async throws(KeyStoreError) -> [UInt8] {
    let tar = try converting("export") { try archive() }
    return try await Age().seal(tar, recipients: recipients)
  }
}
