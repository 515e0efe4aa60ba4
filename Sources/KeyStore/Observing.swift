import Descriptors
import Glibc
public import OnionModel

extension KeyRoot {
  /// Every key directory that is there, and each of `places` whether there or not.
  /// - Parameters:
  ///   - places: What is defined or remembered.
  ///   - owner: The host's user (and group) number for tor.
  ///   - labels: The label of each instance, where SELinux is on.
  /// - Returns: Absent only what was seen not to be there. A folder that could not be listed, or the whole root not being
  ///   this agent's, makes every place unknown: what lies elsewhere decides over duplicates.
  public func observe(
    _ places: Set<KeyPlace>, owner: Int, labels: [InstanceName: ContainerLabel] = [:]
  ) -> [KeyPlace: Observation<KeyDirectory>] {
    do {
      let root = try open("observe")
      return try observe(places, root, owner, labels)
    } catch {
      return Dictionary(uniqueKeysWithValues: places.map { ($0, .unknown("\(error)")) })
    }
  }

  func observe(
    _ places: Set<KeyPlace>, _ root: borrowing Opened, _ owner: Int,
    _ labels: [InstanceName: ContainerLabel]
  ) throws -> [KeyPlace: Observation<KeyDirectory>] {
    var found: [KeyPlace: Observation<KeyDirectory>] = [:]
    var kept: [KeyPlace: LookCache.Found] = [:]
    let wished = Dictionary(grouping: places, by: \.instance)
    var instances = Set(wished.keys)
    for name in try root.keys.names(limit: Self.placeLimit) {
      if let instance = name.text.flatMap({ InstanceName($0) }) { instances.insert(instance) }
    }
    for instance in instances {
      let names = Set((wished[instance] ?? []).map(\.service))
      do {
        try look(instance, names, root, owner, labels[instance], &found, &kept)
      } catch {
        for service in names {
          found[KeyPlace(instance: instance, service: service)] = observation(of: error)
        }
        // Something else than a folder that nobody defined is no business of ours, nor one that somebody has filled; a
        // folder that cannot be seen may hold anything.
        if names.isEmpty, error.number != E2BIG, !Self.notFolders.contains(error.number) {
          throw error
        }
      }
    }
    looks.places = kept
    return found
  }

  /// Looks at every place of one instance.
  private func look(
    _ instance: InstanceName, _ wished: Set<ServiceName>, _ root: borrowing Opened, _ owner: Int,
    _ label: ContainerLabel?, _ found: inout [KeyPlace: Observation<KeyDirectory>],
    _ kept: inout [KeyPlace: LookCache.Found]
  ) throws(FileError) {
    let folder = try root.keys.folder(FileName(instance.text))
    let all = wished.union(try services(folder))
    let entry = try Look.entry(folder, label != nil)
    for service in all {
      let place = KeyPlace(instance: instance, service: service)
      do {
        found[place] = .present(try look(place, folder, entry, owner, label, &kept))
      } catch {
        // As above: what nobody defined and is no folder is no key directory.
        if wished.contains(service) || !Self.notFolders.contains(error.number) {
          found[place] = observation(of: error)
        }
      }
    }
  }

  private static let notFolders: Set<Int32> = [ENOENT, ENOTDIR, ELOOP]

  /// The names in an instance's folder that could be services.
  private func services(_ folder: borrowing Descriptor) throws(FileError) -> Set<ServiceName> {
    Set(
      try folder.names(limit: Self.memberLimit).compactMap { $0.text.flatMap { ServiceName($0) } })
  }

  private func look(
    _ place: KeyPlace, _ instance: borrowing Descriptor, _ entry: Look.Entry, _ owner: Int,
    _ label: ContainerLabel?, _ kept: inout [KeyPlace: LookCache.Found]
  ) throws(FileError) -> KeyDirectory {
    let folder = try instance.folder(FileName(place.service.text))
    let look = try Look(instance: entry, folder: folder, withLabels: label != nil)
    if let old = looks.places[place], old.look == look, old.owner == owner, old.label == label {
      kept[place] = old
      return old.directory
    }
    let inspection = Inspection(place: place, owner: owner, label: label, look: look)
    let directory = try inspection.directory(folder)
    // What changed while it was read is read again the next time.
    let again = try Look(instance: entry, folder: folder, withLabels: label != nil)
    if again == look, look.isSettled(at: .now) {
      kept[place] = LookCache.Found(look: look, owner: owner, label: label, directory: directory)
    }
    return directory
  }

  /// Something else than a folder on the way holds the service as a damaged key does: it will not mend itself, and is not
  /// absent.
  private func observation(of error: FileError) -> Observation<KeyDirectory> {
    switch error.number {
    case ENOENT: .absent
    case ELOOP:
      .present(
        KeyDirectory(secret: .damaged("a symbolic link is where \(error.path) should be a folder")))
    case ENOTDIR: .present(KeyDirectory(secret: .damaged("\(error.path) is not a folder")))
    default: .unknown(error.description)
    }
  }
}
