public import Definitions
import Descriptors
import GitSource
import Glibc
import OnionModel

/// A folder of definitions on this disk, read as the agent reads a commit's tree: bounded, without following links.
///
/// Its calls block: it is for a command, not for the agent.
public struct DefinitionFolder: Sendable {
  /// The same limits as a fetched tree has.
  private static let fileLimit = 256 << 10
  private static let countLimit = 10_000

  private let path: String

  public init(_ path: String) { self.path = path }

  /// `onionkeeper.yaml`, all of `services/`, and the sealed keys of `secrets/`.
  /// - Throws: `KeepingError` for a link or a folder that cannot be listed.
  public func read() throws -> RepositoryFiles {
    let (files, refused) = try readAll()
    guard refused.isEmpty else {
      throw KeepingError(refused.map { "\($0.file) \($0.message)" }.joined(separator: "\n"))
    }
    return files
  }

  /// The same, and what the agent refuses a whole revision for, beside the rest: a person mends all of it at once.
  /// - Throws: `KeepingError` for a folder that cannot be listed.
  func readAll() throws -> (files: RepositoryFiles, refused: [Diagnostic]) {
    var refused: [Diagnostic] = []
    var files: [RepositoryFiles.File] = []
    do {
      let root = try Descriptor.folder(at: path.hasPrefix("/") ? path : try current() + "/" + path)
      if try root.status(of: "onionkeeper.yaml") != nil {
        files += try file("onionkeeper.yaml", "onionkeeper.yaml", in: root, &refused)
      }
      for folder in ["services", "secrets"] {
        guard try root.status(of: FileName(folder)) != nil else { continue }
        let opened = try root.folder(FileName(folder), .crossingMounts)
        let limit = Self.countLimit - files.count
        for name in try opened.names(limit: limit)
        where folder == "services" || name.bytes.ends(with: ".age") {
          files += try file(name, "\(folder)/\(name)", in: opened, &refused)
        }
      }
    } catch let error as FileError {
      throw KeepingError(error.description)
    }
    return (RepositoryFiles(files), refused)
  }

  private func file(
    _ name: FileName, _ path: String, in folder: borrowing Descriptor,
    _ refused: inout [Diagnostic]
  ) throws -> [RepositoryFiles.File] {
    guard let status = try folder.status(of: name) else { throw KeepingError("\(path) vanished") }
    // A folder here is a stray like any other name: the reader says so.
    if status.kind == .folder { return [RepositoryFiles.File(path: path + "/", bytes: [])] }
    guard status.kind == .file else {
      refused.append(
        Diagnostic(
          file: path,
          message: "is \(status.kind.rawValue): the whole revision is refused (commit a plain file)"
        ))
      return []
    }
    let limit = Self.limit(of: path)
    guard status.size <= limit else {
      return [
        RepositoryFiles.File(
          path: path, blob: "\(status.inode)-\(status.size)", content: .tooLarge(size: status.size)
        )
      ]
    }
    let bytes = try folder.file(name).read(limit: limit)
    if LFSPointer.isOne(bytes) {
      refused.append(
        Diagnostic(
          file: path,
          message:
            "is a Git LFS pointer, not the file: the whole revision is refused (commit the file itself)"
        ))
      return []
    }
    return [RepositoryFiles.File(path: path, bytes: bytes)]
  }

  /// A sealed key is no larger.
  private static func limit(of path: String) -> Int {
    path.hasPrefix("secrets/") ? SealedKey.limit : fileLimit
  }

  private func current() throws(FileError) -> String {
    guard let pointer = getcwd(nil, 0) else { throw FileError(errno, "look up", ".") }
    defer { free(pointer) }
    return String(cString: pointer)
  }
}

extension [UInt8] {
  fileprivate func ends(with text: String) -> Bool {
    suffix(text.utf8.count).elementsEqual(text.utf8)
  }
}
