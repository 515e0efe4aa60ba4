import CLinux
public import Descriptors
public import Engine
import Glibc
public import OnionModel
public import SELinux
import Transport

/// What this host is, asked now and changed in nothing: for `doctor`, and for `explain --host`. Whatever could not be
/// looked at is unknown, with the reason.
public struct HostFacts: Sendable {
  /// Without root, a good part of it is unknown.
  public var isRoot: Bool
  public var policy: HostPolicy
  /// By socket, in the order of `SetUp.sockets` unless one was named: only those that are there.
  public var engines: [EngineFacts]
  /// Processes of all kinds are started by systemd here; absent in a container or under another init.
  public var systemd: Observation<Bool>
  public var clock: ClockFacts

  public init(
    isRoot: Bool, policy: HostPolicy, engines: [EngineFacts], systemd: Observation<Bool>,
    clock: ClockFacts
  ) {
    self.isRoot = isRoot
    self.policy = policy
    self.engines = engines
    self.systemd = systemd
    self.clock = clock
  }

  /// - Parameters:
  ///   - tree: the host's file system; another root in tests.
  ///   - sockets: of engines, absolute.
  public static func read(
    _ tree: HostTree = HostTree(), sockets: [String] = SetUp.sockets
  ) async -> HostFacts {
    var engines: [EngineFacts] = []
    for socket in sockets where isThere(socket) {
      engines.append(await EngineFacts.read(socket))
    }
    let systemd = seen { () throws(FileError) in try tree.status("/run/systemd/system") }
    return HostFacts(
      isRoot: geteuid() == 0, policy: HostPolicy.read(tree), engines: engines,
      systemd: systemd.map { _ in true }, clock: ClockFacts.read())
  }

  private static func isThere(_ socket: String) -> Bool {
    access(socket, F_OK) == 0 || errno == EACCES
  }
}

/// One engine, at one socket.
public struct EngineFacts: Sendable {
  public var socket: String
  /// Unknown: it is silent, or nobody may ask it.
  public var description: Observation<EngineDescription>
  public var host: Observation<EngineHost>

  public init(
    socket: String, description: Observation<EngineDescription>, host: Observation<EngineHost>
  ) {
    self.socket = socket
    self.description = description
    self.host = host
  }

  static func read(_ socket: String) async -> EngineFacts {
    do {
      let client = try await EngineClient.connect(socket: socket, http: try HTTPClient())
      var facts = EngineFacts(
        socket: socket, description: .present(client.description), host: .absent)
      do {
        facts.host = .present(try await client.host())
      } catch {
        facts.host = .unknown(error.description)
      }
      return facts
    } catch {
      return EngineFacts(socket: socket, description: .unknown("\(error)"), host: .absent)
    }
  }
}

/// What keeps the time.
public struct ClockFacts: Hashable, Sendable {
  public var now: Timestamp
  /// Whether the kernel knows of something that keeps its clock in step (NTP).
  public var isSynchronized: Observation<Bool>

  public init(now: Timestamp, isSynchronized: Observation<Bool>) {
    self.now = now
    self.isSynchronized = isSynchronized
  }

  static func read() -> ClockFacts {
    let answer = clinux_clock_is_synchronized()
    return ClockFacts(
      now: wallTime(),
      isSynchronized: answer < 0
        ? .unknown(String(cString: strerror(errno))) : .present(answer == 1))
  }
}

/// The value, absent for `nil`, unknown for an error.
func seen<Value: Sendable>(_ look: () throws(FileError) -> Value?) -> Observation<Value> {
  do {
    return try look().map { .present($0) } ?? .absent
  } catch {
    return .unknown(error.description)
  }
}
