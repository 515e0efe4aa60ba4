public import OnionModel

/// What `tor:` of a definition or of `defaults:` says; `nil` where it says nothing.
public struct TorSettings: Hashable, Sendable, Codable {
  /// One or both numbers of a token bucket.
  public struct Rate: Hashable, Sendable, Codable {
    public var rate: Int?
    public var burst: Int?
  }

  public var introductionPoints: Int?
  public var maxStreams: Int?
  public var closesCircuitAtMaxStreams: Bool?
  public var introDoS: Rate?
  public var proofOfWork: Rate?
  public var exportsCircuitID: Bool?
  public var onionBalanceMaster: OnionAddress?
  public var isSingleHop: Bool?

  /// Key by key: what `own` says, and this where it says nothing.
  func merged(under own: TorSettings) -> TorSettings {
    TorSettings(
      introductionPoints: own.introductionPoints ?? introductionPoints,
      maxStreams: own.maxStreams ?? maxStreams,
      closesCircuitAtMaxStreams: own.closesCircuitAtMaxStreams ?? closesCircuitAtMaxStreams,
      introDoS: TorSettings.merged(introDoS, under: own.introDoS),
      proofOfWork: TorSettings.merged(proofOfWork, under: own.proofOfWork),
      exportsCircuitID: own.exportsCircuitID ?? exportsCircuitID,
      onionBalanceMaster: own.onionBalanceMaster ?? onionBalanceMaster,
      isSingleHop: own.isSingleHop ?? isSingleHop)
  }

  private static func merged(_ rate: Rate?, under own: Rate?) -> Rate? {
    guard let rate, let own else { return own ?? rate }
    return Rate(rate: own.rate ?? rate.rate, burst: own.burst ?? rate.burst)
  }

  /// With tor's own numbers where a bucket is switched on and says only one, or none.
  var options: TorOptions {
    TorOptions(
      introductionPoints: introductionPoints, maxStreams: maxStreams,
      closesCircuitAtMaxStreams: closesCircuitAtMaxStreams,
      introDoS: introDoS.map { $0.limit(TorBucket.introDoS.standard) },
      proofOfWork: proofOfWork.map { $0.limit(TorBucket.proofOfWork.standard) },
      exportsCircuitID: exportsCircuitID ?? false, onionBalanceMaster: onionBalanceMaster,
      isSingleHop: isSingleHop ?? false)
  }
}

extension TorSettings.Rate {
  func limit(_ standard: RateLimit) -> RateLimit {
    RateLimit(rate: rate ?? standard.rate, burst: burst ?? standard.burst)
  }
}

/// A token bucket of tor's, as definitions write it.
struct TorBucket {
  let field: String
  let rate: String
  let burst: String
  /// tor's own numbers (hs_config.h, hs_pow.h).
  let standard: RateLimit

  static let introDoS = TorBucket(
    field: "introDoS", rate: "rate", burst: "burst", standard: RateLimit(rate: 25, burst: 200))
  static let proofOfWork = TorBucket(
    field: "proofOfWork", rate: "queueRate", burst: "queueBurst",
    standard: RateLimit(rate: 250, burst: 2500))

  func read(_ tor: FieldValue?) -> TorSettings.Rate? {
    guard let bucket = tor?[field], bucket.isRecord else { return nil }
    return TorSettings.Rate(rate: bucket[rate]?.integer, burst: bucket[burst]?.integer)
  }

  /// Where a document itself says both and tor would refuse them.
  func contradiction(in tor: FieldValue?, file: String) -> Diagnostic? {
    guard let written = tor?[field]?[burst], let limit = read(tor), let rateNumber = limit.rate,
      let burstNumber = limit.burst, burstNumber < rateNumber
    else { return nil }
    return Diagnostic(
      file: file, line: written.place.line, column: written.place.column, path: written.path,
      message: "\(burstNumber) is below \(rate) \(rateNumber) (at least the rate)")
  }

  fileprivate func described(_ summary: String) -> Field {
    // INT32_MAX (HS_CONFIG_V3_DOS_DEFENSE_RATE_PER_SEC_MAX of hs_config.h, POSINT of hs_options.inc).
    let type = FieldType.integer(0...2_147_483_647, noun: "a number a second")
    return Field(
      field,
      .record([
        Field(rate, type, default: "\(standard.rate)", summary: "A second, 0 is without limit."),
        Field(burst, type, default: "\(standard.burst)", summary: "At once, at least the rate."),
      ]), summary: summary)
  }
}

extension TorSettings {
  /// The fields of `tor:`, with the ranges that tor itself allows (hs_options.inc, hs_config.h).
  static let fields: [Field] = [
    Field(
      "introductionPoints", .integer(3...20, noun: "a number of introduction points"),
      default: "3", summary: "Relays that introduce visitors."),
    Field(
      "maxStreams", .integer(0...65535, noun: "a number of streams"),
      default: "0", summary: "Streams of one visitor's circuit, 0 is without limit."),
    Field(
      "maxStreamsCloseCircuit", .boolean,
      default: "false", summary: "Close the circuit of a visitor that asks for more."),
    TorBucket.introDoS.described("Introductions that the introduction points let through."),
    TorBucket.proofOfWork.described("Proof of work under load: how fast its queue is served."),
    Field(
      "exportCircuitID", .choice([Choice("haproxy"), Choice("none")]),
      default: "none", summary: "haproxy: tell the backend the circuit by PROXY protocol version 1."
    ),
    Field(
      "onionBalance",
      .record([
        Field(
          "master", .text(DefinitionTexts.address), isRequired: true,
          summary: "The address of the front end.")
      ]), summary: "Serve as an instance behind an Onionbalance front end."),
    Field(
      "singleHop", .boolean,
      summary: "Not anonymous: one hop to its relays, where the host allows it, in an instance of"
        + " its own; false."),
  ]

  /// `nil` where nothing is said.
  init?(_ value: FieldValue?) {
    guard let value, value.isRecord else { return nil }
    introductionPoints = value["introductionPoints"]?.integer
    maxStreams = value["maxStreams"]?.integer
    closesCircuitAtMaxStreams = value["maxStreamsCloseCircuit"]?.boolean
    introDoS = TorBucket.introDoS.read(value)
    proofOfWork = TorBucket.proofOfWork.read(value)
    exportsCircuitID = value["exportCircuitID"]?.text.map { $0 == "haproxy" }
    onionBalanceMaster = value["onionBalance"]?["master"]?.text.flatMap { OnionAddress($0) }
    isSingleHop = value["singleHop"]?.boolean
  }
}
