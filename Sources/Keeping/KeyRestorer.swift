import Journaling
import KeyStore
public import OnionModel

/// `keys restore`: brings a retired key back to a place where none is, beside a running agent.
public struct KeyRestorer: Sendable {
  /// The key that is back.
  public struct Report: Encodable, Sendable {
    public var id: String
    public var service: ServiceName
    public var instance: InstanceName
    public var address: OnionAddress
    /// What could not be done, though the key is back.
    public var warnings: [String]
    /// What the service's owner has to do next, a line each.
    public var next: [String]
  }

  private let configuration: HostConfiguration
  private let uid: Int

  /// - Parameter uid: who asks for it.
  public init(_ configuration: HostConfiguration, uid: Int) {
    self.configuration = configuration
    self.uid = uid
  }

  /// Puts a retired key back, pinned, with owner and files as its accepted definition says.
  /// - Parameters:
  ///   - text: A retired key's id, or a service that has just one.
  ///   - name: The service that gets it; else the one that had it.
  ///   - instance: For a service that is not defined.
  /// - Throws: what stands in the way: a key at the place, another pin, a definition that says otherwise. Nothing has been
  ///   moved then.
  public func restore(
    _ text: String, as name: ServiceName? = nil, instance: InstanceName? = nil
  ) async throws -> Report {
    let work = try await KeyWork(configuration, uid: uid)
    let key = try choose(text, try await work.retired())
    let definitions = try await work.definitions()
    let service = name ?? key.service
    let definition = definitions[service]
    if service != key.service, definitions[key.service] != nil {
      throw KeepingError(
        "\(key.service) is defined, and \(key.id) is its key: it would get another one."
          + " `formerly: \(key.service)` in the definition of \(service) moves a key")
    }
    if let definition, let instance, definition.instance != instance {
      throw KeepingError(
        "services/\(service).yaml puts \(service) into instance \(definition.instance), not \(instance)"
      )
    }
    if let wanted = definition?.address, wanted != key.address {
      throw KeepingError(
        "the accepted definition of \(service) says address: \(wanted), \(key.id) holds the key of \(key.address)"
      )
    }
    let place = KeyPlace(
      instance: definition?.instance ?? instance ?? InstanceName(service), service: service)
    try await refuseOther(key, service, work)
    let owner = try await work.owner()
    try await work.keys.restoreByHand(key, to: place, owner: owner)
    let warnings = await finish(key, place, definition, owner: owner, work)
    return Report(
      id: key.id, service: service, instance: place.instance, address: key.address,
      warnings: warnings, next: next(place, key.address, definition))
  }

  private func choose(_ text: String, _ retired: [RetiredKey]) throws(KeepingError) -> RetiredKey {
    if let key = retired.first(where: { $0.id == text }) { return key }
    let fitting = retired.filter { $0.service.text == text }
    guard let key = fitting.first else {
      throw KeepingError(
        "no retired key is called \(text), nor is one of a service \(text): `keys list --retired`")
    }
    guard fitting.count == 1 else {
      let list = fitting.map { "\($0.id) (\($0.address))" }.joined(separator: ", ")
      throw KeepingError("\(text) has several retired keys, name one by its id: \(list)")
    }
    return key
  }

  /// Nothing of the service's may be anywhere, whatever it is: two directories of one service hold each other.
  private func refuseOther(
    _ key: RetiredKey, _ service: ServiceName, _ work: KeyWork
  ) async throws {
    let (directories, _) = try await work.look()
    guard let (place, directory) = directories.first(where: { $0.key.service == service }) else {
      return
    }
    let holds = directory.address.map { "the key of \($0)" } ?? "something that is no whole key"
    throw KeepingError(
      "key.present: \(work.keys.path)/\(place) holds \(holds), and nothing is overwritten."
        + (directory.address == nil || directory.address == key.address
          ? ""
          : " To go back to \(key.address), write `address: \(key.address)` into services/\(service).yaml:"
            + " a pass exchanges the two"))
  }

  /// The key is back whatever happens here.
  private func finish(
    _ key: RetiredKey, _ place: KeyPlace, _ definition: OnionService?, owner: Int, _ work: KeyWork
  ) async -> [String] {
    var warnings: [String] = []
    if let definition {
      do throws(KeyStoreError) {
        try await work.keys.repair(
          place,
          KeyDirectoryWish(
            address: key.address, owner: owner,
            clientFiles: definition.companions.clientFiles(of: key.address),
            onionBalance: definition.companions.onionBalanceText, label: nil), now: wallTime())
      } catch {
        warnings.append("the next pass puts owner and files right: \(error)")
      }
    }
    do {
      try await work.record(
        .keyRestored, "restoreKey", place, key.address,
        "restored the key of \(place.service), retired as \(key.id)")
      try await work.journal.close()
    } catch {
      warnings.append("the journal could not be told: \(error)")
    }
    return warnings
  }

  private func next(
    _ place: KeyPlace, _ address: OnionAddress, _ definition: OnionService?
  ) -> [String] {
    guard definition == nil else { return [] }
    let file = "services/\(place.service).yaml"
    var lines = ["\(file): address: \(address)", "\(file): key: existing"]
    if place.instance != InstanceName(place.service) {
      lines.append("\(file): instance: \(place.instance)")
    }
    return lines
  }
}
