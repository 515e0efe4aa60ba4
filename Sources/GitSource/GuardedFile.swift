import Glibc

/// Small files that only the machine's owner may have written, read whole at each use.
enum GuardedFile {
  enum Demand {
    /// Nobody but its owner may read or write it: tokens and private keys.
    case secret
    /// Nobody but its owner may write it: certificates and pinned host keys.
    case trusted
    /// Root's, and nobody else may write it: who may sign.
    case rootOwned
  }

  /// 1 MiB: a certificate bundle is 220 kB, anything else is far smaller.
  static let limit = 1 << 20

  /// The bytes of the file. The checks are made on the open descriptor, so what was checked is
  /// what was read.
  ///
  /// - Throws: `.configuration`, with the path, the finding and the command that mends it.
  static func read(_ path: String, _ demand: Demand, named name: String) throws(GitError) -> [UInt8]
  {
    func refuse(_ why: String) -> GitError {
      GitError(.configuration, name, "\(printable(path)) \(why)")
    }
    guard path.hasPrefix("/") else { throw refuse("is not an absolute path") }
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
    guard descriptor >= 0 else { throw refuse("cannot be opened: \(errorText(errno))") }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw refuse(errorText(errno)) }
    guard status.st_mode & S_IFMT == S_IFREG else { throw refuse("is not a regular file") }
    if let complaint = complaint(status, demand) { throw refuse(complaint) }
    guard status.st_size <= limit else { throw refuse("is larger than \(limit) bytes") }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 16384)
    while true {
      let count = Glibc.read(descriptor, &chunk, chunk.count)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw refuse("cannot be read: \(errorText(errno))") }
      if count == 0 { return bytes }
      bytes += chunk[..<count]
      guard bytes.count <= limit else { throw refuse("is larger than \(limit) bytes") }
    }
  }

  private static func complaint(_ status: stat, _ demand: Demand) -> String? {
    let mine = status.st_uid == 0 || (demand != .rootOwned && status.st_uid == geteuid())
    guard mine else { return "belongs to uid \(status.st_uid), not to root (chown root)" }
    switch demand {
    case .secret:
      return status.st_mode & 0o077 == 0 ? nil : "can be read or written by others (chmod 600)"
    case .trusted, .rootOwned:
      return status.st_mode & 0o022 == 0 ? nil : "can be written by others (chmod go-w)"
    }
  }
}

/// A file with one secret of one line, white space around it ignored.
struct Token {
  let name: String
  /// What messages call it.
  let noun: String
  /// Whether blanks may be within.
  let hasBlanks: Bool

  static let token = Token(name: "credentials.tokenFile", noun: "one token", hasBlanks: false)
  static let passphrase = Token(
    name: "credentials.passphraseFile", noun: "one passphrase", hasBlanks: true)

  /// 8 KiB: the longest tokens of forges (signed ones) are about 2 KiB.
  private static let limit = 8 << 10

  static func read(_ path: String, _ kind: Token = .token) throws(GitError) -> String {
    let bytes = try GuardedFile.read(path, .secret, named: kind.name)
    let text = bytes.drop { $0 <= 0x20 }.reversed().drop { $0 <= 0x20 }.reversed()
    guard !text.isEmpty, text.count <= limit,
      text.allSatisfy({ $0 > 0x20 && $0 < 0x7f || $0 == 0x20 && kind.hasBlanks })
    else {
      throw GitError(
        .configuration, kind.name,
        "\(printable(path)) must hold \(kind.noun): printable ASCII, at most \(limit) bytes")
    }
    return String(decoding: text, as: UTF8.self)
  }
}

/// The text of an `errno`.
func errorText(_ number: Int32) -> String { String(cString: strerror(number)) }
