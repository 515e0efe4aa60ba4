import Descriptors
import OnionModel

/// A tar archive (POSIX.1-1988 ustar, and what GNU and BSD tar write) of which only secret keys are read.
struct TarReader {
  static let block = 512

  private let bytes: UnsafeRawBufferPointer
  private let origin: String

  /// - Parameter bytes: Valid as long as this is used.
  init(_ bytes: UnsafeRawBufferPointer, origin: String) {
    self.bytes = bytes
    self.origin = origin
  }

  /// Whether it begins with a header whose sum is right.
  static func isArchive(_ bytes: UnsafeRawBufferPointer) -> Bool {
    bytes.count >= block && TarHeader(UnsafeRawBufferPointer(rebasing: bytes[..<block])) != nil
  }

  /// - Throws: `key.unusable` for a damaged archive, or a key in it that is not whole.
  func read(into collector: inout KeyCollector) throws {
    var offset = 0
    // Each round goes at least a block further.
    while offset + Self.block <= bytes.count {
      let header = slice(offset, Self.block)
      if header.allSatisfy({ $0 == 0 }) { return }
      guard let entry = TarHeader(header) else {
        throw unusable(origin, "is a damaged tar archive (at byte \(offset))")
      }
      offset += Self.block
      guard entry.size <= bytes.count - offset else {
        throw unusable(origin, "is cut off in the midst of \(entry.name)")
      }
      if entry.isFile, entry.components.last == KeyFiles.secretKey {
        _ = try collector.add(
          slice(offset, entry.size), origin: "\(entry.name) in \(origin)", place: entry.place)
      }
      offset += (entry.size + Self.block - 1) / Self.block * Self.block
    }
    throw unusable(origin, "is cut off: a tar archive ends with empty blocks")
  }

  private func slice(_ offset: Int, _ count: Int) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count])
  }
}

/// One header of a tar archive.
private struct TarHeader {
  /// Printable.
  var name: FileName
  var size: Int
  var isFile: Bool
  var components: [String]

  /// `nil` unless sum and size are right.
  init?(_ block: UnsafeRawBufferPointer) {
    func field(_ offset: Int, _ count: Int) -> UnsafeRawBufferPointer {
      UnsafeRawBufferPointer(rebasing: block[offset..<offset + count])
    }
    func text(_ offset: Int, _ count: Int) -> [UInt8] {
      Array(field(offset, count).prefix { $0 != 0 })
    }
    // The sum counts its own field as spaces.
    let sum = block.enumerated().reduce(0) {
      $0 + Int((148..<156).contains($1.offset) ? 0x20 : $1.element)
    }
    guard Self.octal(field(148, 8)) == sum, let size = Self.octal(field(124, 12)) else {
      return nil
    }
    var bytes = text(0, 100)
    let isPOSIX = field(257, 6).elementsEqual("ustar\0".utf8)
    if isPOSIX, case let prefix = text(345, 155), !prefix.isEmpty {
      bytes = prefix + [UInt8(ascii: "/")] + bytes
    }
    let type = block[156]
    name = FileName(bytes: bytes)
    isFile = type == 0 || type == UInt8(ascii: "0")
    // A link's or folder's size says nothing of what follows.
    let hasContent = !(UInt8(ascii: "1")...UInt8(ascii: "6")).contains(type)
    self.size = hasContent ? size : 0
    components = String(decoding: bytes, as: UTF8.self).split(separator: "/").map(String.init)
      .filter { $0 != "." }
  }

  /// `INSTANCE/NAME/hs_ed25519_secret_key`, nothing above it.
  var place: KeyPlace? {
    guard components.count == 3, let instance = InstanceName(components[0]),
      let service = ServiceName(components[1])
    else { return nil }
    return KeyPlace(instance: instance, service: service)
  }

  /// Digits between spaces or NULs.
  private static func octal(_ field: UnsafeRawBufferPointer) -> Int? {
    let digits = field.drop { $0 == 0x20 }.prefix { $0 != 0 && $0 != 0x20 }
    guard !digits.isEmpty else { return nil }
    var number = 0
    for digit in digits {
      guard (UInt8(ascii: "0")...UInt8(ascii: "7")).contains(digit) else { return nil }
      number = number * 8 + Int(digit - UInt8(ascii: "0"))
    }
    return number
  }
}

extension KeyBundle {
  /// A tar archive of tor directories, `INSTANCE/NAME/` with secret key, public key and `hostname`: extracted anywhere, tor
  /// itself can use them.
  func archive() throws -> Secret {
    var writer = TarWriter()
    var instances: Set<InstanceName> = []
    for (index, entry) in entries.enumerated() {
      guard let place = entry.place else {
        throw KeyStoreError(.io, "export", "the key of \(entry.address) has no place")
      }
      if instances.insert(place.instance).inserted { writer.folder("\(place.instance)/") }
      writer.folder("\(place)/")
      writer.file("\(place)/\(KeyFiles.secretKey)", .secret(index))
      for (name, content) in Inspection.publicFiles(entry.address) {
        writer.file("\(place)/\(name)", .open(content))
      }
    }
    return try writer.write(self)
  }
}

/// Lays an archive out first, so that its memory is reserved once.
private struct TarWriter {
  enum Content {
    /// A key of the bundle.
    case secret(Int)
    case open([UInt8])

    var count: Int {
      switch self {
      case .secret: SecretKeyFile.count
      case .open(let bytes): bytes.count
      }
    }
  }

  private var entries: [(name: String, content: Content?)] = []

  mutating func folder(_ name: String) { entries.append((name, nil)) }

  mutating func file(_ name: String, _ content: Content) { entries.append((name, content)) }

  func write(_ keys: KeyBundle) throws -> Secret {
    let block = TarReader.block
    func blocks(_ count: Int) -> Int { (count + block - 1) / block * block }
    // Two empty blocks end it.
    let count = entries.reduce(2 * block) { $0 + block + blocks($1.content?.count ?? 0) }
    let memory = try SecretBytes(count: count)
    var offset = 0
    for (name, content) in entries {
      let header = Self.header(name, size: content?.count ?? 0, isFolder: content == nil)
      memory.mutableBytes[offset..<offset + block].copyBytes(from: header)
      offset += block
      let place = UnsafeMutableRawBufferPointer(
        rebasing: memory.mutableBytes[offset..<offset + (content?.count ?? 0)])
      switch content {
      case .secret(let index): keys.withSecret(index) { place.copyMemory(from: $0) }
      case .open(let bytes): place.copyBytes(from: bytes)
      case nil: break
      }
      offset += blocks(content?.count ?? 0)
    }
    return Secret(memory)
  }

  /// A ustar header; its time is 1970, so that the same keys make the same archive.
  private static func header(_ name: String, size: Int, isFolder: Bool) -> [UInt8] {
    var header = [UInt8](repeating: 0, count: TarReader.block)
    func put(_ text: String, _ offset: Int) {
      header.replaceSubrange(offset..<offset + text.utf8.count, with: text.utf8)
    }
    func octal(_ number: Int, _ digits: Int) -> String {
      let text = String(number, radix: 8)
      return String(repeating: "0", count: max(0, digits - text.count)) + text
    }
    // Both names are at most 48 characters: the folder goes where 155 fit.
    let parts = name.split(separator: "/")
    put(String(parts.last ?? "") + (isFolder ? "/" : ""), 0)
    put(parts.dropLast().joined(separator: "/"), 345)
    put(octal(isFolder ? 0o700 : 0o600, 7), 100)
    put(octal(0, 7), 108)
    put(octal(0, 7), 116)
    put(octal(size, 11), 124)
    put(octal(0, 11), 136)
    put(isFolder ? "5" : "0", 156)
    put("ustar", 257)
    put("00", 263)
    put("        ", 148)
    put(octal(header.reduce(0) { $0 + Int($1) }, 6) + "\0 ", 148)
    return header
  }
}
