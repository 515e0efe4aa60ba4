import Foundation

/// A folder of its own with a short path (sockets end at 107 bytes); removed when it is released.
public final class TemporaryPath: Sendable {
  public let path: String

  public init() throws {
    path = "/tmp/ok-stub-\(UUID().uuidString.prefix(8))"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  public func appending(_ name: String) -> String { "\(path)/\(name)" }
}
