/// Where the definitions come from, and what may be spent on asking.
public struct RepositorySource: Sendable, Equatable {
  /// How the agent proves to the server who it is. Files are read at each use, never kept.
  public enum Credentials: Sendable, Equatable {
    case none
    /// A password or token for http(s), in a file that nobody else can read.
    case token(file: String, user: String)
    /// An ed25519 or ecdsa key, the `known_hosts` file that pins the server's, and the file of the
    /// key's passphrase if it has one.
    case sshKey(file: String, knownHosts: String, passphraseFile: String? = nil)

    public var passphraseFile: String? {
      if case .sshKey(_, _, let file) = self { file } else { nil }
    }
  }

  /// `https://`, `ssh://`, `user@host:path`, `git://`, `file://`, an absolute path, or `http://`.
  public var url: String
  /// The branch's short name, for example `main`.
  public var branch: String
  /// The folder inside the repository that holds `onionkeeper.yaml`; `.` is the top.
  public var path: String
  public var credentials: Credentials
  /// The only certificate authorities to trust (PEM); nil: the system's.
  public var caFile: String?
  public var allowPlainHTTP: Bool
  /// All conversations go through this proxy, which resolves the server's name.
  public var via: SOCKSProxy?
  public var limits: SourceLimits

  public init(
    url: String, branch: String, path: String = ".", credentials: Credentials = .none,
    caFile: String? = nil, allowPlainHTTP: Bool = false, via: SOCKSProxy? = nil,
    limits: SourceLimits = SourceLimits()
  ) {
    self.url = url
    self.branch = branch
    self.path = path
    self.credentials = credentials
    self.caFile = caFile
    self.allowPlainHTTP = allowPlainHTTP
    self.via = via
    self.limits = limits
  }

  /// Checks everything that can be checked without a network: URL, branch, path, and that each
  /// file it names is there, safe, and of a kind that works.
  ///
  /// - Parameter readsFiles: false where the files lie on another machine.
  /// - Throws: `GitError` with code `.configuration`.
  public func check(readsFiles: Bool = true) throws(GitError) {
    _ = try checkedAddress()
    _ = try checkedPath()
    guard readsFiles else { return }
    switch credentials {
    case .none: break
    case .token(let file, _): _ = try Token.read(file)
    case .sshKey(let file, let knownHosts, let passphraseFile):
      _ = try SSHPrivateKey.read(file, passphraseFile: passphraseFile)
      _ = try KnownHosts(file: knownHosts)
    }
    if let caFile { _ = try GuardedFile.read(caFile, .trusted, named: "repository.caFile") }
  }

  /// The parsed URL, once it is known to fit the credentials.
  func checkedAddress() throws(GitError) -> RemoteAddress {
    try Libgit2.start()
    let address = try RemoteAddress(url)
    guard !branch.isEmpty, !branch.hasPrefix("refs/"), Libgit2.isReference("refs/heads/" + branch)
    else {
      throw GitError(
        .configuration, "repository.branch",
        "'\(printable(branch))' is not a branch name (the short name, for example 'main')")
    }
    if address.scheme == .http, !allowPlainHTTP {
      throw GitError(
        .configuration, "repository.url",
        "http:// is neither private nor authentic; use https://, or set allowPlainHTTP: true")
    }
    if via != nil, address.scheme == .file {
      throw GitError(
        .configuration, "repository.via", "a repository on this machine needs no proxy; remove via")
    }
    if via == nil, address.host.hasSuffix(".onion") {
      throw GitError(
        .configuration, "repository.url",
        "an onion address is reached over Tor only; set via: socks5h://HOST:PORT")
    }
    switch (credentials, address.scheme) {
    case (.none, .https), (.none, .http), (.none, .git), (.none, .file), (.token, .https),
      (.token, .http),
      (.sshKey, .ssh):
      return address
    case (.none, .ssh):
      throw GitError(
        .configuration, "repository.credentials",
        "ssh needs credentials.sshKey and credentials.knownHosts")
    case (.token, _):
      throw GitError(
        .configuration, "repository.credentials",
        "credentials.tokenFile is for https:// and http://, not for \(address.scheme.rawValue)")
    case (.sshKey, _):
      throw GitError(
        .configuration, "repository.credentials",
        "credentials.sshKey is for ssh, not for \(address.scheme.rawValue)")
    }
  }

  /// The components of `path`; none for the top.
  func checkedPath() throws(GitError) -> [String] {
    if path == "." || path.isEmpty { return [] }
    let components = path.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    guard components.allSatisfy({ !["", ".", ".."].contains($0) && !$0.contains("\0") }) else {
      throw GitError(
        .configuration, "repository.path",
        "'\(printable(path))' is not a plain relative folder (for example 'onions/eu', or '.')")
    }
    return components
  }
}

/// What one look, one fetch and one reading of a tree may cost.
public struct SourceLimits: Sendable, Equatable {
  /// Name resolution and the connection to one address. TCP gives up after about two minutes.
  public var connect: Duration = .seconds(10)
  /// A proxy's answer: Tor builds a circuit first, and gives up after two minutes.
  public var proxy: Duration = .seconds(120)
  /// Silence of a connected server. Git servers send keep-alives every 5 s while they count.
  public var idle: Duration = .seconds(30)
  /// The whole conversation.
  public var total: Duration = .seconds(300)
  /// Bytes of the list of branches, which libgit2 holds in memory, several times as large: 100,000
  /// references are below.
  public var references: Int = 8 << 20
  /// Bytes from the server in one conversation: a repository of text files is far below.
  public var bytes: Int = 512 << 20
  /// Objects in one pack.
  public var objects: Int = 500_000
  /// Bytes of one definition file (product.md §2).
  public var fileBytes: Int = 256 << 10
  /// Bytes of one sealed key: a hundred bytes, a header, and a stanza a recipient.
  public var secretBytes: Int = 64 << 10
  /// Bytes of all definition files together, since they are held in memory.
  public var treeBytes: Int = 64 << 20
  /// Files under our folders (product.md §2).
  public var files: Int = 10_000
  /// Folders below `services/`, `images/` and `secrets/`.
  public var depth: Int = 16

  public init() {}
}
