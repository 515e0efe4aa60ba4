import Descriptors
import OnionModel

/// What was cleared away after crashes.
public struct Swept: Hashable, Sendable {
  /// How many names are gone.
  public var removed = 0
  /// Folders in which something could not be removed, and why: they stay as they are.
  public var failures: [String] = []
}

extension KeyRoot {
  /// Removes what crashes left under temporary names, if it is older than any work in progress; call it at start.
  ///
  /// An instance's folder belongs to its tor's user, who may have filled it with anything: one that cannot be swept keeps
  /// no other from being.
  public func sweep() throws(KeyStoreError) -> Swept {
    try changing("sweep") { root in
      var swept = Swept()
      swept.removed += try sweep(root.own)
      swept.removed += try sweep(root.own.folder(Self.pins))
      swept.removed += try sweep(root.own.folder(Self.backup))
      swept.removed += try sweep(root.own.folder(Self.retired))
      for name in try root.keys.names(limit: Self.placeLimit)
      where name.text.flatMap({ InstanceName($0) }) != nil {
        do throws(FileError) {
          guard try root.keys.status(of: name)?.kind == .folder else { continue }
          swept.removed += try sweep(root.keys.folder(name))
        } catch {
          swept.failures.append("\(error)")
        }
      }
      return swept
    }
  }

  func sweep(_ folder: borrowing Descriptor) throws(FileError) -> Int {
    try folder.removeLeftovers(
      changedBefore: Moment.now.earlier(seconds: Inspection.leftoverAge), limit: Self.placeLimit)
  }
}
