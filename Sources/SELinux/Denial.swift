public import OnionModel

/// Where something was read.
public struct AuditEvidence: Hashable, Sendable, Codable {
  /// As the caller names it; empty for standard input.
  public var file: String
  /// From 1.
  public var line: Int
  /// Printable, one line, cut at `AuditReader.evidenceLimit`.
  public var text: String

  public init(file: String, line: Int, text: String) {
    self.file = file
    self.line = line
    self.text = text
  }

  /// `audit.log:12`
  public var place: String { file.isEmpty ? "line \(line)" : "\(file):\(line)" }
}

/// What one access check refused (or granted, where policy has it audited), as often as it was met: equal ones are one
/// value with a count.
public struct Denial: Hashable, Sendable {
  public enum Origin: String, Hashable, Sendable, Codable {
    /// The kernel.
    case kernel
    /// A program that asks the policy itself, as systemd and the bus do (`USER_AVC`).
    case userspace
    /// Only setroubleshoot's sentence: contexts may be missing.
    case setroubleshoot
  }

  public var origin: Origin
  public var isGranted: Bool
  /// In the record's order.
  public var permissions: [String]
  /// `nil` where only setroubleshoot spoke and named none.
  public var source: SecurityContext?
  public var target: SecurityContext?
  public var targetClass: String
  /// The contexts as they are stored, where this policy does not know them (`srawcon=`, `trawcon=`).
  public var rawSource: String?
  public var rawTarget: String?
  /// `true`: it was logged and let through. `nil`: the record does not say (kernels before 3.15).
  public var permissive: Bool?

  public var command: String?
  public var executable: String?
  /// Of the first record.
  public var process: Int?
  /// The program and its arguments; the kernel cuts it at 128 bytes.
  public var title: String?

  /// Absolute, as the process sees it: in a container, a path of the container. From the record or from its event.
  public var path: String?
  /// The last component alone, as most records have it; `/` is the root of `device`.
  public var name: String?
  public var device: String?
  public var inode: Int?
  /// Numbers of the object's owner and of its mode, where the event has them.
  public var objectOwner: Int?
  public var objectMode: String?

  /// `src=`: the port bound to.
  public var sourcePort: Int?
  /// `dest=`: the port connected to.
  public var destinationPort: Int?
  /// `capability=`, by name.
  public var capability: String?

  public var systemCall: String?
  /// Whether the system call succeeded: then nothing was refused after all.
  public var succeeded: Bool?
  /// `-13`, or `EACCES(Permission denied)`.
  public var exit: String?
  /// Effective user of the process, as written (a number, or a name of `ausearch -i`).
  public var effectiveUser: String?

  /// As written in the first record.
  public var when: String?
  /// Only where it was written in seconds since 1970.
  public var time: Timestamp?
  public var serial: Int?

  /// How many records say so.
  public var count = 1
  public var firstLine: Int
  public var lastLine: Int
  /// The first few, in order.
  public var evidence: [AuditEvidence]

  /// `tor_t`; `?` where it is not known.
  public var sourceType: String { source?.type ?? "?" }
  public var targetType: String { target?.type ?? "?" }

  /// It was not refused: permissive, or the call succeeded.
  public var wasLetThrough: Bool { permissive == true || succeeded == true }

  /// The port that it is about.
  public var port: Int? { sourcePort ?? destinationPort }

  /// What can be said of the object without guessing: a path, else a name with device and inode, else a port.
  public var object: String {
    if let path { return path }
    if let inode, let device {
      let name = name.map { "\($0) " } ?? ""
      return name == "/ " ? "the root of \(device)" : "\(name)(device \(device), inode \(inode))"
    }
    if let name { return name }
    if let port { return "port \(port)" }
    if let capability { return "capability \(capability)" }
    return targetClass
  }
}
