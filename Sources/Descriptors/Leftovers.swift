import Glibc

extension Descriptor {
  /// Removes files and folders under `temporaryPrefix` that a crash left: only those whose inode last changed before
  /// `changedBefore` (nanoseconds since 1970), so that nobody's work in progress goes.
  /// - Parameters:
  ///   - limit: Names that are looked at.
  ///   - entries: Objects that are removed at most, folders' contents included; the rest waits for the next time.
  /// - Returns: How many temporary names are gone.
  @discardableResult
  public borrowing func removeLeftovers(
    changedBefore: Int64, limit: Int, entries: Int = 10_000
  ) throws(FileError) -> Int {
    var budget = entries
    var removed = 0
    for name in try names(limit: limit)
    where name.bytes.starts(with: Self.temporaryPrefix.utf8) {
      guard let status = try status(of: name), status.changed < changedBefore else { continue }
      guard try removeTree(name, depth: Self.depthLimit, budget: &budget) else { break }
      removed += 1
    }
    if removed > 0 { try synchronize() }
    return removed
  }

  /// Removes one temporary name and all in it, whatever its age; nothing if it is not there.
  /// - Throws: `EINVAL` for any other name.
  public borrowing func removeTemporary(_ name: FileName) throws(FileError) {
    guard name.bytes.starts(with: Self.temporaryPrefix.utf8) else {
      throw FileError(EINVAL, "remove", joined(name))
    }
    var budget = Self.widthLimit
    guard try removeTree(name, depth: Self.depthLimit, budget: &budget) else {
      throw FileError(E2BIG, "remove", joined(name))
    }
  }

  /// Ours are two deep; what is deeper is not ours.
  private static let depthLimit = 8
  /// Ours hold at most a thousand client files; what holds more is not ours.
  private static let widthLimit = 100_000

  /// Removes an entry and all in it, never through a link nor into a mount.
  /// - Returns: False if the budget ended first.
  private borrowing func removeTree(
    _ name: FileName, depth: Int, budget: inout Int
  ) throws(FileError) -> Bool {
    guard budget > 0 else { return false }
    budget -= 1
    guard let status = try status(of: name) else { return true }
    guard status.kind == .folder else {
      try unlink(name)
      return true
    }
    guard depth > 0 else { throw FileError(E2BIG, "remove (too deep)", joined(name)) }
    do {
      let folder = try folder(name)
      for inner in try folder.names(limit: Self.widthLimit) {
        guard try folder.removeTree(inner, depth: depth - 1, budget: &budget) else { return false }
      }
    }
    try removeFolder(name)
    return true
  }
}
