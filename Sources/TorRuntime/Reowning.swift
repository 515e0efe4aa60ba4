import Descriptors
import Glibc
public import OnionModel

extension InstanceFolders {
  /// Objects in `data/` and `run/`: tor has some dozen, so more is somebody's doing.
  private static let reownLimit = 10_000
  /// tor's are two deep.
  private static let reownDepth = 8

  /// Gives what lies in a folder of tor's to the user that tor has now: after the engine has begun, or ceased, to map its
  /// users (`userns-remap`), a new tor could not read its own state, and would lose its entry guards.
  ///
  /// Only while no container of the instance runs, and only objects that nothing else can be: folders, and files of one
  /// link. Never through a link nor into a mount.
  /// - Parameter folder: `data`, or what a test network calls it; `run`.
  /// - Returns: How many objects changed hands.
  @discardableResult
  public func reown(
    _ folder: String, of instance: InstanceName, owner: Int
  ) throws(FolderError) -> Int {
    do {
      let state = try Descriptor.folder(at: root)
      let inner = try state.folder("instances", .crossingMounts).folder(FileName(instance.text))
        .folder(FileName(folder))
      var budget = Self.reownLimit
      return try reown(in: inner, owner, depth: Self.reownDepth, &budget)
    } catch {
      if error.isAbsence { return 0 }
      throw FolderError("give \(folder) of \(instance) to user \(owner)", error)
    }
  }

  private func reown(
    in folder: borrowing Descriptor, _ owner: Int, depth: Int, _ budget: inout Int
  ) throws(FileError) -> Int {
    var changed = 0
    for name in try folder.names(limit: Self.reownLimit) {
      budget -= 1
      guard budget > 0 else {
        throw FileError(E2BIG, "give all of it to another user", folder.path)
      }
      guard let kind = try folder.status(of: name)?.kind, kind == .file || kind == .folder else {
        continue
      }
      let object = try folder.file(name, .holding)
      let status = try object.status()
      guard status.kind == .folder || status.kind == .file && status.links == 1 else { continue }
      if status.owner != owner || status.group != owner {
        try object.setOwner(owner)
        changed += 1
      }
      if status.kind == .folder, depth > 0 {
        changed += try reown(in: try folder.folder(name), owner, depth: depth - 1, &budget)
      }
    }
    return changed
  }
}
