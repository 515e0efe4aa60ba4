import Definitions
import Descriptors
import Glibc
import OnionModel

/// The folder that definitions are added to: what it holds, and how something new gets in without touching that.
struct DefinitionsPresent {
  let folder: String
  /// Names that a definition, valid or not, bears.
  let names: Set<String>
  /// By the address that is pinned there.
  let services: [OnionAddress: ServiceName]
  private let files: RepositoryFiles

  private static let repositoryFile = "onionkeeper.yaml"

  /// - Throws: `KeepingError` for a folder that is there and cannot be read.
  init(folder: String) throws {
    self.folder = folder
    var isThere = stat()
    files =
      stat(folder, &isThere) == 0
      ? try DefinitionFolder(folder).read() : RepositoryFiles([] as [RepositoryFiles.File])
    let reading = readRevision(files)
    names = Set(reading.services.keys.map(\.text))
    services = Dictionary(
      reading.services.compactMap { name, reading in
        reading.definition?.service.address.map { ($0, name) }
      }
    ) { min($0, $1) }
  }

  /// The errors that new definitions would have here, by service.
  func errors(adding texts: [(ServiceName, String)]) -> [ServiceName: [Diagnostic]] {
    var all: [RepositoryFiles.File] = files.files
    if !all.contains(where: { $0.path == Self.repositoryFile }) {
      all.append(
        RepositoryFiles.File(path: Self.repositoryFile, bytes: Array(Self.repository.utf8)))
    }
    all += texts.map { RepositoryFiles.File(path: "services/\($0).yaml", bytes: Array($1.utf8)) }
    let reading = readRevision(RepositoryFiles(all))
    var errors: [ServiceName: [Diagnostic]] = [:]
    for (name, _) in texts {
      errors[name] = reading.services[name]?.diagnostics.filter { $0.severity == .error }
    }
    return errors
  }

  /// Makes the folder, `services/` and `onionkeeper.yaml` where they are missing.
  /// - Returns: What was written.
  func prepare() throws -> [String] {
    try reported { () throws(FileError) in
      let root = try rootFolder()
      if try root.status(of: "services") == nil { try root.makeFolder("services", mode: 0o755) }
      let name = FileName(Self.repositoryFile)
      guard try root.status(of: name) == nil else { return [] }
      try Self.place(Self.repository, as: name, in: root)
      return ["\(folder)/\(Self.repositoryFile)"]
    }
  }

  /// - Throws: `KeepingError` if anything bears the name.
  /// - Returns: Its path.
  func write(_ text: String, for service: ServiceName) throws -> String {
    try reported { () throws(FileError) in
      let services = try rootFolder().folder("services", .crossingMounts)
      try Self.place(text, as: FileName("\(service).yaml"), in: services)
      return "\(folder)/services/\(service).yaml"
    }
  }

  static let repository = "version: 1\n"

  private func rootFolder() throws(FileError) -> Descriptor {
    do throws(FileError) {
      return try Descriptor.folder(at: folder)
    } catch {
      guard error.isAbsence else { throw error }
      let slash = folder.lastIndex(of: "/") ?? folder.startIndex
      let parent = try Descriptor.folder(
        at: slash == folder.startIndex ? "/" : String(folder[..<slash]))
      return try parent.makeFolder(
        FileName(String(folder[slash...].drop { $0 == "/" })), mode: 0o755)
    }
  }

  private func reported<Value>(
    _ body: () throws(FileError) -> Value
  ) throws(KeepingError) -> Value {
    do throws(FileError) { return try body() } catch { throw KeepingError(error.description) }
  }

  private static func place(
    _ text: String, as name: FileName, in folder: borrowing Descriptor
  ) throws(FileError) {
    let temporary = Descriptor.temporaryName()
    try folder.write(Array(text.utf8), to: temporary, FileAttributes(mode: 0o644))
    do throws(FileError) {
      try folder.rename(temporary, to: folder, as: name)
    } catch {
      try folder.unlink(temporary)
      throw error
    }
    try folder.synchronize()
  }
}
