import CLinux
import Descriptors
import Glibc

/// Memory for a secret: pages of its own, locked and left out of core dumps as far as the limits allow, zeroed when it
/// ends. It cannot be copied, so it cannot be printed, encoded or interpolated either.
struct SecretBytes: ~Copyable {
  private let memory: UnsafeMutableRawBufferPointer

  init(count: Int) throws(FileError) {
    guard let pages = clinux_pages(count) else { throw FileError(errno, "reserve", "memory") }
    // Best effort: without the right to lock it is zeroed all the same.
    _ = clinux_lock_memory(pages, count)
    memory = UnsafeMutableRawBufferPointer(start: pages, count: count)
  }

  deinit {
    if let start = memory.baseAddress { clinux_free_pages(start, memory.count) }
  }

  /// The bytes, valid only while this value lives.
  var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(memory) }

  var mutableBytes: UnsafeMutableRawBufferPointer { memory }
}

/// Zeroes a value on the stack that held a secret.
func wipe<Value: BitwiseCopyable>(_ value: inout Value) {
  withUnsafeMutableBytes(of: &value, wipe)
}

func wipe(_ buffer: UnsafeMutableRawBufferPointer) {
  if let start = buffer.baseAddress { clinux_zero(start, buffer.count) }
}
