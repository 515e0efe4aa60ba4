import Glibc

/// Chunks of bytes into lines, of bounded length.
///
/// A longer line is cut, and its rest counted: an audit record is at most 8 KiB (`MAX_AUDIT_MESSAGE_LENGTH`), but people paste
/// whole events into one line.
struct LineSplitter {
  static let limit = 64 << 10

  private var pending: [UInt8] = []
  private var isCut = false
  /// Lines that were longer.
  private(set) var cut = 0
  /// Bytes that are no text.
  private(set) var binary = 0

  mutating func read(_ bytes: some Collection<UInt8>, _ take: (String) -> Void) {
    let done: Void? = bytes.withContiguousStorageIfAvailable { read($0, take) }
    if done == nil { Array(bytes).withUnsafeBufferPointer { read($0, take) } }
  }

  private mutating func read(_ bytes: UnsafeBufferPointer<UInt8>, _ take: (String) -> Void) {
    guard let base = bytes.baseAddress else { return }
    var start = 0
    while start < bytes.count, let hit = memchr(base + start, 0x0a, bytes.count - start) {
      let end = UnsafeRawPointer(hit) - UnsafeRawPointer(base)
      append(UnsafeBufferPointer(rebasing: bytes[start..<end]))
      flush(take)
      start = end + 1
    }
    append(UnsafeBufferPointer(rebasing: bytes[start...]))
  }

  mutating func finish(_ take: (String) -> Void) {
    if !pending.isEmpty || isCut { flush(take) }
  }

  private mutating func append(_ bytes: UnsafeBufferPointer<UInt8>) {
    let room = Self.limit - pending.count
    if bytes.count > room { isCut = true }
    pending.append(contentsOf: bytes.prefix(room))
  }

  private mutating func flush(_ take: (String) -> Void) {
    if isCut { cut += 1 }
    isCut = false
    var text = pending[...]
    if text.starts(with: [0xef, 0xbb, 0xbf]) { text = text.dropFirst(3) }
    if text.last == 0x0d { text = text.dropLast() }
    // NULs are what a crash leaves at the end of a log; they hide nothing else.
    if text.contains(0) {
      binary += 1
      take(String(decoding: text.filter { $0 != 0 }, as: UTF8.self))
    } else {
      take(String(decoding: text, as: UTF8.self))
    }
    pending.removeAll(keepingCapacity: true)
  }
}
