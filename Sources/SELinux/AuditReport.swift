/// Something in a log beside denials of SELinux that tells about access.
public struct AuditNotice: Hashable, Sendable {
  public enum Kind: String, Hashable, Sendable, Codable {
    /// Another security module: no label, boolean or module of SELinux has to do with it.
    case appArmor
    /// A system call that a filter refused; no policy has to do with it.
    case seccomp
    /// A context that this policy does not know, a refused transition.
    case selinuxError
    /// SELinux was switched to enforcing or permissive.
    case enforcing
    case policyLoaded
    /// fanotify(7): a program like fapolicyd was asked.
    case fileAccess
    case landlock
    /// IMA.
    case integrity
    case booleanChanged
  }

  public var kind: Kind
  /// The record's fields, the first of each name.
  public var fields: [String: String]
  public var count = 1
  public var evidence: [AuditEvidence]
}

/// What was met and could not be used: counted, never passed over in silence.
public struct AuditCounts: Hashable, Sendable {
  public var lines = 0
  /// Audit records of any kind.
  public var records = 0
  /// Records of denials that are cut off or damaged.
  public var broken = 0
  /// Lines whose end was not read (`AuditReader.lineLimit`).
  public var cut = 0
  /// Denials beyond `AuditReader.denialLimit` kinds, which are in no list.
  public var dropped = 0
}

/// What a log says.
public struct AuditReport: Hashable, Sendable {
  /// In order of their first line.
  public var denials: [Denial] = []
  public var notices: [AuditNotice] = []
  public var counts = AuditCounts()
  /// The first few broken records.
  public var brokenEvidence: [AuditEvidence] = []
}
