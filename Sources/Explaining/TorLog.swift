/// How many lines of one kind may differ in subject before they are counted only.
enum TorLogLimits {
  static let groups = 200
}

/// What tor and systemd said, put together by topic and subject.
struct TorLog {
  struct Group {
    var topic: Saying.Topic
    var captures: [String: String]
    var evidence = EvidenceList()
    var consequences = 0
    var position: Int
    /// Compose's name before the line, if any had one.
    var container: String?
    /// The program named by syslog or the journal.
    var program: String?
    /// Of the tor that wrote it, if it said so before.
    var version: String?
  }

  private(set) var groups: [Group] = []
  private var places: [String: Int] = [:]
  /// Consequences whose cause is not among the lines.
  private(set) var orphans = EvidenceList()
  private(set) var orphanPosition = 0
  /// Of each tor that said which it is, in order.
  private(set) var versions: [String] = []
  /// Lines of more different subjects than are kept.
  private(set) var overflow = 0
  /// The group that later consequences of the same input belong to.
  private var cause: Int?
  /// Of the tor whose lines follow.
  private var version: String?

  mutating func begin() {
    cause = nil
    version = nil
  }

  /// - Returns: whether the line is known.
  mutating func take(
    _ prefix: LogPrefix, position: Int, evidence: @autoclosure () -> Evidence
  ) -> Bool {
    let message = prefix.message
    if let version = Self.version(message) {
      if versions.last != version, versions.count < 20 { versions.append(version) }
      // A new start: what failed before is over.
      self.version = version
      cause = nil
      return true
    }
    let sayings = prefix.severity.map { $0 > .notice } ?? true ? Saying.all : Saying.noticed
    for saying in sayings {
      guard let captures = saying.pattern.match(message) else { continue }
      switch saying.topic {
      case .harmless: return true
      case .consequence:
        follow(position, evidence())
        return true
      case .notDirectory where prefix.severity == nil: return false
      case .missing where prefix.severity == nil && prefix.program == nil: return false
      case .listenerSyntax where captures["option"]?.has(" ") ?? true: continue
      // They repeat what the line before them said of the same directory.
      case .dataDirectory where cause != nil, .keysUnsaved where cause != nil:
        follow(position, evidence())
        return true
      // The line before it told the reason in full.
      case .refused where cause.map { groups[$0].topic != .refused } ?? false:
        follow(position, evidence())
        return true
      default:
        add(saying, Self.tidied(captures), prefix, position, evidence())
        return true
      }
    }
    return false
  }

  private mutating func follow(_ position: Int, _ evidence: Evidence) {
    if let cause {
      groups[cause].consequences += 1
    } else {
      if orphans.count == 0 { orphanPosition = position }
      orphans.add(evidence)
    }
  }

  private mutating func add(
    _ saying: Saying, _ captures: [String: String], _ prefix: LogPrefix, _ position: Int,
    _ evidence: Evidence
  ) {
    let key = "\(saying.topic) \(saying.subject.flatMap { captures[$0] } ?? "")"
    let index: Int
    if let known = places[key] {
      index = known
    } else {
      guard groups.count < TorLogLimits.groups else {
        overflow += 1
        return
      }
      index = groups.count
      places[key] = index
      groups.append(
        Group(topic: saying.topic, captures: captures, position: position, version: version))
    }
    groups[index].evidence.add(evidence)
    groups[index].container = groups[index].container ?? prefix.container
    groups[index].program = groups[index].program ?? prefix.program
    switch saying.topic {
    // They do not end tor.
    case .runningAsRoot, .obsolete, .relative, .publicRegenerated, .clientIgnored, .clock, .target,
      .clientSideIgnored, .bootstrap, .circuitLimit, .needsClientKey, .stateFile, .controlOpen,
      .noGuards,
      .pinnedGuards, .notAnonymous:
      break
    default: cause = index
    }
  }

  /// `Tor 0.3.5.10 running on Linux …` and `Tor version 0.4.9.11.`
  private static func version(_ message: String) -> String? {
    for pattern in [versionRunning, versionAlone] {
      if let found = pattern.match(message)?["version"], found.first?.isNumber == true,
        found.utf8.count < 40
      {
        return found.hasSuffix(".") ? String(found.dropLast()) : found
      }
    }
    return nil
  }

  private static let versionRunning = Pattern("Tor {version} running on ")
  private static let versionAlone = Pattern("Tor version {version}. ")

  /// One spelling for a path: without an ending slash, and without what a lost prefix left before it.
  private static func tidied(_ captures: [String: String]) -> [String: String] {
    var captures = captures
    for key in ["path", "file", "public"] {
      guard var path = captures[key] else { continue }
      if !path.hasPrefix("/"), let start = path.find(" /") {
        path = String(path[path.index(after: start.lowerBound)...])
      }
      while path.utf8.count > 1, path.hasSuffix("/") { path.removeLast() }
      captures[key] = path
    }
    if let option = captures["option"]?.words.last { captures["option"] = String(option) }
    // `behind by 3 hours, 0 minutes, or that theirs is ahead. Tor requires …`
    if let offset = captures["offset"], let rest = offset.find(", or that theirs") {
      captures["offset"] = String(offset[..<rest.lowerBound])
    } else if let seconds = captures["offset"].flatMap({ Int($0) }) {
      captures["offset"] = "by \(seconds.magnitude) seconds"
    }
    return captures
  }
}
