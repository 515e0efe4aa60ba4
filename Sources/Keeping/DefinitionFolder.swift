public import Definitions
import Descriptors
import Glibc

/// A folder of definitions on this disk, read as the agent reads a commit's tree: bounded, without following links.
///
/// Its calls block: it is for a command, not for the agent.
public struct DefinitionFolder: Sendable {
  /// The same limits as a fetched tree has.
  private static let fileLimit = 256 << 10
  private static let countLimit = 10_000

  private let path: String

  public init(_ path: String) { self.path = path }

  /// `onionkeeper.yaml` and all of `services/`.
  /// - Throws: `KeepingError` for a link or a folder that cannot be listed.
  public func read() throws -> RepositoryFiles {
    var files: [RepositoryFiles.File] = []
    do {
      let root = try Descriptor.folder(at: path.hasPrefix("/") ? path : try current() + "/" + path)
      if try root.status(of: "onionkeeper.yaml") != nil {
        files.append(try file("onionkeeper.yaml", "onionkeeper.yaml", in: root))
      }
      guard try root.status(of: "services") != nil else { return RepositoryFiles(files) }
      let services = try root.folder("services", .crossingMounts)
      for name in try services.names(limit: Self.countLimit) {
        files.append(try file(name, "services/\(name)", in: services))
      }
    } catch let error as FileError {
      throw KeepingError(error.description)
    }
    return RepositoryFiles(files)
  }

  private func file(
    _ name: FileName, _ path: String, in folder: borrowing Descriptor
  ) throws -> RepositoryFiles.File {
    guard let status = try folder.status(of: name) else { throw KeepingError("\(path) vanished") }
    // A folder here is a stray like any other name: the reader says so.
    if status.kind == .folder { return RepositoryFiles.File(path: path + "/", bytes: []) }
    guard status.kind == .file else {
      throw KeepingError("\(path) is \(status.kind.rawValue): only plain files are read")
    }
    guard status.size <= Self.fileLimit else {
      return RepositoryFiles.File(
        path: path, blob: "\(status.inode)-\(status.size)", content: .tooLarge(size: status.size))
    }
    return RepositoryFiles.File(
      path: path, bytes: try folder.file(name).read(limit: Self.fileLimit))
  }

  private func current() throws(FileError) -> String {
    guard let pointer = getcwd(nil, 0) else { throw FileError(errno, "look up", ".") }
    defer { free(pointer) }
    return String(cString: pointer)
  }
}
