import Descriptors
import Glibc
import KeyStore
import OnionModel

/// Key and state folder: whose they are, what they lie on, and what was left in them.
struct FolderCheck {
  let layout: AgentLayout
  /// The host file, for messages.
  let file: String
  let mounts: MountTable
  let isRoot: Bool

  /// Where `RENAME_NOREPLACE`, owners or labels cannot be had: no key is ever moved there without them.
  private static let poorSystems: Set<String> = [
    "nfs", "nfs4", "cifs", "smb3", "vfat", "msdos", "exfat", "ntfs3", "fuseblk", "9p",
  ]
  /// What does not outlive a boot.
  private static let passing: Set<String> = ["tmpfs", "ramfs"]
  private static let nameLimit = 20_000

  /// The agent that both folders are of; `nil` unless both say the same.
  var agent: AgentID? {
    guard let keys = KeyRoot.marker(layout.keys).value,
      RootMarker.read(layout.state).value == keys
    else { return nil }
    return keys
  }

  var findings: [DoctorFinding] { markers + disks + leftovers }

  private var markers: [DoctorFinding] {
    let places = [
      (layout.keys, KeyRoot.marker(layout.keys)), (layout.state, RootMarker.read(layout.state)),
    ]
    var found: [DoctorFinding] = []
    for (path, marker) in places {
      switch marker {
      case .present: break
      case .absent:
        let mount = mounts.missing(above: path)
        found.append(
          DoctorFinding(
            .folders, .broken, "\(path) has no .onionkeeper/id: not set up, or not mounted",
            mend: mount.map { ["mount \($0.point)"] } ?? ["onionkeeper setup --config \(file)"]))
      case .unknown(let reason):
        found.append(
          DoctorFinding(
            .folders, isRoot ? .broken : .unknown, "\(path) cannot be used: \(reason)",
            mend: isRoot ? [] : ["run doctor as root"]))
      }
    }
    guard found.isEmpty, let keys = places[0].1.value, let state = places[1].1.value else {
      return found
    }
    guard keys == state else {
      return [
        DoctorFinding(
          .folders, .broken,
          "\(layout.keys) is agent \(keys)'s and \(layout.state) agent \(state)'s: one is another disk's or a copy",
          mend: ["mount the right disk, or correct directories in \(file)"])
      ]
    }
    return [DoctorFinding(.folders, .ok, "agent \(keys): \(layout.keys), \(layout.state)")]
  }

  private var disks: [DoctorFinding] {
    var found: [DoctorFinding] = []
    for path in [layout.keys, layout.state] {
      if let mount = mounts.missing(above: path) {
        found.append(
          DoctorFinding(
            .folders, .broken,
            "/etc/fstab mounts \(mount.source) at \(mount.point), above \(path), and it is not mounted",
            mend: ["mount \(mount.point)"]))
      }
    }
    guard let holder = mounts.holder(of: layout.keys) else {
      return found + [
        DoctorFinding(
          .folders, .unknown,
          "what \(layout.keys) lies on cannot be seen: \(mounts.mounted.unknownReason ?? "no mount holds it")"
        )
      ]
    }
    if Self.passing.contains(holder.type) {
      found.append(
        DoctorFinding(
          .folders, .broken,
          "\(layout.keys) lies on \(holder.type) (\(holder.point)): every key is gone after a boot",
          mend: ["move both folders to a disk: directories in \(file)"]))
    } else if Self.poorSystems.contains(holder.type) {
      found.append(
        DoctorFinding(
          .folders, .broken,
          "\(layout.keys) lies on \(holder.type) (\(holder.point)), which cannot rename without replacing",
          mend: ["use a local file system (ext4, xfs, btrfs) for directories.keys"]))
    } else if holder.options.contains("ro") {
      found.append(
        DoctorFinding(
          .folders, .broken, "\(holder.point), which holds \(layout.keys), is mounted read-only",
          mend: ["mount -o remount,rw \(holder.point)"]))
    }
    return found
  }

  /// Files that crashes left; the agent sweeps them at its start.
  private var leftovers: [DoctorFinding] {
    do {
      let names = try leftoverNames()
      guard !names.isEmpty else { return [] }
      return [
        DoctorFinding(
          .folders, .risk,
          "\(names.count) unfinished \(names.count == 1 ? "file" : "files") of an interrupted agent"
            + " in \(layout.keys): \(names.prefix(3).joined(separator: ", "))",
          mend: ["restart the agent: it removes them at its start"])
      ]
    } catch {
      // Without a marker or root, said above already.
      return error.isAbsence || !isRoot
        ? [] : [DoctorFinding(.folders, .unknown, "\(layout.keys) cannot be listed: \(error)")]
    }
  }

  /// Older than any work in progress.
  private static let age: Int64 = 60

  private func leftoverNames() throws(FileError) -> [String] {
    let root = try Descriptor.folder(at: layout.keys)
    var found = try leftoverNames(in: root, called: "")
    for name in try root.names(limit: Self.nameLimit)
    where try root.status(of: name)?.kind == .folder {
      let folder = try root.folder(name)
      found += try leftoverNames(in: folder, called: "\(name)/")
      guard name == RootMarker.folder else { continue }
      for inner in try folder.names(limit: Self.nameLimit)
      where try folder.status(of: inner)?.kind == .folder {
        found += try leftoverNames(in: try folder.folder(inner), called: "\(name)/\(inner)/")
      }
    }
    return found
  }

  private func leftoverNames(
    in folder: borrowing Descriptor, called prefix: String
  ) throws(FileError) -> [String] {
    let young = wallTime().adding(seconds: -Double(Self.age)).milliseconds * 1_000_000
    var found: [String] = []
    for name in try folder.names(limit: Self.nameLimit)
    where name.bytes.starts(with: Descriptor.temporaryPrefix.utf8) {
      guard let status = try folder.status(of: name), status.changed < young else { continue }
      found.append("\(prefix)\(name)")
    }
    return found
  }
}

/// Who holds the key folder now, looked at without making or changing a file.
enum AgentPresence {
  private static let lock: FileName = "lock"

  /// Whether an agent (or a command that writes) holds it. Absent: nobody ever has.
  static func look(_ layout: AgentLayout) -> Observation<Bool> {
    do {
      let own = try Descriptor.folder(at: layout.keys).folder(RootMarker.folder)
      let file = try own.regularFile(lock)
      // A shared lock for an instant: an agent that starts just now tries again for half a second.
      guard flock(file.number, LOCK_SH | LOCK_NB) == 0 else {
        return errno == EWOULDBLOCK
          ? .present(true) : .unknown(String(cString: strerror(errno)))
      }
      return .present(false)
    } catch {
      return error.isAbsence ? .absent : .unknown(error.description)
    }
  }
}
