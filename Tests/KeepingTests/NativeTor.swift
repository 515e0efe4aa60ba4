import Foundation
import Glibc
import KeyStore
import OnionModel
import Testing

@testable import Keeping

/// A tor that somebody set up by hand, in a folder of a `House`: `/etc/tor/torrc` and service directories below it.
struct NativeTor {
  let house: House
  var root: String { "\(house.path)/native" }
  var folder: String { "\(house.path)/moved" }
  var torrc: String { "\(root)/etc/tor/torrc" }

  init(_ house: House, _ text: String) throws {
    self.house = house
    try write("etc/tor/torrc", text)
  }

  /// Below its root.
  func write(_ path: String, _ text: String) throws {
    let file = URL(fileURLWithPath: "\(root)/\(path)")
    try FileManager.default.createDirectory(
      at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(text.utf8).write(to: file)
  }

  /// A directory as tor leaves it: keys, `hostname`, `authorized_clients/`.
  @discardableResult
  func directory(_ name: String, clients: [String: String] = [:]) async throws -> OnionAddress {
    let other = "\(house.path)/other"
    let agent = try House.agent()
    if !FileManager.default.fileExists(atPath: other) { try KeyRoot.setUp(other, id: agent) }
    let service = try #require(ServiceName("k\(UUID().uuidString.prefix(8).lowercased())"))
    let place = KeyPlace(instance: InstanceName(service), service: service)
    let address = try await KeyRoot(path: other, id: agent).generate(place, owner: 0)
    let folder = "\(root)/var/lib/tor/\(name)"
    try FileManager.default.createDirectory(
      atPath: "\(root)/var/lib/tor", withIntermediateDirectories: true)
    try FileManager.default.copyItem(atPath: "\(other)/\(place)", toPath: folder)
    for (file, text) in clients {
      try write("var/lib/tor/\(name)/authorized_clients/\(file)", text)
    }
    return address
  }

  func copy(_ name: String, to other: String) throws {
    try FileManager.default.copyItem(
      atPath: "\(root)/var/lib/tor/\(name)", toPath: "\(root)/var/lib/tor/\(other)")
  }

  func adopt(
    _ decisions: Adoption.Decisions = .init(), isDryRun: Bool = false, includeRoots: [String] = []
  ) async throws -> AdoptionReport {
    let request = Adoption.Request(
      torrc: torrc, folder: folder, root: root, includeRoots: includeRoots, decisions: decisions,
      isDryRun: isDryRun)
    return try await Adoption(request, try house.configuration(), uid: 0).run()
  }

  func definition(_ name: String) throws -> String {
    try String(contentsOfFile: "\(folder)/services/\(name).yaml", encoding: .utf8)
  }

  var isFolderThere: Bool { FileManager.default.fileExists(atPath: folder) }

  /// Every path below the root with its content, owner, mode and times.
  func snapshot() throws -> [String: String] {
    var found: [String: String] = [:]
    for path in try FileManager.default.subpathsOfDirectory(atPath: root) {
      var status = stat()
      guard lstat("\(root)/\(path)", &status) == 0 else { continue }
      let content = FileManager.default.contents(atPath: "\(root)/\(path)") ?? Data()
      found[path] =
        "\(status.st_mode) \(status.st_uid) \(status.st_ino) \(status.st_ctim.tv_sec).\(status.st_ctim.tv_nsec)"
        + " \(content.base64EncodedString())"
    }
    return found
  }

  static func client(_ letter: Character) -> String {
    "descriptor:x25519:\(String(repeating: letter, count: 51))A\n"
  }
}

extension AdoptionReport {
  func service(_ name: String) throws -> Service {
    try #require(services.first { $0.name.text == name })
  }

  var errors: [String] { lines(errorsOnly: true) }
}
