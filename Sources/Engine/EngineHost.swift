/// What an engine says of the host that it runs on: for `doctor`, never for a decision.
public struct EngineHost: Hashable, Sendable {
  /// `overlay2`, `overlay`, `btrfs`, `vfs` …
  public var storageDriver: String
  /// `extfs`, `xfs` …; empty if it does not say.
  public var backingFilesystem: String
  public var dataRoot: String
  /// 1 or 2; `nil` if it does not say.
  public var cgroupVersion: Int?
  /// `systemd`, `cgroupfs`
  public var cgroupDriver: String
  /// Limits of a container that this kernel cannot hold: `memory`, `pids`, `cpus`.
  public var missingLimits: [String]
  /// What the engine itself warns of.
  public var warnings: [String]

  public init(
    storageDriver: String, backingFilesystem: String = "", dataRoot: String,
    cgroupVersion: Int? = nil, cgroupDriver: String = "", missingLimits: [String] = [],
    warnings: [String] = []
  ) {
    self.storageDriver = storageDriver
    self.backingFilesystem = backingFilesystem
    self.dataRoot = dataRoot
    self.cgroupVersion = cgroupVersion
    self.cgroupDriver = cgroupDriver
    self.missingLimits = missingLimits
    self.warnings = warnings
  }
}

extension EngineClient {
  /// Asks the engine of its host. Changes nothing.
  public func host() async throws(EngineError) -> EngineHost {
    try await calls.decode(HostInfoWire.self, EngineCall("GET", "/info")).host
  }
}

/// The part of `/info` that both engines have.
private struct HostInfoWire: Decodable {
  /// Docker has about five.
  private static let warningLimit = 20
  private static let textLimit = 300

  var driver: String
  /// Pairs of a name and a value; anything longer or shorter is passed over.
  var driverStatus: [[String]]?
  var dataRoot: String
  var cgroupVersion: String?
  var cgroupDriver: String?
  var holdsMemory: Bool?
  var holdsProcesses: Bool?
  var holdsProcessors: Bool?
  var warnings: [String]?

  enum CodingKeys: String, CodingKey {
    case driver = "Driver"
    case driverStatus = "DriverStatus"
    case dataRoot = "DockerRootDir"
    case cgroupVersion = "CgroupVersion"
    case cgroupDriver = "CgroupDriver"
    case holdsMemory = "MemoryLimit"
    case holdsProcesses = "PidsLimit"
    case holdsProcessors = "CpuCfsQuota"
    case warnings = "Warnings"
  }

  var host: EngineHost {
    let limits = [
      ("memory", holdsMemory), ("pids", holdsProcesses), ("cpus", holdsProcessors),
    ]
    let backing = (driverStatus ?? []).first { $0.count == 2 && $0[0] == "Backing Filesystem" }
    return EngineHost(
      storageDriver: String(driver.prefix(Self.textLimit)),
      backingFilesystem: String((backing?[1] ?? "").prefix(Self.textLimit)), dataRoot: dataRoot,
      cgroupVersion: cgroupVersion.flatMap { Int($0) },
      cgroupDriver: String((cgroupDriver ?? "").prefix(Self.textLimit)),
      missingLimits: limits.filter { $0.1 == false }.map(\.0),
      warnings: (warnings ?? []).prefix(Self.warningLimit).map { String($0.prefix(Self.textLimit)) }
    )
  }
}
