import Glibc
import OnionModel

/// Room on the file systems that the agent and the engine write to.
struct DiskCheck {
  /// What a file system has left.
  struct Room: Hashable, Sendable {
    /// Bytes for root.
    var free: UInt64
    var size: UInt64
    /// Inodes; 0 of 0 where the file system counts none.
    var freeFiles: UInt64
    var files: UInt64
    /// Tells two paths of one file system.
    var system: UInt64
  }

  struct Place: Hashable, Sendable {
    var path: String
    var room: Observation<Room>
    /// What must fit at least, and with less than which nothing works.
    var least: UInt64
  }

  /// A journal's transaction, a key and a torrc: kilobytes; the rest is for the copy before a migration.
  static let forState: UInt64 = 64 << 20
  /// An image is 120 MB, built twice while it is replaced.
  static let forImages: UInt64 = 512 << 20

  let places: [Place]

  static func place(_ path: String, least: UInt64) -> Place {
    var answer = statvfs()
    guard statvfs(path, &answer) == 0 else {
      return Place(
        path: path, room: errno == ENOENT ? .absent : .unknown(String(cString: strerror(errno))),
        least: least)
    }
    let block = UInt64(answer.f_frsize)
    return Place(
      path: path,
      room: .present(
        Room(
          free: UInt64(answer.f_bavail) * block, size: UInt64(answer.f_blocks) * block,
          freeFiles: UInt64(answer.f_favail), files: UInt64(answer.f_files),
          system: UInt64(answer.f_fsid))), least: least)
  }

  var findings: [DoctorFinding] {
    var told: Set<UInt64> = []
    var found: [DoctorFinding] = []
    // Those that need most first, so that one finding says it for all paths of a file system.
    for place in places.sorted(by: { $0.least > $1.least }) {
      switch place.room {
      case .absent: continue
      case .unknown(let reason):
        found.append(
          DoctorFinding(.disk, .unknown, "room at \(place.path) cannot be seen: \(reason)"))
      case .present(let room):
        let finding = judge(place, room)
        if finding.weight == .ok, !told.insert(room.system).inserted { continue }
        found.append(finding)
      }
    }
    return found
  }

  private func judge(_ place: Place, _ room: Room) -> DoctorFinding {
    let share = room.size == 0 ? 100 : room.free * 100 / room.size
    let text = "\(size(room.free)) free at \(place.path) (\(share) %)"
    let mend = ["df -h \(place.path); du -xh --max-depth=2 \(place.path) | sort -h | tail"]
    if room.files > 0, room.freeFiles * 100 / room.files < 1 {
      return DoctorFinding(
        .disk, .broken, "no inodes left at \(place.path)", mend: ["df -i \(place.path)"])
    }
    if room.free < place.least { return DoctorFinding(.disk, .broken, text, mend: mend) }
    if share < 5 { return DoctorFinding(.disk, .risk, text, mend: mend) }
    return DoctorFinding(.disk, .ok, text)
  }

  private func size(_ bytes: UInt64) -> String {
    bytes >= 10 << 30 ? "\(bytes >> 30) GiB" : "\(bytes >> 20) MiB"
  }
}
