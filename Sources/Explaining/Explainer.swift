import SELinux

/// Reads any mix of logs, audit records, torrc, units and listings, line by line, and says what is wrong and what to do.
///
/// Pure: it asks nothing of this host; what the host says may be given to `finish`. Memory is bounded whatever is read: every
/// collection has a limit, and what goes beyond is counted.
public struct Explainer {
  private var input = ""
  private var number = 0
  /// Of lines over all input, for the order of findings.
  private var position = 0
  private var splitter = LineSplitter()
  private var audit = AuditReader()
  private(set) var facts = Facts()
  private var inputs: [Explanation.Input] = []
  private var kinds: Set<String> = []

  /// More files are a mistake of the shell.
  public static let inputLimit = 1000

  public init() {}

  /// Another input follows.
  /// - Parameter name: what evidence calls it.
  public mutating func begin(_ name: String) {
    end()
    input = name
    number = 0
    kinds = []
    audit.begin(file: name)
    facts.begin(name, position: position)
  }

  /// Takes the next bytes, wherever they end.
  public mutating func read(_ bytes: some Collection<UInt8>) {
    // Out of `self` while it is used: its closure changes the rest.
    var splitter = self.splitter
    self.splitter = LineSplitter()
    splitter.read(bytes) { take($0) }
    self.splitter = splitter
  }

  private mutating func end() {
    var splitter = self.splitter
    splitter.finish { take($0) }
    facts.cutLines += splitter.cut
    facts.binaryLines += splitter.binary
    self.splitter = LineSplitter()
    if !input.isEmpty || number > 0, inputs.count < Self.inputLimit {
      inputs.append(Explanation.Input(name: input, lines: number, kinds: kinds.sorted()))
    }
    input = ""
    number = 0
  }

  private mutating func take(_ line: String) {
    number += 1
    position += 1
    var line = line
    let kind = line.withUTF8 { audit.read(line: ArraySlice($0), number: number) }
    if kind == .audit { kinds.insert("audit") }
    guard kind == .other else { return }
    if let kind = facts.take(line, file: input, number: number, position: position) {
      kinds.insert(kind)
    }
  }

  /// What the audit records read so far say; the reading may go on.
  var auditSoFar: AuditReport {
    var copy = audit
    return copy.finish()
  }

  /// Judges all that was read. The explainer is as new then.
  public mutating func finish(host: HostAnswers? = nil) -> Explanation {
    end()
    facts.audit = audit.finish()
    let judge = Judge(facts: facts, host: host)
    // A denial that is cut off may be the very one.
    let cut = facts.audit.brokenEvidence.map {
      Explanation.Unexplained(
        evidence: Evidence(file: $0.file, line: $0.line, text: Redaction.shown($0.text)), count: 1)
    }
    let explanation = Explanation(
      findings: judge.findings(), unexplained: cut + facts.suspicious.kept, notes: judge.notes(),
      inputs: inputs)
    self = Explainer()
    return explanation
  }
}
