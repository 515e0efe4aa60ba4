/// Reads audit records out of any log, chunk by chunk, in memory that does not grow with it.
///
/// It knows `audit.log`, `ausearch` (with `-i` and without), the journal, the kernel's ring buffer, syslog, `sealert`, records
/// pasted one after another into a line, and records wrapped over several.
public struct AuditReader {
  /// Bytes of a line; of a longer one the rest is passed over. A record of the kernel has at most 8 KiB.
  public static let lineLimit = 1 << 20
  /// Bytes that are shown of a record.
  public static let evidenceLimit = 1000
  /// Kinds of denials: no person reads more.
  public static let denialLimit = 2000
  /// Places of one kind that are remembered.
  public static let placeLimit = 3

  /// What a line was.
  public enum Line: Hashable, Sendable {
    /// It holds an audit record, or a part of one.
    case audit
    /// `----` and `time->` of ausearch, headings of sealert.
    case furniture
    case other
  }

  private var file: String
  private var number = 0
  /// The beginning of a line whose end has not come.
  private var partial: [UInt8] = []
  private var isPassingOver = false
  /// A denial whose end may stand in the next line.
  private var held: Held?
  private var log = AuditLog()
  private var alerts = AlertReader()

  private struct Held {
    var text: [UInt8]
    var record: AuditRecord
    var line: Int
    var lines = 1
  }

  /// - Parameter file: What evidence calls it; empty for standard input.
  public init(file: String = "") { self.file = file }

  /// Another file follows; lines are counted anew.
  public mutating func begin(file: String) {
    endLine()
    self.file = file
    number = 0
  }

  /// Takes the next bytes, wherever they end.
  public mutating func read(_ chunk: some Sequence<UInt8>) {
    let bytes = Array(chunk)
    var start = 0
    while let end = bytes[start...].firstIndex(of: 0x0a) {
      take(bytes[start..<end], isComplete: true)
      start = end + 1
    }
    if start < bytes.count { take(bytes[start...], isComplete: false) }
  }

  private mutating func take(_ part: AuditBytes, isComplete: Bool) {
    if isPassingOver {
      isPassingOver = !isComplete
      return
    }
    if partial.isEmpty, isComplete, part.count <= Self.lineLimit {
      number += 1
      read(line: part, number: number)
      return
    }
    let room = Self.lineLimit - partial.count
    partial += part.prefix(room)
    let isCut = part.count > room
    guard isCut || isComplete else { return }
    if isCut { log.report.counts.cut += 1 }
    let line = partial
    partial = []
    isPassingOver = isCut && !isComplete
    number += 1
    read(line: line[...], number: number)
  }

  private mutating func endLine() {
    if !partial.isEmpty {
      let line = partial
      partial = []
      number += 1
      read(line: line[...], number: number)
    }
    isPassingOver = false
    flushHeld()
    log.flush()
    alerts.end()
  }

  /// Takes one line, for a caller that divides the text itself.
  @discardableResult
  public mutating func read(line: ArraySlice<UInt8>, number: Int) -> Line {
    log.report.counts.lines += 1
    var line = line
    if number == 1, line.begins(with: "\u{feff}") { line = line.dropFirst(3) }
    let isRecord =
      line.contains("audit") || line.contains("avc:") || line.contains("apparmor=")
    guard isRecord else { return readPlain(line, number) }
    line = Self.unescaped(line)
    var records = AuditRecord.all(in: line)
    guard let last = records.last else { return readPlain(line, number) }
    flushHeld()
    if last.kind == .access || last.kind == .userAccess, Self.mayGoOn(last.body) {
      records.removeLast()
      held = Held(text: Array(last.text), record: last, line: number)
    }
    for record in records { log.take(record, file: file, line: number) }
    alerts.sawRecord()
    return .audit
  }

  private mutating func readPlain(_ line: AuditBytes, _ number: Int) -> Line {
    if held != nil {
      if goesOn(with: line) { return .audit }
      if !line.trimmed.isEmpty { flushHeld() }
    }
    if alerts.take(line, file: file, number: number) { return .furniture }
    let text = line.trimmed
    if text.begins(with: "----") || text.begins(with: "time->") { return .furniture }
    return .other
  }

  /// Ends the reading; the reader is as new then.
  public mutating func finish() -> AuditReport {
    endLine()
    var report = log.finished()
    report.denials += alerts.finished(besides: report.denials)
    self = AuditReader(file: file)
    return report
  }

  // MARK: - Wrapped lines

  /// A mail or a terminal has wrapped it: more parts are no longer one record.
  private static let wrapLimit = 8
  private static let wrapBytes = 8 << 10

  private static func mayGoOn(_ body: AuditBytes) -> Bool {
    !body.contains("tclass=") || !body.contains("permissive=") || body.trimmed.ends(with: "=")
  }

  private static let starts: [StaticString] = [
    "for ", "pid=", "comm=", "exe=", "path=", "name=", "dev=", "ino=", "src=", "dest=", "scontext=",
    "tcontext=", "tclass=", "permissive=", "capability=", "denied", "granted", "{", "}", "scontext",
    "ioctlcmd=", "laddr=", "lport=", "faddr=", "fport=",
  ]

  private mutating func goesOn(with line: AuditBytes) -> Bool {
    guard var part = held, part.lines < Self.wrapLimit,
      part.text.count + line.count < Self.wrapBytes, Self.mayGoOn(part.text[...])
    else { return false }
    let text = line.drop { isBlank($0) || $0 == UInt8(ascii: ">") || $0 == UInt8(ascii: "|") }
      .trimmed
    let isOpen = part.text[...].trimmed.ends(with: "=")
    let isComplete = part.text[...].contains("tclass=")
    guard !text.isEmpty,
      isOpen
        || (isComplete
          ? text.begins(with: "permissive=") : Self.starts.contains { text.begins(with: $0) })
    else { return false }
    part.text = Array(part.text[...].trimmed) + (isOpen ? [] : [0x20]) + text
    part.lines += 1
    held = part
    if !Self.mayGoOn(part.text[...]) { flushHeld() }
    return true
  }

  private mutating func flushHeld() {
    guard let part = held else { return }
    held = nil
    guard part.lines > 1 else {
      log.take(part.record, file: file, line: part.line)
      return
    }
    for record in AuditRecord.all(in: part.text[...]) {
      log.take(record, file: file, line: part.line)
    }
  }

  /// `journalctl -o json` writes `\"`.
  private static func unescaped(_ line: AuditBytes) -> AuditBytes {
    guard line.contains("\\\"") else { return line }
    var plain: [UInt8] = []
    plain.reserveCapacity(line.count)
    for byte in line {
      if byte == UInt8(ascii: "\""), plain.last == UInt8(ascii: "\\") { plain.removeLast() }
      plain.append(byte)
    }
    return plain[...]
  }
}
