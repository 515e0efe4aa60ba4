import CGit2
import Glibc

/// The head of a git bundle (gitformat-bundle(5)): what it stands on, what it brings, where its pack
/// begins.
struct BundleHeader: Equatable {
  /// Commits that must be there already.
  private(set) var prerequisites: [String] = []
  /// Names of references, and their commits.
  private(set) var references: [String: String] = [:]
  /// Bytes before the pack.
  private(set) var length = 0

  /// 1 MiB: more than ten thousand references.
  static let limit = 1 << 20

  /// - Throws: `.unreachable`: it is not a bundle of a form that is understood.
  init(_ bytes: [UInt8]) throws(GitError) {
    func wrong(_ what: String) -> GitError { GitError(.unreachable, "bundle", what) }
    guard let end = bytes.firstRange(of: [10, 10]) else {
      throw wrong("it is not a git bundle (git bundle create FILE BRANCH)")
    }
    length = end.upperBound
    let lines = bytes[..<end.lowerBound].split(
      separator: 10, omittingEmptySubsequences: false
    ).map { String(decoding: $0, as: UTF8.self) }
    guard let version = lines.first, ["# v2 git bundle", "# v3 git bundle"].contains(version) else {
      throw wrong("it is not a git bundle of version 2 or 3")
    }
    for line in lines.dropFirst() {
      if line.hasPrefix("@") {
        guard line == "@object-format=sha1" else {
          throw wrong(
            "it needs '\(printable(line.dropFirst(), limit: 60))', which is not supported")
        }
        continue
      }
      let isPrerequisite = line.hasPrefix("-")
      let rest = isPrerequisite ? line.dropFirst() : line[...]
      let commit = String(rest.prefix(40))
      let name = rest.dropFirst(41)
      guard git_oid(hex: commit) != nil, isPrerequisite || !name.isEmpty else {
        throw wrong("its list of references is damaged")
      }
      if isPrerequisite { prerequisites.append(commit) } else { references[String(name)] = commit }
    }
  }
}

extension GitMirror {
  /// Takes the objects of a git bundle into the mirror, and returns the tip of the branch in it. No
  /// reference of the mirror moves: what a bundle says of itself is believed by nobody.
  ///
  /// - Throws: `.unreachable` (no bundle, damaged, or not whole), `.branchMissing`, `.missingCommit`
  ///   (it stands on commits that are not here), `.limit`, `.storage`, `.configuration`, `.cancelled`.
  public func take(bundle path: String) throws(GitError) -> Tip {
    try Libgit2.start()
    let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
    guard descriptor >= 0 else {
      throw GitError(.unreachable, "bundle", "\(printable(path)): \(errorText(errno))")
    }
    defer { Glibc.close(descriptor) }
    do throws(GitError) {
      let header = try header(of: descriptor)
      let name = "refs/heads/" + source.branch
      guard let commit = header.references[name] else {
        throw GitError(
          .branchMissing, "bundle",
          "it has no \(printable(name)) (git bundle create FILE \(printable(source.branch)))")
      }
      let tip = Tip(branch: source.branch, commit: commit)
      if try isUsable() {
        let repository = try open()
        try unpack(descriptor, header, into: repository)
        try check(tip, in: repository)
        return tip
      }
      return try remake { repository throws(GitError) in
        try unpack(descriptor, header, into: repository)
        try check(tip, in: repository)
        return tip
      }
    } catch {
      throw GitError(error.code, "bundle", "\(printable(path)): \(error.message)")
    }
  }

  private func header(of descriptor: Int32) throws(GitError) -> BundleHeader {
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw GitError(.unreachable, "bundle", "it is not a regular file")
    }
    guard status.st_size <= source.limits.bytes else {
      throw GitError(
        .limit, "bundle", "it has more than the limit of \(source.limits.bytes) bytes")
    }
    var bytes = [UInt8](repeating: 0, count: min(BundleHeader.limit, Int(status.st_size)))
    var filled = 0
    while filled < bytes.count {
      let count = bytes.withUnsafeMutableBytes {
        pread(descriptor, $0.baseAddress?.advanced(by: filled), $0.count - filled, off_t(filled))
      }
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else {
        throw GitError(.unreachable, "bundle", "it cannot be read: \(errorText(errno))")
      }
      if count == 0 { break }
      filled += count
    }
    return try BundleHeader(Array(bytes[..<filled]))
  }

  private func unpack(
    _ descriptor: Int32, _ header: BundleHeader, into repository: OpaquePointer
  ) throws(GitError) {
    let history = CommitHistory(repository: repository)
    for commit in header.prerequisites where try !history.contains(commit) {
      throw GitError(
        .missingCommit, "bundle",
        "it stands on commit \(commit), which is not here; make it with the whole branch")
    }
    let database = try Owned("bundle", "object database", release: git_odb_free) {
      git_repository_odb(&$0, repository)
    }
    var made: UnsafeMutablePointer<git_odb_writepack>?
    try Libgit2.check(
      git_odb_write_pack(
        &made, database.pointer,
        { _, _ in
          Task.isCancelled ? GIT_EUSER.rawValue : 0
        }, nil), "bundle", "no pack can be written")
    guard let writer = made else { throw GitError(.storage, "bundle", "no pack can be written") }
    defer { writer.pointee.free(writer) }
    var progress = git_indexer_progress()
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    var place = header.length
    while true {
      let count = pread(descriptor, &chunk, chunk.count, off_t(place))
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else {
        throw GitError(.unreachable, "bundle", "it cannot be read: \(errorText(errno))")
      }
      if count == 0 { break }
      place += count
      try checkPack(writer.pointee.append(writer, chunk, count, &progress))
      guard progress.total_objects <= source.limits.objects else {
        throw GitError(
          .limit, "bundle",
          "it has \(progress.total_objects) objects; the limit is \(source.limits.objects)")
      }
    }
    try checkPack(writer.pointee.commit(writer, &progress))
  }

  private func checkPack(_ result: Int32) throws(GitError) {
    if result == GIT_EUSER.rawValue, Task.isCancelled {
      throw GitError(.cancelled, "bundle", "cancelled")
    }
    try Libgit2.check(result, "bundle", "its pack") { code, kind, text in
      if text.contains("exceeds") || text.contains("too many objects") { return .limit }
      return Libgit2.damage(code, kind, text) == .storage ? .storage : .unreachable
    }
  }

  /// Everything that the tip stands on is here, and everything of ours in it.
  private func check(_ tip: Tip, in repository: OpaquePointer) throws(GitError) {
    do throws(GitError) {
      let history = CommitHistory(repository: repository)
      _ = try history.commits(reachableFrom: tip.commit, butNotFrom: [])
      var reader = TreeReader(repository: repository, commit: tip.commit, limits: source.limits)
      _ = try reader.read(source.checkedPath())
    } catch {
      switch error.code {
      // What is wrong with the tree is for `readTree` to say.
      case .badTree, .limit: return
      case .corruptMirror, .missingCommit:
        throw GitError(.unreachable, "bundle", "it is not whole: \(error.message)")
      default: throw error
      }
    }
  }
}
