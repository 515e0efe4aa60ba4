import CLinux
import Glibc

extension Descriptor {
  /// The whole content of a file from its beginning.
  /// - Throws: `EFBIG` if there is more than `limit` bytes.
  public borrowing func read(limit: Int) throws(FileError) -> [UInt8] {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: min(limit + 1, 1 << 16))
    while true {
      let count = try chunk.withUnsafeMutableBufferPointer { buffer throws(FileError) in
        try read(into: UnsafeMutableRawBufferPointer(buffer), at: bytes.count)
      }
      if count == 0 { return bytes }
      guard bytes.count + count <= limit else { throw FileError(EFBIG, "read", path) }
      bytes += chunk[..<count]
    }
  }

  /// Fills memory of the caller's (a secret's) from an offset.
  /// - Returns: Bytes read; fewer than asked for only at the end of the file.
  public borrowing func read(
    into buffer: UnsafeMutableRawBufferPointer, at offset: Int
  ) throws(FileError) -> Int {
    var filled = 0
    while filled < buffer.count {
      let count = pread(
        number, buffer.baseAddress?.advanced(by: filled), buffer.count - filled,
        off_t(offset + filled))
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw FileError(errno, "read", path) }
      if count == 0 { break }
      filled += count
    }
    return filled
  }

  /// What a symbolic link says.
  /// - Throws: `EINVAL` for anything but a link.
  public borrowing func link(_ name: FileName) throws(FileError) -> String {
    guard name.isEntry else { throw FileError(EINVAL, "read the link", joined(name)) }
    var target = [CChar](repeating: 0, count: Int(PATH_MAX))
    let count = name.withPointer { readlinkat(number, $0, &target, target.count) }
    guard count >= 0 else { throw FileError(errno, "read the link", joined(name)) }
    let bytes = target[..<count].map { UInt8(bitPattern: $0) }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw FileError(EILSEQ, "read the link", joined(name))
    }
    return text
  }

  /// The names in a folder, in no order, without `.` and `..`.
  /// - Throws: `E2BIG` if there are more than `limit`.
  public borrowing func names(limit: Int) throws(FileError) -> [FileName] {
    guard lseek(number, 0, SEEK_SET) == 0 else { throw FileError(errno, "list", path) }
    var names: [FileName] = []
    // Room for about a thousand usual names a call.
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 15, alignment: 16)
    defer { buffer.deallocate() }
    guard let base = buffer.baseAddress else { return names }
    while true {
      let count = clinux_list(number, base, buffer.count)
      guard count >= 0 else { throw FileError(errno, "list", path) }
      if count == 0 { return names }
      var offset = 0
      while offset < count {
        let record = base.advanced(by: offset)
        let name = FileName(record: record)
        offset += clinux_record_length(record)
        guard name.isEntry else { continue }
        guard names.count < limit else { throw FileError(E2BIG, "list", path) }
        names.append(name)
      }
    }
  }
}

extension FileName {
  /// The name in one record of `getdents64`: the kernel ends it with a NUL.
  fileprivate init(record: UnsafeRawPointer) {
    let name = record.advanced(by: clinux_record_name_offset())
    self.init(
      bytes: UnsafeRawBufferPointer(
        start: name, count: strlen(name.assumingMemoryBound(to: CChar.self))))
  }
}
