import Descriptors
import Engine
import KeyStore
import OnionModel
import TorRuntime
import Transport

/// A container that somebody set up by hand, whose tor is to be moved in. Its files are seen through its running process,
/// as its tor sees them, mounts included; never through a link, since all of it may be somebody else's.
public final class HandRunContainer: Sendable {
  public let id: String
  public let name: String
  let mounts: [Mount]
  /// What its processes see as `/`.
  let root: Descriptor

  private init(_ details: ContainerDetails, _ root: consuming Descriptor) {
    id = details.id
    name = details.name
    mounts = details.facts.mounts
    self.root = root
  }

  /// Where the images in use have their torrc.
  private static let torrcs = ["/etc/tor/torrc", "/usr/local/etc/tor/torrc", "/etc/torrc"]

  /// - Throws: `KeepingError` if there is no such container, it does not run, or it is ours; `EngineError`.
  public static func open(
    _ name: String, _ configuration: HostConfiguration
  ) async throws -> HandRunContainer {
    let engine = try await EngineDoor.connect(configuration)
    guard let details = try await engine.inspect(name) else {
      throw KeepingError("the engine has no container \(name)")
    }
    guard details.labels[ContainerLabelKey.agent] == nil else {
      throw KeepingError("\(name) is a container of Onionkeeper's own: there is nothing to move in")
    }
    guard details.state == .running, details.facts.pid > 0 else {
      throw KeepingError(
        "container \(name) does not run, so what its tor sees cannot be seen: start it; or read its files from where"
          + " they are mounted, `adopt --torrc FILE --root DIR`")
    }
    let root: Descriptor
    do throws(FileError) {
      root = try Descriptor.folder(at: "/proc/\(details.facts.pid)/root")
    } catch {
      throw KeepingError("the files of container \(name) cannot be seen: \(error.reason)")
    }
    // Its number may have become another process's before it was opened.
    guard let again = try await engine.inspect(details.id), again.state == .running,
      again.facts.pid == details.facts.pid
    else { throw KeepingError("container \(name) was stopped or started meanwhile: try again") }
    return HandRunContainer(details, root)
  }

  /// The torrc that its tor was told by `-f`, or one where images have it.
  /// - Throws: `KeepingError` if there is none, or its tors have several.
  public func torrc() throws(KeepingError) -> String {
    let named = Set(try tors().compactMap(\.configuration))
    guard named.count <= 1 else {
      throw KeepingError(
        "several tors run in \(name) (\(named.sorted().joined(separator: ", "))): name one with --torrc"
      )
    }
    if let path = named.first {
      guard path.hasPrefix("/") else {
        throw KeepingError("the tor in \(name) was told -f \(path): say where that is with --torrc")
      }
      return path
    }
    for path in Self.torrcs {
      do throws(FileError) {
        if try root.file(Self.inner(path), .holding, .crossingMounts).status().kind == .file {
          return path
        }
      } catch {
        guard error.isAbsence else {
          throw KeepingError("\(path) in \(name) cannot be read: \(error.reason)")
        }
      }
    }
    throw KeepingError("no torrc was found in \(name): name it with --torrc, as its tor sees it")
  }

  /// Tors that see the same root.
  func tors() throws(KeepingError) -> [RunningTor] {
    do throws(FileError) {
      return try RunningTor.all(in: root)
    } catch {
      throw KeepingError("running processes cannot be listed: \(error.description)")
    }
  }

  /// Who serves the key of a directory, for as long as it runs.
  func former(of directory: String) -> FormerServer {
    FormerServer(
      container: id,
      mounts: mounts.filter {
        directory == $0.destination || directory.hasPrefix($0.destination + "/")
          || $0.destination.hasPrefix(directory + "/")
      }.map(\.source).filter { $0.hasPrefix("/") })
  }

  /// A path as the tor sees it, below the root.
  static func inner(_ path: String) -> FileName {
    let rest = path.drop { $0 == "/" }
    return rest.isEmpty ? "." : FileName(String(rest))
  }
}

/// The engine of this host, for commands that need nothing else of the agent.
enum EngineDoor {
  /// - Throws: `EngineError`, `KeepingError` that say why it does not answer.
  static func connect(_ configuration: HostConfiguration) async throws -> EngineClient {
    try await LiveWorld.connect(
      socket: try SetUp.socket(
        configuration, pinned: try await SetUp(configuration).pinnedEngine()),
      http: try HTTPClient())
  }
}
