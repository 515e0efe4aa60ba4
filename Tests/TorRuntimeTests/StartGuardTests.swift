import Foundation
import Glibc
import OnionModel
import Testing

/// The start guard that OnionModel renders, run by the shell on real folders.
@Suite struct StartGuardTests {
  private static let open = OnionAddress(publicKey: Array(repeating: 1, count: 32))
  private static let shut = OnionAddress(publicKey: Array(repeating: 2, count: 32))

  /// What is done to whole folders, and whether tor may start then.
  enum Damage: String, CaseIterable, CustomTestStringConvertible {
    case none
    case clientFileMissing, onlyDecoyLeft, allClientFilesMissing, clientFolderMissing
    case clientFileExtra, clientFileHidden, clientFileDotDot, clientFileDangling, clientFileChanged
    case clientForOpenService, otherHostname, hostnameMissing, otherPublicKey
    case directoriesSwapped, directoryMissing, sumsMissing, keysMissing

    var testDescription: String { rawValue }
  }

  @Test(arguments: Damage.allCases)
  func guardRefuses(_ damage: Damage) async throws {
    let scratch = try Scratch()
    let keys = try scratch.folder("keys")
    let etc = try scratch.folder("etc")
    let configuration = try configuration()
    try layOut(configuration, keys: keys)
    let files = try #require(configuration.files(gateway: nil))
    let script = files.guardScript
      .replacingOccurrences(of: TorLayout.etc, with: etc)
      .replacingOccurrences(of: "cd \(TorLayout.keys)", with: "cd \(keys)")
    try write(script, to: "\(etc)/start")
    try write(files.sums, to: "\(etc)/sums")
    let bin = try scratch.folder("bin")
    try write("#!/bin/sh\necho \"tor runs: $*\"\n", to: "\(bin)/tor", mode: 0o755)
    try apply(damage, keys: keys, etc: etc)

    let log = "\(scratch.path)/log"
    let child = try Child(
      ["/bin/sh", "\(etc)/start"], environment: ["PATH": "\(bin):/usr/bin:/bin"], output: log)
    let code = try await child.wait()
    let text = try contents(log)
    if damage == .none {
      #expect(code == 0, "\(text)")
      #expect(text == "tor runs: --defaults-torrc \(etc)/defaults -f \(etc)/torrc\n")
    } else {
      #expect(code == 78, "\(text)")
      #expect(!text.contains("tor runs"))
      #expect(text.contains("onionkeeper: tor not started:"))
    }
  }

  private func configuration() throws -> InstanceConfiguration {
    let web = try #require(ServiceName("web"))
    let club = try #require(ServiceName("club"))
    let target = OnionPort(virtual: 80, target: .address("10.0.0.1", port: 8080))
    let clients = ["alice", "bob"].map {
      AuthorizedClient(name: $0, key: String(repeating: "A", count: 52))
    }
    return InstanceConfiguration(
      instance: try #require(InstanceName("shared")),
      services: [
        ConfiguredService(name: web, address: Self.open, ports: [target], access: .open),
        ConfiguredService(
          name: club, address: Self.shut, ports: [target], access: .clients(clients)),
      ], network: .off)
  }

  private func layOut(_ configuration: InstanceConfiguration, keys: String) throws {
    for service in configuration.services {
      let address = try #require(service.address)
      let folder = "\(keys)/\(service.name)"
      try FileManager.default.createDirectory(
        atPath: "\(folder)/authorized_clients", withIntermediateDirectories: true)
      try write(KeyFiles.publicKeyBytes(address), to: "\(folder)/\(KeyFiles.publicKey)")
      try write(KeyFiles.hostnameText(address), to: "\(folder)/hostname")
      for (name, text) in KeyFiles.clientFiles(access: service.access, address: address) {
        try write(text, to: "\(folder)/authorized_clients/\(name)")
      }
    }
  }

  private func apply(_ damage: Damage, keys: String, etc: String) throws {
    let files = FileManager.default
    let clients = "\(keys)/club/authorized_clients"
    switch damage {
    case .none: break
    case .clientFileMissing: try files.removeItem(atPath: "\(clients)/bob.auth")
    case .onlyDecoyLeft:
      try files.removeItem(atPath: "\(clients)/alice.auth")
      try files.removeItem(atPath: "\(clients)/bob.auth")
    case .allClientFilesMissing:
      for name in try files.contentsOfDirectory(atPath: clients) {
        try files.removeItem(atPath: "\(clients)/\(name)")
      }
    case .clientFolderMissing: try files.removeItem(atPath: clients)
    case .clientFileExtra:
      try files.copyItem(atPath: "\(clients)/bob.auth", toPath: "\(clients)/eve.auth")
    case .clientFileHidden:
      try files.copyItem(atPath: "\(clients)/bob.auth", toPath: "\(clients)/.eve.auth")
    case .clientFileDotDot:
      // tor reads it too: it leaves out `.` and `..` alone.
      try files.copyItem(atPath: "\(clients)/bob.auth", toPath: "\(clients)/..eve.auth")
    case .clientFileDangling: try check(symlink("/nowhere", "\(clients)/eve.auth"), "symlink")
    case .clientFileChanged:
      try write(
        "descriptor:x25519:\(String(repeating: "B", count: 52))\n", to: "\(clients)/bob.auth")
    case .clientForOpenService:
      try files.copyItem(
        atPath: "\(clients)/bob.auth", toPath: "\(keys)/web/authorized_clients/bob.auth")
    case .otherHostname: try write(KeyFiles.hostnameText(Self.shut), to: "\(keys)/web/hostname")
    case .hostnameMissing: try files.removeItem(atPath: "\(keys)/web/hostname")
    case .otherPublicKey:
      try write(KeyFiles.publicKeyBytes(Self.shut), to: "\(keys)/web/\(KeyFiles.publicKey)")
    case .directoriesSwapped:
      try files.moveItem(atPath: "\(keys)/web", toPath: "\(keys)/x")
      try files.moveItem(atPath: "\(keys)/club", toPath: "\(keys)/web")
      try files.moveItem(atPath: "\(keys)/x", toPath: "\(keys)/club")
    case .directoryMissing: try files.removeItem(atPath: "\(keys)/club")
    case .sumsMissing: try files.removeItem(atPath: "\(etc)/sums")
    case .keysMissing: try files.removeItem(atPath: keys)
    }
  }
}
