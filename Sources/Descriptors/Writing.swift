import CLinux
import Glibc

/// Who may do what with a new file.
public struct FileAttributes: Hashable, Sendable {
  /// User and group of the same number; `nil`: the caller's.
  public var owner: Int?
  public var mode: Int
  /// The whole SELinux context; `nil`: what the folder gives.
  public var label: String?

  public init(owner: Int? = nil, mode: Int = 0o600, label: String? = nil) {
    self.owner = owner
    self.mode = mode
    self.label = label
  }
}

extension Descriptor {
  /// What a file bears while it is not whole; `removeLeftovers` takes them away after a crash.
  public static let temporaryPrefix = ".new-"

  /// Writes a file whole: after a crash or power loss there is the old one or the new one, on the disk when this returns.
  /// Replaces a file or link of that name, never through it; `EISDIR` where a folder bears the name.
  ///
  /// Made under a random name with `O_EXCL` 0600, written, given its owner, then its mode, then its label, synchronised,
  /// renamed, and the folder synchronised. A failure leaves nothing new behind.
  public borrowing func write(
    _ bytes: [UInt8], to name: FileName, _ attributes: FileAttributes = FileAttributes()
  ) throws(FileError) {
    try bytes.withUnsafeBufferPointer { buffer throws(FileError) in
      try write(UnsafeRawBufferPointer(buffer), to: name, attributes)
    }
    try synchronize()
  }

  /// The same with memory of the caller's (a secret's); the folder is not synchronised: the caller does that once for
  /// several files.
  public borrowing func write(
    _ bytes: UnsafeRawBufferPointer, to name: FileName, _ attributes: FileAttributes
  ) throws(FileError) {
    try write(bytes, to: name, attributes, isReplacing: true)
  }

  /// The same under a name that nothing bears; on the disk when this returns.
  /// - Throws: `EEXIST` if anything bears it; nothing is ever replaced.
  public borrowing func writeNew(
    _ bytes: UnsafeRawBufferPointer, to name: FileName,
    _ attributes: FileAttributes = FileAttributes()
  ) throws(FileError) {
    try write(bytes, to: name, attributes, isReplacing: false)
    try synchronize()
  }

  private borrowing func write(
    _ bytes: UnsafeRawBufferPointer, to name: FileName, _ attributes: FileAttributes,
    isReplacing: Bool
  ) throws(FileError) {
    let temporary = Self.temporaryName()
    let file = try newFile(temporary)
    do {
      try file.fill(bytes)
      try file.apply(attributes)
      try file.synchronize()
      if isReplacing {
        try replace(name, by: temporary)
      } else {
        try rename(temporary, to: self, as: name)
      }
    } catch {
      // The first error is what matters; what cannot be removed is swept up as a leftover.
      _ = temporary.withPointer { unlinkat(number, $0, 0) }
      throw error
    }
  }

  /// Owner, then mode, then label, as `FileAttributes` says.
  public borrowing func apply(_ attributes: FileAttributes) throws(FileError) {
    if let owner = attributes.owner { try setOwner(owner) }
    try setMode(attributes.mode)
    if let label = attributes.label { try setLabel(label) }
  }

  /// A file in memory, without a name, that is read from its beginning: a program's standard input.
  public static func memory(holding bytes: [UInt8]) throws(FileError) -> Descriptor {
    let number = clinux_memory_file()
    guard number >= 0 else { throw FileError(errno, "make", "a file in memory") }
    let file = Descriptor(adopting: number, path: "a file in memory")
    try bytes.withUnsafeBufferPointer { buffer throws(FileError) in
      try file.fill(UnsafeRawBufferPointer(buffer))
    }
    guard lseek(number, 0, SEEK_SET) == 0 else { throw FileError(errno, "rewind", file.path) }
    return file
  }

  /// A random name that begins with `temporaryPrefix`.
  public static func temporaryName() -> FileName {
    var random = SystemRandomNumberGenerator()
    return FileName(temporaryPrefix + String(random.next(), radix: 16))
  }

  private borrowing func fill(_ bytes: UnsafeRawBufferPointer) throws(FileError) {
    var written = 0
    while written < bytes.count {
      let count = Glibc.write(
        number, bytes.baseAddress?.advanced(by: written), bytes.count - written)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw FileError(count == 0 ? ENOSPC : errno, "write", path) }
      written += count
    }
  }

  private borrowing func replace(_ name: FileName, by temporary: FileName) throws(FileError) {
    guard name.isEntry else { throw FileError(EINVAL, "write", joined(name)) }
    let result = temporary.withPointer { old in
      name.withPointer { renameat(number, old, number, $0) }
    }
    guard result == 0 else { throw FileError(errno, "write", joined(name)) }
  }
}
