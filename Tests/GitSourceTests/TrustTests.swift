import Foundation
import GitSource
import Testing

/// Signatures made by the real `git commit-tree -S` with ssh keys.
@Suite struct TrustTests {
  @Test(arguments: ["ed25519", "ecdsa", "rsa"])
  func goodSignature(type: String) async throws {
    let setting = try await SignedRepository()
    try await run(
      "ssh-keygen", ["-q", "-t", type, "-N", "", "-f", setting.key("bob")])
    let commit = try await setting.commit(by: "bob")
    let policy = try setting.signers(
      "# people", "mallory@x \(try setting.publicKey("mallory"))",
      #"bob@example.org namespaces="git" \#(try setting.publicKey("bob"))"#)
    let proof = try await setting.mirror.authenticate(commit, by: policy)
    #expect(
      proof
        == .signature(
          principal: "bob@example.org", fingerprint: try await setting.fingerprint("bob")))
  }

  /// ssh-keygen ends before it has read a commit whose signer is not allowed: more than a pipe holds stays unread.
  @Test func aLongCommitOfARefusedSigner() async throws {
    let setting = try await SignedRepository()
    let commit = try await setting.repository.commit(
      tree: setting.tree, String(repeating: "x", count: 100_000), options: ["-S"],
      configuration: ["gpg.format=ssh", "user.signingKey=" + setting.key("alice")])
    try await setting.mirror.fetch()
    let policy = try setting.signers(
      #"alice namespaces="file" \#(try setting.publicKey("alice"))"#)
    let error = await #expect(throws: GitError.self) {
      try await setting.mirror.authenticate(commit, by: policy)
    }
    #expect(error?.message.contains("may not sign commits") == true, "\(String(describing: error))")
  }

  @Test func refusals() async throws {
    let setting = try await SignedRepository()
    let alice = try setting.publicKey("alice")
    let print = try await setting.fingerprint("alice")
    let unsigned = try await setting.repository.commit(tree: setting.tree)
    try await setting.mirror.fetch()
    let policy = try setting.signers("alice \(alice)")
    var error = await refused(setting, unsigned, policy)
    #expect(error.message.contains("not signed"))

    let commit = try await setting.commit(by: "alice", date: "1700000000 +0000")
    let cases = [
      ("mallory \(try setting.publicKey("mallory"))", "not in"),
      (#"alice namespaces="file" \#(alice)"#, "may not sign commits"),
      (#"alice valid-before="20230101Z" \#(alice)"#, "no longer valid"),
      (#"alice valid-after="20240101Z" \#(alice)"#, "not yet valid"),
      ("", "not in"),
      ("alice broken", "not in"),
    ]
    for (line, says) in cases {
      error = await refused(setting, commit, try setting.signers(line))
      #expect(error.message.contains(says), "\(error)")
      #expect(error.message.contains(print), "\(error)")
    }
    // Valid at the committer date, whatever the clock says.
    let then = try setting.signers(
      #"alice valid-after="20231114Z",valid-before="20231116Z" \#(alice)"#)
    _ = try await setting.mirror.authenticate(commit, by: then)
  }

  @Test func tamperedAndForeignSignatures() async throws {
    let setting = try await SignedRepository()
    let policy = try setting.signers("alice \(try setting.publicKey("alice"))")
    let print = try await setting.fingerprint("alice")
    let good = try await setting.commit(by: "alice")
    let text = try await setting.repository.git("cat-file", "commit", good)

    // The same signature over another message.
    let tampered = try await setting.commit(
      raw: text.replacing("\n\nsigned", with: "\n\nanother") + "\n")
    var error = await refused(setting, tampered, policy)
    #expect(error.message.contains("does not fit"), "\(error)")
    #expect(error.message.contains(print))

    // A signature by the right key, for another purpose.
    let payload = try await unsignedText(text)
    let file = try setting.repository.folder.write("payload", payload)
    try await run(
      "ssh-keygen", ["-q", "-Y", "sign", "-n", "file", "-f", setting.key("alice"), file])
    let armor = try String(contentsOfFile: file + ".sig", encoding: .utf8)
    let foreign = try await setting.commit(raw: with(signature: armor, in: payload))
    error = await refused(setting, foreign, policy)
    #expect(error.message.contains("namespace 'file'"), "\(error)")
    #expect(error.message.contains(print))

    // Not ssh at all, and nonsense.
    let pgp = "-----BEGIN PGP SIGNATURE-----\n\nAAAA\n-----END PGP SIGNATURE-----\n"
    error = await refused(
      setting, try await setting.commit(raw: with(signature: pgp, in: payload)), policy)
    #expect(error.message.contains("OpenPGP, which is not supported yet"), "\(error)")
    for damaged in [
      "-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n",
      "-----BEGIN SSH SIGNATURE-----\nU1NIU0lHAAAAAf////8=\n-----END SSH SIGNATURE-----\n",
      "nonsense\n", armor + armor,
    ] {
      let commit = try await setting.commit(raw: with(signature: damaged, in: payload))
      error = await refused(setting, commit, policy)
      #expect(error.message.contains("damaged"), "\(error)")
    }
  }

  @Test func timesAreBounded() async throws {
    let setting = try await SignedRepository()
    let policy = try setting.signers("alice \(try setting.publicKey("alice"))")
    let commit = try await setting.commit(by: "alice", date: "1700000000 +0000")
    func authenticate(_ bounds: CommitTimeBounds) async throws -> Authentication {
      try await setting.mirror.authenticate(commit, by: policy, times: bounds)
    }
    _ = try await authenticate(CommitTimeBounds(notBefore: 1_700_000_000, now: 1_699_999_400))
    var error = await expectError(.early) {
      try await authenticate(CommitTimeBounds(now: 1_699_999_399))
    }
    #expect(error.message.contains("ahead"))
    error = await expectError(.untrusted) {
      try await authenticate(CommitTimeBounds(notBefore: 1_700_000_001, now: 1_700_000_000))
    }
    #expect(error.message.contains("anchor"))
  }

  @Test func transportNeedsAnAuthenticTransport() async throws {
    let repository = try await Repository()
    let commit = try await repository.commit(Repository.onions)
    #expect(try await repository.mirror().authenticate(commit, by: .transport) == .transport)
    let plain = repository.mirror {
      $0.url = "http://git.example/a"
      $0.allowPlainHTTP = true
    }
    await expectError(.configuration) { try await plain.authenticate(commit, by: .transport) }
  }

  @Test func signersFileIsCheckedAtEachUse() async throws {
    let setting = try await SignedRepository()
    let policy = try setting.signers("alice \(try setting.publicKey("alice"))")
    let commit = try await setting.commit(by: "alice")
    _ = try await setting.mirror.authenticate(commit, by: policy)
    try setting.repository.folder.write("signers", "", mode: 0o644)
    await expectError(.untrusted) { try await setting.mirror.authenticate(commit, by: policy) }
    try setting.repository.folder.write(
      "signers", "alice \(try setting.publicKey("alice"))\n", mode: 0o666)
    await expectError(.configuration) { try await setting.mirror.authenticate(commit, by: policy) }
    let missing = TrustPolicy.signers(file: setting.repository.folder.path + "/none")
    await expectError(.configuration) { try await setting.mirror.authenticate(commit, by: missing) }
  }

  private func refused(
    _ setting: SignedRepository, _ commit: String, _ policy: TrustPolicy,
    sourceLocation: SourceLocation = #_sourceLocation
  ) async -> GitError {
    let error = await expectError(.untrusted, sourceLocation: sourceLocation) {
      try await setting.mirror.authenticate(commit, by: policy)
    }
    #expect(error.message.contains(commit), "\(error)", sourceLocation: sourceLocation)
    return error
  }

  /// The commit without its signature: the bytes that were signed.
  private func unsignedText(_ text: String) async throws -> String {
    var lines: [Substring] = []
    var isInSignature = false
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      isInSignature = line.hasPrefix("gpgsig ") || (isInSignature && line.hasPrefix(" "))
      if !isInSignature { lines.append(line) }
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private func with(signature: String, in payload: String) throws -> String {
    let end = try #require(payload.firstRange(of: "\n\n"))
    let folded = signature.split(separator: "\n").joined(separator: "\n ")
    return payload[..<end.lowerBound] + "\ngpgsig " + folded + payload[end.lowerBound...]
  }
}
