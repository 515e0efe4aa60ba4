/// `HostConfig`, as far as both engines tell the truth in it.
struct HostWire: Decodable {
  struct Policy: Decodable {
    var name: String
    enum CodingKeys: String, CodingKey { case name = "Name" }
  }

  var isReadOnly: Bool
  var isPrivileged: Bool
  var networkMode: String
  var memory: Int
  var nanoCPUs: Int
  var cpuQuota: Int?
  var cpuPeriod: Int?
  var pids: Int?
  var restartPolicy: Policy?
  var addedCapabilities: [String]?
  var processNamespace: String?
  var ipcNamespace: String?
  var nameNamespace: String?
  var userNamespace: String?
  var publishedPorts: [String: Ignored]?
  var publishesAll: Bool?
  var devices: [Ignored]?
  var deviceRequests: [Ignored]?
  var deviceRules: [String]?
  var addedGroups: [String]?
  var securityOptions: [String]?

  enum CodingKeys: String, CodingKey {
    case isReadOnly = "ReadonlyRootfs"
    case isPrivileged = "Privileged"
    case networkMode = "NetworkMode"
    case memory = "Memory"
    case nanoCPUs = "NanoCpus"
    case cpuQuota = "CpuQuota"
    case cpuPeriod = "CpuPeriod"
    case pids = "PidsLimit"
    case restartPolicy = "RestartPolicy"
    case addedCapabilities = "CapAdd"
    case processNamespace = "PidMode"
    case ipcNamespace = "IpcMode"
    case nameNamespace = "UTSMode"
    case userNamespace = "UsernsMode"
    case publishedPorts = "PortBindings"
    case publishesAll = "PublishAllPorts"
    case devices = "Devices"
    case deviceRequests = "DeviceRequests"
    case deviceRules = "DeviceCgroupRules"
    case addedGroups = "GroupAdd"
    case securityOptions = "SecurityOpt"
  }

  /// A limit given as quota and period (the kernel's default period is 100 ms) counts as well.
  var milliCPUs: Int {
    if nanoCPUs > 0 { return nanoCPUs / 1_000_000 }
    guard let cpuQuota, cpuQuota > 0, cpuQuota < 1 << 40 else { return 0 }
    let period = cpuPeriod.flatMap { $0 > 0 ? $0 : nil } ?? 100_000
    return cpuQuota * 1000 / period
  }

  /// What a container of ours never has, and what neither `/proc` nor another field shows. Engines word their defaults
  /// differently ("", "private", "shareable"); what a person gave they echo alike.
  var extras: [String] {
    var found: [String] = []
    let namespaces = [
      ("process", processNamespace), ("IPC", ipcNamespace), ("UTS", nameNamespace),
      ("user", userNamespace),
    ]
    for (name, mode) in namespaces {
      guard let mode, mode == "host" || mode.hasPrefix("container:") || mode.hasPrefix("ns:")
      else { continue }
      found.append("\(name) namespace \(mode)")
    }
    found += (publishedPorts ?? [:]).keys.map { "published port \($0)" }
    if publishesAll == true { found.append("all ports published") }
    if !(devices ?? []).isEmpty || !(deviceRequests ?? []).isEmpty || !(deviceRules ?? []).isEmpty {
      found.append("devices")
    }
    found += (addedGroups ?? []).map { "group \($0)" }
    found += (securityOptions ?? []).filter {
      $0.hasSuffix("unconfined") || $0.replacing(":", with: "=") == "label=disable"
    }
    return found
  }
}

/// Variables that make the dynamic loader run other code than the image's. Others are the engines' own business:
/// Podman adds some, and proxies of the machine.
func loaderVariables(_ environment: [String]) -> [String] {
  environment.filter { $0.hasPrefix("LD_") || $0.hasPrefix("GLIBC_TUNABLES=") }
    .map { "variable \($0.prefix(60))" }
}

/// A value of which only the presence matters.
struct Ignored: Decodable {
  init(from decoder: any Decoder) {}
}
