/// A version of Docker's API: 1.41.
public struct APIVersion: Hashable, Sendable, Comparable, CustomStringConvertible {
  public var major: Int
  public var minor: Int

  public init(_ major: Int, _ minor: Int) {
    self.major = major
    self.minor = minor
  }

  /// `nil` unless `text` is two numbers with a point between them.
  public init?(_ text: String) {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 2, let major = Int(parts[0]), let minor = Int(parts[1]),
      (0...99).contains(major), (0...999).contains(minor)
    else { return nil }
    self.init(major, minor)
  }

  public var description: String { "\(major).\(minor)" }

  public static func < (left: Self, right: Self) -> Bool {
    (left.major, left.minor) < (right.major, right.minor)
  }

  /// What is spoken where the engine can: everything here was measured against it.
  static let preferred = APIVersion(1, 41)
  /// The oldest: before it no engine announces what we need (Docker 19.03).
  static let oldest = APIVersion(1, 40)
  /// The newest that we speak where an engine has given up 1.41 (Docker 29 begins at 1.44): of what we send and read,
  /// docs/api/version-history of Moby names no change up to it.
  static let newest = APIVersion(1, 44)

  /// The version to speak with an engine that knows `lowest` to `highest`; `nil` if there is none.
  static func agreed(lowest: APIVersion, highest: APIVersion) -> APIVersion? {
    guard highest >= oldest, lowest <= newest, lowest <= highest else { return nil }
    return max(min(preferred, highest), lowest)
  }
}
