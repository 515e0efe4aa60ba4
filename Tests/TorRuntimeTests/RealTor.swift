import Foundation
import Glibc
import OnionModel
import TorRuntime

/// The distribution's tor under its own user number, on no network: `DisableNetwork 1`.
final class RealTor: Sendable {
  static let user = TorLayout.user
  /// Debian's place; the `tor` package must be installed.
  private static let program = "/usr/sbin/tor"

  let scratch: Scratch
  let run: String
  let etc: String
  let keys: String
  let child: Child
  let log: String
  var client: ControlClient { ControlClient(run: run, owner: Self.user) }

  /// Starts it with one service `web` on the given ports, and waits for its control socket.
  convenience init(ports: [Int] = [80]) async throws {
    try await self.init(Self.configuration(["web": ports]))
  }

  init(_ configuration: InstanceConfiguration) async throws {
    scratch = try Scratch()
    log = "\(scratch.path)/log"
    etc = try scratch.folder("etc", mode: 0o755)
    run = try scratch.folder("run", owner: Self.user)
    keys = try scratch.folder("keys", owner: Self.user)
    _ = try scratch.folder("data", owner: Self.user)
    let torrc = try Self.text(configuration, in: scratch).torrc
    try write(torrc, to: "\(etc)/torrc", mode: 0o644)
    try write("", to: "\(etc)/defaults", mode: 0o644)
    child = try Child(
      [
        "/usr/bin/setpriv", "--reuid", "\(Self.user)", "--regid", "\(Self.user)", "--clear-groups",
        "--bounding-set=-all", "--no-new-privs", Self.program, "--defaults-torrc",
        "\(etc)/defaults", "-f", "\(etc)/torrc",
      ], environment: ["PATH": "/usr/bin:/bin"], output: log)
    try await eventually("tor opens its control socket") { [child, run, log] in
      if let status = child.status() {
        throw TestFailure("tor ended with \(status): \(try contents(log))")
      }
      return access("\(run)/control", F_OK) == 0 && access("\(run)/cookie", F_OK) == 0
    }
  }

  deinit {
    // Reaped only here or by `Child.status`, so the number is still its own.
    if child.status() == nil {
      kill(child.pid, SIGKILL)
      waitpid(child.pid, nil, 0)
    }
  }

  static func configuration(_ services: [String: [Int]]) throws -> InstanceConfiguration {
    let address = OnionAddress(publicKey: Array(repeating: 1, count: 32))
    return InstanceConfiguration(
      instance: InstanceName(try name("shared")),
      services: try services.map { service, ports in
        ConfiguredService(
          name: try name(service), address: address,
          ports: ports.map {
            OnionPort(virtual: $0, target: .address("10.0.0.1", port: 8000 + $0))
          }, access: .open)
      }, network: .off)
  }

  /// The rendered torrc and service lines, with this test's folders in place of the container's.
  func text(_ services: [String: [Int]]) throws -> (torrc: String, options: [String]) {
    try Self.text(Self.configuration(services), in: scratch)
  }

  func text(
    _ configuration: InstanceConfiguration
  ) throws -> (torrc: String, options: [String]) { try Self.text(configuration, in: scratch) }

  /// `tor --verify-config` on a text, as the same user.
  func verify(_ torrc: String) async throws -> (status: Int, output: String) {
    try write(torrc, to: "\(etc)/verified", mode: 0o644)
    let log = "\(scratch.path)/verify.log"
    let child = try Child(
      [
        "/usr/bin/setpriv", "--reuid", "\(Self.user)", "--regid", "\(Self.user)", "--clear-groups",
        Self.program, "--verify-config", "--defaults-torrc", "\(etc)/defaults", "-f",
        "\(etc)/verified",
      ], environment: ["PATH": "/usr/bin:/bin"], output: log)
    return (try await child.wait(), try contents(log))
  }

  /// `ob_config` in a service's folder, which tor reads while it takes the configuration.
  func layDownBalance(_ service: String, _ master: OnionAddress?) throws {
    let folder = try scratch.folder("keys/\(service)", owner: Self.user)
    guard let text = CompanionFiles(access: .open, onionBalanceMaster: master).onionBalanceText
    else { return }
    try write(text, to: "\(folder)/ob_config", owner: Self.user)
  }

  private static func text(
    _ configuration: InstanceConfiguration, in scratch: Scratch
  ) throws -> (torrc: String, options: [String]) {
    func here(_ text: String) -> String {
      text.replacingOccurrences(of: " \(TorLayout.keys)/", with: " \(scratch.path)/keys/")
        .replacingOccurrences(of: " \(TorLayout.data)\n", with: " \(scratch.path)/data\n")
        .replacingOccurrences(of: " \(TorLayout.run)/", with: " \(scratch.path)/run/")
    }
    guard let files = configuration.files(gateway: "10.89.0.1"),
      let options = configuration.serviceOptions(gateway: "10.89.0.1")
    else { throw TestFailure("the configuration cannot be rendered") }
    return (here(files.torrc), options.map(here))
  }

  private static func name(_ text: String) throws -> ServiceName {
    guard let name = ServiceName(text) else { throw TestFailure("not a name: \(text)") }
    return name
  }
}

extension TorOptions {
  /// Each option alone at its bounds, and all of them together.
  static let samples: [TorOptions] = {
    let master = OnionAddress(publicKey: Array(repeating: 2, count: 32))
    var samples: [TorOptions] = []
    for count in [3, 20] { samples.append(TorOptions(introductionPoints: count)) }
    for count in [0, 65535] { samples.append(TorOptions(maxStreams: count)) }
    for closes in [false, true] {
      samples.append(TorOptions(closesCircuitAtMaxStreams: closes))
    }
    for limit in [RateLimit(rate: 0, burst: 0), RateLimit(rate: 25, burst: 200)] {
      samples.append(TorOptions(introDoS: limit))
      samples.append(TorOptions(proofOfWork: limit))
    }
    samples.append(TorOptions(exportsCircuitID: true))
    samples.append(TorOptions(onionBalanceMaster: master))
    samples.append(
      TorOptions(
        introductionPoints: 4, maxStreams: 100, closesCircuitAtMaxStreams: true,
        introDoS: RateLimit(rate: 1, burst: 2), proofOfWork: RateLimit(rate: 250, burst: 2500),
        exportsCircuitID: true, onionBalanceMaster: master))
    return samples
  }()
}
