import OnionModel

/// The texts of `/proc/<pid>` (proc(5)), as values.
enum ProcessText {
  struct Status: Equatable {
    /// The command's name, at most 15 bytes, in parentheses in the file; it may hold spaces and parentheses itself.
    var command: String
    /// `R`, `S`, `Z`: one letter.
    var state: Character
    /// Field 22, in ticks since boot.
    var startTime: UInt64
  }

  /// `pid (comm) state ppid … starttime …`; the name ends at the *last* parenthesis.
  static func stat(_ text: String) -> Status? {
    guard let open = text.firstIndex(of: "("), let close = text.lastIndex(of: ")"), open < close
    else { return nil }
    let fields = text[text.index(after: close)...].split(whereSeparator: \.isWhitespace)
    // The first field after the name is the third of the line.
    guard fields.count >= 20, let state = fields[0].first, let startTime = UInt64(fields[19])
    else { return nil }
    return Status(
      command: String(text[text.index(after: open)..<close]), state: state, startTime: startTime)
  }

  /// `nil` if one of the lines that the proof needs is missing or not as proc(5) says.
  static func proof(status text: String, label: String?, startTime: UInt64) -> ProcessProof? {
    var fields: [Substring: [Substring]] = [:]
    for line in text.split(separator: "\n") {
      guard let colon = line.firstIndex(of: ":") else { continue }
      let name = line[..<colon]
      // A second line of one name is not the kernel's.
      guard fields[name] == nil else { return nil }
      fields[name] = line[line.index(after: colon)...].split(whereSeparator: \.isWhitespace)
    }
    func numbers(_ name: Substring) -> [Int]? {
      guard let words = fields[name] else { return nil }
      let numbers = words.compactMap { Int($0) }
      return numbers.count == words.count ? numbers : nil
    }
    let capabilities = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].compactMap {
      fields[$0]?.first.flatMap { UInt64($0, radix: 16) }
    }
    guard let users = numbers("Uid"), users.count == 4, let groups = numbers("Gid"),
      groups.count == 4, capabilities.count == 5, let privileges = numbers("NoNewPrivs")?.first,
      let seccomp = numbers("Seccomp")?.first
    else { return nil }
    return ProcessProof(
      users: users, groups: groups, capabilities: capabilities,
      hasNoNewPrivileges: privileges == 1, seccomp: seccomp, label: label, startTime: startTime)
  }

  /// Where removed directories are mounted. Of such a one the kernel writes `//deleted` after the fourth field of
  /// mountinfo, the path within its file system; no path that exists holds two slashes in a row.
  static func lostMounts(_ text: String) -> [String] {
    text.split(separator: "\n").compactMap { line in
      let fields = line.split(separator: " ", maxSplits: 5)
      guard fields.count > 5, fields[3].hasSuffix("//deleted") else { return nil }
      return visible(String(fields[4]), limit: 256)
    }.sorted()
  }

  /// The number outside of a user inside, by lines of `inside outside count` (user_namespaces(7)); −1 if it has none.
  static func outside(_ user: Int, map text: String) -> Int {
    for line in text.split(separator: "\n") {
      let numbers = line.split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
      guard numbers.count == 3, user >= numbers[0], user - numbers[0] < numbers[2] else { continue }
      return numbers[1] + user - numbers[0]
    }
    return -1
  }

  /// A label without its trailing NUL or line end; `nil` if nothing is left.
  static func label(_ bytes: [UInt8]) -> String? {
    let end = bytes.firstIndex { $0 == 0 || $0 == UInt8(ascii: "\n") } ?? bytes.endIndex
    return end == 0 ? nil : visible(String(decoding: bytes[..<end], as: UTF8.self), limit: 256)
  }
}
