import Foundation
import Glibc

/// A folder of its own under `/tmp`, with a path short enough for Unix sockets; removed when it is released or by
/// `remove`. A `defer { folder.remove() }` keeps it until there: what a test uses only by its path may be released early.
final class TemporaryFolder: Sendable {
  let path: String

  init() throws {
    var template = Array("/tmp/ok-it-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else {
      throw TestFailure("mkdtemp: \(String(cString: strerror(errno)))")
    }
    path = template.withUnsafeBufferPointer { pointer in
      String(decoding: pointer.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
  }

  deinit { remove() }

  func remove() {
    do {
      if FileManager.default.fileExists(atPath: path) {
        try FileManager.default.removeItem(atPath: path)
      }
    } catch {
      // Left for the system to clear: a test's result is not to depend on it.
    }
  }

  func path(_ name: String) -> String { "\(path)/\(name)" }

  /// Makes a folder in it.
  /// - Parameter owner: of the folder, user and group; the caller's if `nil`.
  func folder(_ name: String, mode: mode_t = 0o700, owner: uid_t? = nil) throws -> String {
    let path = path(name)
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    guard chmod(path, mode) == 0, owner.map({ chown(path, $0, $0) == 0 }) ?? true else {
      throw TestFailure("\(path): \(String(cString: strerror(errno)))")
    }
    return path
  }

  /// Writes a file in it.
  func file(_ name: String, _ bytes: some Sequence<UInt8>) throws -> String {
    let path = path(name)
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    return path
  }
}

/// Something that a test needs and does not get: says what and why.
struct TestFailure: Error, CustomStringConvertible {
  var description: String
  init(_ description: String) { self.description = description }
}
