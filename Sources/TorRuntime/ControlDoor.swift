import Descriptors
import Glibc

/// The way into a `run/` folder that belongs to tor's user, who may have put anything there. Only what tor itself makes is
/// used: nothing is followed, nothing is sent to anything else.
struct ControlDoor: ~Copyable {
  private static let cookieName: FileName = "cookie"
  private static let socketName: FileName = "control"

  private let folder: Descriptor
  private let owner: Int

  /// - Throws: `.absent` if there is no such folder, `.untrusted` if it is something else or a link.
  init(run: String, owner: Int) throws(ControlError) {
    guard run.hasPrefix("/"), let slash = run.lastIndex(of: "/") else {
      throw ControlError(.invalid, "open", "not an absolute path: \(run)")
    }
    let parent = String(run[..<slash])
    do {
      folder = try Descriptor.folder(at: parent.isEmpty ? "/" : parent)
        .folder(FileName(String(run[run.index(after: slash)...])))
    } catch {
      throw Self.translated(error)
    }
    self.owner = owner
  }

  /// The 32 bytes that prove to tor, and tor to us, that we may read this folder.
  func cookie() throws(ControlError) -> [UInt8] {
    let bytes: [UInt8]
    let status: FileStatus
    let path: String
    do {
      let file = try folder.regularFile(Self.cookieName)
      path = file.path
      status = try file.status()
      // Read only what is a file of the right size; the rest is judged below.
      bytes =
        status.kind == .file && status.size == SafeCookie.length
        ? try file.read(limit: SafeCookie.length) : []
    } catch {
      throw Self.translated(error)
    }
    try requireOwner(status, path)
    guard status.kind == .file, status.links == 1, bytes.count == SafeCookie.length else {
      throw ControlError(
        .untrusted, "open cookie",
        "\(path) is \(status.kind.rawValue) of \(status.size) bytes with \(status.links) names;"
          + " tor makes a file of \(SafeCookie.length) bytes with one")
    }
    return bytes
  }

  /// A connection to exactly the socket that was looked at.
  func connect(_ deadline: Deadline) throws(ControlError) -> ControlConnection {
    let socket = try heldSocket()
    let status = try Self.status(of: socket)
    try requireOwner(status, socket.path)
    guard status.kind == .socket else {
      throw ControlError(
        .untrusted, "open socket", "\(socket.path) is \(status.kind.rawValue), not tor's socket")
    }
    return try ControlConnection(
      path: "/proc/self/fd/\(socket.number)", owner: owner, deadline: deadline)
  }

  private func heldSocket() throws(ControlError) -> Descriptor {
    do { return try folder.file(Self.socketName, .holding) } catch { throw Self.translated(error) }
  }

  private static func status(of file: borrowing Descriptor) throws(ControlError) -> FileStatus {
    do { return try file.status() } catch { throw translated(error) }
  }

  private func requireOwner(_ status: FileStatus, _ path: String) throws(ControlError) {
    guard status.owner == owner else {
      throw ControlError(
        .untrusted, "open", "\(path) belongs to user \(status.owner), tor's user is \(owner)")
    }
  }

  private static func translated(_ error: FileError) -> ControlError {
    let code: ControlError.Code =
      switch error.number {
      case ENOENT: .absent
      case ELOOP, ENOTDIR, EXDEV, ENXIO, EFBIG, EINVAL: .untrusted
      default: .system
      }
    return ControlError(code, error.operation, "\(error)")
  }
}
