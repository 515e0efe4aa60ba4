/// setroubleshoot's sentences and the headed lines of `sealert`. They speak for a record that has gone; where the
/// record is there too, it alone counts.
struct AlertReader {
  private var alerts: [Denial] = []
  private var open: Denial?
  private var isSuperseded = false
  private var linesSince = 0

  /// A report of sealert has some 60 lines.
  private static let reportLines = 200
  private static let limit = 200

  /// - Returns: Whether it was one of its lines.
  mutating func take(_ line: AuditBytes, file: String, number: Int) -> Bool {
    if let place = line.position(of: "SELinux is preventing ") {
      end()
      open = Self.sentence(line[place...], file: file, number: number)
      return true
    }
    guard open != nil else { return false }
    linesSince += 1
    if linesSince > Self.reportLines {
      end()
      return false
    }
    return takeHeading(line)
  }

  /// The record itself follows: it says more.
  mutating func sawRecord() {
    if open != nil { isSuperseded = true }
  }

  mutating func end() {
    if let open, !isSuperseded, alerts.count < Self.limit {
      if let same = alerts.firstIndex(where: {
        $0.command == open.command && $0.permissions == open.permissions
          && $0.targetClass == open.targetClass && $0.path == open.path && $0.port == open.port
          && $0.target == open.target
      }) {
        alerts[same].merge(open)
      } else {
        alerts.append(open)
      }
    }
    open = nil
    isSuperseded = false
    linesSince = 0
  }

  /// Those that no record tells of.
  func finished(besides denials: [Denial]) -> [Denial] {
    alerts.filter { alert in
      !denials.contains {
        $0.command == alert.command && $0.targetClass == alert.targetClass
          && !Set($0.permissions).isDisjoint(with: alert.permissions)
      }
    }
  }

  private mutating func takeHeading(_ line: AuditBytes) -> Bool {
    func value(_ heading: StaticString) -> String? {
      guard line.trimmed.begins(with: heading) else { return nil }
      let rest = line.trimmed.dropFirst(heading.utf8CodeUnitCount)
      guard let first = rest.first, isBlank(first) else { return nil }
      let text = rest.printable(limit: 4096)
      return text.isEmpty || text.hasPrefix("<Unknown>") ? "" : text
    }
    if let text = value("Source Context") {
      open?.source = SecurityContext(tolerating: text)
    } else if let text = value("Target Context") {
      open?.target = SecurityContext(tolerating: text)
    } else if let text = value("Target Objects") {
      let object = text.split(separator: " [").first.map(String.init) ?? text
      if object.hasPrefix("/") { open?.path = object }
    } else if let text = value("Source Path") {
      open?.executable = text
    } else if let text = value("Port") {
      if let port = Int(text) { open?.sourcePort = port }
    } else if let text = value("Enforcing Mode") {
      open?.permissive = text == "Permissive"
    } else if value("Additional Information") == nil, value("Raw Audit Messages") == nil {
      return false
    }
    return true
  }

  /// `SELinux is preventing /usr/bin/tor from read access on the directory /srv/onion.`
  /// `SELinux is preventing tor from using the dac_override capability.`
  private static func sentence(_ text: AuditBytes, file: String, number: Int) -> Denial? {
    let words = text.printable(limit: 4096).dropFirst("SELinux is preventing ".count)
    guard let from = range(of: " from ", in: words) else { return nil }
    let program = words[..<from.lowerBound].split(separator: " ").first.map(String.init) ?? ""
    var rest = words[from.upperBound...]
    for tail in [" For complete SELinux messages", " *****"] {
      if let end = range(of: tail, in: rest) { rest = rest[..<end.lowerBound] }
    }
    while rest.hasSuffix(".") { rest = rest.dropLast() }
    var denial = Denial(
      origin: .setroubleshoot, isGranted: false, permissions: [], source: nil, target: nil,
      targetClass: "", firstLine: number, lastLine: number,
      evidence: [
        AuditEvidence(
          file: file, line: number, text: text.printable(limit: AuditReader.evidenceLimit))
      ])
    denial.command = program.split(separator: "/").last.map(String.init)
    if program.hasPrefix("/") { denial.executable = program }
    guard read(rest, into: &denial), !denial.permissions.isEmpty,
      denial.permissions.allSatisfy(isPolicyName), isPolicyName(denial.targetClass)
    else { return nil }
    return denial
  }

  private static func read(_ text: Substring, into denial: inout Denial) -> Bool {
    if text.hasPrefix("using the ") {
      let names = text.dropFirst("using the ".count).split(separator: " ")
      guard let name = names.first.map(String.init), names.count > 1 else { return false }
      if names[1].hasPrefix("capabilit") {
        denial.targetClass = "capability"
        denial.capability = name
      } else {
        // `using the execmem access on a process`
        denial.targetClass = names.last.map(String.init) ?? ""
      }
      denial.permissions = [name]
      return true
    }
    guard let access = range(of: " access", in: text) else { return false }
    denial.permissions = text[..<access.lowerBound]
      .split { $0 == " " || $0 == "," || $0 == "'" || $0 == "\"" }.map(String.init)
    guard
      let on = range(of: " on the ", in: text[access.lowerBound...])
        ?? range(of: " on a ", in: text[access.lowerBound...])
    else { return false }
    let object = text[on.upperBound...].split(separator: " ", maxSplits: 1)
    guard let kind = object.first else { return false }
    denial.targetClass = kind == "directory" ? "dir" : String(kind)
    guard object.count > 1 else { return true }
    let name = object[1]
    if name.hasPrefix("port ") {
      denial.sourcePort = Int(name.dropFirst(5))
    } else if name.hasPrefix("/") {
      denial.path = String(name)
    } else if name != "labeled" {
      denial.name = String(name.prefix(255))
    }
    return true
  }

  private static func range(of part: String, in text: Substring) -> Range<Substring.Index>? {
    var start = text.startIndex
    while start < text.endIndex {
      guard let first = text[start...].firstIndex(where: { $0 == part.first }) else { return nil }
      if text[first...].hasPrefix(part) {
        return first..<text.index(first, offsetBy: part.count)
      }
      start = text.index(after: first)
    }
    return nil
  }
}
