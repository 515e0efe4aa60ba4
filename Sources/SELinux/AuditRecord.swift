import OnionModel

/// `audit(1795490942.236:68)`: when, and the number that all records of one event share.
struct AuditStamp: Hashable {
  /// As written: `1795490942.236`, or a date of `ausearch -i` in whatever order its locale has.
  var when: String
  var serial: Int
  /// The machine, where several write into one log.
  var node: String?

  /// Translated by `ausearch -i`.
  var isInterpreted: Bool { when.contains { !$0.isNumber && $0 != "." } }

  /// `nil` for a date: whether 09/05 is in May or in September, nobody knows.
  var time: Timestamp? {
    guard !isInterpreted else { return nil }
    let parts = when.split(separator: ".", maxSplits: 1)
    guard let seconds = parts.first.flatMap({ Int64($0) }), seconds < 1 << 40 else { return nil }
    let milli = parts.count > 1 ? Int64(parts[1].prefix(3)) ?? 0 : 0
    return Timestamp(milliseconds: seconds * 1000 + milli)
  }
}

/// One record of a line: a line may hold several, pasted one after another.
struct AuditRecord {
  enum Kind: Hashable {
    case access, userAccess, syscall, path, directory, processTitle
    case selinuxError, policyLoad, status, boolean, seccomp, appArmor
    case fileAccess, landlock, integrity
    /// Of no meaning here: its kind is known and it is passed over.
    case other
  }

  var kind: Kind
  var stamp: AuditStamp?
  /// From its kind to the next record.
  var text: AuditBytes
  /// After the stamp, or after the prefix of a log.
  var body: AuditBytes

  /// The records of a line; none if it holds nothing of the audit system.
  static func all(in line: AuditBytes) -> [AuditRecord] {
    let stamps = stampPlaces(in: line)
    guard !stamps.isEmpty else { return stampless(line).map { [$0] } ?? [] }
    var records: [AuditRecord] = []
    for (index, place) in stamps.enumerated() {
      let end = index + 1 < stamps.count ? stamps[index + 1].start : line.endIndex
      guard place.body <= end else { continue }
      let body = line[place.body..<end]
      records.append(
        AuditRecord(
          kind: kind(named: line[place.kind], body: body), stamp: place.stamp,
          text: line[place.start..<end], body: body))
    }
    return records
  }

  private struct Place {
    var start: Int
    var kind: Range<Int>
    var body: Int
    var stamp: AuditStamp
  }

  /// More in one line is garbage.
  private static let limit = 10_000

  private static func stampPlaces(in line: AuditBytes) -> [Place] {
    var places: [Place] = []
    var position = line.startIndex
    while places.count < limit, let found = line.position(of: "audit(", from: position) {
      position = found + 6
      guard let close = line[position...].prefix(64).firstIndex(of: UInt8(ascii: ")")),
        let stamp = stamp(line[position..<close])
      else { continue }
      var place = Place(start: found, kind: found..<found, body: close + 1, stamp: stamp)
      while place.body < line.endIndex,
        isBlank(line[place.body]) || line[place.body] == UInt8(ascii: ":")
      {
        place.body += 1
      }
      lookBack(line, &place, floor: places.last?.body ?? line.startIndex)
      places.append(place)
      position = close
    }
    return places
  }

  private static func stamp(_ text: AuditBytes) -> AuditStamp? {
    guard let colon = text.lastIndex(of: UInt8(ascii: ":")), text.first.map(isDigit) == true,
      let serial = Int(String(decoding: text[(colon + 1)...], as: UTF8.self))
    else { return nil }
    return AuditStamp(
      when: String(decoding: text[..<colon], as: UTF8.self), serial: serial, node: nil)
  }

  /// `node=NAME type=KIND msg=` or `audit: type=1400 ` before a stamp.
  private static func lookBack(_ line: AuditBytes, _ place: inout Place, floor: Int) {
    var end = place.start
    if line[floor..<end].ends(with: "msg=") { end -= 4 }
    let word = lastWord(line[floor..<end])
    guard line[word].begins(with: "type=") else { return }
    place.kind = (word.lowerBound + 5)..<word.upperBound
    place.start = word.lowerBound
    let node = lastWord(line[floor..<word.lowerBound])
    guard line[node].begins(with: "node=") else { return }
    place.start = node.lowerBound
    place.stamp.node = String(decoding: line[node].dropFirst(5), as: UTF8.self)
  }

  private static func lastWord(_ text: AuditBytes) -> Range<Int> {
    var end = text.endIndex
    while end > text.startIndex, isBlank(text[end - 1]) { end -= 1 }
    var start = end
    while start > text.startIndex, !isBlank(text[start - 1]) { start -= 1 }
    return start..<end
  }

  /// A line of the journal (`audit[1671]: AVC avc:  denied …`) or of nobody knows what, without a stamp.
  private static func stampless(_ line: AuditBytes) -> AuditRecord? {
    if let place = line.position(of: "avc:") {
      let body = line[place...]
      guard body.contains("{") || body.contains("denied") || body.contains("received") else {
        return nil
      }
      let isUser = line[..<place].contains("USER_AVC")
      return AuditRecord(kind: isUser ? .userAccess : .access, stamp: nil, text: body, body: body)
    }
    if let place = line.position(of: "apparmor=") {
      return AuditRecord(kind: .appArmor, stamp: nil, text: line[place...], body: line[place...])
    }
    guard let place = line.position(of: "audit[") else { return nil }
    let rest = line[place...]
    guard let colon = rest.position(of: "]: ") else { return nil }
    let word = rest[(colon + 3)...].prefix { !isBlank($0) }
    let kind = kind(named: word, body: rest[word.endIndex...])
    guard kind != .other || isKindName(word) else { return nil }
    return AuditRecord(kind: kind, stamp: nil, text: rest, body: rest[word.endIndex...])
  }

  private static func isKindName(_ word: AuditBytes) -> Bool {
    word.count > 2 && word.allSatisfy { isDigit($0) || (0x41...0x5a).contains($0) || $0 == 0x5f }
  }

  private static let kinds: [String: Kind] = [
    "AVC": .access, "1400": .access, "UNKNOWN[1400]": .access, "USER_AVC": .userAccess,
    "1107": .userAccess, "USER_SELINUX_ERR": .selinuxError, "1108": .selinuxError,
    "SYSCALL": .syscall, "1300": .syscall, "PATH": .path, "1302": .path, "CWD": .directory,
    "1307": .directory, "PROCTITLE": .processTitle, "1327": .processTitle,
    "SELINUX_ERR": .selinuxError, "1401": .selinuxError, "MAC_POLICY_LOAD": .policyLoad,
    "1403": .policyLoad, "MAC_STATUS": .status, "1404": .status, "MAC_CONFIG_CHANGE": .boolean,
    "1405": .boolean, "SECCOMP": .seccomp, "1326": .seccomp, "APPARMOR_DENIED": .appArmor,
    "APPARMOR_ALLOWED": .appArmor, "1503": .appArmor, "FANOTIFY": .fileAccess,
    "1331": .fileAccess, "LANDLOCK_ACCESS": .landlock, "1423": .landlock,
    "INTEGRITY_DATA": .integrity, "1800": .integrity,
  ]

  private static func kind(named name: AuditBytes, body: AuditBytes) -> Kind {
    // One number and one name for both modules' denials.
    if body.trimmed.begins(with: "apparmor=") { return .appArmor }
    if let kind = kinds[String(decoding: name, as: UTF8.self)] { return kind }
    return body.trimmed.begins(with: "avc:") ? .access : .other
  }
}
