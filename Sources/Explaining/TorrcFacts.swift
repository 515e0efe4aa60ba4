/// What torrc lines among the input say of services, user and the rest. Tolerant: lines of several files may lie in one.
struct TorrcFacts {
  struct Port: Hashable {
    var virtual: String
    var target: String
    /// Words behind the target: tor takes none.
    var rest = 0
    var evidence: Evidence
  }

  struct Service {
    var directory: String
    var ports: [Port] = []
    var options: [String: (value: String, evidence: Evidence)] = [:]
    var evidence: Evidence
    var position: Int
  }

  private(set) var services: [Service] = []
  private(set) var options: [String: (value: String, evidence: Evidence)] = [:]
  private(set) var includes: [(path: String, evidence: Evidence, position: Int)] = []
  /// Service options before any directory of their input.
  private(set) var strays: [(name: String, evidence: Evidence, position: Int)] = []
  private var isInService = false
  private var file = ""
  static let limit = 500

  mutating func begin(_ input: String) {
    isInService = false
    file = input
  }

  /// Of the whole tor, that matter here; all in lower case.
  private static let known: Set<String> = [
    "user", "datadirectory", "sandbox", "socksport", "controlport", "controlsocket",
    "cookieauthentication", "cookieauthfile", "clientonionauthdir", "log", "runasdaemon",
    "disablenetwork", "metricsport", "metricsportpolicy", "compiledproofofworkhash", "exitpolicy",
    "pidfile", "safelogging", "hashedcontrolpassword", "dnsport", "transport", "usebridges",
    "bridge", "clienttransportplugin", "entrynodes", "excludenodes", "strictnodes", "orport",
    "nickname", "contactinfo", "automaphostsonresolve", "virtualaddrnetworkipv4",
    "vanguardsliteenabled", "hslayer2nodes", "hslayer3nodes", "avoiddiskwrites", "exitrelay",
    "sockspolicy", "connectionpadding", "numcpus", "keepbindcapabilities",
    "controlsocketsgroupwritable", "cachedirectory", "datadirectorygroupreadable", "useentryguards",
  ]

  /// Name and value of a torrc line; `nil` if it is none.
  static func option(_ line: String) -> (name: String, value: String)? {
    let text = withoutComment(line).trimmed
    guard let first = text.first, first.isLetter || first == "%" || first == "+" || first == "/"
    else { return nil }
    let name = text.prefix { $0 != " " && $0 != "\t" }
    let bare = name.drop { $0 == "+" || $0 == "/" }.lowercased()
    guard
      bare.hasPrefix("hiddenservice") && bare.utf8.allSatisfy({ (0x61...0x7a).contains($0) })
        || bare == "%include" || known.contains(bare) || isMisspelled(bare)
    else { return nil }
    var value = text[name.endIndex...].trimmed
    // A sentence that begins with one of these words is none: options of one value have one.
    if bare == "log" || bare == "user" || bare == "bridge" || bare == "transport",
      value.words.count > 4 || value.isEmpty
    {
      return nil
    }
    if value.hasPrefix("\""), value.hasSuffix("\""), value.utf8.count > 1 {
      value = String(value.dropFirst().dropLast())
    }
    return (bare, value)
  }

  /// Nearly an option of a service, as `HidenServicePort`.
  private static func isMisspelled(_ name: String) -> Bool {
    name.hasPrefix("hid") && name.utf8.count >= 12
      && name.utf8.allSatisfy { (0x61...0x7a).contains($0) }
      && TorOptionHistory.nearest(name).map { $0.hasPrefix("Hidden") } ?? false
  }

  /// A `#` outside of quotes begins a comment.
  private static func withoutComment(_ line: String) -> String {
    var isQuoted = false
    for index in line.indices {
      if line[index] == "\"" { isQuoted.toggle() }
      if line[index] == "#", !isQuoted { return String(line[..<index]) }
    }
    return line
  }

  mutating func take(_ name: String, _ value: String, _ place: Evidence, position: Int) {
    switch name {
    case "%include":
      if includes.count < Self.limit { includes.append((value, place, position)) }
    case "hiddenservicedir":
      guard services.count < Self.limit else { return }
      isInService = true
      services.append(
        Service(directory: Self.normal(value), evidence: place, position: position))
    case "hiddenserviceport" where isInService:
      let parts = value.words.map(String.init)
      guard let virtual = parts.first, services[services.count - 1].ports.count < Self.limit else {
        return
      }
      services[services.count - 1].ports.append(
        Port(
          virtual: virtual, target: parts.count > 1 ? parts[1] : "127.0.0.1:\(virtual)",
          rest: max(0, parts.count - 2), evidence: place))
    case _ where name.hasPrefix("hid") && !Self.ofTheWhole.contains(name):
      if isInService {
        services[services.count - 1].options[name] = (value, place)
      } else if strays.count < Self.limit {
        strays.append((name, place, position))
      }
    default: options[name] = (value, place)
    }
  }

  private static let ofTheWhole: Set<String> = [
    "hiddenservicesinglehopmode", "hiddenservicenonanonymousmode", "hiddenservicestatistics",
  ]

  static func normal(_ path: String) -> String {
    var path = path
    while path.utf8.count > 1, path.hasSuffix("/") { path.removeLast() }
    return path
  }

  var user: String? { options["user"]?.value }

  /// Targets that are names, which tor resolves while it reads.
  var namedTargets: [Port] {
    services.flatMap(\.ports).filter { Self.host(of: $0.target) != nil }
  }

  /// The host of a target that is a name.
  static func host(of target: String) -> String? {
    guard !target.hasPrefix("unix:"), !target.hasPrefix("["), let colon = target.lastIndex(of: ":")
    else {
      return !target.hasPrefix("unix:") && target.contains(where: \.isLetter)
        && !target.hasPrefix("[") ? target : nil
    }
    let host = String(target[..<colon])
    let isAddress = host.utf8.allSatisfy { (0x30...0x39).contains($0) || $0 == 0x2e || $0 == 0x3a }
    return isAddress || host == "localhost" ? nil : host
  }

  static func isLoopback(_ target: String) -> Bool {
    target.hasPrefix("127.") || target.hasPrefix("localhost") || target.hasPrefix("[::1]")
      || !target.isEmpty && target.utf8.allSatisfy { (0x30...0x39).contains($0) }
  }
}
