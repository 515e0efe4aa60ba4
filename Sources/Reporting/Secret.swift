import Crypto
import Dispatch
import FoundationEssentials
import Glibc

/// A webhook's signing keys. Not `Codable`, and nothing of them can be printed or mirrored: errors name the file.
struct Secret: Sendable, CustomStringConvertible, CustomReflectable {
  private var keys: [SymmetricKey]

  /// Two while rotating.
  static let countLimit = 2
  /// Two lines of 64 bytes in base64 are 190 bytes.
  private static let sizeLimit = 4096

  /// Reads one `whsec_BASE64` a line (24 to 64 bytes each), anew at each use, so that a rotation needs no restart.
  /// - Throws: `.secret` if the file is missing, no plain file, another's, readable by others, or not of that form.
  static func read(_ path: String) async throws(ReportingError) -> Secret {
    let result: Result<Secret, ReportingError> = await withCheckedContinuation { continuation in
      DispatchQueue.global().async {
        continuation.resume(returning: Result { () throws(ReportingError) in try Secret(path) })
      }
    }
    return try result.get()
  }

  init(_ path: String) throws(ReportingError) {
    let descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else {
      throw Self.failure(
        path,
        errno == ELOOP ? "it is a link: name the file itself" : String(cString: strerror(errno)))
    }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw Self.failure(path, "it is not a file")
    }
    guard status.st_mode & 0o077 == 0 else {
      throw Self.failure(path, "others can read it: chmod 600")
    }
    guard status.st_uid == 0 || status.st_uid == geteuid() else {
      throw Self.failure(path, "it belongs to uid \(status.st_uid): chown root")
    }
    var bytes = [UInt8](repeating: 0, count: Self.sizeLimit + 1)
    let count = bytes.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress, $0.count) }
    guard count >= 0 else { throw Self.failure(path, String(cString: strerror(errno))) }
    guard count <= Self.sizeLimit else { throw Self.failure(path, "it is over 4 KiB") }
    try self.init(String(decoding: bytes.prefix(count), as: UTF8.self), path: path)
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
    ReportingError(.secret, "read the webhook secret \(path)", reason)
  }
}
