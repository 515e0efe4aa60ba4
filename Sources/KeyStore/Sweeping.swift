import Descriptors
import OnionModel

extension KeyRoot {
  /// Removes what crashes left under temporary names, if it is older than any work in progress; call it at start.
  /// - Returns: How many names are gone.
  public func sweep() throws(KeyStoreError) -> Int {
    try changing("sweep") { root in
      var removed = try sweep(root.own)
      removed += try sweep(root.own.folder(Self.pins))
      removed += try sweep(root.own.folder(Self.backup))
      for name in try root.keys.names(limit: Self.placeLimit) {
        guard name.text.flatMap({ InstanceName($0) }) != nil,
          try root.keys.status(of: name)?.kind == .folder
        else { continue }
        removed += try sweep(root.keys.folder(name))
      }
      return removed
    }
  }

  func sweep(_ folder: borrowing Descriptor) throws(FileError) -> Int {
    try folder.removeLeftovers(
      changedBefore: Moment.now.earlier(seconds: Inspection.leftoverAge), limit: Self.placeLimit)
  }
}
