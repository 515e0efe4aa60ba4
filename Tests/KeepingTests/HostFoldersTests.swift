import Foundation
import Glibc
import OnionModel
import Testing

@testable import Keeping

/// The directory of a unix target belongs to its backend: it is opened and seen, and nothing more.
@Suite struct HostFoldersTests {
  /// All that a write, a chown, a chmod, a label or a file in it would move.
  private func look(_ path: String) throws -> [Int] {
    var status = stat()
    guard lstat(path, &status) == 0 else { throw POSIXError(.ENOENT) }
    return [
      Int(status.st_ino), Int(status.st_mode), Int(status.st_uid), Int(status.st_gid),
      Int(status.st_nlink), status.st_mtim.tv_sec, status.st_mtim.tv_nsec, status.st_ctim.tv_sec,
      status.st_ctim.tv_nsec,
    ]
  }

  private func mount(_ source: String) -> Mount {
    Mount(source: source, destination: TorLayout.target(directory: source), isReadOnly: false)
  }

  @Test func isSeenAndNotTouched() throws {
    let house = try House()
    let folder = "\(house.path)/targets"
    try FileManager.default.createDirectory(
      atPath: folder, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o2751])
    let before = try look(folder)
    #expect(HostFolders.observe(folder) == .present(true))
    try HostFolders.check([mount(folder)])
    #expect(try look(folder) == before)
  }

  @Test func whatIsMissingIsNotMade() throws {
    let house = try House()
    let before = try look(house.path)
    let missing = "\(house.path)/none/at/all"
    #expect(HostFolders.observe(missing) == .absent)
    #expect(throws: StepFailure.self) { try HostFolders.check([mount(missing)]) }
    #expect(try look(house.path) == before)
  }

  @Test(arguments: ["link", "link/below", "file"]) func linksAndFilesAreRefused(name: String) throws
  {
    let house = try House()
    try FileManager.default.createDirectory(
      atPath: "\(house.path)/real/below", withIntermediateDirectories: true)
    try FileManager.default.createSymbolicLink(
      atPath: "\(house.path)/link", withDestinationPath: "real")
    try house.write("file", "")
    #expect(HostFolders.observe("\(house.path)/\(name)") == .present(false))
    #expect(throws: StepFailure.self) { try HostFolders.check([mount("\(house.path)/\(name)")]) }
  }
}
