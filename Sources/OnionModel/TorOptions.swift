/// A rate a second and how much may come at once.
public struct RateLimit: Hashable, Sendable, Codable {
  /// A second; 0 is without limit.
  public var rate: Int
  /// At least the rate.
  public var burst: Int

  public init(rate: Int, burst: Int) {
    self.rate = rate
    self.burst = burst
  }
}

/// A service's typed options of tor, checked as tor itself checks them (facts: tor.md §2; tor's hs_options.inc,
/// hs_config.c). `nil` leaves tor's default.
public struct TorOptions: Hashable, Sendable, Codable {
  /// `HiddenServiceNumIntroductionPoints`, 3 to 20.
  public var introductionPoints: Int?
  /// `HiddenServiceMaxStreams` of one rendezvous circuit, 0 to 65535; 0 is without limit.
  public var maxStreams: Int?
  /// `HiddenServiceMaxStreamsCloseCircuit`.
  public var closesCircuitAtMaxStreams: Bool?
  /// `HiddenServiceEnableIntroDoSDefense`, on where given.
  public var introDoS: RateLimit?
  /// `HiddenServicePoWDefensesEnabled`, on where given.
  public var proofOfWork: RateLimit?
  /// `HiddenServiceExportCircuitID haproxy`: the backend must speak PROXY v1.
  public var exportsCircuitID: Bool
  /// `HiddenServiceOnionBalanceInstance`: the front end's address, in `ob_config`.
  public var onionBalanceMaster: OnionAddress?
  /// `HiddenServiceSingleHopMode` of its whole tor: not anonymous.
  public var isSingleHop: Bool

  public init(
    introductionPoints: Int? = nil, maxStreams: Int? = nil,
    closesCircuitAtMaxStreams: Bool? = nil, introDoS: RateLimit? = nil,
    proofOfWork: RateLimit? = nil, exportsCircuitID: Bool = false,
    onionBalanceMaster: OnionAddress? = nil, isSingleHop: Bool = false
  ) {
    self.introductionPoints = introductionPoints
    self.maxStreams = maxStreams
    self.closesCircuitAtMaxStreams = closesCircuitAtMaxStreams
    self.introDoS = introDoS
    self.proofOfWork = proofOfWork
    self.exportsCircuitID = exportsCircuitID
    self.onionBalanceMaster = onionBalanceMaster
    self.isSingleHop = isSingleHop
  }

  /// Lines of torrc after its `HiddenServiceDir`, in a fixed order. `isSingleHop` is the whole tor's and not among them.
  public var serviceLines: [String] {
    var lines: [String] = []
    func add(_ name: String, _ value: some CustomStringConvertible) {
      lines.append("HiddenService\(name) \(value)")
    }
    if let introductionPoints { add("NumIntroductionPoints", introductionPoints) }
    if let maxStreams { add("MaxStreams", maxStreams) }
    if let closesCircuitAtMaxStreams {
      add("MaxStreamsCloseCircuit", closesCircuitAtMaxStreams ? 1 : 0)
    }
    if let introDoS {
      add("EnableIntroDoSDefense", 1)
      add("EnableIntroDoSRatePerSec", introDoS.rate)
      add("EnableIntroDoSBurstPerSec", introDoS.burst)
    }
    if let proofOfWork {
      add("PoWDefensesEnabled", 1)
      add("PoWQueueRate", proofOfWork.rate)
      add("PoWQueueBurst", proofOfWork.burst)
    }
    if exportsCircuitID { add("ExportCircuitID", "haproxy") }
    if onionBalanceMaster != nil { add("OnionBalanceInstance", 1) }
    return lines
  }
}
