/// The options that tor 0.4.9.11 knows (src/app/config/config.c, `option_vars_` and `option_abbrevs_`; the `*_options.inc`).
public enum TorrcOptionNames {
  /// What a name in a torrc means.
  public struct Meaning: Hashable, Sendable {
    /// In tor's own spelling.
    public var name: String
    /// tor skips it with a warning.
    public var isObsolete: Bool
    /// Only the beginning was written.
    public var isShortened: Bool
  }

  /// Case does not matter; an old name means the new one; a beginning means the first name, by alphabet, that has it
  /// (src/lib/confmgt/confmgt.c, `config_expand_abbrev`, `config_mgr_find_var`).
  /// - Returns: `nil` for what tor does not know: it refuses the whole file.
  public static func meaning(of written: some Collection<UInt8>) -> Meaning? {
    guard (1...longest).contains(written.count) else { return nil }
    var key = String(decoding: written, as: UTF8.self).lowercased()
    for (old, new) in abbreviations where old == key { key = new }
    if let entry = exact[key] {
      return Meaning(name: entry.name, isObsolete: entry.isObsolete, isShortened: false)
    }
    // Whatever begins with it stands together, from where it would stand itself.
    var low = 0
    var high = sorted.count
    while low < high {
      let middle = (low + high) / 2
      if sorted[middle].key < key { low = middle + 1 } else { high = middle }
    }
    guard low < sorted.count, sorted[low].key.hasPrefix(key) else { return nil }
    let entry = sorted[low]
    return Meaning(name: entry.name, isObsolete: entry.isObsolete, isShortened: true)
  }

  /// The known name that is nearest to one that is not, if it is near at all.
  static func nearest(to written: some Collection<UInt8>) -> String? {
    guard (1...longest).contains(written.count) else { return nil }
    let key = Array(String(decoding: written, as: UTF8.self).lowercased().utf8)
    let found = sorted.map { ($0, distance(key, Array($0.key.utf8))) }.min { $0.1 < $1.1 }
    guard let (entry, distance) = found, distance <= max(1, key.count / 6) else { return nil }
    return entry.name
  }

  /// All that can be written, for comparison with `tor --list-torrc-options`.
  static var all: Set<String> { Set(sorted.map(\.name)) }

  private struct Entry {
    var key: String
    var name: String
    var isObsolete: Bool
  }

  private static let longest = 100

  private static let sorted: [Entry] =
    (words(known).map { Entry(key: $0.lowercased(), name: $0, isObsolete: false) }
    + words(obsolete).map { Entry(key: $0.lowercased(), name: $0, isObsolete: true) })
    .sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }

  private static let exact = Dictionary(sorted.map { ($0.key, $0) }) { first, _ in first }

  /// In tor's order: an old name may mean another old name that stands behind it.
  private static let abbreviations: [(String, String)] = words(renamed).map { pair in
    let parts = pair.lowercased().split(separator: "=")
    return (String(parts[0]), String(parts[1]))
  }

  private static func words(_ text: String) -> [String] {
    text.split(whereSeparator: \.isWhitespace).map(String.init)
  }

  /// Levenshtein's.
  private static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
    var row = Array(0...right.count)
    for (i, a) in left.enumerated() {
      var diagonal = row[0]
      row[0] = i + 1
      for (j, b) in right.enumerated() {
        let next = min(row[j] + 1, row[j + 1] + 1, diagonal + (a == b ? 0 : 1))
        diagonal = row[j + 1]
        row[j + 1] = next
      }
    }
    return row[right.count]
  }

  private static let known = """
    ___UsingTestNetworkDefaults __AllDirActionsPrivate __AlwaysCongestionControl __ControlPort __DirPort
    __DisablePredictedCircuits __DisableSignalHandlers __DNSPort __ExtORPort __HashedControlSessionPassword
    __HTTPTunnelPort __LeaveStreamsUnattached __MetricsPort __NATDPort __ORPort __OwningControllerFD
    __OwningControllerProcess __ReloadTorrcOnSIGHUP __SbwsExit __SocksPort __TransPort AccelDir AccelName
    AccountingMax AccountingRule AccountingStart Address AddressDisableIPv6 AllowNonRFC953Hostnames
    AlternateBridgeAuthority AlternateDirAuthority AssumeReachable AssumeReachableIPv6 AuthDirBadExit
    AuthDirBadExitCCs AuthDirFastGuarantee AuthDirGuardBWGuarantee AuthDirHasIPv6Connectivity AuthDirInvalid
    AuthDirInvalidCCs AuthDirListBadExits AuthDirListMiddleOnly AuthDirMaxServersPerAddr AuthDirMiddleOnly
    AuthDirMiddleOnlyCCs AuthDirPinKeys AuthDirReject AuthDirRejectCCs AuthDirRejectRequestsUnderLoad
    AuthDirSharedRandomness AuthDirTestEd25519LinkKeys AuthDirTestReachability AuthDirVoteGuard
    AuthDirVoteGuardBwThresholdFraction AuthDirVoteGuardGuaranteeTimeKnown AuthDirVoteGuardGuaranteeWFU
    AuthDirVoteStableGuaranteeMinUptime AuthDirVoteStableGuaranteeMTBF AuthoritativeDirectory AutomapHostsOnResolve
    AutomapHostsSuffixes AvoidDiskWrites BandwidthBurst BandwidthRate Bridge BridgeAuthoritativeDir
    BridgeDistribution BridgePassword BridgeRecordUsageByCountry BridgeRelay CacheDirectory
    CacheDirectoryGroupReadable CellStatistics CircuitBuildTimeout CircuitPadding CircuitPriorityHalflife
    CircuitsAvailableTimeout CircuitStreamTimeout ClientBootstrapConsensusAuthorityDownloadInitialDelay
    ClientBootstrapConsensusAuthorityOnlyDownloadInitialDelay ClientBootstrapConsensusFallbackDownloadInitialDelay
    ClientBootstrapConsensusMaxInProgressTries ClientDNSRejectInternalAddresses ClientOnionAuthDir ClientOnly
    ClientPreferIPv6DirPort ClientPreferIPv6ORPort ClientRejectInternalAddresses ClientTransportPlugin
    ClientUseIPv4 ClientUseIPv6 CompiledProofOfWorkHash ConfluxClientUX ConfluxEnabled ConnDirectionStatistics
    ConnectionPadding ConnLimit ConsensusParams ConstrainedSockets ConstrainedSockSize ContactInfo ControlPort
    ControlPortFileGroupReadable ControlPortLines ControlPortWriteToFile ControlSocket ControlSocketsGroupWritable
    CookieAuthentication CookieAuthFile CookieAuthFileGroupReadable CountPrivateBandwidth DataDirectory
    DataDirectoryGroupReadable DirAllowPrivateAddresses DirAuthority DirAuthorityFallbackRate DirCache DirPolicy
    DirPort DirPortFrontPage DirPortLines DirReqStatistics DisableAllSwap DisableDebuggerAttachment DisableNetwork
    DisableOOSCheck DNSPort DNSPortLines DormantCanceledByStartup DormantClientTimeout DormantOnFirstStartup
    DormantTimeoutDisabledByIdleStreams DormantTimeoutEnabled DoSCircuitCreationBurst
    DoSCircuitCreationDefenseTimePeriod DoSCircuitCreationDefenseType DoSCircuitCreationEnabled
    DoSCircuitCreationMinConnections DoSCircuitCreationRate DoSConnectionConnectBurst
    DoSConnectionConnectDefenseTimePeriod DoSConnectionConnectRate DoSConnectionDefenseType DoSConnectionEnabled
    DoSConnectionMaxConcurrentCount DoSRefuseSingleHopClientRendezvous DoSStreamCreationBurst
    DoSStreamCreationDefenseType DoSStreamCreationEnabled DoSStreamCreationRate DownloadExtraInfo
    EnforceDistinctSubnets EntryNodes EntryStatistics ExcludeExitNodes ExcludeNodes ExitNodes ExitPolicy
    ExitPolicyRejectLocalInterfaces ExitPolicyRejectPrivate ExitPortStatistics ExitRelay
    ExtendAllowPrivateAddresses ExtendByEd25519ID ExtORPort ExtORPortCookieAuthFile
    ExtORPortCookieAuthFileGroupReadable ExtORPortLines ExtraInfoStatistics FallbackDir FamilyId FamilyKeyDirectory
    FascistFirewall FetchDirInfoEarly FetchDirInfoExtraEarly FetchHidServDescriptors FetchServerDescriptors
    FetchUselessDescriptors FirewallPorts GeoIPExcludeUnknown GeoIPFile GeoIPv6File GuardfractionFile GuardLifetime
    HardwareAccel HashedControlPassword HeartbeatPeriod HiddenServiceAllowUnknownPorts HiddenServiceDir
    HiddenServiceDirGroupReadable HiddenServiceEnableIntroDoSBurstPerSec HiddenServiceEnableIntroDoSDefense
    HiddenServiceEnableIntroDoSRatePerSec HiddenServiceExportCircuitID HiddenServiceMaxStreams
    HiddenServiceMaxStreamsCloseCircuit HiddenServiceNonAnonymousMode HiddenServiceNumIntroductionPoints
    HiddenServiceOnionBalanceInstance HiddenServiceOptions HiddenServicePort HiddenServicePoWDefensesEnabled
    HiddenServicePoWQueueBurst HiddenServicePoWQueueRate HiddenServiceSingleHopMode HiddenServiceStatistics
    HiddenServiceVersion HSLayer2Nodes HSLayer3Nodes HTTPProxy HTTPProxyAuthenticator HTTPSProxy
    HTTPSProxyAuthenticator HTTPTunnelPort HTTPTunnelPortLines IPv6Exit KeepalivePeriod KeepBindCapabilities
    KeyDirectory KeyDirectoryGroupReadable KISTSchedRunInterval KISTSockBufSizeFactor LearnCircuitBuildTimeout Log
    LogMessageDomains LogTimeGranularity LongLivedPorts MainloopStats MapAddress MaxAdvertisedBandwidth
    MaxCircuitDirtiness MaxClientCircuitsPending MaxConsensusAgeForDiffs MaxHSDirCacheBytes MaxMemInQueues
    MaxOnionQueueDelay MaxUnparseableDescSizeToLog MetricsPort MetricsPortLines MetricsPortPolicy MiddleNodes
    MinimalAcceptedServerVersion MinMeasuredBWsForAuthToIgnoreAdvertised MinUptimeHidServDirectoryV2 MyFamily
    NATDPort NATDPortLines NewCircuitPeriod Nickname NodeFamily NoExec NumCPUs NumDirectoryGuards NumEntryGuards
    NumPrimaryGuards OfflineMasterKey ORPort ORPortLines OutboundBindAddress OutboundBindAddressExit
    OutboundBindAddressOR OutboundBindAddressPT OverloadStatistics PaddingStatistics PathBiasCircThreshold
    PathBiasDropGuards PathBiasExtremeRate PathBiasExtremeUseRate PathBiasNoticeRate PathBiasNoticeUseRate
    PathBiasScaleThreshold PathBiasScaleUseThreshold PathBiasUseThreshold PathBiasWarnRate
    PathsNeededToBuildCircuits PerConnBWBurst PerConnBWRate PidFile ProtocolWarnings PublishHidServDescriptors
    PublishServerDescriptor ReachableAddresses ReachableDirAddresses ReachableORAddresses RecommendedClientVersions
    RecommendedServerVersions RecommendedVersions ReconfigDropsBridgeDescs ReducedCircuitPadding
    ReducedConnectionPadding ReducedExitPolicy ReevaluateExitPolicy RefuseUnknownExits RejectPlaintextPorts
    RelayBandwidthBurst RelayBandwidthRate RephistTrackTime RunAsDaemon SafeLogging SafeSocks Sandbox Schedulers
    ServerDNSAllowBrokenConfig ServerDNSAllowNonRFC953Hostnames ServerDNSDetectHijacking ServerDNSRandomizeCase
    ServerDNSResolvConfFile ServerDNSSearchDomains ServerDNSTestAddresses ServerTransportListenAddr
    ServerTransportOptions ServerTransportPlugin ShutdownWaitLength SigningKeyLifetime Socks4Proxy Socks5Proxy
    Socks5ProxyPassword Socks5ProxyUsername SocksPolicy SocksPort SocksPortLines SocksTimeout SSLKeyLifetime
    StrictNodes SyslogIdentityTag TCPProxy TestingAuthDirTimeToLearnReachability TestingAuthKeyLifetime
    TestingAuthKeySlop TestingBridgeBootstrapDownloadInitialDelay TestingBridgeDownloadInitialDelay
    TestingClientConsensusDownloadInitialDelay TestingClientDownloadInitialDelay
    TestingClientMaxIntervalWithoutRequest TestingDirAuthVoteExit TestingDirAuthVoteExitIsStrict
    TestingDirAuthVoteGuard TestingDirAuthVoteGuardIsStrict TestingDirAuthVoteHSDir TestingDirAuthVoteHSDirIsStrict
    TestingDirConnectionMaxStall TestingEnableCellStatsEvent TestingEnableConnBwEvent TestingLinkCertLifetime
    TestingLinkKeySlop TestingMinExitFlagThreshold TestingMinFastFlagThreshold TestingMinTimeToReportBandwidth
    TestingServerConsensusDownloadInitialDelay TestingServerDownloadInitialDelay TestingSigningKeySlop
    TestingTorNetwork TestingV3AuthInitialDistDelay TestingV3AuthInitialVoteDelay
    TestingV3AuthInitialVotingInterval TestingV3AuthVotingStartOffset TestSocks TokenBucketRefillInterval
    TrackHostExits TrackHostExitsExpire TransPort TransPortLines TransProxyType TruncateLogFile
    UnixSocksGroupWritable UpdateBridgesFromAuthority UseBridges UseDefaultFallbackDirs UseEntryGuards
    UseGuardFraction UseMicrodescriptors User V3AuthDistDelay V3AuthNIntervalsValid V3AuthoritativeDirectory
    V3AuthUseLegacyKey V3AuthVoteDelay V3AuthVotingInterval V3BandwidthsFile VanguardsLiteEnabled
    VersioningAuthoritativeDirectory VirtualAddrNetworkIPv4 VirtualAddrNetworkIPv6 WarnPlaintextPorts
    """

  private static let obsolete = """
    __UseFilteringSSLBufferevents AllowDotExit AllowInvalidNodes AllowSingleHopCircuits AllowSingleHopExits
    AlternateHSAuthority AndroidIdentityTag AuthDirBadDir AuthDirBadDirCCs AuthDirListBadDirs
    AuthDirMaxServersPerAuthAddr AuthDirRejectUnlisted CircuitIdleTimeout ClientAutoIPv6ORPort
    ClientBootstrapConsensusAuthorityOnlyMaxDownloadTries ClientBootstrapConsensusMaxDownloadTries
    CloseHSClientCircuitsImmediatelyOnTimeout CloseHSServiceRendCircuitsImmediatelyOnTimeout ControlListenAddress
    DirListenAddress DisableIOCP DisableV2DirectoryInfo_ DNSListenAddress DynamicDHGroups ExcludeSingleHopRelays
    FallbackNetworkstatusFile FastFirstHopPK FetchV2Networkstatus Group HiddenServiceAuthorizeClient HidServAuth
    HidServDirectoryV2 MaxOnionsPending NamingAuthoritativeDirectory NATDListenAddress OptimisticData
    ORListenAddress PathBiasDisableRate PathBiasMultFactor PathBiasScaleFactor PathBiasUseCloseCounts
    PortForwarding PortForwardingHelper PredictedPortsRelevanceTime PreferTunneledDirConns RecommendedPackages
    RunTesting SchedulerHighWaterMark__ SchedulerLowWaterMark__ SchedulerMaxFlushCells__ SocksListenAddress
    StrictEntryNodes StrictExitNodes Support022HiddenServices TestingCertMaxDownloadTries
    TestingConsensusMaxDownloadTries TestingDescriptorMaxDownloadTries TestingEnableTbEmptyEvent
    TestingEstimatedDescriptorPropagationTime TestingMicrodescMaxDownloadTries TLSECGroup Tor2webMode
    Tor2webRendezvousPoints TransListenAddress TunnelDirConns UseEntryGuardsAsDirGuards UseFilteringSSLBufferevents
    UseNTorHandshake UserspaceIOCPBuffers V1AuthoritativeDirectory V2AuthoritativeDirectory
    VoteOnHidServDirectoriesV2 WarnUnsafeSocks
    """

  private static let renamed = """
    AuthDirBadDirCC=AuthDirBadDirCCs AuthDirBadExitCC=AuthDirBadExitCCs AuthDirInvalidCC=AuthDirInvalidCCs
    AuthDirMiddleOnlyCC=AuthDirMiddleOnlyCCs AuthDirRejectCC=AuthDirRejectCCs EntryNode=EntryNodes
    ExcludeNode=ExcludeNodes FirewallPort=FirewallPorts LongLivedPort=LongLivedPorts
    HiddenServiceNode=HiddenServiceNodes HiddenServiceExcludeNode=HiddenServiceExcludeNodes NumCPU=NumCPUs
    RendNode=RendNodes RecommendedPackage=RecommendedPackages RendExcludeNode=RendExcludeNodes
    StrictEntryNode=StrictEntryNodes StrictExitNode=StrictExitNodes StrictNode=StrictNodes
    AllowUnverifiedNodes=AllowInvalidNodes AutomapHostSuffixes=AutomapHostsSuffixes
    AutomapHostOnResolve=AutomapHostsOnResolve BandwidthRateBytes=BandwidthRate BandwidthBurstBytes=BandwidthBurst
    DirFetchPostPeriod=StatusFetchPeriod DirServer=DirAuthority MaxConn=ConnLimit MaxMemInCellQueues=MaxMemInQueues
    ORBindAddress=ORListenAddress DirBindAddress=DirListenAddress SocksBindAddress=SocksListenAddress
    UseHelperNodes=UseEntryGuards NumHelperNodes=NumEntryGuards UseEntryNodes=UseEntryGuards
    NumEntryNodes=NumEntryGuards ResolvConf=ServerDNSResolvConfFile SearchDomains=ServerDNSSearchDomains
    ServerDNSAllowBrokenResolvConf=ServerDNSAllowBrokenConfig PreferTunnelledDirConns=PreferTunneledDirConns
    BridgeAuthoritativeDirectory=BridgeAuthoritativeDir VirtualAddrNetwork=VirtualAddrNetworkIPv4
    SocksSocketsGroupWritable=UnixSocksGroupWritable _HSLayer2Nodes=HSLayer2Nodes _HSLayer3Nodes=HSLayer3Nodes
    ClientBootstrapConsensusAuthorityDownloadSchedule=ClientBootstrapConsensusAuthorityDownloadInitialDelay
    ClientBootstrapConsensusAuthorityOnlyDownloadSchedule=ClientBootstrapConsensusAuthorityOnlyDownloadInitialDelay
    ClientBootstrapConsensusFallbackDownloadSchedule=ClientBootstrapConsensusFallbackDownloadInitialDelay
    TestingBridgeDownloadSchedule=TestingBridgeDownloadInitialDelay
    TestingBridgeBootstrapDownloadSchedule=TestingBridgeBootstrapDownloadInitialDelay
    TestingClientDownloadSchedule=TestingClientDownloadInitialDelay
    TestingClientConsensusDownloadSchedule=TestingClientConsensusDownloadInitialDelay
    TestingServerDownloadSchedule=TestingServerDownloadInitialDelay
    TestingServerConsensusDownloadSchedule=TestingServerConsensusDownloadInitialDelay
    """
}
