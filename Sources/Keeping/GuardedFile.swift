import Descriptors
import Glibc

/// Why a file that decides cannot be trusted, or read: whole, with what mends it.
struct GuardRefusal: Error {
  var message: String
}

/// A file that decides: root's, written by nobody else, in folders where nobody else can put another in its place.
struct GuardedFile {
  /// As many as the kernel follows (path_resolution(7)).
  private static let linkLimit = 40

  let path: String
  /// For messages: "the host file".
  let what: String
  var demand = Demand.owned

  enum Demand {
    /// Root's, and nobody else may write it.
    case owned
    /// Nobody else may read it either.
    case secret
    /// It decides nothing here: whoever's it is.
    case anything
  }

  /// The bytes of the file: what was checked is what was read.
  func read(limit: Int) throws(GuardRefusal) -> [UInt8] {
    do {
      let (folder, name) = try resolved()
      let file = try Descriptor.folder(at: folder, links: false).file(
        FileName(name), .reading, .crossingMounts)
      let status = try file.status()
      guard status.kind == .file else { throw refusal("is not a regular file") }
      guard demand == .anything || (status.owner == 0 && status.mode & 0o022 == 0) else {
        throw refusal("must be root's and writable by nobody else: chown root:root, chmod go-w")
      }
      guard demand != .secret || status.mode & 0o077 == 0 else {
        throw refusal("can be read by others: chmod 600")
      }
      guard status.size <= limit else { throw refusal("is larger than \(limit) bytes") }
      return try file.read(limit: limit)
    } catch let refusal as GuardRefusal {
      throw refusal
    } catch let error as FileError {
      throw refusal("cannot be read: \(error.reason)")
    } catch {
      throw refusal("cannot be read: \(error)")
    }
  }

  private func refusal(_ message: String) -> GuardRefusal {
    GuardRefusal(message: "\(what) \(message)")
  }

  /// The path without links, and the last name. Every folder on the way is root's and closed to others, so what was
  /// resolved here stays what it is: only root could change it meanwhile.
  private func resolved() throws -> (folder: String, name: String) {
    var pending = Array(names(of: path).reversed())
    var walked: [String] = []
    var links = 0
    while let name = pending.popLast() {
      if name == ".." {
        _ = walked.popLast()
        continue
      }
      let folder = "/" + walked.joined(separator: "/")
      let opened = try Descriptor.folder(at: folder, links: false)
      let isLast = pending.isEmpty
      try check(try opened.status(), folder, holdsFile: isLast)
      guard let status = try opened.status(of: FileName(name)) else {
        throw FileError(ENOENT, "open", path)
      }
      switch status.kind {
      case .link:
        links += 1
        guard links <= Self.linkLimit else { throw FileError(ELOOP, "open", path) }
        let target = try opened.link(FileName(name))
        if target.hasPrefix("/") { walked = [] }
        pending += names(of: target).reversed()
      case .folder where !isLast: walked.append(name)
      default:
        guard isLast else { throw FileError(ENOTDIR, "open", path) }
        return (folder, name)
      }
    }
    throw refusal("is not a regular file")
  }

  private func names(of path: String) -> [String] {
    path.split(separator: "/").map(String.init).filter { $0 != "." }
  }

  /// In a sticky folder (/tmp) others cannot take away what is root's; but a file that is not there yet, or was tidied
  /// away, anybody could put there. So only a folder on the way may be one.
  private func check(_ status: FileStatus, _ folder: String, holdsFile: Bool) throws {
    guard demand != .anything else { return }
    guard status.owner == 0 else {
      throw refusal(
        "lies in \(folder), which belongs to uid \(status.owner): chown root, or another place")
    }
    let isSticky = status.mode & 0o1000 != 0
    guard status.mode & 0o022 == 0 || (isSticky && !holdsFile) else {
      throw refusal("lies in \(folder), where others can write: chmod go-w, or another place")
    }
  }
}
