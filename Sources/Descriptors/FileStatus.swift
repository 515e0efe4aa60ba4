import Glibc

/// What `fstat` says of something: enough to judge it, and to tell it from what is there later.
public struct FileStatus: Hashable, Sendable {
  public enum Kind: String, Hashable, Sendable {
    case folder = "a folder"
    case file = "a file"
    case link = "a symbolic link"
    case pipe = "a named pipe"
    case socket = "a socket"
    case device = "a device"
    case unknown = "of no known type"
  }

  public var kind: Kind
  public var owner: Int
  public var group: Int
  /// The lower twelve bits, with setuid, setgid and sticky.
  public var mode: Int
  /// Bytes.
  public var size: Int
  public var links: Int
  public var device: UInt64
  public var inode: UInt64
  /// Nanoseconds since 1970.
  public var modified: Int64
  /// When the inode last changed, in nanoseconds since 1970: nobody but root can set it.
  public var changed: Int64

  init(_ status: stat) {
    kind =
      switch status.st_mode & S_IFMT {
      case S_IFDIR: .folder
      case S_IFREG: .file
      case S_IFLNK: .link
      case S_IFIFO: .pipe
      case S_IFSOCK: .socket
      case S_IFCHR, S_IFBLK: .device
      default: .unknown
      }
    owner = Int(status.st_uid)
    group = Int(status.st_gid)
    mode = Int(status.st_mode & 0o7777)
    size = Int(status.st_size)
    links = Int(status.st_nlink)
    device = UInt64(status.st_dev)
    inode = UInt64(status.st_ino)
    modified = nanoseconds(status.st_mtim)
    changed = nanoseconds(status.st_ctim)
  }

  /// The same object, whatever happened to it meanwhile.
  public func isSameObject(as other: FileStatus) -> Bool {
    device == other.device && inode == other.inode
  }
}

private func nanoseconds(_ time: timespec) -> Int64 {
  Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}
