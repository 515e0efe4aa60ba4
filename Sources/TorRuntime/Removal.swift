import Descriptors
import Glibc

/// Objects that one removal takes away; tor makes two in `run/`, so more is somebody's doing.
let removalBudget = 100_000

/// Removes an entry and all in it, however deep, with a stack of one: folders inside are first moved up beside each other.
/// Never through a link, nor into a mount. Only where nobody else writes.
/// - Throws: `E2BIG` when the budget ends first; what is gone is gone, the next time goes on.
func removeTree(
  _ name: FileName, in parent: borrowing Descriptor, budget: inout Int
) throws(FileError) {
  guard let status = try parent.status(of: name) else { return }
  guard status.kind == .folder else { return try parent.unlink(name) }
  do {
    let root = try parent.folder(name)
    while true {
      let names = try root.names(limit: removalBudget)
      if names.isEmpty { break }
      for entry in names {
        try flatten(entry, in: root, budget: &budget)
      }
    }
  }
  try parent.removeFolder(name)
}

/// Removes an entry, or moves the folders in it up and removes it empty.
private func flatten(
  _ name: FileName, in root: borrowing Descriptor, budget: inout Int
) throws(FileError) {
  func spend() throws(FileError) {
    guard budget > 0 else { throw FileError(E2BIG, "remove all of", root.path) }
    budget -= 1
  }
  try spend()
  guard try root.status(of: name)?.kind == .folder else { return try root.unlink(name) }
  do {
    let folder = try root.folder(name)
    for inner in try folder.names(limit: removalBudget) {
      try spend()
      if try folder.status(of: inner)?.kind == .folder {
        try folder.rename(inner, to: root, as: Descriptor.temporaryName())
      } else {
        try folder.unlink(inner)
      }
    }
  }
  try root.removeFolder(name)
}
