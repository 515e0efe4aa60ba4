/// What `defaults:` of onionkeeper.yaml says. Every field may be missing, also in what an older version stored.
public struct Defaults: Hashable, Sendable, Codable {
  /// Bytes.
  public var memory: Int?
  public var milliCPUs: Int?
  public var pids: Int?
  public var isPaused: Bool?

  public init() {}

  init(_ value: FieldValue?) {
    memory = value?["container"]?["memory"]?.integer
    milliCPUs = value?["container"]?["cpus"]?.integer
    pids = value?["container"]?["pids"]?.integer
    isPaused = value?["paused"]?.boolean
  }

  /// What a definition says, and these where it says nothing: maps merge key by key.
  func merged(under own: Defaults) -> Defaults {
    var merged = self
    merged.memory = own.memory ?? memory
    merged.milliCPUs = own.milliCPUs ?? milliCPUs
    merged.pids = own.pids ?? pids
    merged.isPaused = own.isPaused ?? isPaused
    return merged
  }
}
