/// What the records of a log come to: events joined, equal denials counted.
struct AuditLog {
  var report = AuditReport()
  private var events: [AuditEvent] = []
  private var places: [Key: Int] = [:]
  private var notices: [NoticeKey: Int] = [:]
  /// The last few denials' texts, by their hash: the journal writes each twice, once without a stamp.
  private var recent: [(hash: Int, hasStamp: Bool)] = []

  /// Events whose records may still come: auditd and several processors mix few.
  private static let eventLimit = 64
  private static let recentLimit = 32
  private static let noticeLimit = 200
  private static let brokenLimit = 5

  /// What makes two denials the same.
  private struct Key: Hashable {
    var origin: Denial.Origin
    var isGranted: Bool
    var wasLetThrough: Bool
    var permissive: Bool?
    var permissions: [String]
    var source: SecurityContext?
    var target: SecurityContext?
    var targetClass: String
    var command: String?
    var path: String?
    var name: String?
    var device: String?
    var port: Int?
  }

  private struct NoticeKey: Hashable {
    var kind: AuditNotice.Kind
    var fields: [String: String]
  }

  mutating func take(_ record: AuditRecord, file: String, line: Int) {
    report.counts.records += 1
    switch record.kind {
    case .access, .userAccess: takeAccess(record, file, line)
    case .syscall, .path, .directory, .processTitle:
      if let stamp = record.stamp { events[place(of: stamp)].add(record) }
    case .selinuxError: note(.selinuxError, record, file, line)
    case .policyLoad: note(.policyLoaded, record, file, line)
    case .status: note(.enforcing, record, file, line)
    case .boolean: note(.booleanChanged, record, file, line)
    case .seccomp: note(.seccomp, record, file, line)
    case .appArmor: note(.appArmor, record, file, line)
    case .fileAccess: note(.fileAccess, record, file, line)
    case .landlock: note(.landlock, record, file, line)
    case .integrity: note(.integrity, record, file, line)
    case .other: break
    }
  }

  private mutating func takeAccess(_ record: AuditRecord, _ file: String, _ line: Int) {
    let isInterpreted = record.stamp?.isInterpreted ?? false
    guard let text = AccessText(record.body, isInterpreted: isInterpreted) else {
      takeNotice(record, file, line)
      return
    }
    guard
      let denial = text.denial(
        record, file: file, line: line, evidenceLimit: AuditReader.evidenceLimit)
    else {
      broken(record, file, line)
      return
    }
    guard !isTwin(record) else { return }
    guard let stamp = record.stamp else {
      count(denial)
      return
    }
    let index = place(of: stamp)
    if !events[index].add(denial) {
      // The same stamp over and over: what is full is told, and the rest begins anew.
      close(events[index])
      events[index] = AuditEvent(stamp)
      _ = events[index].add(denial)
    }
  }

  /// `avc:  received setenforce notice (enforcing=0)`
  private mutating func takeNotice(_ record: AuditRecord, _ file: String, _ line: Int) {
    if record.body.contains("setenforce notice") {
      note(.enforcing, record, file, line)
    } else if record.body.contains("policyload notice") {
      note(.policyLoaded, record, file, line)
    } else {
      broken(record, file, line)
    }
  }

  private mutating func broken(_ record: AuditRecord, _ file: String, _ line: Int) {
    report.counts.broken += 1
    guard report.brokenEvidence.count < Self.brokenLimit else { return }
    report.brokenEvidence.append(evidence(record, file, line))
  }

  private func evidence(_ record: AuditRecord, _ file: String, _ line: Int) -> AuditEvidence {
    AuditEvidence(
      file: file, line: line, text: record.text.printable(limit: AuditReader.evidenceLimit))
  }

  /// The same denial without a stamp beside one with it, or the other way round.
  private mutating func isTwin(_ record: AuditRecord) -> Bool {
    guard let brace = record.body.firstIndex(of: UInt8(ascii: "{")) else { return false }
    let hash = Array(record.body[brace...].trimmed).hashValue
    let hasStamp = record.stamp != nil
    if let twin = recent.firstIndex(where: { $0.hash == hash && $0.hasStamp != hasStamp }) {
      recent.remove(at: twin)
      return true
    }
    recent.append((hash, hasStamp))
    if recent.count > Self.recentLimit { recent.removeFirst() }
    return false
  }

  // MARK: - Events

  private mutating func place(of stamp: AuditStamp) -> Int {
    if let index = events.lastIndex(where: { $0.stamp == stamp }) { return index }
    if events.count >= Self.eventLimit { close(events.removeFirst()) }
    events.append(AuditEvent(stamp))
    return events.count - 1
  }

  private mutating func close(_ event: AuditEvent) {
    for denial in event.resolved() { count(denial) }
  }

  /// No record of an open event follows.
  mutating func flush() {
    let open = events
    events = []
    for event in open { close(event) }
    recent = []
  }

  private mutating func count(_ denial: Denial) {
    var denial = denial
    var key = key(of: denial)
    if places[key] == nil, report.denials.count >= AuditReader.denialLimit {
      // Too many objects: counted by their types alone.
      denial.path = nil
      denial.name = nil
      denial.device = nil
      denial.inode = nil
      denial.command = nil
      denial.sourcePort = nil
      denial.destinationPort = nil
      key = self.key(of: denial)
      if places[key] == nil, report.denials.count >= 2 * AuditReader.denialLimit {
        report.counts.dropped += denial.count
        return
      }
    }
    guard let index = places[key] else {
      places[key] = report.denials.count
      report.denials.append(denial)
      return
    }
    report.denials[index].merge(denial)
  }

  private func key(of denial: Denial) -> Key {
    // Pipes and sockets have a number for a name.
    let name = denial.name.map { name in
      name.contains(":[") ? String(name.prefix { $0 != ":" }) : name
    }
    return Key(
      origin: denial.origin, isGranted: denial.isGranted, wasLetThrough: denial.wasLetThrough,
      permissive: denial.permissive, permissions: denial.permissions, source: denial.source,
      target: denial.target, targetClass: denial.targetClass, command: denial.command,
      path: denial.path, name: name, device: denial.device, port: denial.port)
  }

  // MARK: - Notices

  private mutating func note(
    _ kind: AuditNotice.Kind, _ record: AuditRecord, _ file: String, _ line: Int
  ) {
    let isInterpreted = record.stamp?.isInterpreted ?? false
    var fields: [String: String] = [:]
    for (key, value) in AuditFields(record.body, isInterpreted: isInterpreted).pairs.prefix(32)
    where fields[key] == nil {
      fields[key] = String(value.prefix(500))
    }
    var same = fields
    for key in ["pid", "seqno", "ses", "auid", "ip", "code"] { same[key] = nil }
    let key = NoticeKey(kind: kind, fields: same)
    if let index = notices[key] {
      report.notices[index].count += 1
    } else if report.notices.count < Self.noticeLimit {
      notices[key] = report.notices.count
      report.notices.append(
        AuditNotice(kind: kind, fields: fields, evidence: [evidence(record, file, line)]))
    }
  }

  /// Everything, in order.
  mutating func finished() -> AuditReport {
    flush()
    return report
  }
}

extension Denial {
  /// Counts an equal one.
  mutating func merge(_ other: Denial) {
    count += other.count
    lastLine = max(lastLine, other.lastLine)
    evidence += other.evidence.prefix(max(0, AuditReader.placeLimit - evidence.count))
    executable = executable ?? other.executable
    title = title ?? other.title
    systemCall = systemCall ?? other.systemCall
    exit = exit ?? other.exit
    objectOwner = objectOwner ?? other.objectOwner
    objectMode = objectMode ?? other.objectMode
    effectiveUser = effectiveUser ?? other.effectiveUser
  }
}
