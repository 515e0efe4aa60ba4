import Descriptors
import Glibc
public import OnionModel

/// The key folder of one agent. Every operation opens it anew and first checks that its marker is this agent's.
public actor KeyRoot {
  /// The absolute path, as configured.
  public nonisolated let path: String
  public nonisolated let id: AgentID
  /// Where `age` is looked for.
  let agePath: String

  private let executor = QueueExecutor(label: "onionkeeper.keys")
  public nonisolated var unownedExecutor: UnownedSerialExecutor {
    executor.asUnownedSerialExecutor()
  }

  /// What the last looks found, by the status that they found it under.
  var looks = LookCache()
  var pinLooks = PinCache()

  /// Opens nothing yet.
  public init(path: String, id: AgentID) {
    self.path = path
    self.id = id
    agePath = Age.standardPath
  }

  /// With another `PATH` for `age`: for tests of what happens without it.
  init(path: String, id: AgentID, agePath: String) {
    self.path = path
    self.id = id
    self.agePath = agePath
  }

  // Folders in `.onionkeeper/`.
  static let pins: FileName = "pins"
  static let retired: FileName = "retired"
  static let backup: FileName = "backup"
  static let lock: FileName = "lock"
  static let operation: FileName = "operation"

  /// Names in the key folder and in those of `.onionkeeper/`: ten times the most services that were ever tried on one host.
  static let placeLimit = 20_000
  /// Names in one instance's folder, which its tor's user may fill: ten times the most members that an instance has had.
  static let memberLimit = 5000

  /// Makes the key folder and all that `.onionkeeper/` holds. See `RootMarker.setUp`.
  public static func setUp(_ path: String, id: AgentID) throws(KeyStoreError) {
    try RootMarker.setUp(path, id: id, inner: [pins, retired, backup])
  }

  /// Whose key folder this is. See `RootMarker.read`.
  public static func marker(_ path: String) -> Observation<AgentID> { RootMarker.read(path) }

  /// Keeps every other process from writing here for as long as the returned value lives.
  /// - Throws: `root.busy` with the process that holds it.
  public static func lock(_ path: String) throws(KeyStoreError) -> RootLock {
    try RootLock(path)
  }

  /// The open folder and its `.onionkeeper/`.
  struct Opened: ~Copyable {
    let keys: Descriptor
    let own: Descriptor
  }

  /// - Throws: `root.missing`, `root.foreign`, or what the disk says; nothing has been touched.
  func open(_ operation: String) throws -> Opened {
    let keys: Descriptor
    do {
      keys = try Descriptor.folder(at: path)
    } catch {
      guard error.isAbsence else { throw error }
      throw KeyStoreError(
        .rootMissing, operation, "\(path) is not there: not set up, or not mounted")
    }
    switch try RootMarker.look(keys) {
    case .present(id): break
    case .present(let other):
      throw KeyStoreError(
        .rootForeign, operation, "\(path) belongs to agent \(other), this is agent \(id)")
    case .absent:
      throw KeyStoreError(
        .rootMissing, operation, "\(path) bears no marker: not set up, or not mounted")
    case .unknown(let reason): throw KeyStoreError(.rootForeign, operation, reason)
    }
    let own = try keys.folder(RootMarker.folder)
    return Opened(keys: keys, own: own)
  }
}

extension KeyRoot {
  /// Seconds that an operation waits for another process's: each takes milliseconds, but a disk may be slow.
  private static let patience = 20

  /// Opens the folder and runs a body that changes it, while no other process does: the agent and `keys` commands
  /// change it side by side.
  /// - Throws: `root.busy` if another process does not end in time; what `open` throws.
  func changing<Result>(
    _ operation: String, _ body: (borrowing Opened) throws -> Result
  ) throws(KeyStoreError) -> Result {
    try converting(operation) {
      let root = try open(operation)
      let lock = try operationLock(root, operation)
      defer { withExtendedLifetime(lock) {} }
      return try body(root)
    }
  }

  private func operationLock(_ root: borrowing Opened, _ operation: String) throws -> FileLock {
    do {
      return try FileLock(Self.operation, in: root.own, patience: Self.patience)
    } catch FileLock.Failure.file(let error) {
      throw error
    } catch {
      throw KeyStoreError(
        .rootBusy, operation,
        "another process has been changing \(path) for \(Self.patience) s; nothing was written")
    }
  }
}

/// The key folder held against every other process; let go when this value ends, or its process.
public final class RootLock: Sendable {
  private let lock: FileLock

  init(_ path: String) throws(KeyStoreError) {
    lock = try Self.take(path)
  }

  private static func take(_ path: String) throws(KeyStoreError) -> FileLock {
    do {
      let root = try Descriptor.folder(at: path)
      return try FileLock(KeyRoot.lock, in: try root.folder(RootMarker.folder))
    } catch FileLock.Failure.held(let file, let process) {
      throw KeyStoreError(
        .rootBusy, "lock",
        "\(file) is held by process \(process.map(String.init) ?? "(unknown)"): one agent at a time"
      )
    } catch FileLock.Failure.file(let error) {
      throw KeyStoreError(error, "lock")
    } catch {
      throw (error as? FileError).map { KeyStoreError($0, "lock") }
        ?? KeyStoreError(.io, "lock", "\(error)")
    }
  }
}
