import Journaling
import KeyStore
public import OnionModel

/// `keys rotate`: gives a service a new key, and so a new address; the old one is retired, never deleted.
///
/// The new key is made whole beside the old one, and the service is pinned to it: the next pass exchanges the two and
/// starts the tor anew. Nothing is without a key in between, and a crash at any point leaves one of the two in force.
public struct KeyRotator: Sendable {
  public struct Report: Encodable, Sendable {
    public var service: ServiceName
    public var old: OnionAddress
    public var new: OnionAddress
    /// Where the new key lies until the exchange, in `retired/`.
    public var id: String
    /// The next pass exchanges them; else the definition says when, by its `address:`.
    public var isDue: Bool
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

  /// The address that the service has now, for a person to confirm.
  /// - Throws: why it cannot be rotated.
  public func look(_ service: ServiceName) async throws -> OnionAddress {
    let work = try await KeyWork(configuration, uid: uid)
    let address = try await candidate(service, work).address
    try await work.journal.close()
    return address
  }

  /// - Parameter address: the old one, as it was typed.
  /// - Throws: why it cannot be rotated, or that this is not its address. Nothing has been written then.
  public func rotate(
    _ service: ServiceName, confirmed address: OnionAddress
  ) async throws -> Report {
    let work = try await KeyWork(configuration, uid: uid)
    let (definition, place, old) = try await candidate(service, work)
    guard old == address else {
      throw KeepingError("\(service) has the address \(old), not \(address): nothing was made")
    }
    let isDue = definition.address == nil
    let successor = try await work.keys.makeSuccessor(
      of: place, old, pins: isDue, now: wallTime())
    var warnings: [String] = []
    do {
      try await work.record(
        .keyGenerated, "rotateKey", place, successor.address,
        "made a new key of \(service) (was \(old)), put aside as \(successor.id)")
      try await work.journal.close()
    } catch {
      warnings.append("the journal could not be told: \(error)")
    }
    return Report(
      service: service, old: old, new: successor.address, id: successor.id, isDue: isDue,
      warnings: warnings,
      next: isDue
        ? [] : ["services/\(service).yaml: address: \(successor.address)"])
  }

  private func candidate(
    _ service: ServiceName, _ work: KeyWork
  ) async throws -> (definition: OnionService, place: KeyPlace, address: OnionAddress) {
    guard let definition = try await work.definitions()[service] else {
      throw KeepingError(
        "\(service) is not defined on this host, so nothing would serve a new key of it")
    }
    if case .sealed(let file) = definition.key {
      throw KeepingError(
        "\(service) has the key that \(file) says: seal another one there and set `address:` in its definition"
      )
    }
    let (place, address) = try await work.place(of: service)
    guard place.instance == definition.instance else {
      throw KeepingError(
        "the key of \(service) is on its way from \(place) to instance \(definition.instance): rotate it after the next pass"
      )
    }
    return (definition, place, address)
  }
}
