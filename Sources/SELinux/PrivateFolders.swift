public import Descriptors
public import OnionModel

/// What no container may read, whatever else fails: both folders' `.onionkeeper/` (marker, anchor, pins, backups, retired
/// keys) and the journal. They are root's alone already; the label is the second lock.
public struct PrivateFolders: Sendable {
  /// The type that our policy module `onionkeeper` brings for them.
  public static let ownType = "onionkeeper_secret_t"
  /// Without the module: what `/var/lib` bears anyway, so that `restorecon` agrees. Containers may list such folders and
  /// read no file in them (sesearch over Debian's policy; Fedora's was not looked at).
  public static let stockType = "var_lib_t"

  /// Entries of both folders that are looked at: ten thousand retired keys would be more than anybody has.
  private static let entryLimit = 100_000
  private static let folderLimit = 20_000
  /// `retired/NAME/authorized_clients/` and one more.
  private static let depthLimit = 4

  private let keys: String
  private let state: String
  /// The folder of ours in both, and what the journal's files begin with.
  private let own: String
  private let journal: String

  public init(keys: String, state: String, own: String, journal: String) {
    self.keys = keys
    self.state = state
    self.own = own
    self.journal = journal
  }

  /// The type that they are to bear under the loaded policy.
  public static func type(_ tree: HostTree = HostTree()) -> String {
    HostPolicy.knows(context(ownType), tree).value == true ? ownType : stockType
  }

  static func context(_ type: String) -> SecurityContext {
    SecurityContext(user: "system_u", role: "object_r", type: type, level: "s0")
  }

  /// Each entry that bears another type or level.
  public func flaws(type: String) -> [Deviation] {
    var found: [Deviation] = []
    do {
      try walk { (object: borrowing Descriptor) throws(FileError) in
        let label = try object.label()
        if let label, let context = SecurityContext(label), context.type == type,
          context.level == "s0"
        {
          return
        }
        found.append(
          Deviation(
            "label of \(object.path)", expected: "\(type):s0", observed: label ?? "none"))
      }
    } catch {
      found.append(Deviation("labels of our own folders", expected: "seen", observed: "\(error)"))
    }
    return found
  }

  /// Labels what does not bear the type, by descriptor and never through a link.
  public func label(type: String) throws(LabelError) {
    let context = Self.context(type).description
    do {
      try walk { (object: borrowing Descriptor) throws(FileError) in
        if let label = try object.label(), let borne = SecurityContext(label),
          borne.type == type, borne.level == "s0"
        {
          return
        }
        try object.setLabel(context)
      }
    } catch {
      throw LabelError("label our own folders", error)
    }
  }

  /// Contents first, so that a folder that is right has only right ones in it.
  private func walk(
    _ body: (borrowing Descriptor) throws(FileError) -> Void
  ) throws(FileError) {
    var left = Self.entryLimit
    for path in [keys, state] {
      guard let root = try existing(path) else { continue }
      if try root.status(of: FileName(own))?.kind == .folder {
        let folder = try root.folder(FileName(own))
        try walk(folder, depth: 0, &left, body)
      }
      guard path == state else { continue }
      for name in try root.names(limit: Self.folderLimit)
      where name.description.hasPrefix(journal) {
        try visit(name, in: root, body)
      }
    }
  }

  /// Links on the way are the owner's business, as for the folders themselves.
  private func existing(_ path: String) throws(FileError) -> Descriptor? {
    do {
      return try Descriptor.folder(at: path)
    } catch {
      if error.isAbsence { return nil }
      throw error
    }
  }

  private func walk(
    _ folder: borrowing Descriptor, depth: Int, _ left: inout Int,
    _ body: (borrowing Descriptor) throws(FileError) -> Void
  ) throws(FileError) {
    for name in try folder.names(limit: Self.folderLimit) {
      left -= 1
      guard left > 0 else { return }
      switch try folder.status(of: name)?.kind {
      case .folder where depth < Self.depthLimit:
        do {
          try walk(try folder.folder(name), depth: depth + 1, &left, body)
        } catch {
          // Gone meanwhile is gone.
          if !error.isAbsence { throw error }
        }
      case .file: try visit(name, in: folder, body)
      default: continue
      }
    }
    try body(folder)
  }

  /// A file with other names elsewhere may be somebody else's: it is left as it is.
  private func visit(
    _ name: FileName, in folder: borrowing Descriptor,
    _ body: (borrowing Descriptor) throws(FileError) -> Void
  ) throws(FileError) {
    do {
      let file = try folder.file(name, .holding)
      let status = try file.status()
      guard status.kind == .file, status.links == 1 else { return }
      try body(file)
    } catch {
      if !error.isAbsence { throw error }
    }
  }
}
