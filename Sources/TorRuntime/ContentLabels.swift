import Descriptors
import Glibc

extension Descriptor {
  /// tor's DataDirectory holds about 15 files in two levels; a hostile tor's may hold anything.
  static let labelBudget = 2000
  private static let labelDepth = 4

  /// Gives a label to what lies in a folder of tor's: files of one name, sockets and folders, each held by descriptor, so
  /// that nothing outside is reached, whatever tor does meanwhile. Reads, opens and chowns nothing.
  ///
  /// - Parameter budget: entries that may still be looked at; what is beyond stays as it is.
  borrowing func labelContents(
    _ label: String, budget: inout Int, depth: Int = 0
  ) throws(FileError) {
    for name in try names(limit: Self.labelBudget) {
      budget -= 1
      guard budget > 0 else { return }
      do {
        guard let kind = try status(of: name)?.kind,
          kind == .folder || kind == .file || kind == .socket
        else { continue }
        let object = try file(name, .holding)
        let status = try object.status()
        guard status.kind == kind, kind == .folder || status.links == 1 else { continue }
        if kind == .folder, depth < Self.labelDepth {
          try folder(name).labelContents(label, budget: &budget, depth: depth + 1)
        }
        if try object.label() != label { try object.setLabel(label) }
      } catch {
        // tor renames and removes its files as it likes: what moves meanwhile gets its label from the folder.
        guard error.isAbsence || error.number == ELOOP || error.number == ENOTDIR else {
          throw error
        }
      }
    }
  }
}
