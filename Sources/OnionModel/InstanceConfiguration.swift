/// Which network the tors of this host join.
public enum TorNetwork: Hashable, Sendable, Codable {
  case open
  /// `DisableNetwork 1`.
  case off
  /// Lines added to each torrc: for test networks.
  case lines(String)

  /// tor's data folder in the instance's. Entry guards of one network are of no use in another (tor stops at 75 %), so
  /// each test network has a folder of its own, and going back finds the old guards again.
  public var dataFolder: String {
    if case .lines(let text) = self { "data-\(sha256(text).prefix(12))" } else { "data" }
  }
}

/// One service inside an instance's configuration.
public struct ConfiguredService: Hashable, Sendable, Codable {
  public var name: ServiceName
  /// `nil` while its key is still to be made by an earlier step of the same plan.
  public var address: OnionAddress?
  public var ports: [OnionPort]
  public var access: Access
  public var tor: TorOptions

  public init(
    name: ServiceName, address: OnionAddress?, ports: [OnionPort], access: Access,
    tor: TorOptions = TorOptions()
  ) {
    self.name = name
    self.address = address
    self.ports = ports
    self.access = access
    self.tor = tor
  }

  /// What lies beside its key.
  public var companions: CompanionFiles {
    CompanionFiles(access: access, onionBalanceMaster: tor.onionBalanceMaster)
  }
}

/// All that an instance's files say: torrc, start guard and sums follow from it and from the gateway's address.
public struct InstanceConfiguration: Hashable, Sendable, Codable {
  public var instance: InstanceName
  /// In order of name.
  public var services: [ConfiguredService]
  public var network: TorNetwork
  /// Container of a target to the address that it was resolved to, or last known by.
  public var containers: [String: String]

  public init(
    instance: InstanceName, services: [ConfiguredService], network: TorNetwork,
    containers: [String: String] = [:]
  ) {
    self.instance = instance
    self.services = services.sorted { $0.name < $1.name }
    self.network = network
    self.containers = containers
  }

  /// Not anonymous: the whole tor is, so such an instance has one service.
  public var isSingleHop: Bool { services.contains { $0.tor.isSingleHop } }

  /// Whether a `host:PORT` target asks for the gateway's address.
  public var needsGateway: Bool {
    services.contains { service in
      service.ports.contains { if case .gateway = $0.target { true } else { false } }
    }
  }

  /// The files. `nil` if the gateway's or a container's address is needed and not known, or a key is still to be made.
  public func files(gateway: String?) -> InstanceFiles? {
    guard let options = serviceOptions(gateway: gateway),
      let guarded = guardedServices
    else { return nil }
    return InstanceFiles(
      torrc: torrc(options), guardScript: guardScript(guarded), sums: sums(guarded))
  }

  /// The torrc alone, which says no address of a key: `nil` if the gateway's or a container's is needed and not known.
  public func torrc(gateway: String?) -> String? { serviceOptions(gateway: gateway).map(torrc) }

  /// The same with the address of a key that was just made.
  public func resolving(_ service: ServiceName, to address: OnionAddress) -> InstanceConfiguration {
    var configuration = self
    for index in services.indices
    where services[index].name == service && services[index].address == nil {
      configuration.services[index].address = address
    }
    return configuration
  }

  private var guardedServices: [(service: ConfiguredService, address: OnionAddress)]? {
    var guarded: [(service: ConfiguredService, address: OnionAddress)] = []
    for service in services {
      guard let address = service.address else { return nil }
      guarded.append((service, address))
    }
    return guarded
  }

  /// What `GETCONF HiddenServiceOptions` answers for it, in torrc's words and order (tor control-spec, GETCONF).
  public func serviceOptions(gateway: String?) -> [String]? {
    var lines: [String] = []
    for service in services {
      lines.append("HiddenServiceDir \(TorLayout.keys)/\(service.name)")
      for port in service.ports {
        guard let target = text(port.target, gateway: gateway) else { return nil }
        lines.append("HiddenServicePort \(port.virtual) \(target)")
      }
      lines += service.tor.serviceLines
    }
    return lines
  }

  private func torrc(_ options: [String]) -> String {
    var lines = [
      "# Written by Onionkeeper. An edit here is drift and is put back.",
      "DataDirectory \(TorLayout.data)", "ControlSocket \(TorLayout.run)/control",
      "CookieAuthentication 1", "CookieAuthFile \(TorLayout.run)/cookie", "SocksPort 0",
      "Log notice stdout",
    ]
    // Both or neither (tor's config.c, options_validate_single_onion).
    if isSingleHop {
      lines += ["HiddenServiceSingleHopMode 1", "HiddenServiceNonAnonymousMode 1"]
    }
    switch network {
    case .open: break
    case .off: lines.append("DisableNetwork 1")
    case .lines(let text):
      lines += text.split(whereSeparator: \.isNewline).map(String.init)
    }
    return (lines + options).joined(separator: "\n") + "\n"
  }

  private func text(_ target: Target, gateway: String?) -> String? {
    switch target {
    case .address: return target.description
    case .gateway(let port):
      guard let gateway else { return nil }
      return Target.address(gateway, port: port).description
    case .unixSocket:
      guard let socket = target.socket else { return nil }
      return "unix:\(TorLayout.target(directory: socket.directory))/\(socket.file)"
    case .container(let name, let port):
      return containers[name].map { Target.address($0, port: port).description }
    }
  }

  /// One `sha256  path` a line, as `sha256sum -c` reads it, relative to the keys' mount.
  private func sums(_ guarded: [(service: ConfiguredService, address: OnionAddress)]) -> String {
    var lines: [String] = []
    for (service, address) in guarded {
      for (path, bytes) in KeyFiles.guarded(address, service.companions) {
        lines.append("\(sha256(bytes))  \(service.name)/\(path)")
      }
    }
    return lines.joined(separator: "\n") + "\n"
  }

  /// The container's command. It runs when an engine starts the container by itself, with no agent near:
  /// whatever is not exactly as approved keeps tor from starting (exit 78, EX_CONFIG of sysexits.h).
  private func guardScript(
    _ guarded: [(service: ConfiguredService, address: OnionAddress)]
  ) -> String {
    var lines = [
      "#!/bin/sh",
      "# Written by Onionkeeper. Starts tor only if the key directories are those that were approved.",
      "set -u",
      "refuse() { echo \"onionkeeper: tor not started: $1\" >&2; exit 78; }",
      "cd \(TorLayout.keys) || refuse 'no key directory is mounted'",
      "sha256sum -c \(TorLayout.etc)/sums >/dev/null 2>&1"
        + " || refuse 'a public key, hostname or client file is missing or not the approved one'",
      "count() {",
      "  found=0",
      // Hidden names too, also those that begin with two dots: tor reads them.
      "  for file in \"$1\"/authorized_clients/* \"$1\"/authorized_clients/.[!.]*"
        + " \"$1\"/authorized_clients/..?*; do",
      "    if [ -e \"$file\" ] || [ -L \"$file\" ]; then found=$((found + 1)); fi",
      "  done",
      "  [ \"$found\" -eq \"$2\" ] || refuse \"$1 has $found client files, $2 were approved\"",
      "}",
    ]
    for (service, address) in guarded {
      let files = KeyFiles.clientFiles(access: service.access, address: address)
      lines.append("count \(service.name) \(files.count)")
    }
    lines.append("exec tor --defaults-torrc \(TorLayout.etc)/defaults -f \(TorLayout.torrcPath)")
    return lines.joined(separator: "\n") + "\n"
  }
}

/// The contents of an instance's `etc/` folder.
public struct InstanceFiles: Hashable, Sendable, Codable {
  public var torrc: String
  public var guardScript: String
  public var sums: String

  public init(torrc: String, guardScript: String, sums: String) {
    self.torrc = torrc
    self.guardScript = guardScript
    self.sums = sums
  }

  /// File name and content. `defaults` is empty: tor would read its package's own defaults otherwise.
  public var contents: [(name: String, text: String)] {
    [("defaults", ""), ("start", guardScript), ("sums", sums), ("torrc", torrc)]
  }

  /// File name to SHA-256.
  public var digests: [String: String] {
    Dictionary(uniqueKeysWithValues: contents.map { ($0.name, sha256($0.text)) })
  }
}
