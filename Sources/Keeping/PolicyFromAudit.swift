import Descriptors
public import SELinux

/// `policy from-audit`: the smallest module for what logs say.
public struct PolicyFromAudit: Sendable {
  public var files: [String]
  public var domain: String
  public var isExact: Bool
  public var allowed: Set<PolicyGrant>
  public var isProven: Bool
  public var host: PolicyHost

  /// - Parameter isProven: Whether the module is linked with this host's policy, which takes seconds.
  public init(
    files: [String], domain: String = "tor_t", isExact: Bool = false,
    allowed: Set<PolicyGrant> = [], isProven: Bool = true, host: PolicyHost = PolicyHost()
  ) {
    self.files = files
    self.domain = domain
    self.isExact = isExact
    self.allowed = allowed
    self.isProven = isProven
    self.host = host
  }

  /// One document.
  public struct Found: Encodable, Sendable {
    public struct Rule: Encodable, Sendable {
      public var text: String
      public var rule: PolicyRule
      public var evidence: [AuditEvidence]
    }

    public struct Left: Encodable, Sendable {
      public var why: PolicyDraft.Left.Why
      public var reason: String
      public var trouble: DenialJudgement.Trouble
      public var summary: String
      public var cause: String
      public var remedies: [Remedy]
      /// What `--allow` would take.
      public var grants: [String]
      public var count: Int
      public var evidence: [AuditEvidence]
    }

    public struct Read: Encodable, Sendable {
      public var lines: Int
      public var records: Int
      public var denials: Int
      /// Of other domains.
      public var foreign: Int
      public var broken: Int
      public var dropped: Int
    }

    public var domain: String
    /// The module, comments included.
    public var cil: String
    public var rules: [Rule]
    public var left: [Left]
    public var read: Read
    public var proof: PolicyProof?
  }

  /// - Throws: `KeepingError` for files that cannot be read.
  public func run() async throws -> Found {
    var reader = AuditReader()
    for file in files.isEmpty ? ["-"] : files {
      reader.begin(file: file == "-" ? "" : FileName(file).description)
      try readParts(of: file) { reader.read($0) }
    }
    let report = reader.finish()
    let judge = DenialJudge(domain: domain, knowledge: host.knowledge())
    let draft = PolicyDraft(
      judge.judge(report.denials), domain: domain, isExact: isExact, allowed: allowed)
    var found = Self.found(draft, report)
    if isProven, !draft.written.isEmpty {
      let module = try PolicyModule(
        name: "from_audit", bytes: Array(draft.cil.utf8), path: "from_audit.cil")
      found.proof = try await PolicyProver(host: host).prove([module])
    }
    return found
  }

  private static func found(_ draft: PolicyDraft, _ report: AuditReport) -> Found {
    Found(
      domain: draft.domain, cil: draft.cil,
      rules: draft.written.map { entry in
        Found.Rule(
          text: entry.rule.text, rule: entry.rule,
          evidence: entry.judgements.flatMap(\.denial.evidence))
      },
      left: draft.left.map { entry in
        Found.Left(
          why: entry.why, reason: entry.reason, trouble: entry.judgement.trouble,
          summary: entry.judgement.summary, cause: entry.judgement.cause,
          remedies: entry.judgement.remedies, grants: entry.grants,
          count: entry.judgement.denial.count, evidence: entry.judgement.denial.evidence)
      },
      read: Found.Read(
        lines: report.counts.lines, records: report.counts.records,
        denials: report.denials.count, foreign: draft.foreign, broken: report.counts.broken,
        dropped: report.counts.dropped))
  }
}
