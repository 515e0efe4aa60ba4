/// OpenSSH's `known_hosts` (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT), read strictly: a line that
/// cannot be understood refuses the file, since it may be the pin that matters.
struct KnownHosts: Sendable {
  /// What the file says about a server's key.
  enum Verdict: Equatable {
    case pinned
    /// The host is not in the file.
    case unknownHost
    /// The host is pinned, by keys of these types only.
    case otherTypes([String])
    /// The host is pinned by another key of the type that it showed.
    case differs(pinned: [[UInt8]])
    case revoked(line: Int)
  }

  private struct Line {
    let number: Int
    let isRevoked: Bool
    let hosts: [Substring]
    let type: String
    let key: [UInt8]
  }

  private let lines: [Line]

  /// - Throws: `.configuration` with the line's number.
  init(file: String) throws(GitError) {
    let bytes = try GuardedFile.read(file, .trusted, named: "credentials.knownHosts")
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw GitError(.configuration, "credentials.knownHosts", "\(printable(file)) is not UTF-8")
    }
    try self.init(text: text, name: file)
  }

  init(text: String, name: String) throws(GitError) {
    var lines: [Line] = []
    for (index, line) in text.split(
      omittingEmptySubsequences: false, whereSeparator: \.isNewline
    ).enumerated() {
      let words = line.split { $0 == " " || $0 == "\t" }
      guard let first = words.first, !first.hasPrefix("#") else { continue }
      switch Self.parse(words, number: index + 1) {
      case .success(.some(let parsed)): lines.append(parsed)
      case .success(.none): continue
      case .failure(let flaw):
        throw GitError(
          .configuration, "credentials.knownHosts",
          "\(printable(name)):\(index + 1): \(flaw.text)")
      }
    }
    self.lines = lines
  }

  /// Judges the raw key that the server showed. `host` is `name`, or `[name]:port` off port 22.
  func verdict(host: String, key: [UInt8]) -> Verdict {
    let ours = lines.filter { Self.matches($0.hosts, host) }
    if let line = ours.first(where: { $0.isRevoked && $0.key == key }) {
      return .revoked(line: line.number)
    }
    let pins = ours.filter { !$0.isRevoked }
    if pins.contains(where: { $0.key == key }) { return .pinned }
    guard !pins.isEmpty else { return .unknownHost }
    let sameType = pins.filter { $0.type == SSHWire.keyType(key) }
    guard sameType.isEmpty else { return .differs(pinned: sameType.map(\.key)) }
    return .otherTypes(Array(Set(pins.map(\.type))).sorted())
  }

  private struct Flaw: Error {
    let text: String
  }

  /// nil for `@cert-authority`, which pins no key (libssh2 knows no host certificates).
  private static func parse(_ line: [Substring], number: Int) -> Result<Line?, Flaw> {
    var words = line[...]
    var isRevoked = false
    if let marker = words.first, marker.hasPrefix("@") {
      words = words.dropFirst()
      switch marker {
      case "@revoked": isRevoked = true
      case "@cert-authority": return .success(nil)
      default: return .failure(Flaw(text: "unknown marker '\(printable(marker))'"))
      }
    }
    guard words.count >= 3 else {
      return .failure(Flaw(text: "expected 'host type key' (as ssh-keyscan prints it)"))
    }
    let fields = Array(words)
    let type = String(fields[1])
    guard let key = Base64.decode(fields[2].utf8), SSHWire.keyType(key) == type else {
      return .failure(Flaw(text: "the key is damaged, or is not of the type before it"))
    }
    guard isWhole(key, type: type) else {
      return .failure(Flaw(text: "the key has bytes missing or left over"))
    }
    // A lost line break hides the next host's key in this line's comment.
    if fields.dropFirst(3).contains(where: isKeyMaterial) {
      return .failure(Flaw(text: "a second key follows the first; one key a line"))
    }
    let hosts = fields[0].split(separator: ",")
    for host in hosts where host.hasPrefix("|") && hashed(host) == nil {
      return .failure(Flaw(text: "the hashed host name is damaged"))
    }
    return .success(
      Line(number: number, isRevoked: isRevoked, hosts: hosts, type: type, key: key))
  }

  /// Whether the blob is exactly the fields that its type has.
  private static func isWhole(_ key: [UInt8], type: String) -> Bool {
    var wire = SSHWire(key)
    var fields: [ArraySlice<UInt8>] = []
    while !wire.isAtEnd {
      guard let field = wire.string() else { return false }
      fields.append(field)
    }
    switch type {
    case "ssh-ed25519": return fields.count == 2 && fields[1].count == 32
    case "ssh-rsa": return fields.count == 3
    case _ where type.hasPrefix("ecdsa-sha2-"): return fields.count == 3
    default: return fields.count >= 2
    }
  }

  private static func isKeyMaterial(_ word: Substring) -> Bool {
    word.hasPrefix("AAAA") || word.hasPrefix("ssh-") || word.hasPrefix("ecdsa-sha2-")
      || word.hasPrefix("sk-") || word.hasPrefix("|1|")
  }

  private static func matches(_ patterns: [Substring], _ host: String) -> Bool {
    var found = false
    for pattern in patterns {
      if pattern.hasPrefix("|"), let (salt, hash) = hashed(pattern) {
        found = found || Digest.hmacSHA1(key: salt, Array(host.utf8)) == hash
      } else if pattern.hasPrefix("!") {
        if glob(pattern.dropFirst().lowercased()[...], host[...]) { return false }
      } else {
        found = found || glob(pattern.lowercased()[...], host[...])
      }
    }
    return found
  }

  /// Salt and hash of `|1|salt|hash`.
  private static func hashed(_ word: Substring) -> ([UInt8], [UInt8])? {
    let parts = word.split(separator: "|", omittingEmptySubsequences: false)
    guard parts.count == 4, parts[0].isEmpty, parts[1] == "1",
      let salt = Base64.decode(parts[2].utf8), let hash = Base64.decode(parts[3].utf8),
      salt.count == 20, hash.count == 20
    else { return nil }
    return (salt, hash)
  }

  /// `*` and `?`, iteratively: the last star alone needs to be tried again.
  private static func glob(_ pattern: Substring, _ text: Substring) -> Bool {
    let (pattern, text) = (Array(pattern.utf8), Array(text.utf8))
    var (p, t, star, mark) = (0, 0, -1, 0)
    while t < text.count {
      if p < pattern.count, pattern[p] == UInt8(ascii: "*") {
        (star, mark) = (p, t)
        p += 1
      } else if p < pattern.count, pattern[p] == UInt8(ascii: "?") || pattern[p] == text[t] {
        (p, t) = (p + 1, t + 1)
      } else if star >= 0 {
        mark += 1
        (p, t) = (star + 1, mark)
      } else {
        return false
      }
    }
    return pattern[p...].allSatisfy { $0 == UInt8(ascii: "*") }
  }
}
