public import OnionModel

/// One `HiddenServiceDir` and the lines that follow it, up to the next.
public struct TorrcService: Hashable, Sendable {
  public struct Port: Hashable, Sendable {
    public var virtual: Int
    public var target: TorrcTarget
    public var place: TorrcPlace
    /// The line's value as it stands there.
    public var written: String
  }

  /// The directory in one spelling, without an ending `/`.
  public var directory: String
  /// Its `HiddenServiceDir` line.
  public var place: TorrcPlace
  public var includes: [TorrcPlace]
  public var ports: [Port] = []
  /// All but what other files or the whole tor say: Onionbalance's master, single hop.
  public var tor = TorOptions()
  /// `HiddenServiceOnionBalanceInstance 1`: `ob_config` in the directory names the master.
  public var onionBalance: TorrcPlace?
  /// `HiddenServiceAuthorizeClient` lines. They never protected a version 3 service: tor skips them and opens it.
  public var authorizedBy: [TorrcPlace] = []
  /// What is to be said of its lines. An error among them: it cannot be carried.
  public var findings: [TorrcFinding] = []
  /// Name and value of every line, to tell a repeated service from another of the same directory.
  var said: [String] = []
  /// The directory as written.
  var spelling: [UInt8]

  init(directory: String, line: TorrcLine) {
    self.directory = directory
    spelling = line.value
    place = line.place
    includes = line.includes
  }
}

/// The services of a torrc, in its order.
struct TorrcSections {
  private(set) var services: [TorrcService] = []
  private(set) var findings: [TorrcFinding] = []
  /// `HiddenServiceAuthorizeClient` lines before any directory: meant for one of the services, nobody knows which.
  private(set) var strayAuthorization: [TorrcPlace] = []
  private var current: [TorrcLine] = []
  /// An option came before any directory, and was said to be lost.
  private var hasStray = false

  /// - Parameter lines: of the whole torrc: those that concern no service are passed over.
  init(_ lines: [TorrcLine]) {
    for line in lines {
      guard let name = line.meaning?.name, Self.names.contains(name) else { continue }
      take(line, name)
    }
    finish()
    mergeRepeated()
  }

  /// What ends up in tor's `RendConfigLines`, and the one that no longer does.
  static let names: Set<String> = Set(ServiceOption.all.keys).union([
    "HiddenServiceDir", "HiddenServiceOptions", "HiddenServiceAuthorizeClient",
  ])

  private mutating func take(_ line: TorrcLine, _ name: String) {
    if name == "HiddenServiceAuthorizeClient" {
      // Not in tor's list any more; who wrote it behind a directory meant that service.
      if current.isEmpty {
        strayAuthorization.append(line.place)
        findings.append(
          TorrcFinding(
            .warning, line.place, name,
            "is not carried: it belongs to no service, and tor skips it; who may reach a service is said by the files in"
              + " its authorized_clients"))
      } else {
        current.append(line)
      }
      return
    }
    if line.command == .clear {
      // Any of them empties the one list that they all are in (src/app/config/config.c, LINELIST_S).
      current = []
      services = []
      findings.append(
        TorrcFinding(
          .warning, line.place, "/\(name)",
          "makes tor forget every hidden service above it: those are not carried; remove the line if they are wanted"
        ))
      return
    }
    guard !line.value.isEmpty else {
      findings.append(
        TorrcFinding(
          .warning, line.place, name, "has no value: tor skips it, and so it was done here"))
      return
    }
    if name == "HiddenServiceDir" {
      finish()
      current = [line]
    } else if name == "HiddenServiceOptions" {
      findings.append(
        TorrcFinding(
          .error, line.place, name, "may not be set: tor does not start with it; remove the line"))
    } else if current.isEmpty {
      if !hasStray {
        findings.append(
          TorrcFinding(
            .error, line.place, name,
            "stands before any HiddenServiceDir: tor does not start with it; move it behind its service's"
          ))
      }
      hasStray = true
    } else {
      current.append(line)
    }
  }

  private mutating func finish() {
    guard let first = current.first else { return }
    services.append(TorrcSection(first, current.dropFirst()).service)
    current = []
  }

  /// One directory twice. Repeated word for word (one file included twice) it is one service; otherwise nobody knows
  /// which is meant. tor itself compares strings only, and of two spellings of one directory drops the second service
  /// after it has loaded one key twice (src/feature/hs/hs_service.c, `register_all_services`).
  private mutating func mergeRepeated() {
    var kept: [TorrcService] = []
    for service in services {
      guard let index = kept.firstIndex(where: { $0.directory == service.directory }) else {
        kept.append(service)
        continue
      }
      let lines = service.includes.suffix(1) + [service.place]
      let first = kept[index].includes.suffix(1) + [kept[index].place]
      let fate =
        kept[index].spelling == service.spelling
        ? "tor does not start with it" : "tor drops the second one"
      if kept[index].said == service.said {
        kept[index].findings.append(
          TorrcFinding(
            .warning, service.place, "HiddenServiceDir \(service.directory)",
            "stands there twice, the same both times: \(fate); taken once; remove one of the includes",
            others: Array(first + lines.dropLast())))
      } else {
        kept[index].findings.append(
          TorrcFinding(
            .error, service.place, "HiddenServiceDir \(service.directory)",
            "stands there twice, with other options: \(fate); keep one, or give each a directory of its own (a key and"
              + " an address of its own)", others: Array(first + lines.dropLast())
          ))
      }
    }
    services = kept
  }
}

/// Reads the lines of one section.
private struct TorrcSection {
  var service: TorrcService
  private var values: [ServiceOption: (value: Int, line: TorrcLine)] = [:]

  init(_ first: TorrcLine, _ rest: ArraySlice<TorrcLine>) {
    let written = String(validating: first.value, as: UTF8.self)
    service = TorrcService(
      directory: TorrcReader.normal(written ?? shown(first.value)), line: first)
    if written?.hasPrefix("/") != true {
      fail(first, "is not an absolute path in UTF-8: write it as one")
    }
    if written?.split(separator: "/").contains("..") == true {
      fail(first, "holds `..`: write the path without")
    }
    for line in rest { take(line) }
    options()
    if !rest.contains(where: { $0.meaning?.name == ServiceOption.port.name }) {
      fail(first, "has no HiddenServicePort: tor does not start with it")
    }
  }

  private mutating func say(_ severity: TorrcFinding.Severity, _ line: TorrcLine, _ message: String)
  {
    let name = line.meaning?.name ?? line.written
    service.findings.append(
      TorrcFinding(severity, line.place, "\(name) \(line.shownValue)", message))
  }

  private mutating func fail(_ line: TorrcLine, _ message: String) { say(.error, line, message) }

  private mutating func take(_ line: TorrcLine) {
    guard let name = line.meaning?.name else { return }
    service.said.append("\(name) \(line.shownValue)")
    if name == "HiddenServiceAuthorizeClient" {
      service.authorizedBy.append(line.place)
      return
    }
    guard let option = ServiceOption.all[name] else { return }
    switch option.form {
    case .port: port(line)
    case .circuitID: circuitID(line)
    case .integer(let range, let noun):
      guard let value = torInteger(line.value[...]), range.contains(value) else {
        fail(
          line,
          "is not \(noun) (\(range.lowerBound)–\(range.upperBound)): tor does not start with it")
        return
      }
      // The last one counts.
      values[option] = (value, line)
    }
  }

  private mutating func port(_ line: TorrcLine) {
    do throws(TorrcPortValue.Refusal) {
      let port = try TorrcPortValue(line.value)
      if let first = service.ports.first(where: { $0.virtual == port.virtual }) {
        fail(
          line,
          "port \(port.virtual) is taken by line \(first.place.line): tor spreads visitors over both, Onionkeeper"
            + " serves each port once; keep one, or put a balancer before the backends")
        return
      }
      service.ports.append(
        TorrcService.Port(
          virtual: port.virtual, target: port.target, place: line.place, written: line.shownValue))
    } catch {
      fail(line, error.isOurs ? error.message : "\(error.message): tor does not start with it")
    }
  }

  private mutating func circuitID(_ line: TorrcLine) {
    switch String(decoding: line.value, as: UTF8.self).lowercased() {
    case "haproxy": service.tor.exportsCircuitID = true
    case "none": service.tor.exportsCircuitID = false
    default: fail(line, "is neither haproxy nor none: tor does not start with it")
    }
  }

  private func value(_ option: ServiceOption) -> Int? { values[option]?.value }

  private func isOn(_ option: ServiceOption) -> Bool { value(option) == 1 }

  private mutating func options() {
    // tor's own default is -1, for "see the directory".
    if let (version, line) = values[.version], version != 3, version != -1 {
      fail(
        line,
        version == 2
          ? "version 2 ended with tor 0.4.6, and no key of it makes a version 3 address: define a new service with"
            + " `key: generate` and tell its visitors the new address; tor does not start with it"
          : "is no version that tor serves (3): tor does not start with it")
    }
    service.tor.introductionPoints = value(.introductionPoints)
    service.tor.maxStreams = value(.maxStreams)
    service.tor.closesCircuitAtMaxStreams = value(.closesCircuit).map { $0 == 1 }
    service.tor.introDoS = limit(.introDefense, .introRate, .introBurst, standard: (25, 200))
    service.tor.proofOfWork = limit(.proofOfWork, .queueRate, .queueBurst, standard: (250, 2500))
    if isOn(.onionBalance) { service.onionBalance = values[.onionBalance]?.line.place }
    if isOn(.groupReadable), let line = values[.groupReadable]?.line {
      say(
        .warning, line,
        "is not carried: nobody but tor and root reads a key directory of Onionkeeper; take the address from"
          + " `onionkeeper status`")
    }
    if isOn(.allowUnknownPorts), let line = values[.allowUnknownPorts]?.line {
      say(
        .warning, line,
        "is not carried: a visitor who tries another port is cut off, as tor does by default")
    }
  }

  /// A rate and burst, where their switch is on; tor's own standards (src/feature/hs/hs_config.h).
  private mutating func limit(
    _ key: ServiceOption, _ rate: ServiceOption, _ burst: ServiceOption, standard: (Int, Int)
  ) -> RateLimit? {
    guard isOn(key) else {
      for option in [rate, burst] {
        guard let line = values[option]?.line else { continue }
        say(
          .warning, line,
          "is not carried: tor does not use it while \(key.name) is not 1; set that first if it is wanted"
        )
      }
      return nil
    }
    let limit = RateLimit(rate: value(rate) ?? standard.0, burst: value(burst) ?? standard.1)
    if limit.burst < limit.rate, let line = values[burst]?.line ?? values[rate]?.line {
      fail(
        line, "the burst \(limit.burst) is below the rate \(limit.rate): tor does not start with it"
      )
    }
    return limit
  }
}

/// An option of one service (src/feature/hs/hs_options.inc).
private struct ServiceOption: Hashable, Sendable {
  enum Form: Hashable, Sendable {
    case port, circuitID
    case integer(ClosedRange<Int>, noun: String)
  }

  var name: String
  var form: Form

  static let all = Dictionary(
    [
      port, circuitID, version, allowUnknownPorts, groupReadable, maxStreams, closesCircuit,
      introductionPoints, introDefense, introRate, introBurst, onionBalance, proofOfWork, queueRate,
      queueBurst,
    ].map { ($0.name, $0) }
  ) { first, _ in first }

  static let port = ServiceOption(name: "HiddenServicePort", form: .port)
  static let circuitID = ServiceOption(name: "HiddenServiceExportCircuitID", form: .circuitID)
  static let version = ServiceOption(
    name: "HiddenServiceVersion", form: .integer(-1...Int(Int32.max), noun: "a version"))
  static let allowUnknownPorts = flag("HiddenServiceAllowUnknownPorts")
  static let groupReadable = flag("HiddenServiceDirGroupReadable")
  static let maxStreams = number("HiddenServiceMaxStreams", 0...65535)
  static let closesCircuit = flag("HiddenServiceMaxStreamsCloseCircuit")
  static let introductionPoints = number("HiddenServiceNumIntroductionPoints", 3...20)
  static let introDefense = flag("HiddenServiceEnableIntroDoSDefense")
  static let introRate = number("HiddenServiceEnableIntroDoSRatePerSec", 0...Int(Int32.max))
  static let introBurst = number("HiddenServiceEnableIntroDoSBurstPerSec", 0...Int(Int32.max))
  static let onionBalance = flag("HiddenServiceOnionBalanceInstance")
  static let proofOfWork = flag("HiddenServicePoWDefensesEnabled")
  static let queueRate = number("HiddenServicePoWQueueRate", 0...Int(Int32.max))
  static let queueBurst = number("HiddenServicePoWQueueBurst", 0...Int(Int32.max))

  private static func flag(_ name: String) -> ServiceOption {
    ServiceOption(name: name, form: .integer(0...1, noun: "0 or 1"))
  }

  private static func number(_ name: String, _ range: ClosedRange<Int>) -> ServiceOption {
    ServiceOption(name: name, form: .integer(range, noun: "a number"))
  }
}
