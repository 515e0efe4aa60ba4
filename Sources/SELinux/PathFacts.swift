public import Descriptors
import Glibc
public import OnionModel

/// One step of a path, as `namei -l` and `ls -Z` show it.
public struct PathPart: Hashable, Sendable {
  /// The path up to here, without links.
  public var path: String
  /// What is there. Absent: nothing; the walk ends. Unknown: it could not be looked at.
  public var status: Observation<FileStatus>
  /// Its SELinux context. Absent: it bears none.
  public var label: Observation<String>
  /// What a symbolic link says; the walk goes on there.
  public var target: String?

  public init(
    path: String, status: Observation<FileStatus>, label: Observation<String> = .absent,
    target: String? = nil
  ) {
    self.path = path
    self.status = status
    self.label = label
    self.target = target
  }
}

/// Owner, mode and label of every part of a path: any one of them may be what keeps a program out.
public enum PathFacts {
  /// As many links as the kernel follows (path_resolution(7)).
  private static let linkLimit = 40
  /// PATH_MAX holds no more names.
  private static let partLimit = 2048

  /// A path of a unit's view, which systemd prepares below a folder of its own, as the host has it.
  public static func outsideOfUnit(_ path: String) -> String {
    for folder in ["/run/systemd/unit-root", "/run/systemd/mount-rootfs"]
    where path.hasPrefix(folder + "/") {
      return String(path.dropFirst(folder.count))
    }
    return path
  }

  /// Walks from the root to the end, by descriptor, link by link. Only looks: nothing is opened for reading.
  ///
  /// - Parameter path: absolute.
  /// - Returns: from the root on. The last part tells how far it came; it is absent or unknown where that is not the end.
  public static func walk(_ path: String, _ tree: HostTree = HostTree()) -> [PathPart] {
    var parts = [part("/", tree)]
    var pending = Array(names(of: path).reversed())
    var walked: [String] = []
    var links = 0
    while let name = pending.popLast(), parts.count < partLimit {
      if name == ".." {
        _ = walked.popLast()
        continue
      }
      let current = "/" + (walked + [name]).joined(separator: "/")
      var part = part(current, tree)
      if part.status.value?.kind == .link {
        links += 1
        part.target = link(name, in: "/" + walked.joined(separator: "/"), tree)
        parts.append(part)
        guard let target = part.target, links <= linkLimit else { return parts }
        if target.hasPrefix("/") { walked = [] }
        pending += names(of: target).reversed()
        continue
      }
      parts.append(part)
      guard part.status.value != nil else { return parts }
      walked.append(name)
    }
    return parts
  }

  private static func part(_ path: String, _ tree: HostTree) -> PathPart {
    let status = observed { () throws(FileError) in try tree.status(path) }
    guard let kind = status.value?.kind, kind != .link else {
      return PathPart(path: path, status: status)
    }
    let label = observed { () throws(FileError) in try context(of: path, tree) }
    return PathPart(path: path, status: status, label: label)
  }

  private static func context(of path: String, _ tree: HostTree) throws(FileError) -> String? {
    guard let object = try tree.open(path, .holding) else { return nil }
    return try object.label()
  }

  private static func link(_ name: String, in folder: String, _ tree: HostTree) -> String? {
    do {
      return try tree.open(folder, .holding)?.link(FileName(name))
    } catch {
      // Told by the part itself: a link without a target.
      return nil
    }
  }

  private static func names(of path: String) -> [String] {
    path.split(separator: "/").map(String.init).filter { $0 != "." }
  }
}
