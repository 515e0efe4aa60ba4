import Glibc

/// What is at a path that a torrc names.
public enum TorrcFile: Hashable, Sendable {
  case file([UInt8])
  /// The names in it, in any order.
  case folder([String])
  case absent
  /// It may not or cannot be read, and why.
  case refused(String)
}

/// One option of a torrc, where it stands, and through which includes it came.
public struct TorrcLine: Hashable, Sendable {
  public enum Command: Hashable, Sendable {
    case assign
    /// `+Option`: adds to what defaults say.
    case append
    /// `/Option`: forgets all that was said so far.
    case clear
  }

  /// As written, printable, without `+` and `/`.
  public var written: String
  /// What tor takes it for; `nil` for what it does not know.
  public var meaning: TorrcOptionNames.Meaning?
  public var command: Command
  public var value: [UInt8]
  public var place: TorrcPlace
  /// The `%include` lines that led here, outermost first.
  public var includes: [TorrcPlace]

  /// The value for people.
  public var shownValue: String { shown(value) }
}

/// A torrc with everything that it includes, in the order in which tor applies it.
public struct Torrc: Hashable, Sendable {
  public var lines: [TorrcLine] = []
  /// What tor itself does not read, or reads otherwise than it looks.
  public var findings: [TorrcFinding] = []
  /// Every file that was read, the first one first.
  public var files: [String] = []
}

/// A torrc that cannot be read whole: where, why, and what to do. Nothing is concluded from a part of it.
public struct TorrcError: Error, Hashable, Sendable, CustomStringConvertible {
  public var place: TorrcPlace?
  public var message: String

  public var description: String { place.map { "\($0): \(message)" } ?? message }
}

/// Reads a torrc and what it includes, through a closure: no file is touched here.
///
/// Includes are what tor 0.4.9 makes of them (src/lib/fs/conffile.c): a file; a folder's files in the order of their
/// bytes, without dot files and folders; a pattern's matches. Unlike tor, nothing outside the allowed folders is read.
public struct TorrcReader {
  /// Bounds: a torrc of the largest hosts has some thousand lines.
  static let fileLimit = 1000
  static let lineLimit = 100_000
  /// Bytes of one file; whoever reads keeps to it.
  public static let byteLimit = 1 << 20
  /// tor's MAX_INCLUDE_RECURSION_LEVEL (src/lib/encoding/confline.h).
  static let depthLimit = 31

  private let roots: [String]
  private let look: (String) -> TorrcFile
  private var torrc = Torrc()
  /// The files that are being read, outermost first.
  private var open: [String] = []

  /// - Parameters:
  ///   - roots: Absolute paths of the folders in which includes may lie.
  ///   - look: What is at an absolute path below one of them.
  public init(roots: [String], look: @escaping (String) -> TorrcFile) {
    self.roots = roots.map(TorrcReader.normal)
    self.look = look
  }

  /// - Parameter path: how the file is to be named.
  public static func read(
    _ path: String, bytes: [UInt8], roots: [String], look: @escaping (String) -> TorrcFile
  ) throws(TorrcError) -> Torrc {
    var reader = TorrcReader(roots: roots, look: look)
    try reader.read(path, bytes, includes: [])
    return reader.torrc
  }

  private mutating func read(
    _ path: String, _ bytes: [UInt8], includes: [TorrcPlace]
  ) throws(TorrcError) {
    // tor's first level is 1.
    guard includes.count < Self.depthLimit else {
      throw TorrcError(
        place: includes.last,
        message: "more than \(Self.depthLimit) includes in one another: tor refuses that, too")
    }
    guard torrc.files.count < Self.fileLimit else {
      throw TorrcError(
        place: includes.last, message: "more than \(Self.fileLimit) files are included")
    }
    torrc.files.append(path)
    open.append(path)
    defer { open.removeLast() }
    var syntax = TorrcSyntax(bytes)
    note(syntax, path)
    while let entry = try next(&syntax, path) {
      let place = TorrcPlace(path, entry.line)
      let line = Self.line(entry, place, includes)
      if line.written == "%include" {
        try include(entry.value, at: place, includes)
        continue
      }
      guard torrc.lines.count < Self.lineLimit else {
        throw TorrcError(place: place, message: "more than \(Self.lineLimit) options")
      }
      torrc.lines.append(line)
    }
    for line in syntax.commentedAuthorization.prefix(1) {
      torrc.findings.append(
        TorrcFinding(
          .note, TorrcPlace(path, line), "HiddenServiceAuthorizeClient",
          "is only a comment here: no client authorization was asked for"))
    }
  }

  private func next(
    _ syntax: inout TorrcSyntax, _ path: String
  ) throws(TorrcError) -> TorrcEntry? {
    do throws(TorrcSyntaxError) {
      return try syntax.next()
    } catch {
      throw TorrcError(
        place: TorrcPlace(path, error.line),
        message: "\(error.message): tor does not start with this file; mend the line")
    }
  }

  private mutating func note(_ syntax: TorrcSyntax, _ path: String) {
    if syntax.hasMark {
      torrc.findings.append(
        TorrcFinding(
          .warning, TorrcPlace(path, 1), "",
          "the file begins with a byte order mark, with which tor does not start: read without it"))
    }
    if let line = syntax.endOfText {
      torrc.findings.append(
        TorrcFinding(
          .error, TorrcPlace(path, line), "",
          "a NUL byte is here, and tor reads nothing behind it: neither was it read now; mend the file"
        ))
    }
  }

  private static func line(
    _ entry: TorrcEntry, _ place: TorrcPlace, _ includes: [TorrcPlace]
  ) -> TorrcLine {
    var name = entry.name[...]
    var command = TorrcLine.Command.assign
    if name.first == UInt8(ascii: "+") { command = .append }
    if name.first == UInt8(ascii: "/") { command = .clear }
    if command != .assign { name = name.dropFirst() }
    return TorrcLine(
      written: shown(name, limit: 60), meaning: TorrcOptionNames.meaning(of: name),
      command: command, value: command == .clear ? [] : entry.value, place: place,
      includes: includes)
  }
}

// Includes.
extension TorrcReader {
  private mutating func include(
    _ value: [UInt8], at place: TorrcPlace, _ includes: [TorrcPlace]
  ) throws(TorrcError) {
    guard let written = String(validating: value, as: UTF8.self), !written.isEmpty else {
      throw TorrcError(
        place: place, message: "%include \(shown(value)): names no path in UTF-8")
    }
    let paths = try matches(written, place)
    for path in paths {
      switch try allowed(path, place) {
      case .file(let bytes): try enter(path, bytes, place, includes)
      case .folder(let names):
        for name in names.sorted(by: Self.bytewise) where !name.hasPrefix(".") {
          let inner = "\(path)/\(name)"
          switch try allowed(inner, place) {
          case .file(let bytes): try enter(inner, bytes, place, includes)
          // tor takes files only; what is gone meanwhile is gone.
          case .folder, .absent: continue
          case .refused(let why): throw refusal(inner, place, why)
          }
        }
      case .absent:
        throw TorrcError(
          place: place,
          message:
            "%include \(path): nothing is there, and tor does not start without it; mend the line")
      case .refused(let why): throw refusal(path, place, why)
      }
    }
  }

  private mutating func enter(
    _ path: String, _ bytes: [UInt8], _ place: TorrcPlace, _ includes: [TorrcPlace]
  ) throws(TorrcError) {
    guard !open.contains(path) else {
      throw TorrcError(place: place, message: "%include \(path): the file includes itself")
    }
    // tor leaves an empty file out, and nothing is in it.
    try read(path, bytes, includes: includes + [place])
  }

  /// What is at a path, if it lies below an allowed folder.
  private func allowed(_ path: String, _ place: TorrcPlace) throws(TorrcError) -> TorrcFile {
    guard path.hasPrefix("/") else {
      throw TorrcError(
        place: place,
        message:
          "%include \(path): is relative to wherever tor was started; write the absolute path")
    }
    guard !path.split(separator: "/").contains("..") else {
      throw TorrcError(
        place: place, message: "%include \(path): holds `..`; write the path without")
    }
    guard roots.contains(where: { path == $0 || path.hasPrefix($0 == "/" ? $0 : $0 + "/") }) else {
      let folder = path.split(separator: "/").dropLast().joined(separator: "/")
      throw TorrcError(
        place: place,
        message: "%include \(path): lies outside of \(roots.joined(separator: ", "));"
          + " --include-root /\(folder) allows it")
    }
    return look(path)
  }

  private func refusal(_ path: String, _ place: TorrcPlace, _ why: String) -> TorrcError {
    TorrcError(place: place, message: "%include \(path): cannot be read: \(why)")
  }

  /// A pattern's matches in the order of their bytes, or the path itself. tor asks glob(3) where an unescaped `*` or
  /// `?` is in it (src/lib/fs/path.c, `has_glob`); no match is no error.
  private func matches(_ written: String, _ place: TorrcPlace) throws(TorrcError) -> [String] {
    guard Self.isPattern(written) else { return [Self.normal(written)] }
    guard written.hasPrefix("/") else {
      _ = try allowed(written, place)
      return []
    }
    var found = [""]
    let parts = written.split(separator: "/").map(String.init)
    for (index, part) in parts.enumerated() {
      guard part.contains(where: { "*?[\\".contains($0) }) else {
        found = found.map { "\($0)/\(part)" }
        continue
      }
      var next: [String] = []
      for folder in found {
        switch try allowed(folder.isEmpty ? "/" : folder, place) {
        case .folder(let names):
          next += names.filter { fnmatch(part, $0, FNM_PERIOD) == 0 }.map { "\(folder)/\($0)" }
        case .file, .absent: continue
        case .refused(let why): throw refusal(folder, place, why)
        }
      }
      guard next.count <= Self.fileLimit else {
        throw TorrcError(
          place: place, message: "%include \(written): more than \(Self.fileLimit) matches")
      }
      found = next
      if index == parts.count - 1 { return try kept(found, written, place) }
    }
    return try kept(found, written, place)
  }

  /// Those that are there; a pattern that ends in `/` matches folders only.
  private func kept(
    _ found: [String], _ written: String, _ place: TorrcPlace
  ) throws(TorrcError) -> [String] {
    var kept: [String] = []
    for path in found.sorted(by: Self.bytewise) {
      switch try allowed(path, place) {
      case .absent: continue
      case .file where written.hasSuffix("/"): continue
      case .file, .folder: kept.append(path)
      case .refused(let why): throw refusal(path, place, why)
      }
    }
    return kept
  }

  private static func isPattern(_ path: String) -> Bool {
    let bytes = Array(path.utf8)
    return bytes.indices.contains { index in
      (bytes[index] == UInt8(ascii: "*") || bytes[index] == UInt8(ascii: "?"))
        && (index == 0 || bytes[index - 1] != .backslash)
    }
  }

  /// Without doubled, ending, or `.` parts, which change nothing.
  static func normal(_ path: String) -> String {
    let parts = path.split(separator: "/").filter { $0 != "." }
    return (path.hasPrefix("/") ? "/" : "") + parts.joined(separator: "/")
  }

  private static func bytewise(_ left: String, _ right: String) -> Bool {
    left.utf8.lexicographicallyPrecedes(right.utf8)
  }
}
