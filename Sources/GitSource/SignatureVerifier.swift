import Descriptors
import FoundationEssentials
import Glibc
import Subprocess
import Synchronization
import SystemPackage

/// Who may sign: a text in `ssh-keygen`'s `allowed_signers` format.
struct SignersList: Sendable, Hashable {
  let text: [UInt8]
  /// What messages call it.
  let name: String

  init(text: [UInt8], name: String) {
    self.text = text
    self.name = name
  }

  /// The host's own file.
  ///
  /// - Throws: `.configuration` if it is not root's alone to write.
  init(file: String) throws(GitError) {
    text = try GuardedFile.read(file, .rootOwned, named: "repository.trust.signers")
    name = file
  }

  /// One key, whoever it is of, for signatures of commits.
  init(onlyKey key: [UInt8], name: String) {
    let type = SSHWire.keyType(key) ?? ""
    let line = "\(name) namespaces=\"git\" \(type) \(Base64.encode(key))\n"
    self.init(text: Array(line.utf8), name: name)
  }

  /// Whether there is any line but comments. What allows nobody would lock everybody out.
  var isEmpty: Bool {
    text.split(separator: UInt8(ascii: "\n")).allSatisfy { line in
      let first = line.first {
        $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: "\t") && $0 != UInt8(ascii: "\r")
      }
      return first == nil || first == UInt8(ascii: "#")
    }
  }
}

/// Lets the host's `ssh-keygen` judge signatures: its `allowed_signers` rules are the ones that
/// people test with, and an own reading of them would differ somewhere.
///
/// The signers are read once; `ssh-keygen` reads a copy in a private folder, so what was checked is
/// what decides.
struct SignatureVerifier {
  private let signers: SignersList

  /// 20 s: a verification takes 10 ms; a machine this late is stuck.
  private static let patience = Duration.seconds(20)
  /// Enough for a message; `ssh-keygen` prints one line for each bad line of the file.
  private static let outputLimit = 64 << 10

  init(_ signers: SignersList) { self.signers = signers }

  /// The principal in whose name the key signed.
  ///
  /// - Parameter time: when it was signed; the key must have been valid then.
  /// - Throws: `.untrusted` with the reason.
  func verify(
    _ signed: SignedCommit, _ signature: SSHSignature, at time: Int64
  ) async throws(GitError) -> String {
    guard let armor = signed.armor, let stamp = Self.stamp(time) else {
      throw signed.untrusted("its committer date is impossible (key \(signature.fingerprint))")
    }
    let folder = try PrivateFolder()
    let signersCopy = try folder.write("signers", signers.text)
    let signatureFile = try folder.write("signature", Array(armor.utf8))
    let payloadFile = try folder.write("payload", signed.payload)
    let common = ["-f", signersCopy, "-s", signatureFile, "-O", "verify-time=" + stamp]
    func refusal(_ output: Output) -> GitError {
      let said = output.errors.replacing(signersCopy, with: signers.name)
      return signed.untrusted("\(reason(said)) (key \(signature.fingerprint))")
    }

    let found = try await run(["-Y", "find-principals"] + common, input: "/dev/null")
    let principals = found.text.split(whereSeparator: \.isNewline).map(String.init)
    guard found.isSuccess, !principals.isEmpty else { throw refusal(found) }
    var last = found
    for principal in principals.prefix(Self.principalLimit) {
      last = try await run(
        ["-Y", "verify", "-n", "git", "-I", principal] + common, input: payloadFile)
      // The exit status decides; that the key is the one we name is checked against its word.
      if last.isSuccess, last.text.contains(signature.fingerprint) { return principal }
    }
    throw refusal(last)
  }

  /// One key stands for a handful of principals at most.
  private static let principalLimit = 16

  /// `ssh-keygen`'s own words, in ours.
  private func reason(_ said: String) -> String {
    let lines = said.split(whereSeparator: \.isNewline).map { printable($0) }
    if let line = lines.first(where: { $0.contains("key has expired") }) {
      return "its key was no longer valid when it was signed: \(line)"
    }
    if let line = lines.first(where: { $0.contains("key is not yet valid") }) {
      return "its key was not yet valid when it was signed: \(line)"
    }
    if let line = lines.first(where: { $0.contains("not permitted for use in signature namespace") }
    ) {
      return "its key may not sign commits: \(line)"
    }
    if lines.contains(where: { $0.contains("incorrect signature") }) {
      return "its signature does not fit its content"
    }
    if lines.contains(where: { $0.contains("No principal matched") }) {
      let hint = lines.first { !$0.contains("No principal matched") }.map { "; \($0)" } ?? ""
      return "its key is not in \(signers.name)\(hint)"
    }
    return "ssh-keygen refuses it: \(lines.first ?? "no reason given")"
  }

  // MARK: - ssh-keygen

  private struct Output {
    let isSuccess: Bool
    let text: String
    let errors: String
  }

  /// - Parameter input: a file. Not an array: swift-subprocess 1.0.2 ends this process where a program ends before it has
  ///   read all of one ("FileDescriptor was not closed"), and what a commit says decides when `ssh-keygen` ends.
  private func run(_ arguments: [String], input: String) async throws(GitError) -> Output {
    let result: Result<Output, GitError> = await withTaskGroup { group in
      group.addTask { await Self.sshKeygen(arguments, input) }
      group.addTask {
        // Cancelled as soon as the other is done; then its value is not looked at.
        do { try await Task.sleep(for: Self.patience) } catch {
          return .failure(GitError(.cancelled, "authenticate", "cancelled"))
        }
        return .failure(
          GitError(.timeout, "authenticate", "ssh-keygen took more than \(Self.patience)"))
      }
      let first = await group.next()
      group.cancelAll()
      return first ?? .failure(GitError(.cancelled, "authenticate", "cancelled"))
    }
    return try result.get()
  }

  private static func sshKeygen(
    _ arguments: [String], _ input: String
  ) async -> Result<Output, GitError> {
    do {
      let file = try FileDescriptor.open(input, .readOnly)
      let words = OwnContext.words("ssh-keygen", in: OwnContext.read()) + arguments
      let result = try await Subprocess.run(
        .name(words[0]), arguments: Arguments(Array(words.dropFirst())),
        environment: .custom(["PATH": "/usr/bin:/bin", "LC_ALL": "C"]),
        input: .fileDescriptor(file, closeAfterSpawningProcess: true),
        output: .string(limit: outputLimit),
        error: .string(limit: outputLimit))
      return .success(
        Output(
          isSuccess: result.terminationStatus.isSuccess, text: result.standardOutput,
          errors: result.standardError))
    } catch is CancellationError {
      return .failure(GitError(.cancelled, "authenticate", "cancelled"))
    } catch {
      return .failure(
        GitError(
          .configuration, "authenticate",
          "cannot run ssh-keygen (install openssh-client): \(printable("\(error)"))"))
    }
  }

  /// `YYYYMMDDHHMMSSZ`, as `-O verify-time=` wants UTC; nil outside of the years 1970 to 9999.
  static func stamp(_ time: Int64) -> String? {
    guard (0...253_402_300_799).contains(time) else { return nil }
    var seconds = time_t(time)
    var parts = tm()
    guard gmtime_r(&seconds, &parts) != nil else { return nil }
    let fields = [
      (parts.tm_year + 1900, 4), (parts.tm_mon + 1, 2), (parts.tm_mday, 2), (parts.tm_hour, 2),
      (parts.tm_min, 2), (parts.tm_sec, 2),
    ]
    return fields.map { value, width in
      let digits = String(value)
      return String(repeating: "0", count: width - digits.count) + digits
    }.joined() + "Z"
  }
}

/// A folder that only we can enter, removed with everything in it at the end of its scope.
private struct PrivateFolder: ~Copyable {
  private let path: String

  init() throws(GitError) {
    var template = Array("/tmp/onionkeeper-XXXXXX".utf8CString)
    // mkdtemp makes it with mode 0700.
    guard mkdtemp(&template) != nil else {
      throw GitError(.storage, "authenticate", "cannot make \(Self.kind): \(errorText(errno))")
    }
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  func write(_ name: String, _ bytes: [UInt8]) throws(GitError) -> String {
    let file = path + "/" + name
    let descriptor = open(file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else {
      throw GitError(.storage, "authenticate", "cannot write \(file): \(errorText(errno))")
    }
    defer { close(descriptor) }
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else {
        throw GitError(.storage, "authenticate", "cannot write \(file): \(errorText(errno))")
      }
      rest = rest.dropFirst(count)
    }
    return file
  }

  deinit {
    for name in ["signers", "signature", "payload"] { unlink(path + "/" + name) }
    rmdir(path)
  }

  private static let kind = "a private folder in /tmp"
}
