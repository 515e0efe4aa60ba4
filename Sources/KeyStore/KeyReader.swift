import Descriptors
import Glibc
public import OnionModel

/// Where a secret key is to be read from. Never an argument: those are seen by everybody.
public enum KeyInput: Hashable, Sendable, CustomStringConvertible {
  /// A file or a folder.
  case path(String)
  case standardInput

  public var description: String {
    switch self {
    case .path(let path): FileName(path).description
    case .standardInput: "standard input"
    }
  }
}

/// Reads secret keys from where people have them: a tor directory, mkp224o's output, a key file, `ED25519-V3:`, YAML,
/// base64, an age file of any of these, an export's archive. Sources are opened by descriptor, without a link at the end,
/// and left as they are, access times included.
public actor KeyReader {
  private let identity: String?
  private let age: Age

  private let executor = QueueExecutor(label: "onionkeeper.keyreader")
  public nonisolated var unownedExecutor: UnownedSerialExecutor {
    executor.asUnownedSerialExecutor()
  }

  /// - Parameter identity: The path of an age identity file, for sealed sources.
  public init(identity: String? = nil) {
    self.identity = identity
    age = Age()
  }

  /// Reads one key.
  /// - Parameter address: Chooses one where the source holds several; any other is refused.
  /// - Throws: `key.unusable` with the reason; `key.mismatch`; `key.sealed`; `age.missing`.
  /// - Returns: A bundle of one.
  public func read(
    _ input: KeyInput, choosing address: OnionAddress? = nil
  ) async throws(KeyStoreError) -> KeyBundle {
    let keys: KeyBundle
    switch try source(input, { try KeyFolders($0).one(address) }) {
    case .keys(let found): keys = found
    case .content(let content, let warnings):
      keys = try await bundle(content, input).warning(warnings)
    }
    return try keys.one(address, in: input)
  }

  /// Reads every key of an export, each with its place: an archive, or the folder that it was extracted to.
  /// - Throws: as `read`; `key.unusable` too for a key that lies at no `INSTANCE/NAME/`.
  public func readAll(_ input: KeyInput) async throws(KeyStoreError) -> KeyBundle {
    let keys: KeyBundle
    switch try source(input, { try KeyFolders($0).all() }) {
    case .keys(let found): keys = found
    case .content(let content, let warnings):
      keys = try await bundle(content, input).warning(warnings)
    }
    if let lost = keys.entries.first(where: { $0.place == nil }) {
      throw unusable(
        lost.origin,
        "is not at INSTANCE/NAME/\(KeyFiles.secretKey), as `keys export --all` writes it")
    }
    return keys
  }

  private enum Source {
    case keys(KeyBundle)
    case content(Secret, warnings: [String])
  }

  private func bundle(_ content: Secret, _ input: KeyInput) async throws(KeyStoreError) -> KeyBundle
  {
    guard content.withBytes(Age.isSealed) else {
      return try converting("read") { try KeyForm.read(content, origin: "\(input)") }
    }
    guard let identity else {
      throw KeyStoreError(
        .keySealed, "read",
        "\(input) is sealed by age: name the identity that opens it (--identity FILE, or ageIdentity in the host file)"
      )
    }
    let plain = try await age.open(
      content.withBytes { Array($0) }, identity: identity, limit: Age.limit, name: "\(input)")
    return try converting("read") { try KeyForm.read(plain, origin: "\(input)") }
  }

  // MARK: - Opening

  /// - Parameter folders: Reads a folder.
  private func source(
    _ input: KeyInput, _ folders: (consuming Descriptor) throws -> KeyBundle
  ) throws(KeyStoreError) -> Source {
    try converting("read") {
      guard case .path(let path) = input else { return try standardInput() }
      let object = try Self.open(path)
      let status = try object.status()
      switch status.kind {
      case .folder: return .keys(try folders(object))
      case .file:
        return .content(try content(of: object), warnings: Self.warnings(status))
      default:
        throw unusable("\(input)", "is \(status.kind.rawValue): give it by standard input (-)")
      }
    }
  }

  /// The last component is not followed if it is a link: whoever made it would choose the key.
  private static func open(_ path: String) throws -> Descriptor {
    let absolute = path.hasPrefix("/") ? path : try workingDirectory() + "/" + path
    let parts = absolute.split(separator: "/")
    guard let last = parts.last, last != ".", last != ".." else {
      return try Descriptor.folder(at: absolute)
    }
    let parent = try Descriptor.folder(at: "/" + parts.dropLast().joined(separator: "/"))
    do {
      return try parent.file(FileName(String(last)), .peeking, .crossingMounts)
    } catch {
      guard error.number == ELOOP else { throw error }
      throw unusable(
        error.path, "is a symbolic link: name what it points to, or use standard input (-)")
    }
  }

  private static func workingDirectory() throws(FileError) -> String {
    guard let pointer = getcwd(nil, 0) else { throw FileError(errno, "look up", ".") }
    defer { free(pointer) }
    return String(cString: pointer)
  }

  private func content(of file: borrowing Descriptor) throws -> Secret {
    var offset = 0
    let secret = try Secret.collect(limit: Age.limit) { buffer throws(FileError) in
      let count = try file.read(into: buffer, at: offset)
      offset += count
      return count
    }
    guard let secret else { throw unusable(file.path, "is longer than \(Age.limit >> 20) MiB") }
    return secret
  }

  private func standardInput() throws -> Source {
    guard isatty(STDIN_FILENO) == 0 else {
      throw unusable(
        "standard input",
        "is a terminal, which would show the key: pipe it in (`… | onionkeeper keys import NAME -`)"
      )
    }
    let secret = try Secret.collect(limit: Age.limit) { buffer throws(FileError) in
      while true {
        let count = Glibc.read(STDIN_FILENO, buffer.baseAddress, buffer.count)
        if count < 0, errno == EINTR { continue }
        guard count >= 0 else { throw FileError(errno, "read", "standard input") }
        return count
      }
    }
    guard let secret else {
      throw unusable("standard input", "is longer than \(Age.limit >> 20) MiB")
    }
    return .content(secret, warnings: [])
  }

  /// Whoever can read it has the service.
  static func warnings(_ status: FileStatus) -> [String] {
    guard status.mode & 0o044 != 0 else { return [] }
    return [
      "others can read the key's file (mode \(octal(status.mode))): remove it once the key is here"
    ]
  }
}

extension KeyBundle {
  fileprivate func warning(_ warnings: [String]) throws(KeyStoreError) -> KeyBundle {
    try converting("read") { try mapping { $0.warnings += warnings } }
  }

  fileprivate func one(_ address: OnionAddress?, in input: KeyInput) throws(KeyStoreError)
    -> KeyBundle
  {
    let chosen = entries.indices.filter { address == nil || entries[$0].address == address }
    if chosen.count == 1, entries.count == 1 { return self }
    if let index = chosen.first, address != nil {
      return try converting("read") { try only(index) }
    }
    let shown = entries.prefix(Self.shown).map { "\($0.address)" }.joined(separator: ", ")
    let more = entries.count > Self.shown ? " and \(entries.count - Self.shown) more" : ""
    guard address == nil else {
      throw KeyStoreError(
        .keyMismatch, "read", "\(input) makes \(shown)\(more), not \(address.map(\.text) ?? "")")
    }
    throw unusable(
      "\(input)", "holds \(entries.count) keys: choose one with --address (\(shown)\(more))")
  }

  private static let shown = 20
}
