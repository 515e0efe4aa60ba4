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
  }

  public var keys: [Key]
  public var retired: [Retired]

  /// - Throws: what cannot be read.
  public static func read(_ configuration: HostConfiguration, uid: Int) async throws -> KeyList {
    let work = try await KeyWork(configuration, uid: uid)
    try await work.journal.close()
    let (directories, pins) = try await work.look()
    guard case .present(let backups) = await work.keys.backups() else {
      throw KeepingError(await work.keys.backups().unknownReason ?? "no backups can be seen")
    }
    guard case .present(let retired) = await work.keys.retired() else {
      throw KeepingError(await work.keys.retired().unknownReason ?? "retired/ cannot be seen")
    }
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
      retired: retired.map { Retired(id: $0.id, service: $0.service, address: $0.address) })
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
