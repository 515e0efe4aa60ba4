public import Descriptors

/// A tor that runs on this host, in whatever container or none.
public struct RunningTor: Hashable, Sendable, Encodable {
  public var pid: Int
  /// Its user, as the host counts.
  public var user: Int
  /// The file that it was told by `-f`, as it was told.
  public var configuration: String?

  public init(pid: Int, user: Int, configuration: String?) {
    self.pid = pid
    self.user = user
    self.configuration = configuration
  }

  /// Every process that calls itself `tor`, in order of number; what cannot be looked at is passed over. Blocks.
  public static func all() throws(FileError) -> [RunningTor] {
    let processes = try Descriptor.folder(at: "/proc")
    var found: [RunningTor] = []
    for name in try processes.names(limit: processLimit) {
      guard let pid = name.text.flatMap({ Int($0) }) else { continue }
      do {
        let process = try processes.folder(name)
        let command = try process.file("comm").read(limit: 64)
        guard String(decoding: command, as: UTF8.self) == "tor\n" else { continue }
        let user = try process.status().owner
        let words = try process.file("cmdline").read(limit: argumentLimit)
          .split(separator: 0, omittingEmptySubsequences: false)
          .map { String(decoding: $0, as: UTF8.self) }
        found.append(RunningTor(pid: pid, user: user, configuration: configuration(words)))
      } catch {
        // It ended meanwhile, or is not ours to see: what runs unseen cannot be warned of.
        continue
      }
    }
    return found.sorted { $0.pid < $1.pid }
  }

  /// More than the kernel's largest pid_max.
  private static let processLimit = 5_000_000
  private static let argumentLimit = 1 << 20

  private static func configuration(_ words: [String]) -> String? {
    guard let index = words.lastIndex(of: "-f"), words.indices.contains(index + 1) else {
      return nil
    }
    return words[index + 1]
  }
}
