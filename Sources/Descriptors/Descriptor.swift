import CLinux
import Glibc

/// An open file or folder. Everything is done through it, so a name that is swapped meanwhile changes nothing.
///
/// It cannot be copied and is closed when it ends. All calls block.
public struct Descriptor: ~Copyable, Sendable {
  /// How it was reached, printable, for errors only.
  public let path: String
  /// The number for C calls; valid as long as this value lives, and never to be closed by others.
  public let number: Int32

  /// Takes over an open descriptor.
  public init(adopting number: Int32, path: String) {
    self.number = number
    self.path = path
  }

  deinit { close(number) }

  /// What resolving a name below a folder may meet.
  public struct Resolution: OptionSet, Sendable {
    public let rawValue: Int32
    public init(rawValue: Int32) { self.rawValue = rawValue }

    /// Mount points below the folder are entered.
    public static let crossingMounts = Resolution(rawValue: 1)
    /// The kernel's `openat2` is not used: for tests of what replaces it.
    static let walking = Resolution(rawValue: 2)

    var flags: Int32 {
      var flags = Int32(CLINUX_BENEATH | CLINUX_NO_SYMLINKS)
      if !contains(.crossingMounts) { flags |= Int32(CLINUX_NO_XDEV) }
      if contains(.walking) { flags |= Int32(CLINUX_WALK) }
      return flags
    }
  }

  /// What a file is opened for.
  public enum Access: Sendable {
    case reading
    /// The same, and its access time stays as it is where the kernel allows that (its owner, or CAP_FOWNER).
    case peeking
    /// Only to hold it, look at it, and change owner and label: no right to read is needed, nothing wakes up behind it
    /// (a pipe, a socket, a device).
    case holding

    var flags: Int32 {
      switch self {
      case .reading: O_RDONLY | O_NONBLOCK | O_NOCTTY
      case .peeking: O_RDONLY | O_NONBLOCK | O_NOCTTY | CLINUX_O_NOATIME
      case .holding: CLINUX_O_PATH
      }
    }
  }

  /// Opens a folder by its absolute path. Links on the way are the owner's business and are followed, unless
  /// `links` is false.
  public static func folder(at path: String, links: Bool = true) throws(FileError) -> Descriptor {
    guard path.hasPrefix("/") else { throw FileError(EINVAL, "open", FileName(path).description) }
    guard !links else {
      return try open(AT_FDCWD, FileName(path), O_RDONLY | O_DIRECTORY, 0, path: "") {
        (folder, name, flags, _) in
        openat(folder, name, flags | O_CLOEXEC)
      }
    }
    let root = try folder(at: "/")
    let rest = path.drop { $0 == "/" }
    return try root.folder(rest.isEmpty ? "." : FileName(String(rest)), .crossingMounts)
  }

  /// Opens a folder below this one. No links, nothing above, no mounts unless asked for.
  public borrowing func folder(
    _ name: FileName, _ resolution: Resolution = []
  ) throws(FileError) -> Descriptor {
    try below(name, O_RDONLY | O_DIRECTORY, 0, resolution)
  }

  /// Opens anything below this folder, without waiting for another side (pipes). No links, nothing above, no mounts
  /// unless asked for. A socket can only be held (`ENXIO`).
  public borrowing func file(
    _ name: FileName, _ access: Access = .reading, _ resolution: Resolution = []
  ) throws(FileError) -> Descriptor {
    do {
      return try below(name, access.flags, 0, resolution)
    } catch {
      guard access == .peeking, error.number == EPERM else { throw error }
      return try below(name, Access.reading.flags, 0, resolution)
    }
  }

  /// Opens a regular file for reading, and nothing else: what bears the name is held and looked at first and only then
  /// opened, so no device wakes up, whatever the name is swapped for meanwhile.
  /// - Throws: `EINVAL` for anything but a regular file.
  public borrowing func regularFile(
    _ name: FileName, _ resolution: Resolution = []
  ) throws(FileError) -> Descriptor {
    let held = try file(name, .holding, resolution)
    let kind = try held.status().kind
    guard kind == .file else {
      throw FileError(EINVAL, "open as a file (it is \(kind.rawValue))", held.path)
    }
    let object = FileName("/proc/self/fd/\(held.number)")
    return try Self.open(AT_FDCWD, object, Access.reading.flags, 0, path: held.path) {
      (folder, name, flags, _) in
      openat(folder, name, flags | O_CLOEXEC)
    }
  }

  /// Makes a file that was not there (`EEXIST` otherwise), 0600, open for writing.
  public borrowing func newFile(_ name: FileName) throws(FileError) -> Descriptor {
    guard name.isEntry else { throw FileError(EINVAL, "make", joined(name)) }
    return try below(name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600, [])
  }

  /// Opens a file for reading and writing, making it 0600 if it is not there: locks.
  public borrowing func lockFile(_ name: FileName) throws(FileError) -> Descriptor {
    guard name.isEntry else { throw FileError(EINVAL, "open", joined(name)) }
    return try below(name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600, [])
  }

  public borrowing func status() throws(FileError) -> FileStatus {
    var status = stat()
    guard fstat(number, &status) == 0 else { throw FileError(errno, "look at", path) }
    return FileStatus(status)
  }

  /// The status of an entry itself, a link included; `nil` if there is none.
  public borrowing func status(of name: FileName) throws(FileError) -> FileStatus? {
    guard name.isEntry else { throw FileError(EINVAL, "look at", joined(name)) }
    var status = stat()
    let result = name.withPointer { fstatat(number, $0, &status, AT_SYMLINK_NOFOLLOW) }
    if result == 0 { return FileStatus(status) }
    if errno == ENOENT { return nil }
    throw FileError(errno, "look at", joined(name))
  }

  /// The path of an entry, for errors.
  public borrowing func joined(_ name: FileName) -> String {
    path == "/" ? "/\(name)" : "\(path)/\(name)"
  }

  private borrowing func below(
    _ name: FileName, _ flags: Int32, _ mode: UInt32, _ resolution: Resolution
  ) throws(FileError) -> Descriptor {
    let resolve = resolution.flags
    return try Self.open(number, name, flags, mode, path: joined(name)) {
      clinux_open($0, $1, $2, $3, resolve)
    }
  }

  /// How often a call is tried again that a signal or a rename on the way interrupted (EINTR, EAGAIN of openat2):
  /// enough for any honest neighbour, finite for one that renames without end.
  private static let attempts = 64

  private static func open(
    _ folder: Int32, _ name: FileName, _ flags: Int32, _ mode: UInt32, path: String,
    _ call: (Int32, UnsafePointer<CChar>, Int32, UInt32) -> Int32
  ) throws(FileError) -> Descriptor {
    let path = path.isEmpty ? name.description : path
    guard name.isPath else { throw FileError(EINVAL, "open", path) }
    var number: Int32 = -1
    var failure: Int32 = 0
    for _ in 0..<attempts {
      number = name.withPointer { call(folder, $0, flags, mode) }
      guard number < 0 else { return Descriptor(adopting: number, path: path) }
      failure = errno
      guard failure == EINTR || failure == EAGAIN else { break }
    }
    throw FileError(failure, "open", path)
  }
}
