/// What this host says, for an explanation that need not guess.
public struct HostAnswers: Hashable, Sendable, Encodable {
  /// One part of a path, from the root on.
  public struct Step: Hashable, Sendable, Encodable {
    public var path: String
    public var isFolder: Bool
    public var isLink: Bool
    public var mode: Int
    public var uid: Int
    public var gid: Int
    /// What it bears; `nil` if nothing.
    public var label: String?
    /// What `matchpathcon` says that it should bear; `nil` if nobody could be asked.
    public var expected: String?

    public init(
      path: String, isFolder: Bool, isLink: Bool, mode: Int, uid: Int, gid: Int, label: String?,
      expected: String?
    ) {
      self.path = path
      self.isFolder = isFolder
      self.isLink = isLink
      self.mode = mode
      self.uid = uid
      self.gid = gid
      self.label = label
      self.expected = expected
    }
  }

  /// `disabled`, `permissive` or `enforcing`; `nil` if it could not be read.
  public var mode: String?
  /// Of the loaded policy; only those that were asked for and exist.
  public var booleans: [String: Bool]
  /// Rules `source target class permission` that the loaded policy holds unconditionally, for those asked for;
  /// `nil` if nobody could be asked.
  public var allowed: [String: Bool]?
  /// `User`, `CapabilityBoundingSet` and so on, of the unit that runs tor; empty if there is none.
  public var unit: [String: String]
  public var unitName: String?
  /// By the path that was asked for; a path that is not there has the steps that are.
  public var paths: [String: [Step]]
  /// uid by name, for the names in the findings.
  public var users: [String: Int]
  /// `docker`, `podman`: those whose socket answers or is there.
  public var engines: [String]
  /// What could not be asked, and why.
  public var silent: [String]

  public init(
    mode: String? = nil, booleans: [String: Bool] = [:], allowed: [String: Bool]? = nil,
    unit: [String: String] = [:], unitName: String? = nil, paths: [String: [Step]] = [:],
    users: [String: Int] = [:], engines: [String] = [], silent: [String] = []
  ) {
    self.mode = mode
    self.booleans = booleans
    self.allowed = allowed
    self.unit = unit
    self.unitName = unitName
    self.paths = paths
    self.users = users
    self.engines = engines
    self.silent = silent
  }
}

/// What an explanation wants to know of the host.
public struct HostQuestions: Hashable, Sendable {
  /// Absolute, at most `limit`.
  public var paths: [String]
  public var users: [String]
  public var booleans: [String]
  /// `source target class permission`.
  public var rules: [String]

  /// Each costs a few system calls, a rule a run of sesearch.
  public static let limit = 40
}
