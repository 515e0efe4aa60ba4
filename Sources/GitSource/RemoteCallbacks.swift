import CGit2

/// What libgit2 asks during a conversation: who are we, is that the right server, may it go on.
extension Transfer {
  /// Callbacks whose payload is this transfer. It must outlive the libgit2 call.
  func callbacks() throws(GitError) -> git_remote_callbacks {
    var callbacks = git_remote_callbacks()
    try Libgit2.check(
      git_remote_init_callbacks(&callbacks, UInt32(GIT_REMOTE_CALLBACKS_VERSION)), operation,
      "callbacks")
    callbacks.payload = Unmanaged.passUnretained(self).toOpaque()
    callbacks.credentials = { out, _, _, allowed, payload in
      guard let transfer = Transfer.from(payload), let out else { return GIT_EUSER.rawValue }
      return transfer.giveCredential(out, allowed)
    }
    callbacks.certificate_check = { certificate, valid, _, payload in
      guard let transfer = Transfer.from(payload), let certificate else {
        return GIT_EUSER.rawValue
      }
      return transfer.judge(certificate, isValid: valid == 1)
    }
    callbacks.transfer_progress = { progress, payload in
      guard let transfer = Transfer.from(payload), let progress else { return GIT_EUSER.rawValue }
      return transfer.judge(progress.pointee)
    }
    callbacks.sideband_progress = { _, _, payload in
      Transfer.from(payload)?.verdict ?? GIT_EUSER.rawValue
    }
    return callbacks
  }

  private static func from(_ payload: UnsafeMutableRawPointer?) -> Transfer? {
    payload.map { Unmanaged<Transfer>.fromOpaque($0).takeUnretainedValue() }
  }

  private var verdict: Int32 { failure == nil ? 0 : GIT_EUSER.rawValue }

  private func judge(_ progress: git_indexer_progress) -> Int32 {
    if progress.total_objects > limits.objects {
      abort(
        .limit,
        "\(address.place) sends \(progress.total_objects) objects; "
          + "the limit is \(limits.objects)")
    }
    checkBytes(progress.received_bytes)
    if ContinuousClock.now > deadline { abortPastDeadline() }
    return verdict
  }

  /// libgit2 asks for as long as it is answered, so the answers are counted.
  private func giveCredential(
    _ out: UnsafeMutablePointer<UnsafeMutablePointer<git_credential>?>, _ allowed: UInt32
  ) -> Int32 {
    func allows(_ kind: git_credential_t) -> Bool { allowed & kind.rawValue != 0 }
    let user = address.user ?? "git"
    // Without a user in the URL, ssh first asks for one; that is no attempt.
    if address.scheme == .ssh, allowed == GIT_CREDENTIAL_USERNAME.rawValue {
      return git_credential_username_new(out, user)
    }
    guard countCredentials() <= Self.attempts else { return refuse(.authentication, refused) }
    do throws(GitError) {
      switch credentials {
      case .none:
        return refuse(
          .authentication,
          "\(address.place) wants credentials, or the repository does not exist; "
            + "set credentials.tokenFile")
      case .token(let file, let user):
        guard allows(GIT_CREDENTIAL_USERPASS_PLAINTEXT) else { break }
        return git_credential_userpass_plaintext_new(out, user, try Token.read(file))
      case .sshKey(let file, _, let passphraseFile):
        guard allows(GIT_CREDENTIAL_SSH_MEMORY) else { break }
        let (key, passphrase) = try SSHPrivateKey.read(file, passphraseFile: passphraseFile)
        return git_credential_ssh_key_memory_new(out, user, nil, key, passphrase)
      }
      return refuse(.authentication, "\(address.place) does not take the kind of credential set")
    } catch {
      return refuse(error.code, "\(error.operation): \(error.message)")
    }
  }

  /// A proxy in between may lose the first answer; a third try is never better than the second.
  private static let attempts = 2

  /// Forges answer alike for what is not there and for what may not be seen.
  var refused: String {
    let which =
      switch credentials {
      case .none: "no credential is set"
      case .token(let file, _): "the token in \(printable(file)) is no longer valid"
      case .sshKey(let file, _, nil): "the key \(printable(file)) is not allowed to read it"
      case .sshKey(let file, _, let passphrase?):
        "the key \(printable(file)) is not allowed to read it, or its passphrase is not the one in "
          + printable(passphrase)
      }
    return "\(address.place): the repository was not found, or \(which)"
  }

  private func judge(_ certificate: UnsafeMutablePointer<git_cert>, isValid: Bool) -> Int32 {
    switch certificate.pointee.cert_type {
    case GIT_CERT_X509:
      if isValid { return 0 }
      return refuse(
        .certificate,
        "the certificate of \(address.place) does not verify (authority, name or date); "
          + "set caFile if it has an authority of its own")
    case GIT_CERT_HOSTKEY_LIBSSH2:
      // libgit2 documents: a certificate of this type is a git_cert_hostkey.
      let host = UnsafeMutableRawPointer(certificate)
        .assumingMemoryBound(to: git_cert_hostkey.self).pointee
      guard host.type.rawValue & GIT_CERT_SSH_RAW.rawValue != 0, let key = host.hostkey else {
        return refuse(.hostKey, "\(address.place) showed no key")
      }
      let raw = UnsafeRawBufferPointer(start: key, count: host.hostkey_len)
      return judge(hostKey: Array(raw))
    default:
      return refuse(.certificate, "\(address.place) showed a certificate of an unknown kind")
    }
  }

  private func judge(hostKey key: [UInt8]) -> Int32 {
    guard case .sshKey(_, let file, _) = credentials else {
      return refuse(.configuration, "no known_hosts file is set")
    }
    let known: KnownHosts
    do throws(GitError) { known = try KnownHosts(file: file) } catch {
      return refuse(error.code, error.message)
    }
    let name = address.knownHostsName
    let type = SSHWire.keyType(key) ?? "unknown"
    let shown = "\(type) \(Digest.fingerprint(ofKey: key))"
    let place = printable(file)
    switch known.verdict(host: name, key: key) {
    case .pinned: return 0
    case .unknownHost:
      return refuse(.hostKey, "no key of \(name) is pinned in \(place); it showed \(shown)")
    case .otherTypes(let types):
      return refuse(
        .hostKey,
        "\(name) showed \(shown), but no key of this type is pinned in \(place) "
          + "(there is \(types.joined(separator: ", "))); add the line of ssh-keyscan -t "
          + "\(Self.keyscanName(type)) after comparing it")
    case .differs(let pinned):
      let pins = pinned.map(Digest.fingerprint(ofKey:)).joined(separator: ", ")
      return refuse(
        .hostKey,
        "the key of \(name) is not the pinned one: it showed \(shown), \(place) pins \(pins); "
          + "somebody may be in between")
    case .revoked(let line):
      return refuse(.hostKey, "\(name) showed \(shown), which \(place):\(line) revokes")
    }
  }

  /// What `ssh-keyscan -t` calls the type: `ed25519`, `ecdsa`, `rsa`.
  private static func keyscanName(_ type: String) -> Substring {
    type.hasPrefix("ecdsa-") ? "ecdsa" : type.split(separator: "-").last ?? "ed25519"
  }

  private func refuse(_ code: GitError.Code, _ message: String) -> Int32 {
    abort(code, message)
    Libgit2.setLastError(message)
    return code == .hostKey || code == .certificate
      ? GIT_ECERTIFICATE.rawValue : GIT_EUSER.rawValue
  }
}

extension Transfer {
  /// Checks a libgit2 call of the conversation. What we ended ourselves says why; else libgit2's
  /// error is put into our words.
  func check(_ result: Int32, _ what: String) throws(GitError) {
    guard result < 0 else { return }
    let (kind, text) = Libgit2.lastError()
    if let failure { throw failure }
    throw meaning(result, kind, text, what)
  }

  private func meaning(
    _ code: Int32, _ kind: git_error_t, _ text: String, _ what: String
  ) -> GitError {
    func error(_ code: GitError.Code, _ message: String) -> GitError {
      GitError(code, operation, message)
    }
    let isRefusal =
      code == GIT_EAUTH.rawValue
      || ["status code: 401", "status code: 403", "status code: 404"].contains { text.contains($0) }
      || (kind == GIT_ERROR_SSH
        && (text.contains("uthenticat") || text.contains("not read from remote repository")
          || text.contains("Repository not found")))
    if isRefusal { return error(.authentication, refused) }
    if text.contains("redirect") { return error(.redirect, "\(address.place): \(text)") }
    if code == GIT_ECERTIFICATE.rawValue {
      return error(.certificate, "\(address.place): \(text)")
    }
    if text.contains("exceeds") || text.contains("too many objects") {
      return error(.limit, "\(address.place): \(text)")
    }
    switch kind {
    case GIT_ERROR_OS: return error(Libgit2.damage(code, kind, text), "\(what): \(text)")
    case GIT_ERROR_ODB, GIT_ERROR_REFERENCE, GIT_ERROR_REPOSITORY, GIT_ERROR_CONFIG,
      GIT_ERROR_OBJECT, GIT_ERROR_ZLIB:
      return error(.corruptMirror, "\(what): \(text)")
    default: return error(.unreachable, "\(address.place): \(what): \(text)")
    }
  }
}
