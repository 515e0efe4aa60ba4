import Glibc

/// Small files of the host below a root, for facts: what the kernel and the distribution say of themselves.
///
/// No link is followed below the root. Another root than `/` is for tests.
public struct HostTree: Hashable, Sendable {
  public let root: String

  public init(root: String = "/") { self.root = root }

  /// The text of a file; `nil` if it is not there.
  /// - Parameters:
  ///   - path: absolute, as seen from the root.
  ///   - limit: bytes; more is `EFBIG`.
  public func text(_ path: String, limit: Int) throws(FileError) -> String? {
    guard let file = try open(path, .reading) else { return nil }
    return String(decoding: try file.read(limit: limit), as: UTF8.self)
  }

  /// The names in a folder, in order; `nil` if it is not there.
  /// - Throws: `E2BIG` if there are more than `limit`.
  public func names(_ path: String, limit: Int) throws(FileError) -> [String]? {
    guard let folder = try open(path, .reading) else { return nil }
    return try folder.names(limit: limit).map(\.description).sorted()
  }

  /// Owner, mode and kind of what is at the path, not followed if it is a link; `nil` if nothing is.
  public func status(_ path: String) throws(FileError) -> FileStatus? {
    let parts = path.split(separator: "/")
    guard let last = parts.last else { return try Descriptor.folder(at: root).status() }
    let above = "/" + parts.dropLast().joined(separator: "/")
    guard let folder = try open(above, .holding) else { return nil }
    do {
      return try folder.status(of: FileName(String(last)))
    } catch {
      if error.number == ENOTDIR { return nil }
      throw error
    }
  }

  /// Opens what is at the path; `nil` if nothing is.
  public func open(
    _ path: String, _ access: Descriptor.Access
  ) throws(FileError) -> Descriptor? {
    let relative = path.split(separator: "/").joined(separator: "/")
    do {
      let top = try Descriptor.folder(at: root)
      return try top.file(relative.isEmpty ? "." : FileName(relative), access, .crossingMounts)
    } catch {
      if error.number == ENOENT || error.number == ENOTDIR { return nil }
      throw error
    }
  }
}
