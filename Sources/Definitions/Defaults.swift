public import OnionModel

/// What `defaults:` of onionkeeper.yaml says. Every field may be missing, also in what an older version stored.
public struct Defaults: Hashable, Sendable, Codable {
  /// `default`, or a name of `images/`.
  public var image: String?
  /// Bytes.
  public var memory: Int?
  public var milliCPUs: Int?
  public var pids: Int?
  public var isPaused: Bool?
  public var prune: Prune?
  public var tor: TorSettings?

  public init() {}

  /// The same of a definition: what it says itself.
  init(_ value: FieldValue?) {
    let container = value?["container"]
    image = container?["image"]?.text
    memory = container?["memory"]?.integer
    milliCPUs = container?["cpus"]?.integer
    pids = container?["pids"]?.integer
    isPaused = value?["paused"]?.boolean
    prune = value?["prune"]?.text.flatMap { Prune(rawValue: $0) }
    tor = TorSettings(value?["tor"])
  }

  /// What a definition says, and these where it says nothing: maps merge key by key.
  func merged(under own: Defaults) -> Defaults {
    var merged = self
    merged.image = own.image ?? image
    merged.memory = own.memory ?? memory
    merged.milliCPUs = own.milliCPUs ?? milliCPUs
    merged.pids = own.pids ?? pids
    merged.isPaused = own.isPaused ?? isPaused
    merged.prune = own.prune ?? prune
    if let own = own.tor { merged.tor = tor?.merged(under: own) ?? own }
    return merged
  }

  var limits: ContainerLimits {
    let standard = ContainerLimits.standard
    return ContainerLimits(
      memory: memory ?? standard.memory, milliCPUs: milliCPUs ?? standard.milliCPUs,
      pids: pids ?? standard.pids)
  }

  /// An image of the repository's; `nil` for ours.
  var customImage: String? { image == "default" ? nil : image }
}
