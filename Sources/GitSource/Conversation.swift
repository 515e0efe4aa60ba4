import CGit2
import Glibc

/// What is said to a remote: which commits it has, and the request for one branch.
extension Transfer {
  /// The branch's newest commit, as the server says.
  func look() throws(GitError) -> Tip {
    let remote = try remote(of: nil)
    return try connect(remote.pointer)
  }

  /// The one reference of the mirror. It is what libgit2 tells the server that we have already.
  private static let reference = "refs/onionkeeper/tip"

  /// Brings the branch's newest commit into the repository.
  func fetch(into repository: OpaquePointer) throws(GitError) -> Tip {
    let remote = try remote(of: repository)
    let tip = try connect(remote.pointer)
    var options = git_fetch_options()
    try Libgit2.check(
      git_fetch_options_init(&options, UInt32(GIT_FETCH_OPTIONS_VERSION)), operation,
      "fetch options")
    options.callbacks = try callbacks()
    options.follow_redirects = GIT_REMOTE_REDIRECT_NONE
    options.proxy_opts.type = GIT_PROXY_NONE
    options.download_tags = GIT_REMOTE_DOWNLOAD_TAGS_NONE
    options.update_fetchhead = 0
    options.prune = GIT_FETCH_NO_PRUNE
    let refspec = "+refs/heads/\(branch):\(Self.reference)"
    let result = withCStringArray([refspec]) { refspecs in
      git_remote_fetch(remote.pointer, refspecs, &options, nil)
    }
    try check(result, "cannot fetch")
    if let failure { throw failure }
    guard try CommitHistory(repository: repository).contains(tip.commit) else {
      throw GitError(
        .unreachable, operation,
        "\(address.place) did not send the commit \(tip.commit) that it offered")
    }
    return tip
  }

  /// A remote that lives in memory only. The flags, and the empty configuration of the mirror (see
  /// `GitMirror.emptyConfiguration`), keep libgit2 1.5 from its look-up of `url.*.insteadOf`, which
  /// leaks 40 to 80 kB at each fetch.
  private func remote(of repository: OpaquePointer?) throws(GitError) -> Owned {
    var options = git_remote_create_options()
    try Libgit2.check(
      git_remote_create_options_init(&options, UInt32(GIT_REMOTE_CREATE_OPTIONS_VERSION)),
      operation, "remote options")
    options.repository = repository
    options.flags =
      GIT_REMOTE_CREATE_SKIP_INSTEADOF.rawValue | GIT_REMOTE_CREATE_SKIP_DEFAULT_FETCHSPEC.rawValue
    return try Owned(
      operation, "remote", release: git_remote_free,
      meaning: Libgit2.always(.configuration)
    ) { git_remote_create_with_opts(&$0, address.url, &options) }
  }

  /// Connects and finds the branch among what the server offers.
  private func connect(_ remote: OpaquePointer) throws(GitError) -> Tip {
    var options = git_remote_connect_options()
    try Libgit2.check(
      git_remote_connect_options_init(&options, UInt32(GIT_REMOTE_CONNECT_OPTIONS_VERSION)),
      operation, "connect options")
    options.callbacks = try callbacks()
    options.follow_redirects = GIT_REMOTE_REDIRECT_NONE
    options.proxy_opts.type = GIT_PROXY_NONE
    try check(
      git_remote_connect_ext(remote, GIT_DIRECTION_FETCH, &options), "cannot ask for branches")
    var heads: UnsafeMutablePointer<UnsafePointer<git_remote_head>?>?
    var count = 0
    try check(git_remote_ls(&heads, &count, remote), "cannot list branches")
    noteReferences()
    let wanted = "refs/heads/" + branch
    var hasBranches = false
    for head in UnsafeBufferPointer(start: heads, count: count) {
      guard let head = head?.pointee, let name = head.name.map({ String(cString: $0) }) else {
        continue
      }
      if name == wanted { return Tip(branch: branch, commit: head.oid.hex) }
      hasBranches = hasBranches || name.hasPrefix("refs/heads/")
    }
    if let failure { throw failure }
    throw hasBranches
      ? GitError(
        .branchMissing, operation,
        "\(address.place) has branches, but no '\(printable(branch))'")
      : GitError(
        .emptyRepository, operation,
        "\(address.place) has no branch yet; push '\(printable(branch))'")
  }
}

/// Lends libgit2 an array of C strings.
private func withCStringArray<R>(
  _ strings: [String], _ body: (UnsafePointer<git_strarray>) -> R
) -> R {
  var copies = strings.map { strdup($0) }
  defer { for copy in copies { free(copy) } }
  return copies.withUnsafeMutableBufferPointer { buffer in
    var array = git_strarray(strings: buffer.baseAddress, count: buffer.count)
    return body(&array)
  }
}
