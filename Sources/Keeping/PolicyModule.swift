import Descriptors
import Glibc
public import SELinux

/// A module's file, read once: what is checked is what is installed.
public struct PolicyModule: Sendable {
  /// The file's name without `.cil`: what `semodule` calls it.
  public var name: String
  public var bytes: [UInt8]
  public var content: CILModule

  /// - Throws: `KeepingError` that names file and line.
  public init(path: String) throws {
    let file = path.split(separator: "/").last.map(String.init) ?? path
    guard !file.hasSuffix(".pp"), !file.hasSuffix(".pp.bz2") else {
      throw KeepingError(
        "\(FileName(path)) is compiled: read it first, by `onionkeeper policy convert \(FileName(path)) > NAME.cil`"
      )
    }
    guard file.hasSuffix(".cil"), let name = Self.name(String(file.dropLast(4))) else {
      throw KeepingError(
        "\(FileName(path)): a module's file is called NAME.cil, NAME of letters, digits, _, - and ."
      )
    }
    try self.init(name: name, bytes: try Self.read(path, limit: Self.limit), path: path)
  }

  init(name: String, bytes: [UInt8], path: String) throws {
    self.name = name
    self.bytes = bytes
    do throws(CILError) {
      content = try CILModule(bytes)
    } catch {
      throw KeepingError("\(FileName(path)):\(error.line): \(error.message)")
    }
  }

  /// The largest module of a distribution has 200 KiB of CIL.
  static let limit = 8 << 20

  private static func name(_ text: String) -> String? {
    let isPlain = text.utf8.allSatisfy { byte in
      "_-.".utf8.contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }
    guard isPlain, let first = text.first, first.isLetter, text.utf8.count <= 200 else {
      return nil
    }
    return text
  }

  /// Whatever the user names: a pipe of the shell too.
  static func read(_ path: String, limit: Int) throws -> [UInt8] {
    var bytes: [UInt8] = []
    try readParts(of: path) { part in
      guard bytes.count + part.count <= limit else {
        throw KeepingError("\(FileName(path)) has more than \(limit >> 20) MiB")
      }
      bytes += part
    }
    return bytes
  }
}

/// Gives a file's bytes part by part; `-` is standard input.
func readParts(of path: String, _ body: (ArraySlice<UInt8>) throws -> Void) throws {
  let file = path == "-" ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)
  guard file >= 0 else {
    throw KeepingError("cannot read \(FileName(path)): \(String(cString: strerror(errno)))")
  }
  defer { close(file) }
  var buffer = [UInt8](repeating: 0, count: 1 << 18)
  while true {
    let count = read(file, &buffer, buffer.count)
    if count < 0, errno == EINTR { continue }
    guard count >= 0 else {
      throw KeepingError("cannot read \(FileName(path)): \(String(cString: strerror(errno)))")
    }
    if count == 0 { return }
    try body(buffer[..<count])
  }
}
