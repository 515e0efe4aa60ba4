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
  init(ports: [Int] = [80]) async throws {
    scratch = try Scratch()
    log = "\(scratch.path)/log"
    etc = try scratch.folder("etc", mode: 0o755)
    run = try scratch.folder("run", owner: Self.user)
    keys = try scratch.folder("keys", owner: Self.user)
    _ = try scratch.folder("data", owner: Self.user)
    let torrc = try Self.text(Self.configuration(["web": ports]), in: scratch).torrc
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

  private static func text(
    _ configuration: InstanceConfiguration, in scratch: Scratch
  ) throws -> (torrc: String, options: [String]) {
    func here(_ text: String) -> String {
      text.replacingOccurrences(of: " \(TorLayout.keys)/", with: " \(scratch.path)/keys/")
        .replacingOccurrences(of: " \(TorLayout.data)\n", with: " \(scratch.path)/data\n")
        .replacingOccurrences(of: " \(TorLayout.run)/", with: " \(scratch.path)/run/")
    }
    guard let files = configuration.files(gateway: nil),
      let options = configuration.serviceOptions(gateway: nil)
    else { throw TestFailure("the configuration cannot be rendered") }
    return (here(files.torrc), options.map(here))
  }

  private static func name(_ text: String) throws -> ServiceName {
    guard let name = ServiceName(text) else { throw TestFailure("not a name: \(text)") }
    return name
  }
}
