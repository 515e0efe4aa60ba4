import Foundation
import Glibc
import Testing

/// A folder of this test's own, removed at the end.
final class Scratch: Sendable {
  let path: String

  /// Below /tmp, short: socket paths hold 107 bytes.
  init() throws {
    var template = Array("/tmp/okt-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw TestFailure("mkdtemp: \(errno)") }
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    // tor's user must get through.
    try check(chmod(path, 0o711), "chmod")
  }

  deinit {
    do { try FileManager.default.removeItem(atPath: path) } catch {
      Issue.record("\(path) is left behind: \(error)")
    }
  }

  func folder(_ name: String, mode: mode_t = 0o700, owner: Int = 0) throws -> String {
    let place = "\(path)/\(name)"
    try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
    try check(chown(place, uid_t(owner), gid_t(owner)), "chown")
    try check(chmod(place, mode), "chmod")
    return place
  }
}

func check(_ result: Int32, _ what: String) throws {
  guard result == 0 else { throw TestFailure("\(what): \(String(cString: strerror(errno)))") }
}

func write(_ text: String, to path: String, mode: mode_t = 0o600, owner: Int = 0) throws {
  try write(Array(text.utf8), to: path, mode: mode, owner: owner)
}

func write(_ bytes: [UInt8], to path: String, mode: mode_t = 0o600, owner: Int = 0) throws {
  guard FileManager.default.createFile(atPath: path, contents: Data(bytes)) else {
    throw TestFailure("cannot write \(path)")
  }
  try check(chown(path, uid_t(owner), gid_t(owner)), "chown")
  try check(chmod(path, mode), "chmod")
}

func contents(_ path: String) throws -> String { try String(contentsOfFile: path, encoding: .utf8) }
