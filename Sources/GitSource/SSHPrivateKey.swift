/// A private key file, judged before it is given to libssh2, whose own message for a key that it
/// cannot use says nothing ("Failed to retrieve list of SSH authentication methods").
enum SSHPrivateKey {
  /// The file's text and its passphrase, for `git_credential_ssh_key_memory_new`.
  ///
  /// - Throws: `.configuration`: unsafe file, no key, an RSA or DSA key, a passphrase that is not known.
  static func read(
    _ path: String, passphraseFile: String?
  ) throws(GitError) -> (key: String, passphrase: String?) {
    let bytes = try GuardedFile.read(path, .secret, named: "credentials.sshKey")
    let text = String(decoding: bytes, as: UTF8.self)
    switch judge(text) {
    case .plain: return (text, nil)
    case .locked:
      guard let passphraseFile else {
        throw GitError(
          .configuration, "credentials.sshKey",
          "\(printable(path)) is protected by a passphrase: set credentials.passphraseFile, or keep it "
            + "unencrypted with mode 600 (ssh-keygen -p)")
      }
      return (text, try Token.read(passphraseFile, .passphrase))
    case .useless(let reason):
      throw GitError(.configuration, "credentials.sshKey", "\(printable(path)) \(reason)")
    }
  }

  enum Verdict: Equatable {
    case plain
    /// Its passphrase is needed.
    case locked
    /// Why, after its path.
    case useless(String)
  }

  static func judge(_ text: String) -> Verdict {
    let lines = text.split(whereSeparator: \.isNewline)
    guard let begin = lines.firstIndex(where: { $0.hasPrefix("-----BEGIN ") }),
      let end = lines.lastIndex(where: { $0.hasPrefix("-----END ") }), begin < end
    else { return .useless("is not a private key (make one with ssh-keygen -t ed25519)") }
    let kind = lines[begin].dropFirst("-----BEGIN ".count).prefix { $0 != "-" }
    let body = lines[(begin + 1)..<end].filter { !$0.contains(":") }.joined()
    switch kind {
    case "RSA PRIVATE KEY": return rsa
    case "DSA PRIVATE KEY": return dsa
    case "ENCRYPTED PRIVATE KEY": return .locked
    case "EC PRIVATE KEY":
      return lines.contains { $0.hasPrefix("Proc-Type:") } ? .locked : .plain
    case "PRIVATE KEY":
      guard let der = Base64.decode(body.utf8) else { return .useless("is not valid base64") }
      return der.firstRange(of: rsaObjectIdentifier) == nil ? .plain : rsa
    case "OPENSSH PRIVATE KEY":
      return Base64.decode(body.utf8).map(judge(openSSH:)) ?? .useless("is not valid base64")
    default:
      return .useless("holds '\(printable(kind))', not a private key (ssh-keygen -t ed25519)")
    }
  }

  /// `openssh-key-v1\0`, cipher, kdf, kdf options, number of keys, public key (PROTOCOL.key).
  private static func judge(openSSH blob: [UInt8]) -> Verdict {
    let magic = Array("openssh-key-v1\0".utf8)
    guard blob.starts(with: magic) else { return .useless("is not an OpenSSH private key") }
    var wire = SSHWire(blob[magic.count...])
    guard let cipher = wire.string(), wire.string() != nil, wire.string() != nil,
      wire.number() == 1, let publicKey = wire.string(), let type = SSHWire.keyType(publicKey)
    else { return .useless("is damaged") }
    switch type {
    case "ssh-rsa": return rsa
    case "ssh-dss": return dsa
    case _ where type.hasPrefix("sk-"):
      return .useless("needs a security key, which a service cannot touch")
    default: return cipher.elementsEqual("none".utf8) ? .plain : .locked
    }
  }

  private static let rsa = Verdict.useless(
    "is an RSA key: libssh2 1.10 signs with SHA-1 only, which servers refuse; "
      + "make an ed25519 key (ssh-keygen -t ed25519)")
  private static let dsa = Verdict.useless(
    "is a DSA key, which no server takes any more; use ed25519")
  /// 1.2.840.113549.1.1.1, as DER.
  private static let rsaObjectIdentifier: [UInt8] = [
    0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01,
  ]
}

/// A bounds-checked reader of ssh's wire format (RFC 4251 §5): each accessor returns nil once the
/// bytes do not suffice.
struct SSHWire {
  private var rest: ArraySlice<UInt8>

  init(_ bytes: ArraySlice<UInt8>) { rest = bytes }
  init(_ bytes: [UInt8]) { rest = bytes[...] }

  var isAtEnd: Bool { rest.isEmpty }

  mutating func bytes(_ count: Int) -> ArraySlice<UInt8>? {
    guard count <= rest.count else { return nil }
    defer { rest = rest.dropFirst(count) }
    return rest.prefix(count)
  }

  mutating func number() -> UInt32? {
    bytes(4).map { $0.reduce(0) { $0 << 8 | UInt32($1) } }
  }

  mutating func string() -> ArraySlice<UInt8>? {
    number().flatMap { bytes(Int($0)) }
  }

  /// The algorithm name that a public key begins with.
  static func keyType(_ blob: some Collection<UInt8>) -> String? {
    var wire = SSHWire(Array(blob))
    guard let name = wire.string(), !name.isEmpty, name.count <= 64,
      name.allSatisfy({ $0 > 0x20 && $0 < 0x7f })
    else { return nil }
    return String(decoding: name, as: UTF8.self)
  }
}
