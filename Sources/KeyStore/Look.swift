import Descriptors
import Glibc
import OnionModel

/// One look at a key directory by status alone: cheap, and equal to an earlier one only if nothing has changed, because
/// nobody but the kernel sets the time of an inode's last change.
struct Look: Hashable {
  struct Entry: Hashable {
    var status: FileStatus
    /// Only where labels are wished.
    var label: String?
  }

  /// `keys/INSTANCE`
  var instance: Entry
  /// `keys/INSTANCE/NAME`
  var folder: Entry
  var entries: [FileName: Entry]
  /// In `authorized_clients/`; `nil` where that is no folder.
  var clients: [FileName: Entry]?

  /// Names in a key directory: ours are five.
  static let entryLimit = 1000
  /// Client files: tor itself puts no more than some hundreds of clients into a descriptor.
  static let clientLimit = 1000

  init(
    instance: Entry, folder: borrowing Descriptor, withLabels: Bool
  ) throws(FileError) {
    self.instance = instance
    self.folder = try Self.entry(folder, withLabels)
    entries = try Self.entries(folder, limit: Self.entryLimit, withLabels)
    guard entries[FileName(KeyFiles.clients)]?.status.kind == .folder else { return }
    let clients = try folder.folder(FileName(KeyFiles.clients))
    self.clients = try Self.entries(clients, limit: Self.clientLimit, withLabels)
  }

  static func entry(
    _ object: borrowing Descriptor, _ withLabels: Bool
  ) throws(FileError) -> Entry {
    Entry(status: try object.status(), label: withLabels ? try object.label() : nil)
  }

  private static func entries(
    _ folder: borrowing Descriptor, limit: Int, _ withLabels: Bool
  ) throws(FileError) -> [FileName: Entry] {
    var entries: [FileName: Entry] = [:]
    for name in try folder.names(limit: limit) {
      // Gone meanwhile is gone.
      guard let status = try folder.status(of: name) else { continue }
      let isReadable = status.kind == .file || status.kind == .folder
      let label = withLabels && isReadable ? try folder.file(name, .holding).label() : nil
      entries[name] = Entry(status: status, label: label)
    }
    return entries
  }

  /// Whether it may be remembered: a change in the same tick of the kernel's clock as the look would not show.
  func isSettled(at now: Moment) -> Bool {
    ([instance, folder] + entries.values + (clients ?? [:]).values).allSatisfy {
      $0.status.isSettled(at: now)
    }
  }
}

/// A point of the wall clock in nanoseconds, to be compared with what `fstat` says.
struct Moment {
  var nanoseconds: Int64

  static var now: Moment {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Moment(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
  }

  func earlier(seconds: Int64) -> Int64 { nanoseconds - seconds * 1_000_000_000 }
}

extension FileStatus {
  /// Last changed two seconds ago or more: FAT's ticks are the coarsest, Linux's own are some milliseconds.
  func isSettled(at now: Moment) -> Bool { changed < now.earlier(seconds: 2) }
}

/// What looks found, so that a healthy directory costs some status calls and no proof.
struct LookCache {
  struct Found {
    var look: Look
    var owner: Int
    var label: ContainerLabel?
    var directory: KeyDirectory
  }

  var places: [KeyPlace: Found] = [:]
  var retired: [FileName: (status: FileStatus, key: RetiredKey)] = [:]
}
