/// What a torrc comes to: its services, what the whole tor does, and what is to be said of every line that neither is.
public struct TorrcInstance: Hashable, Sendable {
  public var services: [TorrcService]
  /// `HiddenServiceSingleHopMode` with `HiddenServiceNonAnonymousMode`: no service of it is anonymous.
  public var isSingleHop: Bool
  /// `PublishHidServDescriptors 0`: nobody can find its services.
  public var unpublished: TorrcPlace?
  /// Clients were meant for some service of it, and the lines do not say for which.
  public var strayAuthorization: [TorrcPlace]
  /// In order of place, without those of one service.
  public var findings: [TorrcFinding]

  public init(_ torrc: Torrc) {
    let sections = TorrcSections(torrc.lines)
    services = sections.services
    strayAuthorization = sections.strayAuthorization
    var reading = InstanceReading()
    for line in torrc.lines { reading.take(line) }
    reading.finish()
    isSingleHop = reading.isSingleHop
    unpublished = reading.unpublished
    findings = (torrc.findings + sections.findings + reading.findings).inOrder
  }
}

extension [TorrcFinding] {
  /// Errors first, then in order of place.
  public var inOrder: [TorrcFinding] {
    enumerated().sorted { left, right in
      let (a, b) = (left.element, right.element)
      if a.severity != b.severity { return a.severity.rank < b.severity.rank }
      if let first = a.place, let second = b.place, first != second { return first < second }
      return left.offset < right.offset
    }.map(\.element)
  }
}

extension TorrcFinding.Severity {
  fileprivate var rank: Int {
    switch self {
    case .error: 0
    case .warning: 1
    case .note: 2
    }
  }
}

/// Options of the whole tor. Values are never shown: some are passwords, some are bridges.
private struct InstanceReading {
  var findings: [TorrcFinding] = []
  var isSingleHop = false
  var unpublished: TorrcPlace?
  /// What is no torrc at all is not told line by line.
  private static let unknownLimit = 50
  private var unknown: [TorrcPlace] = []
  private var groups: [OptionGroup: [(name: String, place: TorrcPlace)]] = [:]
  private var singleHop: [String: (isOn: Bool, place: TorrcPlace)] = [:]

  mutating func take(_ line: TorrcLine) {
    guard let meaning = line.meaning else {
      unknown.append(line.place)
      guard unknown.count <= Self.unknownLimit else { return }
      let near = TorrcOptionNames.nearest(to: line.written.utf8)
      findings.append(
        TorrcFinding(
          .warning, line.place, line.written,
          "is unknown to tor 0.4.9: tor does not start with it"
            + (near.map { " (\($0)?)" } ?? "") + "; not carried"))
      return
    }
    if meaning.isShortened {
      findings.append(
        TorrcFinding(
          .note, line.place, line.written, "is short for \(meaning.name): write it out"))
    }
    guard !TorrcSections.names.contains(meaning.name) else { return }
    if meaning.isObsolete {
      groups[.obsolete, default: []].append((meaning.name, line.place))
      return
    }
    switch meaning.name {
    case "HiddenServiceSingleHopMode", "HiddenServiceNonAnonymousMode":
      singleHop[meaning.name] = (torInteger(line.value[...]) == 1, line.place)
    case "PublishHidServDescriptors":
      unpublished = torInteger(line.value[...]) == 0 ? line.place : nil
    default:
      groups[OptionGroup(meaning.name), default: []].append((meaning.name, line.place))
    }
  }

  mutating func finish() {
    if unknown.count > Self.unknownLimit {
      findings.append(
        TorrcFinding(
          .warning, unknown[Self.unknownLimit], "",
          "\(unknown.count - Self.unknownLimit) more options that tor does not know: is this a torrc?"
        ))
    }
    for (group, lines) in groups {
      guard let first = lines.first else { continue }
      var names: [String] = []
      for line in lines where !names.contains(line.name) { names.append(line.name) }
      let rest = names.count - 8
      findings.append(
        TorrcFinding(
          group.severity, first.place,
          names.prefix(8).joined(separator: ", ") + (rest > 0 ? " and \(rest) more" : ""),
          group.message, others: lines.dropFirst().map(\.place)))
    }
    finishSingleHop()
  }

  private mutating func finishSingleHop() {
    let on = singleHop.filter(\.value.isOn)
    guard let (name, first) = on.min(by: { $0.value.place < $1.value.place }) else { return }
    if on.count == 2 {
      isSingleHop = true
      findings.append(
        TorrcFinding(
          .warning, first.place, name,
          "its services are not anonymous: carried as `singleHop: true`; remove that to make them anonymous"
        ))
    } else {
      // tor wants both or neither (src/app/config/config.c, `options_validate_single_onion`).
      findings.append(
        TorrcFinding(
          .warning, first.place, name,
          "stands without its other half: tor does not start with it; its services are carried as anonymous ones"
        ))
    }
  }
}

/// Options that one sentence is enough for.
private enum OptionGroup: Hashable {
  case ours, client, relay, path, reach, testing, hardening, metrics, obsolete, other, offline

  init(_ name: String) {
    let plain = name.hasPrefix("__") ? String(name.drop { $0 == "_" }) : name
    self = Self.byName[plain] ?? Self.byBeginning(plain)
  }

  var severity: TorrcFinding.Severity {
    switch self {
    case .client, .relay, .path, .reach, .testing, .offline: .warning
    case .ours, .hardening, .metrics, .obsolete, .other: .note
    }
  }

  var message: String {
    switch self {
    case .ours:
      "not carried: Onionkeeper gives each tor its own folders, user, log and control socket"
    case .client:
      "not carried: this tor also serves programs of this host; keep it for them, without its hidden services"
    case .relay:
      "not carried: this tor is also a relay or directory; keep it, without its hidden services"
    case .path:
      "not carried: Onionkeeper's tors choose their relays as tor does by default"
    case .reach:
      "not carried, and it matters: this tor reaches the network in a way of its own, Onionkeeper's tors connect"
        + " directly; put these lines into a file and name it as `tor: {network: FILE}` in the host file first"
    case .testing:
      "not carried, and it matters: this tor is in a network of its own, Onionkeeper's tors join the public one; put"
        + " these lines into a file and name it as `tor: {network: FILE}` in the host file first"
    case .offline:
      "not carried, and it matters: this tor is off the network, Onionkeeper's tors are not, unless the host file says"
        + " `tor: {network: off}`"
    case .hardening:
      "not carried: the container takes its place (no root, no capability, read-only, seccomp)"
    case .metrics: "not carried: Onionkeeper watches each tor by its control port"
    case .obsolete: "not carried: tor skips it, since no tor of today has it"
    case .other: "not carried: Onionkeeper's tors keep tor's default"
    }
  }

  private static let byName: [String: OptionGroup] = {
    let words: [(OptionGroup, String)] = [
      (
        .ours,
        """
        DataDirectory DataDirectoryGroupReadable CacheDirectory CacheDirectoryGroupReadable KeyDirectory
        KeyDirectoryGroupReadable PidFile RunAsDaemon User Log LogMessageDomains LogTimeGranularity TruncateLogFile
        SyslogIdentityTag SafeLogging ControlPort ControlSocket ControlSocketsGroupWritable ControlPortWriteToFile
        ControlPortFileGroupReadable CookieAuthentication CookieAuthFile CookieAuthFileGroupReadable
        HashedControlPassword HashedControlSessionPassword OwningControllerProcess OwningControllerFD
        ReloadTorrcOnSIGHUP DisableSignalHandlers LeaveStreamsUnattached AvoidDiskWrites ProtocolWarnings
        """
      ),
      (
        .client,
        """
        SocksPort SocksPolicy SocksTimeout TransPort TransProxyType NATDPort DNSPort HTTPTunnelPort
        AutomapHostsOnResolve AutomapHostsSuffixes VirtualAddrNetworkIPv4 VirtualAddrNetworkIPv6 MapAddress
        ClientOnionAuthDir UnixSocksGroupWritable TestSocks SafeSocks WarnPlaintextPorts RejectPlaintextPorts
        TrackHostExits TrackHostExitsExpire ClientDNSRejectInternalAddresses ClientRejectInternalAddresses
        AllowNonRFC953Hostnames ClientOnly
        """
      ),
      (
        .relay,
        """
        ORPort DirPort DirPolicy ExtORPort Nickname ContactInfo ExitRelay ExitPolicy ReducedExitPolicy IPv6Exit
        ExitPolicyRejectPrivate ExitPolicyRejectLocalInterfaces MyFamily FamilyId BridgeRelay BridgeDistribution
        PublishServerDescriptor RelayBandwidthRate RelayBandwidthBurst AccountingMax AccountingRule AccountingStart
        Address AddressDisableIPv6 AssumeReachable AssumeReachableIPv6 DirCache DirPortFrontPage OfflineMasterKey
        SigningKeyLifetime ServerTransportPlugin ServerTransportListenAddr ServerTransportOptions HidServDirectoryV2
        MaxAdvertisedBandwidth HeartbeatPeriod MainloopStats
        """
      ),
      (
        .path,
        """
        EntryNodes ExitNodes MiddleNodes ExcludeNodes ExcludeExitNodes StrictNodes GeoIPExcludeUnknown NodeFamily
        EnforceDistinctSubnets HSLayer2Nodes HSLayer3Nodes VanguardsLiteEnabled UseEntryGuards NumEntryGuards
        NumDirectoryGuards NumPrimaryGuards GuardLifetime LongLivedPorts ConfluxEnabled ConfluxClientUX
        """
      ),
      (
        .reach,
        """
        UseBridges Bridge ClientTransportPlugin UpdateBridgesFromAuthority Socks4Proxy Socks5Proxy
        Socks5ProxyUsername Socks5ProxyPassword HTTPProxy HTTPProxyAuthenticator HTTPSProxy
        HTTPSProxyAuthenticator TCPProxy FascistFirewall FirewallPorts ReachableAddresses ReachableDirAddresses
        ReachableORAddresses OutboundBindAddress OutboundBindAddressOR OutboundBindAddressExit
        OutboundBindAddressPT ClientUseIPv4 ClientUseIPv6 ClientPreferIPv6ORPort ClientPreferIPv6DirPort
        """
      ),
      (
        .testing,
        """
        TestingTorNetwork DirAuthority AlternateBridgeAuthority AlternateDirAuthority FallbackDir
        UseDefaultFallbackDirs
        """
      ),
      (.offline, "DisableNetwork DormantOnFirstStartup"),
      (
        .hardening,
        """
        Sandbox NoExec DisableAllSwap DisableDebuggerAttachment KeepBindCapabilities HardwareAccel AccelName AccelDir
        """
      ),
      (.metrics, "MetricsPort MetricsPortPolicy"),
    ]
    var table: [String: OptionGroup] = [:]
    for (group, names) in words {
      for name in names.split(whereSeparator: \.isWhitespace) { table[String(name)] = group }
    }
    return table
  }()

  private static func byBeginning(_ name: String) -> OptionGroup {
    if name.hasPrefix("Testing") { return .testing }
    let relays = ["AuthDir", "Authoritative", "V3", "ServerDNS", "Dos", "DoS", "Exit", "Bridge"]
    return relays.contains { name.hasPrefix($0) } ? .relay : .other
  }
}
