import Foundation
import OnionModel
import Testing

@testable import Keeping

/// `check` with host files: each host's findings once and by name, and nothing of the machine that it runs on.
struct RepositoryCheckTests {
  /// A repository and host files `web-1.yaml` and `web-2.yaml` in `hosts/`.
  private func fleet() throws -> House {
    let house = try House()
    try FileManager.default.createDirectory(
      atPath: "\(house.path)/hosts", withIntermediateDirectories: false)
    try house.write("hosts/web-1.yaml", host("web-1", "host"))
    try house.write("hosts/web-2.yaml", host("web-2", "\"192.0.2.0/24\""))
    return house
  }

  private func host(_ name: String, _ target: String) -> String {
    """
    host: \(name)
    repository: {url: "https://git.example/o.git", trust: {signers: /none/signers}, credentials: {tokenFile: /none/t}}
    webhooks: [{url: "https://hooks.example/x", secretFile: /none/secret}]
    tor: {network: /none/lines}
    allow: {targets: [\(target)]}

    """
  }

  private func check(_ house: House, _ hostFiles: String..., folder: String? = "repository")
    -> [String]
  {
    RepositoryCheck(folder: folder, hostFiles: hostFiles, current: house.path).run()
      .map(\.description)
  }

  private let both =
    "hosts: [\"web-*\"]\nkey: existing\nports: [{virtual: 80, target: host:8080}]\n"

  @Test func aFindingNamesItsHostOnce() throws {
    let house = try fleet()
    try house.write("repository/\(House.file)", both)
    let refusal =
      "services/blog.yaml:3:31: ports[0].target: on host web-2: target host:8080 is not in allow.targets: add \"host\" to allow it"
    #expect(check(house, "hosts") == [refusal])
    #expect(check(house, "hosts/web-1.yaml", "hosts/web-2.yaml") == [refusal])
    #expect(check(house, "hosts/web-1.yaml").isEmpty)
    // What is wrong everywhere is said once and of no host.
    try house.write("repository/\(House.file)", both + "color: red\n")
    let found = check(house, "hosts")
    #expect(found.count == 1)
    #expect(found.first?.hasPrefix("services/blog.yaml:4:1: color: is not a known key") == true)
  }

  @Test func whatNoHostCarriesIsTold() throws {
    let house = try fleet()
    try house.write(
      "repository/\(House.file)", both.replacingOccurrences(of: "web-*", with: "wbe-1"))
    #expect(
      check(house, "hosts") == [
        "services/blog.yaml:1:8: warning: hosts: select none of the hosts given (web-1, web-2)"
      ])
    // With one host or none nobody knows what the others are called.
    #expect(check(house, "hosts/web-1.yaml").isEmpty)
    #expect(check(house).isEmpty)
  }

  @Test func hostFilesAreOtherMachines() throws {
    let house = try fleet()
    try house.write("repository/\(House.file)", both)
    try FileManager.default.setAttributes(
      [.posixPermissions: 0o666, .ownerAccountID: 65534],
      ofItemAtPath: "\(house.path)/hosts/web-1.yaml")
    #expect(check(house, "hosts/web-1.yaml").isEmpty)
    // Alone it is this machine's: owner, and every file that it names.
    let alone = check(house, "hosts/web-1.yaml", folder: nil)
    #expect(alone.count == 1)
    #expect(alone.first?.contains("must be root's") == true)
    let named = check(house, "hosts/web-2.yaml", folder: nil)
    #expect(named.contains { $0.contains("/none/t") })
    #expect(named.contains { $0.contains("/none/secret") })
    #expect(named.contains { $0.contains("/none/lines") })
  }

  @Test func wrongHostFilesAreFindings() throws {
    let house = try fleet()
    try house.write("repository/\(House.file)", both)
    try house.write("hosts/web-2.yaml", host("web-1", "host"))
    #expect(
      check(house, "hosts") == [
        "hosts/web-2.yaml: host: web-1 is also the host of hosts/web-1.yaml (one file a host)"
      ])
    try house.write("hosts/web-2.yaml", host("web-2", "host") + "color: red\n")
    #expect(check(house, "hosts").first?.hasPrefix("hosts/web-2.yaml:6:1: color: is not") == true)
    #expect(check(house, "no").first?.contains("no") == true)
    #expect(check(house, "repository/.git").first?.contains("without host files") == true)
    #expect(check(house, folder: "nowhere").first?.contains("nowhere") == true)
  }
}
