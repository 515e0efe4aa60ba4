import CLinux
import Descriptors
import Glibc

/// Memory for a secret: pages of its own, locked and left out of core dumps as far as the limits allow, zeroed when it
/// ends. It cannot be copied, so it cannot be printed, encoded or interpolated either.
struct SecretBytes: ~Copyable {
  private let memory: UnsafeMutableRawBufferPointer

  init(count: Int) throws(FileError) {
    guard let pages = clinux_pages(max(count, 1)) else {
      throw FileError(errno, "reserve", "memory")
    }
    // Best effort: without the right to lock it is zeroed all the same.
    _ = clinux_lock_memory(pages, max(count, 1))
    memory = UnsafeMutableRawBufferPointer(start: pages, count: count)
  }

  init(copying bytes: UnsafeRawBufferPointer) throws(FileError) {
    try self.init(count: bytes.count)
    memory.copyMemory(from: bytes)
  }

  deinit {
    if let start = memory.baseAddress { clinux_free_pages(start, max(memory.count, 1)) }
  }

  /// The bytes, valid only while this value lives.
  var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(memory) }

  /// For whoever makes it, before anybody else has it.
  var mutableBytes: UnsafeMutableRawBufferPointer { memory }
}

// The pages are written by their maker alone and only read from then on.
extension SecretBytes: @unchecked Sendable {}

/// A secret of any length that several may read: never printed, for its members are not shown.
final class Secret: Sendable, CustomStringConvertible, CustomReflectable {
  let memory: SecretBytes

  init(_ memory: consuming SecretBytes) { self.memory = memory }

  var count: Int { memory.bytes.count }

  /// Lends the bytes; they are valid for the body alone.
  func withBytes<Result, Failure: Error>(
    _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    // The last use of the pointer is not one of its owner.
    defer { withExtendedLifetime(self) {} }
    return try body(memory.bytes)
  }

  var description: String { "a secret" }

  var customMirror: Mirror { Mirror(self, children: []) }
}

extension Secret {
  /// Collects what `read` gives, a piece a call, until it gives nothing.
  /// - Returns: `nil` if there is more than `limit` bytes.
  static func collect(
    limit: Int, _ read: (UnsafeMutableRawBufferPointer) throws(FileError) -> Int
  ) throws(FileError) -> Secret? {
    var memory = try SecretBytes(count: min(limit + 1, 1 << 16))
    var filled = 0
    while true {
      let count = try read(
        UnsafeMutableRawBufferPointer(rebasing: memory.mutableBytes[filled...]))
      if count == 0 { break }
      filled += count
      guard filled <= limit else { return nil }
      if filled == memory.bytes.count {
        let larger = try SecretBytes(count: min(limit + 1, filled * 2))
        larger.mutableBytes.copyMemory(from: memory.bytes)
        memory = larger
      }
    }
    return Secret(
      try SecretBytes(copying: UnsafeRawBufferPointer(rebasing: memory.bytes[..<filled])))
  }
}

/// Zeroes a value on the stack that held a secret.
func wipe<Value: BitwiseCopyable>(_ value: inout Value) {
  withUnsafeMutableBytes(of: &value, wipe)
}

func wipe(_ buffer: UnsafeMutableRawBufferPointer) {
  if let start = buffer.baseAddress { clinux_zero(start, buffer.count) }
}
