import Foundation

/// A folder of its own with a short path (sockets end at 107 bytes); removed when it is released or by `remove`. A
/// `defer { folder.remove() }` keeps it until there: what a test uses only by its path may be released early.
public final class TemporaryPath: Sendable {
  public let path: String

  public init() throws {
    path = "/tmp/ok-stub-\(UUID().uuidString.prefix(8))"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
  }

  deinit { remove() }

  public func remove() {
    do {
      if FileManager.default.fileExists(atPath: path) {
        try FileManager.default.removeItem(atPath: path)
      }
    } catch {
      // Left for the system to clear: a test's result is not to depend on it.
    }
  }

  public func appending(_ name: String) -> String { "\(path)/\(name)" }
}
