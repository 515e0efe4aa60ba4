import Descriptors
import Glibc
import Testing

/// A folder as the strictest reading of fsync(2) has it: what was written to a file is on the disk when that file was
/// synchronised, a name when its folder was; one does not bring the other along. Real file systems promise more.
///
/// It follows the calls that `Faulting` noted, and makes what a cut at any point leaves.
final class DiskModel {
  final class Node {
    let kind: FileStatus.Kind
    var attributes: Attributes
    var bytes: [UInt8] = []
    var entries: [String: Node] = [:]
    // What is on the disk.
    var safeAttributes: Attributes
    var safeBytes: [UInt8] = []
    var safeEntries: [String: Node] = [:]

    init(_ kind: FileStatus.Kind, _ attributes: Attributes) {
      self.kind = kind
      self.attributes = attributes
      safeAttributes = attributes
    }

    func synchronize() {
      safeAttributes = attributes
      safeBytes = bytes
      safeEntries = entries
    }
  }

  struct Attributes: Equatable {
    var owner: Int
    var mode: Int
  }

  /// What is left after a cut.
  enum Cut: CaseIterable {
    /// Everything: the process was killed.
    case process
    /// The names, for their journal was written, and of the contents what was synchronised.
    case contents
    /// What was synchronised, name by name.
    case everything
  }

  struct Surprise: Error, CustomStringConvertible { var description: String }

  let path: String
  let root: Node

  /// What lies there now, all of it on the disk.
  init(reading path: String) throws {
    self.path = path
    root = try Self.read(try Descriptor.folder(at: path))
  }

  private static func read(_ object: borrowing Descriptor) throws -> Node {
    let status = try object.status()
    let node = Node(status.kind, Attributes(owner: status.owner, mode: status.mode))
    switch status.kind {
    case .folder:
      for name in try object.names(limit: 10_000) {
        node.entries[name.description] = try read(try object.file(name))
      }
    case .file: node.bytes = try object.read(limit: 1 << 20)
    default: throw Surprise(description: "\(object.path) is \(status.kind.rawValue)")
    }
    node.synchronize()
    return node
  }

  /// Follows one call that was made and succeeded.
  func follow(_ call: NotedCall) throws {
    switch call.name {
    case "create", "mkdir":
      let (folder, name) = try parent(call.path)
      let kind: FileStatus.Kind = call.name == "mkdir" ? .folder : .file
      folder.entries[name] = Node(
        kind, Attributes(owner: 0, mode: kind == .folder ? 0o700 : 0o600))
    case "write": try node(call.path).bytes += call.bytes
    case "truncate": try node(call.path).bytes = []
    case "chmod": try node(call.path).attributes.mode = Int(call.other, radix: 8) ?? -1
    case "chown": try node(call.path).attributes.owner = Int(call.other) ?? -1
    case "sync": try node(call.path).synchronize()
    case "rename":
      let (old, name) = try parent(call.path)
      let (new, newName) = try parent(call.other)
      guard let node = old.entries.removeValue(forKey: name) else {
        throw Surprise(description: "\(call.path) is not known")
      }
      new.entries[newName] = node
    case "unlink", "rmdir":
      let (folder, name) = try parent(call.path)
      guard folder.entries.removeValue(forKey: name) != nil else {
        throw Surprise(description: "\(call.path) is not known")
      }
    default: throw Surprise(description: "\(call.name) is not followed")
    }
  }

  private func node(_ path: String) throws -> Node {
    guard path.hasPrefix(self.path) else { throw Surprise(description: "\(path) is outside") }
    var node = root
    for name in path.dropFirst(self.path.count).split(separator: "/") {
      guard let next = node.entries[String(name)] else {
        throw Surprise(description: "\(path) is not known")
      }
      node = next
    }
    return node
  }

  private func parent(_ path: String) throws -> (Node, String) {
    let slash = try #require(path.lastIndex(of: "/"))
    return (try node(String(path[..<slash])), String(path[slash...].dropFirst()))
  }

  /// Makes what a cut leaves under a path where nothing is.
  /// - Returns: Folders that are there twice: moved, with the old name not yet gone from the disk.
  func make(_ cut: Cut, at path: String) throws -> Int {
    var seen: Set<ObjectIdentifier> = []
    var doubled = 0
    try make(root, cut, path, &seen, &doubled)
    return doubled
  }

  private func make(
    _ node: Node, _ cut: Cut, _ path: String, _ seen: inout Set<ObjectIdentifier>,
    _ doubled: inout Int
  ) throws {
    let isNew = seen.insert(ObjectIdentifier(node)).inserted
    if node.kind == .folder {
      if !isNew { doubled += 1 }
      try #require(mkdir(path, 0o700) == 0)
      for (name, inner) in cut == .everything ? node.safeEntries : node.entries {
        try make(inner, cut, "\(path)/\(name)", &seen, &doubled)
      }
    } else {
      let file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
      try #require(file >= 0)
      defer { close(file) }
      let bytes = cut == .process ? node.bytes : node.safeBytes
      try #require(write(file, bytes, bytes.count) == bytes.count)
    }
    let attributes = cut == .process ? node.attributes : node.safeAttributes
    let owner = uid_t(attributes.owner)
    try #require(chown(path, owner, owner) == 0 && chmod(path, mode_t(attributes.mode)) == 0)
  }

  /// The bytes of all secret keys below a folder of keys, links and pipes left out, by their owner's path.
  static func secrets(_ folder: KeyFolder) throws -> [String: [UInt8]] {
    var found: [String: [UInt8]] = [:]
    for name in ["shared/blog", "other/other", "shared/real"] {
      let path = name == "shared/real" ? name : "\(name)/hs_ed25519_secret_key"
      do {
        found[path] = try folder.descriptor().regularFile(FileName(path)).read(limit: 1000)
      } catch let error as FileError {
        guard [ENOENT, ELOOP, EINVAL].contains(error.number) else { throw error }
      }
    }
    return found
  }

  /// What a cut leaves, in words: equal for what is worth the same, whatever temporary files are called.
  func words(after cut: Cut) -> String { Self.words(root, cut) }

  private static func words(_ node: Node, _ cut: Cut) -> String {
    let attributes = cut == .process ? node.attributes : node.safeAttributes
    let head = "\(node.kind) \(attributes.owner) \(attributes.mode)"
    guard node.kind == .folder else {
      return "\(head) \(cut == .process ? node.bytes : node.safeBytes)"
    }
    let entries = (cut == .everything ? node.safeEntries : node.entries).map { name, inner in
      (name.hasPrefix(Descriptor.temporaryPrefix) ? "new" : name) + " " + words(inner, cut)
    }
    return "\(head) {\(entries.sorted().joined(separator: "; "))}"
  }

  /// Whether the disk is what was followed: no call was overlooked.
  func agrees(with path: String) throws -> Bool {
    Self.isSame(root, try Self.read(try Descriptor.folder(at: path)))
  }

  private static func isSame(_ left: Node, _ right: Node) -> Bool {
    left.kind == right.kind && left.attributes == right.attributes && left.bytes == right.bytes
      && left.entries.keys == right.entries.keys
      && left.entries.allSatisfy { name, node in
        right.entries[name].map { isSame(node, $0) } ?? false
      }
  }
}

/// A line of `Faulting`'s log.
struct NotedCall {
  var isChange: Bool
  var name: String
  /// As the kernel gave it: negative where it failed.
  var result: Int
  var path: String
  var other: String

  init?(_ line: Substring) {
    let fields = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
    // A call that was cut short has no result.
    guard fields.count == 6, let result = Int(fields[3]) else { return nil }
    isChange = fields[1] == "1"
    name = fields[2]
    self.result = result
    path = fields[4]
    other = fields[5]
  }

  var bytes: [UInt8] { KeyStoreTests.bytes(other) }
}
