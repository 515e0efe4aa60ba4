import Descriptors
import Glibc
import OnionModel
import Testing

@testable import KeyStore

/// A key root of its own, set up, gone with all in it at the end.
final class KeyFolder: Sendable {
  let path: String
  let store: KeyRoot
  static let agent = valid(AgentID(String(repeating: "a1", count: 16)))
  static let owner = 7942
  /// A file system in memory, on every Linux machine.
  static let memory = "/dev/shm"

  /// - Parameter above: A folder on a real disk, or `memory` for many short lives.
  init(in above: String = "/tmp") throws {
    var random = SystemRandomNumberGenerator()
    path = "\(above)/onionkeeper-test-\(String(random.next(), radix: 16))"
    // Others may pass through it, so that a tor of uid 7942 reaches its own folder, as a mount makes possible.
    try #require(mkdir(path, 0o711) == 0)
    try KeyRoot.setUp(path, id: Self.agent)
    store = KeyRoot(path: path, id: Self.agent)
  }

  deinit { removeTree(path) }

  func descriptor(_ inner: String = ".") throws -> Descriptor {
    try Descriptor.folder(at: path).folder(FileName(inner))
  }

  func bytes(_ inner: String) throws -> [UInt8] {
    try Descriptor.folder(at: path).file(FileName(inner)).read(limit: 1 << 20)
  }

  func names(_ inner: String) throws -> Set<String> {
    Set(try descriptor(inner).names(limit: 10_000).map(\.description))
  }

  func write(_ inner: String, _ bytes: [UInt8], owner: Int = KeyFolder.owner) throws {
    let parts = inner.split(separator: "/")
    let above = parts.dropLast().joined(separator: "/")
    let folder = try descriptor(above.isEmpty ? "." : above)
    try folder.write(bytes, to: FileName(String(parts.last ?? "")), FileAttributes(owner: owner))
  }

  func observe(_ places: KeyPlace..., label: ContainerLabel? = nil) async
    -> [KeyPlace: Observation<KeyDirectory>]
  {
    let labels = Dictionary(
      places.compactMap { place in label.map { (place.instance, $0) } },
      uniquingKeysWith: { first, _ in first })
    return await store.observe(Set(places), owner: Self.owner, labels: labels)
  }

  func wish(_ address: OnionAddress, access: Access = .open) -> KeyDirectoryWish {
    KeyDirectoryWish(
      address: address, owner: Self.owner,
      clientFiles: KeyFiles.clientFiles(access: access, address: address), label: nil)
  }
}

/// Removes a test's own folder and all in it.
func removeTree(_ path: String) {
  do {
    try empty(try Descriptor.folder(at: path))
    rmdir(path)
  } catch {
    Issue.record("\(path) could not be removed: \(error)")
  }
}

private func empty(_ folder: borrowing Descriptor) throws(FileError) {
  for name in try folder.names(limit: 1_000_000) {
    if try folder.status(of: name)?.kind == .folder {
      try empty(try folder.folder(name))
      try folder.removeFolder(name)
    } else {
      try folder.unlink(name)
    }
  }
}

/// MNT_DETACH of umount2(2), which Swift does not see.
let detached: Int32 = 2

/// A value that a test's own text must make.
func valid<Value>(_ value: Value?) -> Value {
  guard let value else { preconditionFailure("the test's own text is not valid") }
  return value
}

func place(_ text: String) -> KeyPlace {
  let parts = text.split(separator: "/").map(String.init)
  return KeyPlace(
    instance: valid(InstanceName(parts[0])), service: valid(ServiceName(parts[1])))
}

let now = Timestamp(seconds: 1_795_587_678)

/// Two clients' keys: any 32 bytes are one.
let clients = Access.clients([
  AuthorizedClient(name: "alice", key: String(repeating: "A", count: 52)),
  AuthorizedClient(name: "bob", key: String(repeating: "B", count: 51) + "A"),
])

/// The code of the `KeyStoreError` that a body throws.
func code(_ body: () async throws -> Void) async -> KeyStoreError.Code? {
  do {
    try await body()
    return nil
  } catch {
    return (error as? KeyStoreError)?.code
  }
}
