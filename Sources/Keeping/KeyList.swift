import Journaling
import KeyStore
public import OnionModel

/// `keys list`: what lies in the key folder. Addresses are whole: only root sees it.
public struct KeyList: Encodable, Sendable {
  public struct Key: Encodable, Sendable {
    public var service: ServiceName
    /// `nil` where a pin is all that is here.
    public var instance: InstanceName?
    /// What the secret makes, else the pinned address.
    public var address: OnionAddress?
    /// `whole`, `missing`, `damaged`, or `other`: whole, but not of the pinned address.
    public var state: String
    public var isPinned: Bool
    /// A sealed backup of this address is here.
    public var isBackedUp: Bool
    /// It is sealed to the recipients that the host file names; `nil` where it names none.
    public var isBackedUpForRecipients: Bool?
  }

  public struct Retired: Encodable, Sendable {
    /// The folder's name in `.onionkeeper/retired/`.
    public var id: String
    public var service: ServiceName
    public var address: OnionAddress
    /// When: RFC 3339.
    public var time: String?
    /// Why, as far as the journal still says: a removal with its revision, or who put it there by hand.
    public var reason: String?
    /// It waits to take the place of its service's key.
    public var isSuccessor: Bool
    /// A sealed backup of this address is here.
    public var isBackedUp: Bool
  }

  public var keys: [Key]
  public var retired: [Retired]

  /// - Throws: what cannot be read.
  public static func read(_ configuration: HostConfiguration, uid: Int) async throws -> KeyList {
    let work = try await KeyWork(configuration, uid: uid)
    let events = try await work.journal.latestEvents(limit: eventLimit).map(\.event)
    let definitions = try await work.definitions()
    try await work.journal.close()
    let (directories, pins) = try await work.look()
    guard case .present(let backups) = await work.keys.backups() else {
      throw KeepingError(await work.keys.backups().unknownReason ?? "no backups can be seen")
    }
    let retired = try await work.retired()
    var keys: [Key] = []
    for (place, directory) in directories {
      keys.append(
        key(place.service, place.instance, directory, pins, backups, configuration))
    }
    let here = Set(directories.keys.map(\.service))
    for service in pins.keys where !here.contains(service) {
      keys.append(key(service, nil, nil, pins, backups, configuration))
    }
    keys.sort {
      ($0.service, $0.instance?.text ?? "") < ($1.service, $1.instance?.text ?? "")
    }
    return KeyList(
      keys: keys,
      retired: retired.map { key in
        let wanted = definitions[key.service].map { $0.address ?? pins[key.service] }
        return Retired(
          id: key.id, service: key.service, address: key.address, time: key.time,
          reason: reason(key.id, events), isSuccessor: wanted == key.address,
          isBackedUp: backups.contains { $0.contains("-\(key.address.identifier)-") })
      })
  }

  /// How many of the newest events are searched for why a key was put away; older ones are not told.
  private static let eventLimit = 10_000

  private static func reason(_ id: String, _ events: [Event]) -> String? {
    let event = events.last { event in
      event.data.message.map { $0.hasSuffix(" as \(id)") || $0.hasSuffix(" as \(id))") } == true
    }
    guard let event else { return nil }
    guard event.data.action == "retireKey" else { return event.data.message }
    return event.data.revision.map { "by revision \($0.short)" }
  }

  private static func key(
    _ service: ServiceName, _ instance: InstanceName?, _ directory: KeyDirectory?,
    _ pins: [ServiceName: OnionAddress], _ backups: Set<String>,
    _ configuration: HostConfiguration
  ) -> Key {
    let pin = pins[service]
    let state =
      switch directory?.secret {
      case .whole(let address): pin == nil || pin == address ? "whole" : "other"
      case .damaged: "damaged"
      case .missing, nil: "missing"
      }
    let address = directory?.address ?? pin
    let recipients = configuration.backupRecipients
    return Key(
      service: service, instance: instance, address: address, state: state,
      isPinned: pin != nil && pin == address,
      isBackedUp: address.map { address in
        backups.contains { $0.hasPrefix("\(service)-\(address.identifier)-") }
      } ?? false,
      isBackedUpForRecipients: recipients.isEmpty
        ? nil
        : address.map {
          backups.contains(KeyBackup.fileName(of: service, $0, recipients: recipients))
        } ?? false)
  }
}
