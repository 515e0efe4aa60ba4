import CLinux
import Glibc

extension Descriptor {
  /// Makes a folder in this one, of exactly this mode and owner (the folder is made 0700, then changed by descriptor).
  /// - Throws: `EEXIST` if anything bears the name.
  /// - Returns: The new folder.
  @discardableResult
  public borrowing func makeFolder(
    _ name: FileName, mode: Int = 0o700, owner: Int? = nil
  ) throws(FileError) -> Descriptor {
    try check(name, "make folder") { mkdirat(number, $0, 0o700) }
    let made = try folder(name)
    if let owner { try made.setOwner(owner) }
    try made.setMode(mode)
    return made
  }

  /// Gives it to a user and the group of the same number. Works on what is only held, too; never follows a link.
  public borrowing func setOwner(_ owner: Int) throws(FileError) {
    guard let user = uid_t(exactly: owner), user != uid_t.max else {
      throw FileError(EINVAL, "change owner of", path)
    }
    guard clinux_chown(number, user, user) == 0 else {
      throw FileError(errno, "change owner of", path)
    }
  }

  /// Sets all twelve mode bits. After `setOwner`, which clears setuid and setgid.
  public borrowing func setMode(_ mode: Int) throws(FileError) {
    guard let bits = mode_t(exactly: mode), bits <= 0o7777 else {
      throw FileError(EINVAL, "change mode of", path)
    }
    guard fchmod(number, bits) == 0 else { throw FileError(errno, "change mode of", path) }
  }

  /// Moves an entry of this folder to a name that nothing bears.
  /// - Throws: `EEXIST` if anything does; nothing is ever replaced.
  public borrowing func rename(
    _ name: FileName, to folder: borrowing Descriptor, as newName: FileName
  ) throws(FileError) {
    guard name.isEntry, newName.isEntry else { throw FileError(EINVAL, "move", joined(name)) }
    let result = name.withPointer { old in
      newName.withPointer { clinux_rename_noreplace(number, old, folder.number, $0) }
    }
    guard result == 0 else {
      let failure = errno
      throw FileError(
        failure, "move \(joined(name)) to",
        failure == EINVAL
          ? folder.joined(newName) + " (a file system without RENAME_NOREPLACE?)"
          : folder.joined(newName))
    }
  }

  /// Removes a file, link, pipe or socket.
  public borrowing func unlink(_ name: FileName) throws(FileError) {
    try check(name, "remove") { unlinkat(number, $0, 0) }
  }

  /// Removes an empty folder.
  public borrowing func removeFolder(_ name: FileName) throws(FileError) {
    try check(name, "remove folder") { unlinkat(number, $0, AT_REMOVEDIR) }
  }

  /// Waits until content and entries are on the disk.
  public borrowing func synchronize() throws(FileError) {
    guard fsync(number) == 0 else { throw FileError(errno, "write to disk", path) }
  }

  private borrowing func check(
    _ name: FileName, _ operation: String, _ call: (UnsafePointer<CChar>) -> Int32
  ) throws(FileError) {
    guard name.isEntry else { throw FileError(EINVAL, operation, joined(name)) }
    guard name.withPointer(call) == 0 else { throw FileError(errno, operation, joined(name)) }
  }
}
