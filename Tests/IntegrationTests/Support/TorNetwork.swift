import Foundation

/// A private Tor network beside a host's engine, with one client and a page behind `host:8080` whose visits are counted.
final class TorNetwork: Sendable {
  private let host: CommandHost
  /// Where the containers reach the engine's network: see `ops/lib/README.md`.
  private static let gate = "10.213.7.1"
  private static let tool = "\(projectFolder)/ops/lib/tor-network"

  private var folder: String { "\(host.folder)/tor" }
  private var inside: String { "nsenter --net=\(host.folder)/e/netns" }

  private init(_ host: CommandHost) { self.host = host }

  /// Starts all of it, and lets the host's file join.
  static func start(beside host: CommandHost) async throws -> TorNetwork {
    let network = TorNetwork(host)
    try await must("mkdir -p \(network.folder)")
    try await must(
      "\(network.inside) \(tool) start \(network.folder) --address \(gate)", seconds: 240)
    try await must(
      "\(network.inside) python3 -u -m http.server 8080 --bind 0.0.0.0 --directory \(host.repository)/services"
        + " >\(host.folder)/visits 2>&1 </dev/null & echo $! >\(host.folder)/visits.pid")
    try host.write(
      "host.yaml",
      host.hostFile.replacingOccurrences(
        of: "tor: {network: off}", with: "tor: {network: \(network.folder)/client.torrc}"))
    return network
  }

  func stop() async throws {
    try await must("kill $(cat \(host.folder)/visits.pid); \(Self.tool) stop \(folder)")
  }

  /// A client's key pair, as base32.
  static func keys() async throws -> (public: String, private: String) {
    let text = try await must("\(tool) client-keys")
    func value(_ name: String) throws -> String {
      guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix("\(name)=") })
      else { throw Unfit("client-keys: \(text)") }
      return String(line.dropFirst(name.count + 1))
    }
    return (try value("PUBLIC"), try value("PRIVATE"))
  }

  /// The client has a key of the service from now on, and forgets what it knew.
  func give(_ key: String, of address: String) async throws {
    try await must("\(Self.tool) client-auth \(folder) \(address) \(key)")
  }

  func take(_ address: String) async throws {
    try await must("\(Self.tool) client-auth-remove \(folder) \(address)")
  }

  /// The client forgets circuits and descriptors.
  func forget() async throws { try await must("\(Self.tool) newnym \(folder)") }

  /// Waits until the page comes; a client that asked too early forgets what it learnt now and then.
  func answers(_ address: String) async throws {
    try await eventually("\(address) answers", within: 240) {
      if try await bash("\(Self.tool) wait-onion \(folder) \(address):80 --timeout 15").code == 0 {
        return true
      }
      try await forget()
      return false
    }
  }

  /// Waits until tor says that the client has no key (f4) or not the right one (f5).
  func refuses(_ address: String) async throws {
    try await must("\(Self.tool) wait-onion \(folder) \(address):80 --timeout 120 --refused f4,f5")
  }

  /// How many requests the page has had.
  func visits() throws -> Int {
    try String(contentsOfFile: "\(host.folder)/visits", encoding: .utf8)
      .components(separatedBy: "\"GET ").count - 1
  }
}
