import Descriptors
public import OnionModel

extension KeyRoot {
  /// Deletes a retired key for good; the one operation that deletes any. By descriptor: what bears the id is looked at,
  /// proven to make the address, taken out of the list by a rename, and removed, its secret first.
  ///
  /// The service's pin goes with the last key of that address that is here, so that the name may be used anew.
  /// - Returns: Whether the pin is gone, too.
  /// - Throws: `key.missing` if nothing bears the id; `key.mismatch` or `key.damaged` if it does not hold the key of that
  ///   address; nothing has been removed then.
  public func purge(_ id: String, _ address: OnionAddress) throws(KeyStoreError) -> Bool {
    try changing("purge") { root in
      guard let service = RetiredKey.service(ofID: id) else {
        throw KeyStoreError(
          .keyMissing, "purge", "\(FileName(id)) is not the name of a retired key")
      }
      let retired = try root.own.folder(Self.retired)
      let name = FileName(id)
      guard try retired.status(of: name) != nil else {
        throw KeyStoreError(
          .keyMissing, "purge", "\(retired.joined(name)) is not there: `keys list --retired`")
      }
      let folder = try retired.folder(name)
      _ = try verifiedSecret(address, in: folder, "purge")
      let temporary = Descriptor.temporaryName()
      try retired.rename(name, to: retired, as: temporary)
      guard try retired.folder(temporary).status().isSameObject(as: folder.status()) else {
        throw KeyStoreError(
          .keyMismatch, "purge",
          "\(retired.joined(name)) was replaced meanwhile; nothing is deleted")
      }
      try folder.unlink(Inspection.secretName)
      try folder.synchronize()
      try retired.removeTemporary(temporary)
      try retired.synchronize()
      return try removeLastPin(of: service, address, root)
    }
  }

  private func removeLastPin(
    of service: ServiceName, _ address: OnionAddress, _ root: borrowing Opened
  ) throws -> Bool {
    guard try pin(of: service, root) == address else { return false }
    for (_, seen) in try observe([], root, 0, [:])
    where seen.unknownReason != nil || seen.value?.address == address { return false }
    guard case .present(let others) = retired(),
      !others.contains(where: { $0.address == address })
    else { return false }
    try removePin(service, root)
    return true
  }
}
