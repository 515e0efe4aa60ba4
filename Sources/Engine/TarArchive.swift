/// A ustar archive in memory (POSIX.1-1988): owner root, time 0, entries in the order given, so equal contents make
/// equal bytes. For build contexts, which are small.
public struct TarArchive: Sendable {
  private static let block = 512
  private var content: [UInt8] = []

  public init() {}

  /// Adds a regular file.
  /// - Parameter path: relative, below 255 bytes, without `..`.
  /// - Throws: `.invalid` for a path that ustar cannot hold.
  public mutating func add(
    _ path: String, mode: UInt16 = 0o644, _ bytes: some Collection<UInt8>
  ) throws(EngineError) {
    content += try Self.header(path, mode: mode, type: UInt8(ascii: "0"), size: bytes.count)
    content += bytes
    content += zeros((Self.block - bytes.count % Self.block) % Self.block)
  }

  /// Adds a file of text.
  /// - Throws: as `add`.
  public mutating func add(
    _ path: String, mode: UInt16 = 0o644, text: String
  ) throws(EngineError) {
    try add(path, mode: mode, Array(text.utf8))
  }

  /// Adds a directory.
  /// - Throws: as `add`.
  public mutating func addDirectory(_ path: String, mode: UInt16 = 0o755) throws(EngineError) {
    content += try Self.header(path + "/", mode: mode, type: UInt8(ascii: "5"), size: 0)
  }

  /// The archive with its end: two empty blocks.
  public var bytes: [UInt8] { content + zeros(2 * Self.block) }

  private static func header(
    _ path: String, mode: UInt16, type: UInt8, size: Int
  ) throws(EngineError) -> [UInt8] {
    guard let (prefix, name) = split(path), size < 1 << 33 else {
      throw EngineError(
        .invalid, operation: "tar", message: "\(path.prefix(100)): cannot be an entry of an archive"
      )
    }
    var header: [UInt8] = []
    func put(_ bytes: some Sequence<UInt8>, _ width: Int) {
      let start = header.count
      header += bytes
      header += zeros(width - (header.count - start))
    }
    func put(octal value: Int, _ width: Int) {
      let digits = String(value, radix: 8)
      put((String(repeating: "0", count: width - 1 - digits.count) + digits).utf8, width)
    }
    put(name, 100)
    put(octal: Int(mode), 8)
    put(octal: 0, 8)  // uid
    put(octal: 0, 8)  // gid
    put(octal: size, 12)
    put(octal: 0, 12)  // mtime
    put("        ".utf8, 8)  // the checksum counts as blanks
    put([type], 1)
    put([], 100)  // link name
    put("ustar\u{0}00".utf8, 8)
    put([], 32)  // user name
    put([], 32)  // group name
    put(octal: 0, 8)  // device
    put(octal: 0, 8)
    put(prefix, 155)
    put([], 12)
    let sum = String(header.reduce(0) { $0 + Int($1) }, radix: 8)
    let digits = String(repeating: "0", count: 6 - sum.count) + sum
    header.replaceSubrange(148..<156, with: Array(digits.utf8) + [0, UInt8(ascii: " ")])
    return header
  }

  /// Prefix (155) and name (100) of a path; `nil` if it does not fit or is not plain.
  private static func split(_ path: String) -> (prefix: [UInt8], name: [UInt8])? {
    let bytes = Array(path.utf8)
    let parts = path.split(separator: "/", omittingEmptySubsequences: false)
    guard !path.isEmpty, !path.hasPrefix("/"), !parts.contains(".."), !bytes.contains(0) else {
      return nil
    }
    if bytes.count <= 100 { return ([], bytes) }
    for (index, byte) in bytes.enumerated()
    where byte == UInt8(ascii: "/") && index <= 155 && (1...100).contains(bytes.count - index - 1) {
      return (Array(bytes[..<index]), Array(bytes[(index + 1)...]))
    }
    return nil
  }
}

private func zeros(_ count: Int) -> [UInt8] { [UInt8](repeating: 0, count: count) }
