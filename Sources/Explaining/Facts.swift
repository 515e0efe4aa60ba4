import SELinux

/// All that the input says.
struct Facts {
  var log = TorLog()
  var units = UnitsSeen()
  var torrc = TorrcFacts()
  var listing = ListingFacts()
  var containers = ContainerFacts()
  var state = StateFacts()
  var addresses = AddressFacts()
  var suspicious = Suspicious()
  var audit: AuditReport
  /// Longer than `LineSplitter.limit`.
  var cutLines = 0
  /// With NULs.
  var binaryLines = 0

  /// Lines before each input, by its name.
  var bases: [String: Int] = [:]

  private var isUnit = false

  init() {
    var reader = AuditReader()
    audit = reader.finish()
  }

  mutating func begin(_ input: String, position: Int) {
    if bases.count < Explainer.inputLimit { bases[input] = bases[input] ?? position }
    log.begin()
    units.begin(input)
    torrc.begin(input)
    listing.begin(input)
    containers.begin()
    isUnit = false
  }

  /// - Returns: what kind of line it is; `nil` for what says nothing.
  mutating func take(_ line: String, file: String, number: Int, position: Int) -> String? {
    var text = line.trimmed
    guard !text.isEmpty else { return nil }
    let place = Evidence(file: file, line: number, text: "")
    func evidence() -> Evidence {
      Evidence(file: place.file, line: place.line, text: Redaction.shown(line))
    }
    // Nine lines of ten are tor's own.
    if LogPrefix.hasTag(line) {
      if line.has(".onion") { addresses.take(line, evidence(), position: position) }
      return takeLog(line, evidence: evidence, position: position)
    }
    if line.has(".onion") { addresses.take(line, evidence(), position: position) }
    if listing.takeCommand(text) { return "listing" }
    if text.hasPrefix("#") {
      // A comment, but for what `systemctl cat` prints.
      return units.header(text, position: position) ? "unit" : nil
    }
    if text.hasPrefix("["), let close = text.firstIndex(of: "]"),
      text.index(after: close) == text.endIndex,
      Self.sections.contains(String(text.dropFirst().dropLast()))
    {
      units.section(String(text.dropFirst().dropLast()), position: position)
      isUnit = true
      return "unit"
    }
    if let (key, value) = UnitFacts.assignment(text) {
      units.set(key, value, evidence(), position: position)
      return "unit"
    }
    if isUnit, text.contains("="), !text.has(": ") { return "unit" }
    if text.utf8.count < StateFacts.lineLimit, state.take(text, evidence()) { return "state" }
    for label in ["torrc: ", "torrc:"] where text.hasPrefix(label) {
      text = text.dropFirst(label.count).trimmed
    }
    if let (name, value) = TorrcFacts.option(text) {
      torrc.take(name, value, evidence(), position: position)
      return "torrc"
    }
    if listing.take(text, evidence(), position: position) { return "listing" }
    if containers.take(text, evidence()) { return "container" }
    if let name = Self.fileName(text) {
      listing.addName(name, in: torrc.options["clientonionauthdir"]?.value ?? "", evidence())
      return "listing"
    }
    return takeLog(line, evidence: evidence, position: position)
  }

  private static let sections: Set<String> = [
    "Unit", "Service", "Install", "Container", "Socket", "Timer", "Volume", "Network", "Pod",
  ]

  /// A name of a client's file that stands alone.
  private static func fileName(_ text: String) -> String? {
    guard !text.has(" "), text.has(".auth"), text.utf8.count < 256, !text.has(":") else {
      return nil
    }
    return text
  }

  private mutating func takeLog(
    _ line: String, evidence: () -> Evidence, position: Int
  ) -> String? {
    let prefix = LogPrefix(line)
    guard prefix.severity != nil || prefix.program.map(Self.isOfTor) ?? true else { return nil }
    if log.take(prefix, position: position, evidence: evidence()) {
      return prefix.program == nil ? "tor log" : "journal"
    }
    if suspicious.take(prefix, evidence) { return prefix.severity == nil ? "log" : "tor log" }
    return prefix.severity != nil ? "tor log" : nil
  }

  /// Programs of the journal whose lines can be about tor; the others' troubles are their own.
  private static func isOfTor(_ program: String) -> Bool {
    let name = program.lowercased()
    return ["tor", "systemd", "kernel", "docker", "podman", "conmon", "containerd", "onion"]
      .contains(where: name.has)
  }
}

extension Facts {
  /// Of a record among all lines.
  func position(_ evidence: AuditEvidence?) -> Int {
    guard let evidence else { return 0 }
    return (bases[evidence.file] ?? 0) + evidence.line
  }

  func inputName(of evidence: AuditEvidence?) -> String {
    guard let file = evidence?.file, !file.isEmpty, file != "-" else { return "<the log>" }
    return file
  }
}

/// Lines that look like trouble and that nothing knows, one for each shape.
struct Suspicious {
  /// A reader looks at a few; the count says how many there are.
  static let limit = 20

  private(set) var kept: [Explanation.Unexplained] = []
  private var places: [String: Int] = [:]
  /// Lines of other shapes than are kept.
  private(set) var overflow = 0

  private static let words = [
    "denied", "fail", "error", "refused", "not permitted", "cannot", "can't", "could not",
    "couldn't", "unable", "invalid", "no such file", "not found", "panic", "fatal", "killed",
  ]

  mutating func take(_ prefix: LogPrefix, _ evidence: () -> Evidence) -> Bool {
    switch prefix.severity {
    case .warn, .err: break
    case .notice, .info, .debug: return false
    case nil:
      let lower = prefix.message.prefix(1000).lowercased()
      guard Self.words.contains(where: lower.has) else { return false }
    }
    let shape = String(prefix.message.prefix(80).map { $0.isNumber ? "0" : $0 })
    if let known = places[shape] {
      kept[known].count += 1
    } else if kept.count < Self.limit {
      places[shape] = kept.count
      kept.append(Explanation.Unexplained(evidence: evidence(), count: 1))
    } else {
      overflow += 1
    }
    return true
  }
}
