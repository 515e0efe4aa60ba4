import Descriptors
import Dispatch
import Glibc
import OnionModel
import Subprocess
import SystemPackage

/// The host's `age`, which seals and opens: so what is sealed here can be opened by hand anywhere.
///
/// Plaintext goes to and from it through a socket pair and lies in `Secret` alone; never on a disk, in an argument or in
/// an error.
struct Age: Sendable {
  static let standardPath = "/usr/local/bin:/usr/bin:/bin"

  var path = Self.standardPath
  /// It takes some 20 ms; a plugin that asks for a touch has time enough.
  var patience = Duration.seconds(30)

  /// 2000 keys in a tar archive are 8 MiB.
  static let limit = 64 << 20
  /// Its own words, of which one line is used.
  private static let wordsLimit = 64 << 10
  /// A stanza of 200 bytes each.
  private static let recipientLimit = 100

  private static let binaryStart = Array("age-encryption.org/v1".utf8)
  private static let armorStart = Array("-----BEGIN AGE ENCRYPTED FILE-----".utf8)

  /// Whether it begins as age's files do, binary or armored.
  static func isSealed(_ bytes: UnsafeRawBufferPointer) -> Bool {
    bytes.starts(with: binaryStart) || bytes.starts(with: armorStart)
  }

  /// - Parameters:
  ///   - identity: A path; only `age` reads it.
  ///   - limit: Of the plaintext.
  ///   - name: What is opened, for errors.
  func open(
    _ sealed: [UInt8], identity: String, limit: Int, name: String
  ) async throws(KeyStoreError) -> Secret {
    guard sealed.withUnsafeBytes(Self.isSealed) else {
      throw KeyStoreError(.keySealed, "open", "\(name) is no age file")
    }
    let input = try StandardInput(sealed)
    let channel = try Channel()
    let (theirs, path) = (channel.theirs, path)
    async let received = channel.receive(limit: limit)
    let ended = await bounded("open") {
      await Self.run { () async throws -> Ended in
        let record = try await Subprocess.run(
          .name("age"), arguments: ["--decrypt", "--identity", identity],
          environment: Self.environment(path), platformOptions: Self.options,
          input: .fileDescriptor(
            FileDescriptor(rawValue: input.file.number), closeAfterSpawningProcess: false),
          output: .fileDescriptor(
            FileDescriptor(rawValue: theirs), closeAfterSpawningProcess: true),
          error: .string(limit: Self.wordsLimit))
        return Ended(
          isSuccess: record.terminationStatus.isSuccess, words: record.standardError, output: [])
      }
    }
    channel.end()
    let plain = await received
    let result = try ended.get()
    guard result.isSuccess else {
      guard plain.isWithinLimit else { throw tooLong(name, limit) }
      throw KeyStoreError(.keySealed, "open", Self.refusal(result.words, name, identity))
    }
    guard plain.isWithinLimit else { throw tooLong(name, limit) }
    guard let secret = plain.secret else {
      throw KeyStoreError(.io, "open", "what age opened of \(name) could not be read")
    }
    return secret
  }

  private func tooLong(_ name: String, _ limit: Int) -> KeyStoreError {
    KeyStoreError(.keyUnusable, "open", "\(name) holds more than \(limit >> 10) KiB")
  }

  /// Seals to recipients; armored.
  func seal(
    _ secret: Secret, recipients: [String]
  ) async throws(KeyStoreError) -> [UInt8] {
    try Self.check(recipients)
    let channel = try Channel()
    let (theirs, path) = (channel.theirs, path)
    async let sent: Void = channel.send(secret)
    let limit = secret.count * 2 + Self.wordsLimit
    let ended = await bounded("seal") {
      await Self.run { () async throws -> Ended in
        let record = try await Subprocess.run(
          .name("age"),
          arguments: Arguments(
            ["--encrypt", "--armor"] + recipients.flatMap { ["--recipient", $0] }),
          environment: Self.environment(path), platformOptions: Self.options,
          input: .fileDescriptor(
            FileDescriptor(rawValue: theirs), closeAfterSpawningProcess: true),
          output: .bytes(limit: limit), error: .string(limit: Self.wordsLimit))
        return Ended(
          isSuccess: record.terminationStatus.isSuccess, words: record.standardError,
          output: record.standardOutput)
      }
    }
    channel.end()
    await sent
    let result = try ended.get()
    guard result.isSuccess, result.output.withUnsafeBytes(Self.isSealed) else {
      // It has said nothing but what is wrong with a recipient, which is public.
      throw KeyStoreError(.keySealed, "seal", "age refuses: \(Self.firstLine(result.words))")
    }
    return result.output
  }

  /// - Throws: `key.sealed` for what is no native or plugin recipient of age: `age1…`.
  static func check(_ recipients: [String]) throws(KeyStoreError) {
    guard !recipients.isEmpty else {
      throw KeyStoreError(.keySealed, "seal", "no recipient is named (age1…)")
    }
    guard recipients.count <= recipientLimit else {
      throw KeyStoreError(.keySealed, "seal", "more than \(recipientLimit) recipients")
    }
    for recipient in recipients {
      let isPlain = recipient.utf8.allSatisfy {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0)
          || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
      }
      guard recipient.hasPrefix("age1"), isPlain else {
        if recipient.uppercased().hasPrefix("AGE-SECRET-KEY") || recipient.contains("PLUGIN") {
          throw KeyStoreError(
            .keySealed, "seal",
            "an identity was given where a recipient (age1…) belongs: it is a secret")
        }
        throw KeyStoreError(
          .keySealed, "seal", "\(FileName(String(recipient.prefix(80)))) is no recipient (age1…)")
      }
    }
  }

  // MARK: - The process

  private struct Ended: Sendable {
    var isSuccess: Bool
    var words: String
    var output: [UInt8]
  }

  private static func environment(_ path: String) -> Environment {
    .custom(["PATH": path, "LC_ALL": "C", "HOME": "/root"])
  }

  /// A session of its own: it finds no terminal to ask at, and its plugins end with it.
  private static var options: PlatformOptions {
    var options = PlatformOptions()
    options.createSession = true
    options.teardownSequence = [
      .gracefulShutDown(toProcessGroup: true, allowedDurationToNextStep: .seconds(1))
    ]
    return options
  }

  /// The body, or an error of ours if it takes too long; ended with the task.
  private func bounded(
    _ operation: String, _ body: @escaping @Sendable () async -> Result<Ended, KeyStoreError>
  ) async -> Result<Ended, KeyStoreError> {
    let patience = patience
    let cancelled = KeyStoreError(.cancelled, operation, "the agent was told to stop")
    return await withTaskGroup { group in
      group.addTask { await body() }
      group.addTask {
        // Cancelled as soon as the other is done; then its value is not looked at.
        do { try await Task.sleep(for: patience) } catch { return .failure(cancelled) }
        return .failure(KeyStoreError(.timeout, operation, "age took more than \(patience)"))
      }
      let first = await group.next()
      group.cancelAll()
      return Task.isCancelled ? .failure(cancelled) : first ?? .failure(cancelled)
    }
  }

  private static func run(
    _ body: () async throws -> Ended
  ) async -> Result<Ended, KeyStoreError> {
    do {
      return .success(try await body())
    } catch {
      return .failure(failure(error))
    }
  }

  private static func failure(_ error: any Error) -> KeyStoreError {
    guard let error = error as? SubprocessError else {
      return KeyStoreError(.io, "run age", "it could not be run")
    }
    if error.code == .executableNotFound {
      return KeyStoreError(
        .ageMissing, "run age",
        "age is not installed: `apt install age`, `dnf install age`")
    }
    return KeyStoreError(.io, "run age", "it could not be run: \(FileName(error.description))")
  }

  // MARK: - Its words

  /// Its word for why it does not open something, in ours: of its own text nothing is passed on.
  private static func refusal(_ words: String, _ name: String, _ identity: String) -> String {
    let file = FileName(identity)
    if words.contains("no identity matched") { return "the identity \(file) does not open \(name)" }
    if words.contains("no such file") { return "the identity file \(file) is not there" }
    if words.contains("passphrase") {
      return
        "\(name), or the identity \(file), is protected by a passphrase: nobody is there to type it"
    }
    if words.contains("permission denied") { return "age may not read the identity \(file)" }
    if words.contains("reading \"") { return "\(file) is no file of age identities" }
    if words.contains("header") || words.contains("armor") || words.contains("EOF")
      || words.contains("decrypt")
    {
      return "\(name) is damaged or cut off"
    }
    return "age does not open \(name): `age --decrypt --identity \(file)` says why"
  }

  private static func firstLine(_ words: String) -> String {
    let line = words.split(whereSeparator: \.isNewline).first.map(String.init) ?? "no reason given"
    let text = line.hasPrefix("age: error: ") ? String(line.dropFirst(12)) : line
    return FileName(String(text.prefix(200))).description
  }
}

/// What a program reads, as a file without a name. Not an array: swift-subprocess 1.0.2 ends this process where a
/// program ends before it has read all of one ("FileDescriptor was not closed").
private final class StandardInput: Sendable {
  let file: Descriptor

  init(_ bytes: [UInt8]) throws(KeyStoreError) {
    do throws(FileError) {
      file = try Descriptor.memory(holding: bytes)
    } catch {
      throw KeyStoreError(error, "run age")
    }
  }
}

/// A socket pair: one end is ours, the other a program's standard input or output.
///
/// No pipe, for writing into a pipe that nobody reads ends the process with SIGPIPE.
private final class Channel: Sendable {
  private let ours: Descriptor
  /// Closed by whoever starts the program.
  let theirs: Int32
  private let queue = DispatchQueue(label: "onionkeeper.age")

  /// What came out.
  struct Received: Sendable {
    /// `nil` where it could not be read.
    var secret: Secret?
    var isWithinLimit = true
  }

  init() throws(KeyStoreError) {
    var ends: [Int32] = [0, 0]
    let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    guard socketpair(AF_UNIX, type, 0, &ends) == 0 else {
      throw KeyStoreError(FileError(errno, "make", "a socket pair"), "run age")
    }
    ours = Descriptor(adopting: ends[0], path: "age")
    theirs = ends[1]
  }

  /// Ends whatever reads or writes at our end; what has come is read first.
  func end() { shutdown(ours.number, Int32(SHUT_RDWR)) }

  func receive(limit: Int) async -> Received {
    await withCheckedContinuation { continuation in
      queue.async { continuation.resume(returning: self.received(limit)) }
    }
  }

  private func received(_ limit: Int) -> Received {
    do {
      let secret = try Secret.collect(limit: limit) { buffer throws(FileError) in
        while true {
          let count = Glibc.recv(ours.number, buffer.baseAddress, buffer.count, 0)
          if count < 0, errno == EINTR { continue }
          guard count >= 0 else { throw FileError(errno, "read", "age") }
          return count
        }
      }
      // Nobody reads on: it must not wait for us.
      if secret == nil { end() }
      return Received(secret: secret, isWithinLimit: secret != nil)
    } catch {
      end()
      return Received(secret: nil)
    }
  }

  func send(_ secret: Secret) async {
    await withCheckedContinuation { continuation in
      queue.async {
        secret.withBytes(self.sendAll)
        shutdown(self.ours.number, Int32(SHUT_WR))
        continuation.resume()
      }
    }
  }

  /// A program that reads no further says why by its end.
  private func sendAll(_ bytes: UnsafeRawBufferPointer) {
    var sent = 0
    while sent < bytes.count {
      let count = Glibc.send(
        ours.number, bytes.baseAddress?.advanced(by: sent), bytes.count - sent,
        Int32(MSG_NOSIGNAL))
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return }
      sent += count
    }
  }
}
