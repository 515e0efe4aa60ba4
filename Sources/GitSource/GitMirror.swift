import CGit2
import Dispatch
import FoundationEssentials
import Glibc

/// The newest commit of the configured branch.
public struct Tip: Sendable, Hashable {
  public let branch: String
  /// Forty lower-case hexadecimal digits.
  public let commit: String

  public init(branch: String, commit: String) {
    self.branch = branch
    self.commit = commit
  }
}

/// A bare mirror of one branch of one repository.
///
/// The mirror is a cache. It is never trusted: libgit2 verifies the hash of every object that it
/// reads, and a mirror that fails in any way is condemned and made anew by the next `fetch`, beside
/// the old one, which is replaced only when the new one is whole.
///
/// libgit2's calls block, so the actor runs on a queue of its own.
public actor GitMirror {
  public nonisolated let path: String
  public nonisolated let source: RepositorySource
  let authenticated: AuthenticatedCommits?

  private let executor = QueueExecutor(label: "onionkeeper.git")
  private var handle: OpaquePointer?
  private var isCondemned = false

  public nonisolated var unownedExecutor: UnownedSerialExecutor {
    executor.asUnownedSerialExecutor()
  }

  /// - Parameters:
  ///   - path: the mirror's folder. Its parent must exist and belong to us alone; the folder is
  ///     made by the first `fetch`, and nothing else may be kept in it.
  ///   - authenticated: a file that remembers what was authenticated under an introduction; nil: all
  ///     is judged each time.
  public init(at path: String, source: RepositorySource, authenticated: String? = nil) {
    self.path = path
    self.source = source
    self.authenticated = authenticated.map(AuthenticatedCommits.init(path:))
  }

  isolated deinit { git_repository_free(handle) }

  /// Asks the server for the branch's newest commit (`git ls-remote`): one round trip, no objects.
  ///
  /// - Throws: `.emptyRepository`, `.branchMissing`, `.unreachable`, `.authentication`, `.hostKey`,
  ///   `.certificate`, `.redirect`, `.timeout`, `.limit`, `.cancelled`, `.configuration`.
  public func look() async throws(GitError) -> Tip {
    try await converse("look") { transfer throws(GitError) in
      do throws(GitError) {
        return try transfer.look()
      } catch {
        throw error.asServers
      }
    }
  }

  /// Brings the branch's newest commit and all its ancestors into the mirror, and returns it. Of a
  /// repository on this machine libgit2 copies the objects of the other branches, too.
  ///
  /// - Throws: what `look` throws, and `.storage`. After an error the mirror is as it was.
  @discardableResult
  public func fetch() async throws(GitError) -> Tip {
    do {
      return try await converse("fetch") { transfer throws(GitError) in
        try self.needsRemake() ? self.download(transfer) : self.update(transfer)
      }
    } catch  where error.code == .corruptMirror && !isCondemned {
      condemn()
      return try await converse("fetch") { transfer throws(GitError) in
        try self.download(transfer)
      }
    }
  }

  /// Whether the commit is in a mirror that can be read.
  public func contains(_ commit: String) -> Bool {
    do throws(GitError) {
      return try reading { repository throws(GitError) in
        let history = CommitHistory(repository: repository)
        return try history.contains(commit)
      }
    } catch {
      // Every reason leads to the same thing: fetch.
      return false
    }
  }

  /// Runs `body` on the open mirror.
  ///
  /// - Throws: what `body` throws; damage condemns the mirror. `.missingCommit` if nothing has been
  ///   fetched yet.
  func reading<T>(
    _ body: (OpaquePointer) throws(GitError) -> T
  ) throws(GitError) -> T {
    try Libgit2.start()
    guard !isCondemned else {
      throw GitError(.corruptMirror, "read", "the mirror \(path) is damaged; fetch makes it anew")
    }
    do throws(GitError) { return try body(try open()) } catch {
      if error.code == .corruptMirror { condemn() }
      throw error
    }
  }

  // MARK: - Conversation

  private func converse(
    _ operation: String, _ body: (Transfer) throws(GitError) -> Tip
  ) async throws(GitError) -> Tip {
    try Libgit2.start()
    let transfer = try Transfer(operation, source)
    try checkLocalSource(transfer)
    let watch = transfer.watch()
    defer { watch.cancel() }
    let result: Result<Tip, GitError> = await withTaskCancellationHandler {
      Transfer.$current.withValue(transfer) {
        do throws(GitError) {
          if let failure = transfer.failure { throw failure }
          guard transfer.address.scheme == .https else { return .success(try body(transfer)) }
          let file = try authorities()
          return .success(
            try Libgit2.trusting(authorities: file, operation) { () throws(GitError) in
              try body(transfer)
            })
        } catch {
          return .failure(error)
        }
      }
    } onCancel: {
      transfer.abort(.cancelled, "cancelled")
    }
    return try result.get()
  }

  private func authorities() throws(GitError) -> String {
    if let file = source.caFile {
      _ = try GuardedFile.read(file, .trusted, named: "repository.caFile")
      return file
    }
    return try Libgit2.systemAuthorities()
  }

  /// libgit2 reports a missing folder like trouble with our own disk, so it is looked at first.
  private func checkLocalSource(_ transfer: Transfer) throws(GitError) {
    guard transfer.address.scheme == .file else { return }
    let place = transfer.address.localPath
    guard access(place, R_OK | X_OK) == 0 else {
      throw GitError(
        .unreachable, transfer.operation, "no repository at \(place): \(errorText(errno))")
    }
  }

  // MARK: - The mirror's folder

  private func update(_ transfer: Transfer) throws(GitError) -> Tip {
    let repository = try open()
    let tip = try transfer.fetch(into: repository)
    // The server sends only what the mirror does not claim to have already. Whether it really has
    // it is seen by reading; what else may be wrong with the tree is for `readTree` to say.
    var reader = TreeReader(repository: repository, commit: tip.commit, limits: source.limits)
    do throws(GitError) { _ = try reader.read(source.checkedPath()) } catch {
      if error.code == .corruptMirror { throw error }
    }
    return tip
  }

  private func download(_ transfer: Transfer) throws(GitError) -> Tip {
    try remake { repository throws(GitError) in try transfer.fetch(into: repository) }
  }

  /// Fills a fresh folder and puts it in the place of the old one.
  func remake(_ fill: (OpaquePointer) throws(GitError) -> Tip) throws(GitError) -> Tip {
    let fresh = path + ".new"
    try remove(fresh)
    do throws(GitError) {
      let tip = try make(fresh, fill)
      close()
      try remove(path)
      guard rename(fresh, path) == 0 else {
        throw GitError(.storage, "fetch", "cannot rename \(fresh): \(errorText(errno))")
      }
      isCondemned = false
      // A whole fetch leaves its peak as free memory in the arena of whichever thread ran it.
      malloc_trim(0)
      return tip
    } catch {
      try remove(fresh)
      throw error.asServers
    }
  }

  private func make(
    _ folder: String, _ fill: (OpaquePointer) throws(GitError) -> Tip
  ) throws(GitError) -> Tip {
    var options = git_repository_init_options()
    try Libgit2.check(
      git_repository_init_options_init(&options, UInt32(GIT_REPOSITORY_INIT_OPTIONS_VERSION)),
      "fetch", "init options")
    options.flags =
      GIT_REPOSITORY_INIT_BARE.rawValue | GIT_REPOSITORY_INIT_NO_REINIT.rawValue
      | GIT_REPOSITORY_INIT_MKDIR.rawValue
    guard mkdir(folder, 0o700) == 0 else {
      throw GitError(.storage, "fetch", "cannot make \(folder): \(errorText(errno))")
    }
    let repository = try Owned(
      "fetch", "cannot make \(folder)", release: git_repository_free,
      meaning: Libgit2.always(.storage)
    ) { git_repository_init_ext(&$0, folder, &options) }
    try Self.emptyConfiguration(repository.pointer)
    return try fill(repository.pointer)
  }

  func open() throws(GitError) -> OpaquePointer {
    if let handle { return handle }
    var status = stat()
    guard lstat(path, &status) == 0 else {
      guard errno == ENOENT else {
        throw GitError(.storage, "read", "cannot open \(path): \(errorText(errno))")
      }
      throw GitError(.missingCommit, "read", "nothing has been fetched yet into \(path)")
    }
    guard status.st_mode & S_IFMT == S_IFDIR, status.st_uid == geteuid(),
      status.st_mode & 0o022 == 0
    else { throw GitError(.corruptMirror, "read", "\(path) is not a folder of ours alone") }
    let flags = GIT_REPOSITORY_OPEN_BARE.rawValue | GIT_REPOSITORY_OPEN_NO_SEARCH.rawValue
    var opened: OpaquePointer?
    try Libgit2.check(
      git_repository_open_ext(&opened, path, flags, nil), "read", "cannot open \(path)")
    guard let opened else { throw GitError(.corruptMirror, "read", "cannot open \(path)") }
    do throws(GitError) { try Self.emptyConfiguration(opened) } catch {
      git_repository_free(opened)
      throw error
    }
    handle = opened
    return opened
  }

  /// Replaces the repository's configuration, which nobody may use to steer a fetch, and in which
  /// libgit2 1.5 loses memory at each look-up by pattern.
  private static func emptyConfiguration(_ repository: OpaquePointer) throws(GitError) {
    let empty = try Owned("read", "configuration", release: git_config_free) {
      git_config_new(&$0)
    }
    try Libgit2.check(
      git_repository_set_config(repository, empty.pointer), "read", "configuration")
  }

  private func close() {
    git_repository_free(handle)
    handle = nil
  }

  private func condemn() {
    isCondemned = true
    close()
  }

  /// libgit2 never packs anew: each fetch leaves one pack more, and each is opened at each reading.
  private static let packLimit = 64

  /// Whether there is a mirror that can be opened. One that cannot is condemned.
  func isUsable() throws(GitError) -> Bool {
    if isCondemned { return false }
    do throws(GitError) { _ = try open() } catch {
      switch error.code {
      case .missingCommit: return false
      case .corruptMirror:
        condemn()
        return false
      default: throw error
      }
    }
    return true
  }

  private func needsRemake() throws(GitError) -> Bool {
    guard try isUsable() else { return true }
    let (files, bytes) = packs()
    // A whole fetch is bounded by `limits.bytes`, so a remade mirror is always below this.
    return files > 2 * Self.packLimit || bytes > 2 * source.limits.bytes
  }

  /// Files (two for a pack, and what an interrupted fetch left) and bytes in the pack folder.
  private func packs() -> (files: Int, bytes: Int) {
    let folder = path + "/objects/pack"
    guard let stream = opendir(folder) else { return (Int.max, 0) }
    defer { closedir(stream) }
    var (files, bytes) = (0, 0)
    while let entry = readdir(stream) {
      // By its place: a copy of the whole record would reach past the end of readdir's buffer.
      guard let start = MemoryLayout<dirent>.offset(of: \.d_name) else { return (Int.max, 0) }
      let name = String(
        cString: UnsafeRawPointer(entry).advanced(by: start).assumingMemoryBound(to: CChar.self))
      guard !name.hasPrefix(".") else { continue }
      var status = stat()
      if fstatat(dirfd(stream), name, &status, AT_SYMLINK_NOFOLLOW) == 0 {
        files += 1
        bytes += Int(status.st_size)
      }
    }
    return (files, bytes)
  }

  private func remove(_ folder: String) throws(GitError) {
    var status = stat()
    if lstat(folder, &status) != 0, errno == ENOENT { return }
    do { try FileManager.default.removeItem(atPath: folder) } catch {
      throw GitError(.storage, "fetch", "cannot remove \(folder): \(error)")
    }
  }
}

extension GitError {
  /// Where no mirror of ours, or only a fresh one, took part, damage is the server's.
  fileprivate var asServers: GitError {
    code == .corruptMirror ? GitError(.unreachable, operation, message) : self
  }
}
