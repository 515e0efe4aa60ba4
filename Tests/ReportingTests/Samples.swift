import Foundation
import Glibc
import Journaling
import OnionModel
import Testing

@testable import Reporting

/// A literal of a test that is known to be valid.
func valid<Value>(_ value: Value?) -> Value {
  guard let value else { preconditionFailure("a sample is not valid") }
  return value
}

enum Sample {
  static let host = valid(HostName("web-1"))
  static let address = OnionAddress(publicKey: Array(repeating: 7, count: 32))
  /// A secret of 24 bytes; `other` is another.
  static let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
  static let other = "whsec_" + Data(repeating: 9, count: 32).base64EncodedString()

  static func event(_ kind: EventKind = .actionSucceeded, _ subject: String = "host") -> Event {
    Event(kind: kind, subject: subject, time: now(), data: EventData(host: host, message: "said"))
  }

  @Sendable static func now() -> Timestamp {
    Timestamp(milliseconds: Int64(Date().timeIntervalSince1970 * 1000))
  }
}

/// A folder of its own (a short name: the receiver asks for it), gone when the closure ends.
func withFolder<Value>(_ body: (String) async throws -> Value) async throws -> Value {
  let folder = "/tmp/okr-\(UUID().uuidString.prefix(13))"
  try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  let result: Result<Value, any Error>
  do { result = .success(try await body(folder)) } catch { result = .failure(error) }
  try FileManager.default.removeItem(atPath: folder)
  return try result.get()
}

func writeSecret(_ lines: String..., to path: String, mode: mode_t = 0o600) throws {
  try Data(lines.joined(separator: "\n").utf8).write(to: URL(fileURLWithPath: path))
  try #require(chmod(path, mode) == 0)
}

/// Waits until `condition` holds; a test that waits in vain fails here, with `what`.
func eventually(
  _ what: Comment, _ location: SourceLocation = #_sourceLocation,
  _ condition: () async throws -> Bool
) async throws {
  let deadline = ContinuousClock.now.advanced(by: .seconds(60))
  while try await !condition() {
    try #require(ContinuousClock.now < deadline, what, sourceLocation: location)
    try await Task.sleep(for: .milliseconds(20))
  }
}
