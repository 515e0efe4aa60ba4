/// One file or folder, as `ls`, `stat` or `namei` printed it.
struct ListedEntry: Hashable {
  /// Absolute where the listing tells.
  var path: String
  var isFolder: Bool
  /// The permission bits, as in `0700`.
  var mode: Int
  var owner: String
  var group: String
  /// `user:role:type:level`, if labels were asked for.
  var context: String?
  var evidence: Evidence
  var position: Int

  /// `drwx------`
  var octal: String {
    let digits = String(mode & 0o7777, radix: 8)
    return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
  }

  var type: String? {
    guard let parts = context?.split(separator: ":"), parts.count >= 3 else { return nil }
    return String(parts[2])
  }
}

/// The listings among the input.
struct ListingFacts {
  private(set) var entries: [ListedEntry] = []
  /// Names that stood alone, as in `ls -1` or a written-out folder.
  private(set) var names: [(folder: String, name: String, evidence: Evidence)] = []
  private var folder = ""
  private var walk = ""
  private var pending: ListedEntry?
  private var file = ""
  static let limit = 2000

  mutating func begin(_ input: String) {
    folder = ""
    walk = ""
    pending = nil
    file = input
  }

  /// `$ sudo ls -laZ /var/lib/tor`, as people paste it: the folder that the names below are in.
  /// - Returns: whether it is such a line.
  mutating func takeCommand(_ line: String) -> Bool {
    guard let found = line.find("ls -") else { return false }
    let before = line[..<found.lowerBound].trimmed
    let prompt = before.hasSuffix("sudo") ? before.dropLast(4).trimmed : before
    guard let last = prompt.last, "$#>%".contains(last) else { return false }
    let words = line[found.lowerBound...].words.dropFirst()
    let names = words.filter { !$0.hasPrefix("-") }
    let isItself = words.contains { $0.hasPrefix("-") && !$0.hasPrefix("--") && $0.contains("d") }
    folder =
      !isItself && names.count == 1 && names.first?.hasPrefix("/") == true
      ? TorrcFacts.normal(String(names.first ?? "")) : ""
    return true
  }

  /// - Returns: whether it is a line of a listing.
  mutating func take(_ line: String, _ place: Evidence, position: Int) -> Bool {
    let text = line.trimmed
    // Nothing else begins a line of a listing.
    guard let first = text.utf8.first, "d-lsbcptfFSAMCBD/".utf8.contains(first) else {
      return false
    }
    if text.hasPrefix("f: /") {
      walk = "/"
      return true
    }
    if takeStat(text, place, position) { return true }
    if text.hasPrefix("/"), text.hasSuffix(":"), !text.has(" ") {
      folder = TorrcFacts.normal(String(text.dropLast()))
      return true
    }
    if text.hasPrefix("total "), text.dropFirst(6).allSatisfy(\.isNumber) { return true }
    return takeLong(text, place, position)
  }

  /// `drwx------. 2 toranon toranon system_u:object_r:tor_var_lib_t:s0 60 Jul  1 12:00 /var/lib/tor/x`, with fewer or other
  /// columns between, and what `namei -l` prints.
  private mutating func takeLong(_ text: String, _ place: Evidence, _ position: Int) -> Bool {
    var words = text.words.map(String.init)
    guard var first = words.first else { return false }
    if first.last == "." || first.last == "+" || first.last == "@" { first.removeLast() }
    guard first.utf8.count == 10, let kind = first.first, "d-lsbcp".contains(kind),
      let mode = Self.bits(first.dropFirst()), words.count >= 4 || words.count == 3
    else { return false }
    words.removeFirst()
    // The number of links, which `ls -lZ` of older coreutils leaves out.
    if words.count > 3, words[0].allSatisfy(\.isNumber), words[0].utf8.count < 6,
      !(words.count == 3)
    {
      let rest = Array(words.dropFirst())
      if rest.count >= 3 { words = rest }
    }
    guard words.count >= 2 else { return false }
    let owner = words.removeFirst()
    let isNamei = !walk.isEmpty && words.count == 2
    let group = words.count > 1 ? words.removeFirst() : ""
    var context: String?
    if let label = words.firstIndex(where: { $0.has(":object_r:") || $0.has(":system_r:") }) {
      context = words.remove(at: label)
    }
    // What is left: size, date, name; the name is last but for a link's arrow.
    if let arrow = words.firstIndex(of: "->"), arrow > 0 { words = Array(words[..<arrow]) }
    guard let name = words.last else { return false }
    let path: String
    if isNamei {
      walk = name == "/" ? "/" : walk == "/" ? "/\(name)" : "\(walk)/\(name)"
      path = walk
    } else if name.hasPrefix("/") || folder.isEmpty {
      path = TorrcFacts.normal(name)
    } else if name == "." {
      path = folder
    } else if name == ".." {
      path = TorrcFacts.normal(
        "/" + folder.split(separator: "/").dropLast().joined(separator: "/"))
    } else {
      path = "\(folder)/\(name)"
    }
    add(
      ListedEntry(
        path: path, isFolder: kind == "d", mode: mode, owner: owner, group: group, context: context,
        evidence: place, position: position))
    return true
  }

  /// The lines of `stat`.
  private mutating func takeStat(_ text: String, _ place: Evidence, _ position: Int) -> Bool {
    if text.hasPrefix("File: ") {
      let name = text.dropFirst(6).trimmed
      pending = ListedEntry(
        path: TorrcFacts.normal(
          String(name.drop { $0 == "'" || $0 == "‘" }.prefix { $0 != "'" && $0 != "’" })),
        isFolder: false, mode: -1, owner: "", group: "", context: nil, evidence: place,
        position: position)
      return true
    }
    guard pending != nil else { return false }
    if text.hasPrefix("Size: ") {
      pending?.isFolder = text.has("directory")
      return true
    }
    if let found = Self.statLine.match(text), let mode = found["mode"]?.split(separator: "/").first,
      let bits = Int(mode, radix: 8)
    {
      pending?.mode = bits
      pending?.owner = found["owner"]?.split(separator: "/").last.map { $0.trimmed } ?? ""
      pending?.group = found["group"]?.split(separator: "/").last.map { $0.trimmed } ?? ""
      if let pending { add(pending) }
      return true
    }
    if text.hasPrefix("Context: "), let last = entries.indices.last,
      entries[last].path == pending?.path
    {
      entries[last].context = text.dropFirst(9).trimmed
      return true
    }
    return text.hasPrefix("Access: ") || text.hasPrefix("Modify: ") || text.hasPrefix("Change: ")
      || text.hasPrefix("Birth: ") || text.hasPrefix("Device: ")
  }

  private static let statLine = Pattern("Access: ({mode})  Uid: ({owner})   Gid: ({group})")

  /// A bare file name under a folder that was named.
  mutating func addName(_ name: String, in folder: String, _ place: Evidence) {
    if names.count < Self.limit { names.append((folder, name, place)) }
  }

  private mutating func add(_ entry: ListedEntry) {
    if entries.count < Self.limit { entries.append(entry) }
  }

  private static func bits(_ text: Substring) -> Int? {
    var mode = 0
    for (index, character) in text.enumerated() {
      let bit = 1 << (8 - index)
      switch character {
      case "r" where index % 3 == 0, "w" where index % 3 == 1, "x" where index % 3 == 2: mode |= bit
      case "s" where index == 2: mode |= bit | 0o4000
      case "s" where index == 5: mode |= bit | 0o2000
      case "S" where index == 2: mode |= 0o4000
      case "S" where index == 5: mode |= 0o2000
      case "t" where index == 8: mode |= bit | 0o1000
      case "T" where index == 8: mode |= 0o1000
      case "-": break
      default: return nil
      }
    }
    return mode
  }

  func entry(at path: String) -> ListedEntry? {
    let path = TorrcFacts.normal(path)
    return entries.last { $0.path == path }
  }
}
