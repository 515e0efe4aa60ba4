import Descriptors
import Glibc
import OnionModel

/// Tor directories in a folder that is not ours: one, mkp224o's `ADDRESS.onion/` each, or an extracted export.
struct KeyFolders: ~Copyable {
  private let folder: Descriptor

  /// What is looked at in a folder; mkp224o finds short names by the thousand.
  private static let nameLimit = 100_000
  /// `hostname` is 63 bytes and a public key 64; what is longer says something else.
  private static let publicLimit = 256
  private static let shown = 20

  init(_ folder: consuming Descriptor) { self.folder = folder }

  /// The key of the folder itself, or of the one folder in it that has one.
  /// - Parameter address: Chooses among several.
  func one(_ address: OnionAddress?) throws -> KeyBundle {
    var collector = try KeyCollector()
    if try add(folder, into: &collector) { return collector.bundle() }
    let names = try inner(folder)
    let chosen = names.filter { name in
      address.map { name == FileName($0.text) || name == FileName($0.identifier) } ?? true
    }
    // One that is named otherwise is chosen by its key.
    let candidates = chosen.isEmpty ? names : chosen
    guard address != nil || candidates.count <= 1 else { throw ambiguous(candidates) }
    for name in candidates.prefix(KeyCollector.limit) {
      _ = try add(try child(name, of: folder), into: &collector)
    }
    guard !collector.isEmpty else { throw unusable(folder.path, try nothingHere()) }
    return collector.bundle()
  }

  /// Each `INSTANCE/NAME/`.
  func all() throws -> KeyBundle {
    var collector = try KeyCollector()
    for instance in try subfolders(folder) {
      guard let instanceName = instance.text.flatMap({ InstanceName($0) }) else { continue }
      let middle = try child(instance, of: folder)
      for name in try inner(middle) {
        guard let service = name.text.flatMap({ ServiceName($0) }) else {
          throw unusable(middle.joined(name), "is not named like a service")
        }
        let place = KeyPlace(instance: instanceName, service: service)
        _ = try add(try child(name, of: middle), place: place, into: &collector)
      }
    }
    guard !collector.isEmpty else {
      throw unusable(folder.path, "holds no INSTANCE/NAME/\(KeyFiles.secretKey)")
    }
    return collector.bundle()
  }

  // MARK: - One tor directory

  /// - Returns: False if it has no secret key.
  private func add(
    _ folder: borrowing Descriptor, place: KeyPlace? = nil, into collector: inout KeyCollector
  ) throws -> Bool {
    guard let status = try folder.status(of: Inspection.secretName) else { return false }
    let path = folder.joined(Inspection.secretName)
    guard status.kind == .file else {
      throw unusable(path, "is \(status.kind.rawValue), not a file")
    }
    let file = try folder.file(Inspection.secretName, .peeking, .crossingMounts)
    let opened = try file.status()
    guard opened.kind == .file, opened.size == SecretKeyFile.count else {
      throw unusable(path, "is \(opened.size) bytes long instead of \(SecretKeyFile.count)")
    }
    let secret = try SecretBytes(count: SecretKeyFile.count)
    guard try file.read(into: secret.mutableBytes, at: 0) == SecretKeyFile.count else {
      throw unusable(path, "grew shorter while it was read")
    }
    let address = try collector.add(secret.bytes, origin: path, place: place)
    for warning in KeyReader.warnings(opened) { collector.warn(warning) }
    try compare(folder, address, into: &collector)
    return true
  }

  /// Tor itself refuses a public key that is another's, and rewrites `hostname`: the secret decides.
  private func compare(
    _ folder: borrowing Descriptor, _ address: OnionAddress, into collector: inout KeyCollector
  ) throws {
    for (name, wanted) in Inspection.publicFiles(address) {
      guard let status = try folder.status(of: name) else { continue }
      var isSame = false
      if status.kind == .file, status.size <= Self.publicLimit {
        let content = try folder.file(name, .peeking, .crossingMounts)
          .read(limit: Self.publicLimit)
        isSame =
          content == wanted
          || name == Inspection.hostname && OnionAddress(Self.line(content)) == address
      }
      if !isSame {
        collector.warn(
          "\(folder.joined(name)) is not that of the secret key, which makes \(address)")
      }
    }
  }

  private static func line(_ bytes: [UInt8]) -> String {
    String(decoding: bytes.prefix { !Base64.isSpace($0) }, as: UTF8.self)
  }

  // MARK: - Folders in it

  private func child(
    _ name: FileName, of folder: borrowing Descriptor
  ) throws(FileError) -> Descriptor {
    try folder.file(name, .peeking, .crossingMounts)
  }

  private func subfolders(_ folder: borrowing Descriptor) throws(FileError) -> [FileName] {
    var names: [FileName] = []
    for name in try folder.names(limit: Self.nameLimit)
    where try folder.status(of: name)?.kind == .folder { names.append(name) }
    return names.sorted()
  }

  /// Folders with a secret key.
  private func inner(_ folder: borrowing Descriptor) throws(FileError) -> [FileName] {
    var names: [FileName] = []
    for name in try subfolders(folder)
    where try child(name, of: folder).status(of: Inspection.secretName) != nil {
      names.append(name)
    }
    return names
  }

  private func ambiguous(_ names: [FileName]) -> KeyStoreError {
    let shown = names.prefix(Self.shown).map(\.description).joined(separator: ", ")
    let more = names.count > Self.shown ? " and \(names.count - Self.shown) more" : ""
    return unusable(
      folder.path, "holds \(names.count) key directories: name one of them (\(shown)\(more))")
  }

  private func nothingHere() throws(FileError) -> String {
    if try folder.status(of: "private_key") != nil {
      return "is the directory of a version 2 service (private_key), which no tor serves any more"
    }
    if try folder.status(of: Inspection.publicName) != nil {
      return "has a public key and no \(KeyFiles.secretKey)"
    }
    return "holds no \(KeyFiles.secretKey), nor does a folder in it"
  }
}
