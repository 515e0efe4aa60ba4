import Dispatch
import Glibc

/// Reads a file that holds a secret, anew at each use, so that a rotation needs no restart.
enum SecretFile {
  /// Two lines of 64 bytes in base64 are 190 bytes, a forge's token 40 to 255.
  private static let sizeLimit = 4096

  /// Off Swift's pool: its disk may be slow.
  static func read(_ path: String, _ what: String) async throws(ReportingError) -> String {
    let result: Result<String, ReportingError> = await withCheckedContinuation { continuation in
      DispatchQueue.global().async {
        continuation.resume(
          returning: Result { () throws(ReportingError) in try text(path, what) })
      }
    }
    return try result.get()
  }

  /// - Throws: `.secret` if it is missing, no plain file, another's, or readable by others.
  static func text(_ path: String, _ what: String) throws(ReportingError) -> String {
    func failure(_ reason: String) -> ReportingError {
      ReportingError(.secret, "read \(what) \(path)", reason)
    }
    let descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else {
      throw failure(
        errno == ELOOP ? "it is a link: name the file itself" : String(cString: strerror(errno)))
    }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw failure("it is not a file")
    }
    guard status.st_mode & 0o077 == 0 else { throw failure("others can read it: chmod 600") }
    guard status.st_uid == 0 || status.st_uid == geteuid() else {
      throw failure("it belongs to uid \(status.st_uid): chown root")
    }
    var bytes = [UInt8](repeating: 0, count: Self.sizeLimit + 1)
    let count = bytes.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress, $0.count) }
    guard count >= 0 else { throw failure(String(cString: strerror(errno))) }
    guard count <= Self.sizeLimit else { throw failure("it is over 4 KiB") }
    return String(decoding: bytes.prefix(count), as: UTF8.self)
  }
}
