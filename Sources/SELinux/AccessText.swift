/// The text of one `avc:` record.
struct AccessText {
  var isGranted: Bool
  var permissions: [String]
  var fields: AuditFields

  /// `nil` where it is no denial, or one that is cut off.
  init?(_ body: AuditBytes, isInterpreted: Bool) {
    guard let place = body.position(of: "avc:") else { return nil }
    let text = body[(place + 4)...].trimmed
    guard text.begins(with: "denied") || text.begins(with: "granted"),
      let open = text.firstIndex(of: UInt8(ascii: "{")),
      let close = text[open...].firstIndex(of: UInt8(ascii: "}"))
    else { return nil }
    isGranted = text.begins(with: "granted")
    permissions = text[(open + 1)..<close].split(whereSeparator: isBlank).prefix(64)
      .map { String(decoding: $0, as: UTF8.self) }
    // A name that is none would be written into a policy.
    guard !permissions.isEmpty, permissions.allSatisfy(isPolicyName) else { return nil }
    fields = AuditFields(text[(close + 1)...], isInterpreted: isInterpreted)
  }

  /// `nil` where the contexts or the class are missing.
  func denial(
    _ record: AuditRecord, file: String, line: Int, evidenceLimit: Int
  ) -> Denial? {
    guard let source = fields["scontext"].flatMap(SecurityContext.init(tolerating:)),
      let target = fields["tcontext"].flatMap(SecurityContext.init(tolerating:)),
      let name = fields["tclass"], isPolicyName(name)
    else { return nil }
    let isUser = record.kind == .userAccess
    var denial = Denial(
      origin: isUser ? .userspace : .kernel, isGranted: isGranted, permissions: permissions,
      source: source, target: target, targetClass: name, firstLine: line, lastLine: line,
      evidence: [
        AuditEvidence(file: file, line: line, text: record.text.printable(limit: evidenceLimit))
      ])
    denial.rawSource = fields["srawcon"]
    denial.rawTarget = fields["trawcon"]
    switch fields["permissive"]?.first {
    case "1": denial.permissive = true
    case "0": denial.permissive = false
    default: denial.permissive = nil
    }
    denial.command = fields["comm"]
    denial.executable = fields["exe"]
    denial.process = fields.number("pid")
    denial.title = fields["cmdline"]
    let path = fields["path"]
    // What the kernel could not name is no path: `path=""`, `path="socket:[123]"`, `path=(null)`.
    denial.path = path.flatMap { $0.hasPrefix("/") ? $0 : nil }
    denial.name = fields["name"] ?? path.flatMap { $0.contains(":[") ? $0 : nil }
    denial.device = fields["dev"]
    denial.inode = fields.number("ino")
    denial.sourcePort = fields.number("src")
    denial.destinationPort = fields.number("dest")
    if ObjectClass.isCapability(name) {
      denial.capability = fields.number("capability").flatMap(Capabilities.name)
    }
    denial.when = record.stamp?.when
    denial.time = record.stamp?.time
    denial.serial = record.stamp?.serial
    return denial
  }
}

/// Of a type, class or permission.
func isPolicyName(_ text: String) -> Bool {
  !text.isEmpty && text.utf8.count <= 256
    && text.utf8.allSatisfy { isNameByte($0) || $0 == UInt8(ascii: ".") }
}
