import Descriptors
import TorRuntime

/// The files of a tor that was set up by hand: its torrc, what that includes, its service directories. Read by descriptor,
/// never through a link below an allowed folder, and left as they are.
///
/// Its calls block: it is for a command, not for the agent.
struct NativeFiles: Sendable {
  /// The folder that the tor sees as `/`; empty for this host's.
  let prefix: String
  /// Where it is in a container, it is seen through this, and no link on any way is followed.
  let container: HandRunContainer?
  /// Folders in which includes may lie, as the tor sees them.
  let roots: [String]

  /// The torrc itself; whoever names it vouches for the way to it.
  func torrc(_ path: String) throws(KeepingError) -> [UInt8] {
    let content: [UInt8]?
    do throws(FileError) {
      if let container {
        content = try container.root.regularFile(
          HandRunContainer.inner(path), .crossingMounts
        ).read(limit: TorrcReader.byteLimit)
      } else {
        content = try Self.regularFile(path)
      }
    } catch {
      throw KeepingError("\(path) cannot be read: \(error.reason)")
    }
    guard let content else { throw KeepingError("\(path) is not a regular file: name the torrc") }
    return content
  }

  /// `nil` for what is no regular file.
  private static func regularFile(_ path: String) throws(FileError) -> [UInt8]? {
    let (parent, name) = split(path)
    let file = try Descriptor.folder(at: parent).file(name, .peeking, .crossingMounts)
    guard try file.status().kind == .file else { return nil }
    return try file.read(limit: TorrcReader.byteLimit)
  }

  /// What is at a path that the tor sees, below one of the roots.
  func look(_ path: String) -> TorrcFile {
    guard
      let root = roots.filter({ path == $0 || path.hasPrefix($0 == "/" ? $0 : $0 + "/") })
        .max(by: { $0.utf8.count < $1.utf8.count })
    else { return .refused("it lies outside of the allowed folders") }
    do throws(FileError) {
      if let container { return try look(path, in: container) }
      let folder = try Descriptor.folder(at: Self.place(root, below: prefix))
      let rest = path.dropFirst(root.utf8.count).drop { $0 == "/" }
      guard !rest.isEmpty else { return try names(folder) }
      let object = try folder.file(FileName(String(rest)), .peeking, .crossingMounts)
      switch try object.status().kind {
      case .folder: return try names(object)
      case .file: return .file(try object.read(limit: TorrcReader.byteLimit))
      case let other: return .refused("it is \(other.rawValue)")
      }
    } catch {
      return error.isAbsence ? .absent : .refused(error.reason)
    }
  }

  private func look(
    _ path: String, in container: HandRunContainer
  ) throws(FileError) -> TorrcFile {
    let name = HandRunContainer.inner(path)
    switch try container.root.file(name, .holding, .crossingMounts).status().kind {
    case .folder: return try names(try container.root.folder(name, .crossingMounts))
    case .file:
      return .file(
        try container.root.regularFile(name, .crossingMounts).read(limit: TorrcReader.byteLimit))
    case let other: return .refused("it is \(other.rawValue)")
    }
  }

  private func names(_ folder: borrowing Descriptor) throws(FileError) -> TorrcFile {
    var names: [String] = []
    for name in try folder.names(limit: Self.nameLimit) {
      guard let text = name.text else { return .refused("\(folder.joined(name)) is not in UTF-8") }
      names.append(text)
    }
    return .folder(names)
  }

  /// Entries of a folder of configuration: `/etc` has some hundreds.
  private static let nameLimit = 10_000

  /// A service directory; the way to it may hold links, itself it may not be one (tor refuses that, too).
  func directory(_ path: String) throws(FileError) -> Descriptor {
    if let container {
      return try container.root.folder(HandRunContainer.inner(path), .crossingMounts)
    }
    let (parent, name) = Self.split(Self.place(path, below: prefix))
    return try Descriptor.folder(at: parent).folder(name, .crossingMounts)
  }

  private static func place(_ path: String, below prefix: String) -> String {
    prefix.isEmpty ? path : prefix + (path == "/" ? "" : path)
  }

  private static func split(_ path: String) -> (parent: String, name: FileName) {
    let slash = path.lastIndex(of: "/") ?? path.startIndex
    let parent = path[..<slash]
    let name = path[slash...].drop { $0 == "/" }
    return (parent.isEmpty ? "/" : String(parent), FileName(name.isEmpty ? "." : String(name)))
  }
}
