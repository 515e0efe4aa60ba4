public import Descriptors
import Glibc
public import OnionModel

/// `ROOT/.onionkeeper/id`: whose folder this is. The same for keys and state: a folder without it, or with another, is
/// "not set up, or not mounted", and nothing in it is touched.
public enum RootMarker {
  public static let folder: FileName = ".onionkeeper"
  static let id: FileName = "id"
  /// An id and its line's end; whatever is longer is no marker.
  private static let limit = 64

  /// Makes the folder (0700, with what is missing above it, 0755) and its marker, durably. Done again with the same id it
  /// completes what is missing.
  /// - Parameter inner: Folders to be made in `.onionkeeper/`, 0700.
  /// - Throws: `root.foreign` if the folder bears another agent's marker, or is not empty and bears none.
  public static func setUp(
    _ path: String, id agent: AgentID, inner: [FileName] = []
  ) throws(KeyStoreError) {
    try converting("setup") {
      let root = try make(path)
      switch try look(root) {
      case .present(let other) where other != agent:
        throw KeyStoreError(
          .rootForeign, "setup", "\(path) belongs to agent \(other): choose another folder")
      case .present: break
      case .unknown(let reason): throw KeyStoreError(.rootForeign, "setup", reason)
      case .absent:
        // An own file system may have its `lost+found`; `.onionkeeper` alone is a set-up that was cut off.
        let names = try root.names(limit: 100_000).filter { $0 != "lost+found" && $0 != folder }
        guard names.isEmpty else {
          throw KeyStoreError(
            .rootForeign, "setup",
            "\(path) is not empty and bears no marker: choose an empty folder, or put its .onionkeeper/ back"
          )
        }
      }
      if try root.status(of: folder) == nil { try root.makeFolder(folder) }
      let own = try root.folder(folder)
      for name in inner where try own.status(of: name) == nil { try own.makeFolder(name) }
      try own.write(Array("\(agent)\n".utf8), to: id)
      try root.synchronize()
    }
  }

  /// Whose the folder is. Absent: no such folder, or no marker in it. Unknown: unreadable, or its owner or mode would let
  /// others put things there, with what to do.
  public static func read(_ path: String) -> Observation<AgentID> {
    do {
      return try look(try Descriptor.folder(at: path))
    } catch {
      return error.isAbsence ? .absent : .unknown(error.description)
    }
  }

  /// What cannot be a marker of ours, however often it is read.
  private static let notMarkers: Set<Int32> = [ELOOP, ENOTDIR, EXDEV, EFBIG, EINVAL]

  /// The same for whoever must tell a marker that is not safe from a disk that fails.
  /// - Throws: What the disk says.
  static func look(_ root: borrowing Descriptor) throws(FileError) -> Observation<AgentID> {
    do {
      if let reason = try complaint(root, writers: 0o022, "chmod go-w") { return .unknown(reason) }
      let own = try root.folder(folder)
      if let reason = try complaint(own, writers: 0o077, "chmod 700") { return .unknown(reason) }
      let file = try own.file(id)
      if let reason = try complaint(file, writers: 0o022, "chmod 600") { return .unknown(reason) }
      let text = String(decoding: try file.read(limit: limit), as: UTF8.self)
      guard text.hasSuffix("\n"), let agent = AgentID(String(text.dropLast())) else {
        return .unknown(
          "\(file.path) holds no agent id: put it back from a backup, or from the state folder")
      }
      return .present(agent)
    } catch {
      if error.isAbsence { return .absent }
      guard notMarkers.contains(error.number) else { throw error }
      return .unknown("\(error)")
    }
  }

  private static func complaint(
    _ object: borrowing Descriptor, writers: Int, _ remedy: String
  ) throws(FileError) -> String? {
    let status = try object.status()
    guard status.owner == Int(geteuid()) else {
      return "\(object.path) belongs to user \(status.owner): chown \(geteuid()) \(object.path)"
    }
    guard status.mode & writers == 0 else {
      return "\(object.path) has mode \(octal(status.mode)): \(remedy) \(object.path)"
    }
    return nil
  }

  /// Opens a folder, making it and what is above it if need be.
  private static func make(_ path: String, mode: Int = 0o700) throws(FileError) -> Descriptor {
    do {
      return try Descriptor.folder(at: path)
    } catch {
      let parts = path.split(separator: "/")
      guard error.isAbsence, let last = parts.last else { throw error }
      let parent = try make("/" + parts.dropLast().joined(separator: "/"), mode: 0o755)
      let made = try parent.makeFolder(FileName(String(last)), mode: mode)
      try parent.synchronize()
      return made
    }
  }
}

/// `0700`, for messages.
func octal(_ mode: Int) -> String {
  let text = String(mode, radix: 8)
  return String(repeating: "0", count: max(0, 4 - text.utf8.count)) + text
}
