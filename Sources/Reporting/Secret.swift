import Crypto
import FoundationEssentials

/// A webhook's signing keys. Not `Codable`, and nothing of them can be printed or mirrored: errors name the file.
struct Secret: Sendable, CustomStringConvertible, CustomReflectable {
  private var keys: [SymmetricKey]

  /// Two while rotating.
  static let countLimit = 2
  private static let what = "the webhook secret"
  /// Reads one `whsec_BASE64` a line (24 to 64 bytes each), anew at each use, so that a rotation needs no restart.
  /// - Throws: `.secret` if the file is missing, no plain file, another's, readable by others, or not of that form.
  static func read(_ path: String) async throws(ReportingError) -> Secret {
    try Secret(try await SecretFile.read(path, what), path: path)
  }

  init(_ text: String, path: String) throws(ReportingError) {
    keys = []
    let lines = text.split(whereSeparator: \.isWhitespace)
    guard (1...Self.countLimit).contains(lines.count) else {
      throw Self.failure(path, "it must hold one secret, or two while rotating, each on its line")
    }
    for line in lines {
      guard line.hasPrefix("whsec_"), let key = Data(base64Encoded: String(line.dropFirst(6))),
        (24...64).contains(key.count)
      else {
        throw Self.failure(path, "a line must be whsec_ and the base64 of 24 to 64 random bytes")
      }
      keys.append(SymmetricKey(data: key))
    }
  }

  /// The value of `webhook-signature`: `v1,` and base64 of HMAC-SHA256 over `id.timestamp.body`, for each key
  /// (Standard Webhooks, specification of symmetric signatures).
  func signature(id: String, timestamp: Int64, body: [UInt8]) -> String {
    let signed = Array("\(id).\(timestamp).".utf8) + body
    return keys.map { key in
      "v1," + Data(HMAC<SHA256>.authenticationCode(for: signed, using: key)).base64EncodedString()
    }.joined(separator: " ")
  }

  var description: String { "(secret)" }

  var customMirror: Mirror { Mirror(self, children: []) }

  private static func failure(_ path: String, _ reason: String) -> ReportingError {
    ReportingError(.secret, "read \(what) \(path)", reason)
  }
}
