public import OnionModel

/// Writes a service as the definition that says it: what a reader makes of the text is the service again.
public struct DefinitionText: Sendable {
  public var service: OnionService
  /// What `hosts` says: names or globs.
  public var hosts: [String]
  /// Comment lines above all, without `#`.
  public var heading: [String]
  /// Comment lines above a port, by its place in the list.
  public var portNotes: [Int: [String]]

  public init(
    _ service: OnionService, hosts: [String], heading: [String] = [],
    portNotes: [Int: [String]] = [:]
  ) {
    self.service = service
    self.hosts = hosts
    self.heading = heading
    self.portNotes = portNotes
  }

  /// Ends in a newline.
  public var text: String {
    var lines = heading.map(Self.comment)
    lines.append("hosts: [\(hosts.map(Self.scalar).joined(separator: ", "))]")
    if let address = service.address { lines.append("address: \(address)") }
    lines.append("key: \(key)")
    if let formerly = service.formerly { lines.append("formerly: \(Self.scalar(formerly.text))") }
    lines += access
    lines.append("ports:")
    for (index, port) in service.ports.enumerated() {
      lines += (portNotes[index] ?? []).map { "  " + Self.comment($0) }
      lines.append("  - virtual: \(port.virtual)")
      lines.append("    target: \(Self.scalar(port.target.description))")
    }
    if service.instance != InstanceName(service.name) {
      lines.append("instance: \(Self.scalar(service.instance.text))")
    }
    lines += tor
    lines += container
    if service.prune != .retire { lines.append("prune: \(service.prune.rawValue)") }
    if service.isPaused { lines.append("paused: true") }
    return lines.joined(separator: "\n") + "\n"
  }

  private var key: String {
    switch service.key {
    case .generate: "generate"
    case .generatePerHost: "{generate: perHost}"
    case .existing: "existing"
    case .sealed(let file): "{sealed: \(Self.scalar(file))}"
    }
  }

  private var access: [String] {
    guard case .clients(let clients) = service.access else { return ["access: public"] }
    return ["access: clients", "clients:"]
      + clients.map {
        "  - {name: \(Self.scalar($0.name)), key: \"descriptor:x25519:\($0.key)\"}"
      }
  }

  private var tor: [String] {
    let tor = service.tor
    var lines: [String] = []
    if let points = tor.introductionPoints { lines.append("  introductionPoints: \(points)") }
    if let streams = tor.maxStreams { lines.append("  maxStreams: \(streams)") }
    if let closes = tor.closesCircuitAtMaxStreams {
      lines.append("  maxStreamsCloseCircuit: \(closes)")
    }
    if let limit = tor.introDoS {
      lines.append("  introDoS: {rate: \(limit.rate), burst: \(limit.burst)}")
    }
    if let limit = tor.proofOfWork {
      lines.append("  proofOfWork: {queueRate: \(limit.rate), queueBurst: \(limit.burst)}")
    }
    if tor.exportsCircuitID { lines.append("  exportCircuitID: haproxy") }
    if let master = tor.onionBalanceMaster { lines.append("  onionBalance: {master: \(master)}") }
    if tor.isSingleHop { lines.append("  singleHop: true") }
    return lines.isEmpty ? [] : ["tor:"] + lines
  }

  private var container: [String] {
    let standard = ContainerLimits.standard
    var parts: [String] = []
    if service.limits.memory != standard.memory {
      parts.append("memory: \(sizeText(service.limits.memory))")
    }
    if service.limits.milliCPUs != standard.milliCPUs {
      parts.append("cpus: \(thousandthsText(service.limits.milliCPUs))")
    }
    if service.limits.pids != standard.pids { parts.append("pids: \(service.limits.pids)") }
    return parts.isEmpty ? [] : ["container: {\(parts.joined(separator: ", "))}"]
  }

  /// Plain where every reader of YAML takes it for this text, in double quotes elsewhere.
  private static func scalar(_ text: String) -> String {
    let isPlain =
      text.utf8.first.map { Array("abcdefghijklmnopqrstuvwxyz0123456789/".utf8).contains($0) }
      ?? false && surprise(text) == nil
      && text.utf8.allSatisfy {
        Array("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-:@+".utf8)
          .contains($0)
      }
    if isPlain { return text }
    let escaped = text.split(separator: "\\", omittingEmptySubsequences: false)
      .joined(separator: "\\\\").split(separator: "\"", omittingEmptySubsequences: false)
      .joined(separator: "\\\"")
    return "\"\(escaped)\""
  }

  /// Whatever it says stays a comment of one line.
  private static func comment(_ text: String) -> String {
    let line = String(
      text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7f ? " " : Character($0) })
    return line.isEmpty ? "#" : "# \(line)"
  }
}
