/// OpenSSH's detached signature (PROTOCOL.sshsig), taken apart as far as a refusal must name it.
/// Whether it is good is for `ssh-keygen` to say.
struct SSHSignature: Sendable, Equatable {
  let publicKey: [UInt8]
  let keyType: String
  let namespace: String
  let hashAlgorithm: String

  /// The key's `SHA256:…`, as `ssh-keygen -l` prints it.
  var fingerprint: String { Digest.fingerprint(ofKey: publicKey) }

  private static let begin = "-----BEGIN SSH SIGNATURE-----"
  private static let end = "-----END SSH SIGNATURE-----"
  /// 16 KiB: the largest, of a 16384-bit RSA key, is about 5 KiB.
  private static let limit = 16 << 10

  /// nil if the block is not exactly one well-formed signature.
  init?(armor: String) {
    guard armor.utf8.count <= Self.limit else { return nil }
    let lines = armor.split(whereSeparator: \.isNewline)
    guard lines.count >= 3, lines.first.map(String.init) == Self.begin,
      lines.last.map(String.init) == Self.end,
      let blob = Base64.decode(lines.dropFirst().dropLast().joined().utf8)
    else { return nil }
    self.init(blob: blob)
  }

  init?(blob: [UInt8]) {
    var wire = SSHWire(blob)
    guard let magic = wire.bytes(6), magic.elementsEqual("SSHSIG".utf8), wire.number() == 1,
      let publicKey = wire.string(), let keyType = SSHWire.keyType(publicKey),
      let namespace = wire.string(), wire.string() != nil,
      let hashAlgorithm = wire.string(), wire.string() != nil, wire.isAtEnd
    else { return nil }
    self.publicKey = Array(publicKey)
    self.keyType = keyType
    self.namespace = String(decoding: namespace, as: UTF8.self)
    self.hashAlgorithm = String(decoding: hashAlgorithm, as: UTF8.self)
  }
}
