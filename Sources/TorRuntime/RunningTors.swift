public import Descriptors
import Glibc

/// A tor that runs on this host, in whatever container or none.
public struct RunningTor: Hashable, Sendable, Encodable {
  public var pid: Int
  /// Its user, as the host counts.
  public var user: Int
  /// The file that it was told by `-f`, as it was told.
  public var configuration: String?
  /// Options of services on its command line, by name: they count, and those of the torrc do not (tor(1), "COMMAND-LINE
  /// OPTIONS").
  public var serviceOptions: [String]

  public init(pid: Int, user: Int, configuration: String?, serviceOptions: [String] = []) {
    self.pid = pid
    self.user = user
    self.configuration = configuration
    self.serviceOptions = serviceOptions
  }

  /// Those that see a folder as `/`: of one container, or of the host itself. One that cannot be asked (another user's) counts
  /// too: it may be one of them. Blocks.
  public static func all(in root: borrowing Descriptor) throws(FileError) -> [RunningTor] {
    let own = try root.status()
    return try all().filter { tor in
      do throws(FileError) {
        return try Descriptor.folder(at: "/proc/\(tor.pid)/root").status().isSameObject(as: own)
      } catch {
        // Ended meanwhile, or not to be told.
        return !error.isAbsence && error.number != ESRCH
      }
    }
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
        found.append(
          RunningTor(
            pid: pid, user: user, configuration: configuration(words),
            serviceOptions: serviceOptions(words)))
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

  /// `--HiddenServiceDir`, `HiddenServicePort` and the like, once each, in order.
  static func serviceOptions(_ words: [String]) -> [String] {
    var names: [String] = []
    for word in words.dropFirst() {
      let name = word.drop { $0 == "-" || $0 == "+" }
      // The dashes may be left out; then it may as well be a value.
      guard name.count < word.count || name.lowercased().hasPrefix("hiddenservice"),
        TorrcOptionNames.meaning(of: Array(name.utf8)).map({ TorrcSections.names.contains($0.name) }
        )
          ?? false, !names.contains(String(name))
      else { continue }
      names.append(String(name))
    }
    return names
  }

  private static func configuration(_ words: [String]) -> String? {
    guard let index = words.lastIndex(of: "-f"), words.indices.contains(index + 1) else {
      return nil
    }
    return words[index + 1]
  }
}
