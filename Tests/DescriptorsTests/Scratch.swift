import Descriptors
import Glibc
import Testing

/// A folder of its own under /tmp, gone with all in it at the end.
final class Scratch: Sendable {
  let path: String

  init() throws {
    var random = SystemRandomNumberGenerator()
    path = "/tmp/onionkeeper-test-\(String(random.next(), radix: 16))"
    try #require(mkdir(path, 0o700) == 0)
  }

  deinit {
    do {
      try Self.empty(try Descriptor.folder(at: path))
      rmdir(path)
    } catch {
      Issue.record("\(path) could not be removed: \(error)")
    }
  }

  func folder() throws -> Descriptor { try Descriptor.folder(at: path) }

  func makeFolder(_ name: String) throws { try #require(mkdir("\(path)/\(name)", 0o700) == 0) }

  func makeFile(_ name: String, _ text: String = "text") throws {
    let number = creat("\(path)/\(name)", 0o644)
    try #require(number >= 0)
    defer { close(number) }
    try #require(write(number, text, text.utf8.count) == text.utf8.count)
  }

  func link(_ name: String, to target: String) throws {
    try #require(symlink(target, "\(path)/\(name)") == 0)
  }

  private static func empty(_ folder: borrowing Descriptor) throws(FileError) {
    for name in try folder.names(limit: 1_000_000) {
      if try folder.status(of: name)?.kind == .folder {
        try empty(try folder.folder(name))
        try folder.removeFolder(name)
      } else {
        try folder.unlink(name)
      }
    }
  }
}

/// Of mount(2) and umount2(2), which Swift does not see: MS_BIND, MNT_DETACH.
let bound: UInt = 4096
let detached: Int32 = 2

/// The error number of the `FileError` that a body throws; `nil` if it throws none, −1 for another error.
func failure(_ body: () throws -> Void) -> Int32? {
  do {
    try body()
    return nil
  } catch {
    return (error as? FileError)?.number ?? -1
  }
}
