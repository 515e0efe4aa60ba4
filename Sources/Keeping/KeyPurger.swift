import Journaling
import KeyStore
public import OnionModel

/// `keys purge`: the one command that deletes a key, a retired one, for good.
public struct KeyPurger: Sendable {
  /// What is about to be deleted.
  public struct Candidate: Sendable {
    public var key: RetiredKey
    /// What its owner should know before.
    public var warnings: [String]
  }

  /// What is gone.
  public struct Report: Encodable, Sendable {
    public var id: String
    public var service: ServiceName
    public var address: OnionAddress
    /// Its name may get a new key: nothing of this address is here any more.
    public var isUnpinned: Bool
    public var warnings: [String]
  }

  private let configuration: HostConfiguration
  private let uid: Int

  /// - Parameter uid: who asks for it.
  public init(_ configuration: HostConfiguration, uid: Int) {
    self.configuration = configuration
    self.uid = uid
  }

  /// The retired key of that id, if it may be deleted.
  /// - Throws: `KeepingError` for a service's name, for an active key, for one that an accepted definition wants back.
  public func look(_ id: String) async throws -> Candidate {
    let work = try await KeyWork(configuration, uid: uid)
    let candidate = try await candidate(id, work)
    try await work.journal.close()
    return candidate
  }

  /// Deletes it. The intent is journaled before, the end after it.
  /// - Parameter address: as it was typed: it must be the key's.
  /// - Throws: as `look`; `KeepingError` for another address. Nothing has been deleted then.
  public func purge(_ id: String, confirmed address: OnionAddress) async throws -> Report {
    let work = try await KeyWork(configuration, uid: uid)
    let candidate = try await candidate(id, work)
    let key = candidate.key
    guard key.address == address else {
      throw KeepingError(
        "\(id) holds the key of \(key.address), not of \(address): nothing is deleted")
    }
    // Whoever looks for a lost key later must find who deleted it: without a journal nothing is.
    try await work.record(
      .actionSucceeded, "purgeKey", nil, address,
      "begins to delete the key of \(key.service), retired as \(id)", outcome: "begun",
      service: key.service)
    let isUnpinned: Bool
    do throws(KeyStoreError) {
      isUnpinned = try await work.keys.purge(id, address)
    } catch {
      try await work.record(
        .actionFailed, "purgeKey", nil, address, "could not delete \(id): \(error)",
        outcome: "failed", service: key.service)
      try await work.journal.close()
      throw error
    }
    var warnings = candidate.warnings
    do {
      try await work.record(
        .actionSucceeded, "purgeKey", nil, address,
        "deleted the key of \(key.service) for good, which was retired as \(id)",
        service: key.service)
      try await work.journal.close()
    } catch {
      warnings.append("the journal could not be told of its end: \(error)")
    }
    return Report(
      id: id, service: key.service, address: address, isUnpinned: isUnpinned, warnings: warnings)
  }

  private func candidate(_ id: String, _ work: KeyWork) async throws -> Candidate {
    let (directories, pins) = try await work.look()
    let retired = try await work.retired()
    guard let key = retired.first(where: { $0.id == id }) else {
      if directories.keys.contains(where: { $0.service.text == id || $0.description == id }) {
        throw KeepingError(
          "\(id) is an active key: remove its definition first, then purge it by its id in `keys list --retired`"
        )
      }
      throw KeepingError("no whole key is retired as \(id): `keys list --retired` names them")
    }
    let definitions = try await work.definitions()
    let isElsewhere =
      directories.values.contains { $0.address == key.address }
      || retired.contains { $0.id != id && $0.address == key.address }
    if !isElsewhere,
      let owner = definitions.values.first(where: {
        ($0.address ?? pins[$0.name]) == key.address
      })
    {
      throw KeepingError(
        "services/\(owner.name).yaml is defined and its address is \(key.address): the next pass takes this key."
          + " Nothing is deleted")
    }
    guard case .present(let backups) = await work.keys.backups() else {
      throw KeepingError(await work.keys.backups().unknownReason ?? "no backups can be seen")
    }
    var warnings: [String] = []
    if !isElsewhere, !backups.contains(where: { $0.contains("-\(key.address.identifier)-") }) {
      warnings.append(
        "no backup of this key is on this host: without one elsewhere, \(key.address) is gone for ever"
      )
    }
    return Candidate(key: key, warnings: warnings)
  }
}
