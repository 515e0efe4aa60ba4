import Descriptors

/// `init`: a small commented repository with one paused definition, and a host file; `check` takes them as they are.
///
/// Nothing is overwritten, and no link is followed from the folder on: if anything bears a name of ours, nothing is
/// written.
public struct Starter: Sendable {
  /// The folder, absolute; made if it is not there, its parent must be.
  public var folder: String
  /// Where the host file is written too, absolute, 0600; `nil`: only into the repository's `hosts/`.
  public var hostFile: String?

  public init(folder: String, hostFile: String? = nil) {
    self.folder = folder.count > 1 && folder.hasSuffix("/") ? String(folder.dropLast()) : folder
    self.hostFile = hostFile
  }

  /// - Returns: the paths that were written.
  /// - Throws: `KeepingError` that names what is in the way.
  public func write() throws(KeepingError) -> [String] {
    let taken = try reported(taken)
    guard taken.isEmpty else {
      throw KeepingError(
        "\(taken.joined(separator: ", ")): there already, nothing was written (another folder, or move it away)"
      )
    }
    return try reported(writeAll)
  }

  private func reported(_ body: () throws(FileError) -> [String]) throws(KeepingError) -> [String] {
    do throws(FileError) { return try body() } catch { throw KeepingError(error.description) }
  }

  /// What already bears a name of ours.
  private func taken() throws(FileError) -> [String] {
    var taken: [String] = []
    let (parent, name) = Self.split(folder)
    let outer = try Descriptor.folder(at: parent)
    if try outer.status(of: name) != nil {
      let root = try outer.folder(name, .crossingMounts)
      for file in StarterFile.all {
        guard let below = file.folder else {
          if try root.status(of: file.name) != nil { taken.append("\(folder)/\(file.path)") }
          continue
        }
        guard try root.status(of: below) != nil else { continue }
        if try root.folder(below).status(of: file.name) != nil {
          taken.append("\(folder)/\(file.path)")
        }
      }
    }
    if let hostFile {
      let (parent, name) = Self.split(hostFile)
      if try Descriptor.folder(at: parent).status(of: name) != nil { taken.append(hostFile) }
    }
    return taken
  }

  private func writeAll() throws(FileError) -> [String] {
    var written: [String] = []
    let (parent, name) = Self.split(folder)
    let root = try Self.folder(name, in: try Descriptor.folder(at: parent))
    for file in StarterFile.all {
      if let below = file.folder {
        try Self.place(file.text, as: file.name, mode: 0o644, in: try Self.folder(below, in: root))
      } else {
        try Self.place(file.text, as: file.name, mode: 0o644, in: root)
      }
      written.append("\(folder)/\(file.path)")
    }
    if let hostFile {
      let (parent, name) = Self.split(hostFile)
      let folder = try Descriptor.folder(at: parent)
      try Self.place(StarterFile.host, as: name, mode: 0o600, in: folder)
      written.append(hostFile)
    }
    return written
  }

  /// A folder that is there, or is made.
  private static func folder(
    _ name: FileName, in parent: borrowing Descriptor
  ) throws(FileError) -> Descriptor {
    if try parent.status(of: name) == nil { return try parent.makeFolder(name, mode: 0o755) }
    return try parent.folder(name, .crossingMounts)
  }

  /// Writes a file whole under a name that nothing bears; what came meanwhile stays, too.
  private static func place(
    _ text: String, as name: FileName, mode: Int, in folder: borrowing Descriptor
  ) throws(FileError) {
    let temporary = Descriptor.temporaryName()
    try folder.write(Array(text.utf8), to: temporary, FileAttributes(mode: mode))
    do {
      try folder.rename(temporary, to: folder, as: name)
      try folder.synchronize()
    } catch {
      try folder.unlink(temporary)
      throw error
    }
  }

  /// `/srv/onions` as `/srv` and `onions`.
  private static func split(_ path: String) -> (parent: String, name: FileName) {
    guard let slash = path.lastIndex(of: "/") else { return ("/", FileName(path)) }
    let parent = path[..<slash]
    return (
      parent.isEmpty ? "/" : String(parent), FileName(String(path[path.index(after: slash)...]))
    )
  }
}
