import CGit2

/// What a commit holds for us, listed whole or not at all.
public struct TreeListing: Sendable, Equatable {
  /// A file whose bytes decide: `onionkeeper.yaml`, everything under `services/`, and the sealed keys
  /// `secrets/NAME.age`.
  public struct File: Sendable, Equatable {
    /// Relative to the configured folder, for example `services/blog.yaml`.
    public let path: String
    /// The blob's id: equal ids are equal bytes.
    public let blob: String
    public let content: Content
  }

  /// The bytes, unless there are too many. One file that is too large is that file's error and
  /// does not refuse the revision (product.md §2), so it is a value and not thrown.
  public enum Content: Sendable, Equatable {
    case bytes([UInt8])
    case tooLarge(size: Int, limit: Int)
  }

  /// A file that is only listed: everything under `images/`, and what else is under `secrets/`.
  public struct Entry: Sendable, Equatable {
    public let path: String
    public let blob: String
    public let size: Int
    public let isExecutable: Bool
  }

  public let commit: String
  /// The id of the configured folder's tree.
  public let tree: String
  /// Sorted by path.
  public let files: [File]
  /// Sorted by path.
  public let entries: [Entry]
}

extension GitMirror {
  /// Reads everything of ours in the commit.
  ///
  /// A folder or a file that is absent is absent from the listing; it is the caller who says what
  /// that means. Anything outside of `onionkeeper.yaml`, `services/`, `images/` and `secrets/` is
  /// neither read nor judged.
  ///
  /// - Parameter path: the folder that holds `onionkeeper.yaml`; `source.path` if nil.
  /// - Throws: `.badTree` (symbolic link, submodule, LFS pointer, impossible name, no such folder),
  ///   `.limit` (files, depth, bytes), `.missingCommit`, `.corruptMirror`. Never a partial list.
  public func readTree(commit: String, path: String? = nil) throws(GitError) -> TreeListing {
    var place = source
    if let path { place.path = path }
    let folder = try place.checkedPath()
    return try reading { repository throws(GitError) in
      var reader = TreeReader(repository: repository, commit: commit, limits: source.limits)
      return try reader.read(folder)
    }
  }

  /// The bytes of one listed file, for example a sealed key of `secrets/`.
  ///
  /// - Throws: `.limit` if it is larger than `limit` bytes; `.corruptMirror`.
  public func readBlob(_ blob: String, limit: Int) throws(GitError) -> [UInt8] {
    try reading { repository throws(GitError) in
      let reader = TreeReader(repository: repository, commit: blob, limits: source.limits)
      return try reader.bytes(of: blob, path: blob, limit: limit)
    }
  }
}

/// Walks the trees of one commit. Sizes are read before bytes, so nothing large is ever loaded.
struct TreeReader {
  let repository: OpaquePointer
  let commit: String
  let limits: SourceLimits

  private var files: [TreeListing.File] = []
  private var entries: [TreeListing.Entry] = []
  private var count = 0
  private var total = 0

  init(repository: OpaquePointer, commit: String, limits: SourceLimits) {
    self.repository = repository
    self.commit = commit
    self.limits = limits
  }

  mutating func read(_ folder: [String]) throws(GitError) -> TreeListing {
    let top = try CommitHistory(repository: repository).tree(of: commit)
    guard var id = git_tree_id(top.pointer)?.pointee else {
      throw GitError(.corruptMirror, "read", "commit \(commit) has no tree")
    }
    var walked = ""
    for name in folder {
      walked += walked.isEmpty ? name : "/" + name
      guard let item = try list(id, at: walked).first(where: { $0.name == name }) else {
        throw bad(walked, "does not exist (repository.path)")
      }
      guard item.mode == Self.directory else { throw bad(walked, "is not a folder") }
      id = item.id
    }
    for item in try list(id, at: walked) {
      switch item.name {
      case "onionkeeper.yaml": try take(item, at: item.name, withBytes: true)
      case "services": try descend(item, at: item.name, withBytes: true, depth: 1)
      case "images": try descend(item, at: item.name, withBytes: false, depth: 1)
      case "secrets": try takeSecrets(item)
      default: continue
      }
    }
    files.sort { $0.path < $1.path }
    entries.sort { $0.path < $1.path }
    return TreeListing(commit: commit, tree: id.hex, files: files, entries: entries)
  }

  /// The bytes of a blob, at most `limit`.
  func bytes(of blob: String, path: String, limit: Int) throws(GitError) -> [UInt8] {
    guard let id = git_oid(hex: blob) else {
      throw GitError(.missingCommit, "read", "'\(printable(blob))' is not a full id")
    }
    let size = try size(of: id, path: path)
    guard size <= limit else {
      throw GitError(.limit, "read", "\(printable(path)) has \(size) bytes; the limit is \(limit)")
    }
    return try bytes(of: id, path: path)
  }

  // MARK: -

  private struct Item {
    let name: String
    let mode: UInt32
    let id: git_oid
  }

  private static let directory: UInt32 = 0o040000

  /// The entries of a tree. Names are judged here: git's own tools never write such trees, but
  /// nobody has to use them.
  private func list(_ tree: git_oid, at path: String) throws(GitError) -> [Item] {
    var id = tree
    let owned = try Owned("read", "folder \(printable(path))", release: git_tree_free) {
      git_tree_lookup(&$0, repository, &id)
    }
    var items: [Item] = []
    var names: Set<String> = []
    for index in 0..<git_tree_entrycount(owned.pointer) {
      guard let entry = git_tree_entry_byindex(owned.pointer, index),
        let raw = git_tree_entry_name(entry), let id = git_tree_entry_id(entry)?.pointee
      else { throw GitError(.corruptMirror, "read", "folder \(printable(path)) cannot be listed") }
      guard let name = String(validatingCString: raw), !["", ".", ".."].contains(name),
        !name.contains("/")
      else { throw bad(path, "has a file whose name is not UTF-8, or is a path") }
      guard names.insert(name).inserted else { throw bad(path + "/" + name, "is there twice") }
      items.append(Item(name: name, mode: git_tree_entry_filemode_raw(entry).rawValue, id: id))
    }
    return items
  }

  private mutating func descend(
    _ item: Item, at path: String, withBytes: Bool, depth: Int
  ) throws(GitError) {
    guard item.mode == Self.directory else {
      // Only a folder belongs at the first level; deeper, this is a file.
      if depth == 1 { throw bad(path, "is \(Self.kind(item.mode)), not a folder") }
      return try take(item, at: path, withBytes: withBytes)
    }
    guard depth <= limits.depth else {
      throw GitError(
        .limit, "read",
        "\(printable(path)) in \(commit) is nested deeper than \(limits.depth) folders")
    }
    // Folders count too: trees may name one another over and over without holding any file.
    try countOne()
    for child in try list(item.id, at: path) {
      try descend(child, at: path + "/" + child.name, withBytes: withBytes, depth: depth + 1)
    }
  }

  /// Sealed keys lie in `secrets/` itself; a folder below it is listed.
  private mutating func takeSecrets(_ folder: Item) throws(GitError) {
    guard folder.mode == Self.directory else {
      throw bad(folder.name, "is \(Self.kind(folder.mode)), not a folder")
    }
    try countOne()
    for item in try list(folder.id, at: folder.name) {
      let path = "\(folder.name)/\(item.name)"
      if item.mode != Self.directory, item.name.hasSuffix(".age") {
        try take(item, at: path, withBytes: true, limit: limits.secretBytes)
      } else {
        try descend(item, at: path, withBytes: false, depth: 2)
      }
    }
  }

  private mutating func take(
    _ item: Item, at path: String, withBytes: Bool, limit: Int? = nil
  ) throws(GitError) {
    let limit = limit ?? limits.fileBytes
    guard item.mode == 0o100644 || item.mode == 0o100755 || item.mode == 0o100664 else {
      throw bad(path, "is \(Self.kind(item.mode)), which is refused under our folders")
    }
    try countOne()
    let size = try size(of: item.id, path: path)
    let isLarge = size > limit
    var content: [UInt8] = []
    if !isLarge, withBytes || size <= LFSPointer.limit {
      content = try bytes(of: item.id, path: path)
      if LFSPointer.isOne(content) {
        throw bad(path, "is a Git LFS pointer, not the file; commit the file itself")
      }
    }
    guard withBytes else {
      entries.append(
        TreeListing.Entry(
          path: path, blob: item.id.hex, size: size, isExecutable: item.mode == 0o100755))
      return
    }
    total += content.count
    guard total <= limits.treeBytes else {
      throw GitError(
        .limit, "read",
        "the definitions and sealed keys in \(commit) have more than \(limits.treeBytes) bytes together"
      )
    }
    files.append(
      TreeListing.File(
        path: path, blob: item.id.hex,
        content: isLarge ? .tooLarge(size: size, limit: limit) : .bytes(content)))
  }

  private mutating func countOne() throws(GitError) {
    count += 1
    guard count <= limits.files else {
      throw GitError(
        .limit, "read",
        "\(commit) has more than \(limits.files) files and folders under our folders")
    }
  }

  private func size(of id: git_oid, path: String) throws(GitError) -> Int {
    let database = try Owned("read", "object database", release: git_odb_free) {
      git_repository_odb(&$0, repository)
    }
    var (id, size, kind) = (id, 0, GIT_OBJECT_ANY)
    try Libgit2.check(
      git_odb_read_header(&size, &kind, database.pointer, &id), "read", printable(path))
    guard kind == GIT_OBJECT_BLOB else { throw bad(path, "is not a file in the object database") }
    return size
  }

  private func bytes(of id: git_oid, path: String) throws(GitError) -> [UInt8] {
    var id = id
    let blob = try Owned("read", printable(path), release: git_blob_free) {
      git_blob_lookup(&$0, repository, &id)
    }
    return Array(
      UnsafeRawBufferPointer(
        start: git_blob_rawcontent(blob.pointer), count: Int(git_blob_rawsize(blob.pointer))))
  }

  private static func kind(_ mode: UInt32) -> String {
    switch mode {
    case 0o120000: "a symbolic link"
    case 0o160000: "a submodule"
    case directory: "a folder"
    case 0o100644, 0o100755, 0o100664: "a file"
    default: "of the unknown mode 0\(String(mode, radix: 8))"
    }
  }

  private func bad(_ path: String, _ what: String) -> GitError {
    GitError(.badTree, "read", "\(printable(path)) in \(commit) \(what)")
  }
}
