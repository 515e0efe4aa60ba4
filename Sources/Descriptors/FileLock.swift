import Glibc

/// An exclusive `flock` on a file that holds the process id of who has it; released when this value ends.
public struct FileLock: ~Copyable, Sendable {
  private let file: Descriptor

  /// Why a lock could not be had.
  public enum Failure: Error, Hashable, Sendable {
    /// Somebody else has it; the process as the holder wrote it, `nil` if it has not (yet).
    case held(path: String, process: Int?)
    case file(FileError)
  }

  /// Takes the lock without waiting. The file is made if need be, and never through a link.
  public init(_ name: FileName, in folder: borrowing Descriptor) throws(Failure) {
    let file = try Self.opened(name, folder)
    try Self.take(file)
    self.file = file
  }

  /// Takes the lock when whoever has it lets go of it, and notes no process: nothing is written, so it works on a full
  /// disk too. Waits on this thread.
  /// - Parameter patience: Seconds.
  /// - Throws: `.held` when it was not let go of in time.
  public init(
    _ name: FileName, in folder: borrowing Descriptor, patience: Int
  ) throws(Failure) {
    let file = try Self.opened(name, folder)
    // A hundred times a second: what it guards takes some milliseconds.
    for attempt in 0... {
      if flock(file.number, LOCK_EX | LOCK_NB) == 0 { break }
      guard errno == EWOULDBLOCK || errno == EINTR else {
        throw .file(FileError(errno, "lock", file.path))
      }
      guard attempt < patience * 100 else { throw .held(path: file.path, process: nil) }
      usleep(10_000)
    }
    self.file = file
  }

  private static func opened(
    _ name: FileName, _ folder: borrowing Descriptor
  ) throws(Failure) -> Descriptor {
    do {
      return try folder.lockFile(name)
    } catch {
      throw .file(error)
    }
  }

  private static func take(_ file: borrowing Descriptor) throws(Failure) {
    while flock(file.number, LOCK_EX | LOCK_NB) != 0 {
      if errno == EINTR { continue }
      guard errno == EWOULDBLOCK else { throw .file(FileError(errno, "lock", file.path)) }
      throw .held(path: file.path, process: try holder(file))
    }
    let text = Array("\(getpid())\n".utf8)
    guard ftruncate(file.number, 0) == 0, pwrite(file.number, text, text.count, 0) == text.count
    else { throw .file(FileError(errno, "note the process in", file.path)) }
  }

  /// 20 digits are the longest number; a file that is longer is not ours.
  private static let limit = 32

  private static func holder(_ file: borrowing Descriptor) throws(Failure) -> Int? {
    do {
      let bytes = try file.read(limit: limit)
      return Int(String(decoding: bytes, as: UTF8.self).prefix { $0.isNumber })
    } catch {
      throw .file(error)
    }
  }
}
