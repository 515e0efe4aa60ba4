import CGit2

/// A commit as far as deciding about it needs.
public struct CommitInfo: Sendable, Equatable {
  public let id: String
  public let tree: String
  public let parents: [String]
  /// Seconds since 1970, as the committer claims; what is out of the years 1970 to 9999 lies just
  /// beside them, so that it can be calculated with.
  public let committed: Int64
  public let author: String
  public let message: String
  /// The trailers of the message (`Key: value` in its last paragraph), in order.
  public let trailers: [Trailer]

  public struct Trailer: Sendable, Equatable {
    public let key: String
    public let value: String

    public init(key: String, value: String) {
      self.key = key
      self.value = value
    }
  }

  /// The value of the trailer, if the message has it with one value. A message that contradicts
  /// itself says nothing.
  public func trailer(_ key: String) -> String? {
    let values = Set(
      trailers.filter { $0.key.lowercased() == key.lowercased() }.map(\.value))
    return values.count == 1 ? values.first : nil
  }

  /// The first line of the message, fit to print.
  public var summary: String { printable(message.prefix { !$0.isNewline }, limit: 120) }
}

extension GitMirror {
  /// Whether `commit` is `anchor` or has it among its ancestors. False if the anchor is not in the
  /// mirror although every ancestor of `commit` is: then it belongs to another history.
  ///
  /// - Throws: `.missingCommit` if `commit` is not in the mirror; `.corruptMirror`.
  public func isDescendant(_ commit: String, of anchor: String) throws(GitError) -> Bool {
    try reading { repository throws(GitError) in
      try CommitHistory(repository: repository).isDescendant(commit, of: anchor)
    }
  }

  /// - Throws: `.missingCommit`, `.corruptMirror`.
  public func commitInfo(_ commit: String) throws(GitError) -> CommitInfo {
    try reading { repository throws(GitError) in
      try CommitHistory(repository: repository).info(commit)
    }
  }

  /// What the commits from `commit` down its first parents say under the trailer `key`, as far as
  /// `known` does not hold them: at most a thousand commits, the newest first.
  ///
  /// - Throws: `.missingCommit`, `.corruptMirror`.
  public func trailers(
    _ key: String, until commit: String, since known: String
  ) throws(GitError) -> [String] {
    try reading { repository throws(GitError) in
      let history = CommitHistory(repository: repository)
      let new = Set(try history.commits(reachableFrom: commit, butNotFrom: [known]))
      var found: [String] = []
      var next: String? = commit
      var left = 1000
      while let commit = next, new.contains(commit), left > 0 {
        let info = try history.info(commit)
        if let value = info.trailer(key) { found.append(value) }
        next = info.parents.first
        left -= 1
      }
      return found
    }
  }

  /// The paths of the files under `folder` (all, if empty) that `old` has and `new` has not,
  /// sorted. A renamed file counts as deleted.
  ///
  /// - Parameter folder: relative to the top of the repository, not to `source.path`.
  /// - Throws: `.missingCommit`, `.corruptMirror`.
  public func deletedFiles(
    from old: String, to new: String, under folder: String
  ) throws(GitError) -> [String] {
    try reading { repository throws(GitError) in
      try CommitHistory(repository: repository).deletedFiles(from: old, to: new, under: folder)
    }
  }
}

/// Questions about commits, on an open repository.
struct CommitHistory {
  let repository: OpaquePointer

  func contains(_ commit: String) throws(GitError) -> Bool {
    guard var id = git_oid(hex: commit) else { return false }
    var found: OpaquePointer?
    let result = git_commit_lookup(&found, repository, &id)
    git_commit_free(found)
    if result == GIT_ENOTFOUND.rawValue { return false }
    try Libgit2.check(result, "read", "commit \(commit)")
    return true
  }

  func lookUp(_ commit: String) throws(GitError) -> Owned {
    guard var id = git_oid(hex: commit) else {
      throw GitError(
        .missingCommit, "read", "'\(printable(commit, limit: 60))' is not a full commit id")
    }
    return try Owned(
      "read", "commit \(commit)", release: git_commit_free,
      meaning: Libgit2.damageOrMissing
    ) { git_commit_lookup(&$0, repository, &id) }
  }

  func info(_ commit: String) throws(GitError) -> CommitInfo {
    let owned = try lookUp(commit)
    let pointer = owned.pointer
    guard let tree = git_commit_tree_id(pointer) else {
      throw GitError(.corruptMirror, "read", "commit \(commit) has no tree")
    }
    let parents = (0..<git_commit_parentcount(pointer)).compactMap {
      git_commit_parent_id(pointer, $0)?.pointee.hex
    }
    let author = git_commit_author(pointer)?.pointee
    return CommitInfo(
      id: commit, tree: tree.pointee.hex, parents: parents,
      committed: min(max(git_commit_time(pointer), -1), Self.endOfTime),
      author: author.map { "\(Self.text($0.name)) <\(Self.text($0.email))>" } ?? "",
      message: Self.text(git_commit_message(pointer)), trailers: try trailers(of: pointer))
  }

  func isDescendant(_ commit: String, of anchor: String) throws(GitError) -> Bool {
    guard try contains(commit) else {
      throw GitError(.missingCommit, "read", "commit \(commit) is not in the mirror")
    }
    guard var new = git_oid(hex: commit), var old = git_oid(hex: anchor) else {
      throw GitError(
        .missingCommit, "read", "'\(printable(anchor, limit: 60))' is not a full commit id")
    }
    if git_oid_equal(&new, &old) == 1 { return true }
    guard try contains(anchor) else {
      // Only a history that is whole proves that the anchor is not part of it.
      try walk(from: &new)
      return false
    }
    let result = git_graph_descendant_of(repository, &new, &old)
    try Libgit2.check(result, "read", "ancestors of \(commit)")
    return result == 1
  }

  /// The first second of the year 10000.
  private static let endOfTime: Int64 = 253_402_300_800

  func deletedFiles(
    from old: String, to new: String, under folder: String
  ) throws(GitError) -> [String] {
    let oldTree = try tree(of: old)
    let newTree = try tree(of: new)
    let diff = try Owned("read", "difference to \(old)", release: git_diff_free) {
      git_diff_tree_to_tree(&$0, repository, oldTree.pointer, newTree.pointer, nil)
    }
    let prefix = folder.isEmpty || folder == "." ? "" : folder + "/"
    var deleted: [String] = []
    for index in 0..<git_diff_num_deltas(diff.pointer) {
      guard let delta = git_diff_get_delta(diff.pointer, index)?.pointee,
        delta.status == GIT_DELTA_DELETED
      else { continue }
      let path = Self.text(delta.old_file.path)
      if path.hasPrefix(prefix) { deleted.append(path) }
    }
    return deleted.sorted()
  }

  func tree(of commit: String) throws(GitError) -> Owned {
    let owned = try lookUp(commit)
    return try Owned("read", "tree of \(commit)", release: git_tree_free) {
      git_commit_tree(&$0, owned.pointer)
    }
  }

  /// The commit and all its ancestors, less those of `known` and their ancestors; parents come
  /// before their children. What of `known` is not in the mirror takes nothing away.
  func commits(
    reachableFrom commit: String, butNotFrom known: some Sequence<String>
  ) throws(GitError) -> [String] {
    guard var start = git_oid(hex: commit) else {
      throw GitError(.missingCommit, "read", "'\(printable(commit))' is not a full commit id")
    }
    var hidden: [git_oid] = []
    for commit in known where try contains(commit) {
      if let id = git_oid(hex: commit) { hidden.append(id) }
    }
    var found: [String] = []
    try walk(from: &start, hiding: hidden) { found.append($0.hex) }
    return found
  }

  private func walk(
    from commit: inout git_oid, hiding hidden: [git_oid] = [], _ visit: (git_oid) -> Void = { _ in }
  ) throws(GitError) {
    let walk = try Owned("read", "ancestors", release: git_revwalk_free) {
      git_revwalk_new(&$0, repository)
    }
    let order = GIT_SORT_TOPOLOGICAL.rawValue | GIT_SORT_REVERSE.rawValue
    try Libgit2.check(git_revwalk_sorting(walk.pointer, order), "read", "ancestors")
    try Libgit2.check(git_revwalk_push(walk.pointer, &commit), "read", "ancestors")
    for var id in hidden {
      try Libgit2.check(git_revwalk_hide(walk.pointer, &id), "read", "ancestors")
    }
    var id = git_oid()
    while true {
      let result = git_revwalk_next(&id, walk.pointer)
      if result == GIT_ITEROVER.rawValue { return }
      try Libgit2.check(result, "read", "ancestors")
      visit(id)
    }
  }

  /// The bytes of a file in the commit's top folder, and nil if nothing has that name there.
  ///
  /// - Throws: `.badTree` if it is not a plain file, or is larger than `limit` bytes.
  func file(_ name: String, in commit: String, limit: Int) throws(GitError) -> [UInt8]? {
    let tree = try tree(of: commit)
    guard let entry = git_tree_entry_byname(tree.pointer, name),
      let id = git_tree_entry_id(entry)?.pointee
    else { return nil }
    guard [0o100644, 0o100755, 0o100664].contains(git_tree_entry_filemode_raw(entry).rawValue)
    else { throw GitError(.badTree, "read", "\(name) in \(commit) is not a plain file") }
    let reader = TreeReader(repository: repository, commit: commit, limits: SourceLimits())
    do throws(GitError) { return try reader.bytes(of: id.hex, path: name, limit: limit) } catch {
      throw error.code == .limit
        ? GitError(.badTree, "read", "\(name) in \(commit): \(error.message)") : error
    }
  }

  private func trailers(of commit: OpaquePointer) throws(GitError) -> [CommitInfo.Trailer] {
    guard let message = git_commit_message(commit) else { return [] }
    var array = git_message_trailer_array()
    try Libgit2.check(git_message_trailers(&array, message), "read", "trailers")
    defer { git_message_trailer_array_free(&array) }
    return UnsafeBufferPointer(start: array.trailers, count: array.count).map {
      CommitInfo.Trailer(key: Self.text($0.key), value: Self.text($0.value))
    }
  }

  /// Git does not promise UTF-8 in messages, names and paths; what is not becomes U+FFFD.
  private static func text(_ string: UnsafePointer<CChar>?) -> String {
    string.map { String(cString: $0) } ?? ""
  }
}
