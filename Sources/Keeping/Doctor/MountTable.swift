import Descriptors
import Glibc
import OnionModel

/// What is mounted where, and what should be.
struct MountTable: Hashable, Sendable {
  struct Entry: Hashable, Sendable {
    var point: String
    var type: String
    /// Device, label or `server:path`.
    var source: String
    var options: Set<String> = []
  }

  /// In the order of mounting: a later one covers an earlier one.
  var mounted: Observation<[Entry]>
  /// `/etc/fstab`. Absent: no such file.
  var wanted: Observation<[Entry]>

  /// A host with many containers has thousands of mounts, 300 bytes each.
  private static let mountLimit = 4 << 20
  private static let fstabLimit = 256 << 10

  static func read(_ tree: HostTree) -> MountTable {
    let mounted = seen { () throws(FileError) in
      // Not /proc/self, which is a link.
      try tree.text("/proc/\(getpid())/mountinfo", limit: mountLimit)
    }
    let wanted = seen { () throws(FileError) in try tree.text("/etc/fstab", limit: fstabLimit) }
    return MountTable(mounted: mounted.map(mountinfo), wanted: wanted.map(fstab))
  }

  /// `36 35 98:0 / /mnt rw,noatime shared:1 - ext3 /dev/root rw` (proc(5)): optional fields end with `-`.
  static func mountinfo(_ text: String) -> [Entry] {
    text.split(whereSeparator: \.isNewline).compactMap { line in
      let words = line.split(separator: " ")
      guard words.count >= 10, let dash = words.firstIndex(of: "-"), words.count > dash + 2
      else { return nil }
      return Entry(
        point: unescaped(words[4]), type: String(words[dash + 1]),
        source: unescaped(words[dash + 2]),
        options: Set(words[5].split(separator: ",").map(String.init)))
    }
  }

  static func fstab(_ text: String) -> [Entry] {
    text.split(whereSeparator: \.isNewline).compactMap { line in
      let words = line.split(whereSeparator: \.isWhitespace)
      guard words.count >= 3, !line.drop(while: \.isWhitespace).hasPrefix("#") else { return nil }
      return Entry(
        point: unescaped(words[1]), type: String(words[2]), source: unescaped(words[0]),
        options: Set(words.dropFirst(3).first?.split(separator: ",").map(String.init) ?? []))
    }
  }

  /// What holds a path: the longest mount point above it, the last one of several.
  func holder(of path: String) -> Entry? {
    (mounted.value ?? []).filter { Self.holds($0.point, path) }
      .enumerated().max {
        ($0.element.point.count, $0.offset) < ($1.element.point.count, $1.offset)
      }?.element
  }

  /// A mount that `/etc/fstab` wants above (or at) a path, and that is not there.
  func missing(above path: String) -> Entry? {
    guard let wanted = wanted.value, let mounted = mounted.value else { return nil }
    return wanted.first { entry in
      entry.point != "/" && Self.holds(entry.point, path)
        && !entry.options.contains("noauto") && !mounted.contains { $0.point == entry.point }
    }
  }

  private static func holds(_ point: String, _ path: String) -> Bool {
    let point = point == "/" ? point : point + "/"
    return (path + "/").hasPrefix(point)
  }

  /// Spaces and the like stand as three octal digits.
  private static func unescaped(_ word: Substring) -> String {
    guard word.contains("\\") else { return String(word) }
    var bytes: [UInt8] = []
    var rest = Array(word.utf8)[...]
    while let byte = rest.popFirst() {
      let digits = rest.prefix(3)
      guard byte == UInt8(ascii: "\\"), digits.count == 3,
        let code = UInt8(String(decoding: digits, as: UTF8.self), radix: 8)
      else {
        bytes.append(byte)
        continue
      }
      bytes.append(code)
      rest = rest.dropFirst(3)
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
