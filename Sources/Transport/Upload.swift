import Glibc

/// The body of a request while it is read: from memory or from a file.
final class Upload {
  let size: Int
  private var offset = 0
  private let bytes: [UInt8]
  private let descriptor: Int32?
  private let operation: String

  /// `nil` for a request that sends no body, not even an empty one.
  init?(_ request: HTTPRequest) throws(TransportError) {
    operation = request.operation
    switch request.body {
    case .none:
      guard ["POST", "PUT", "PATCH"].contains(request.method) else { return nil }
      (bytes, size, descriptor) = ([], 0, nil)
    case .bytes(let content): (bytes, size, descriptor) = (content, content.count, nil)
    case .file(let path):
      // Without O_NONBLOCK the open of a named pipe would wait for a writer.
      let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
      guard file >= 0 else { throw Self.unreadable(path, operation, errno) }
      var status = stat()
      guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
        close(file)
        throw TransportError(
          .unreadableBody, operation: operation, message: "\(path): not a regular file")
      }
      (bytes, size, descriptor) = ([], Int(status.st_size), file)
    }
  }

  deinit { if let descriptor { close(descriptor) } }

  /// - Returns: the number of bytes read, 0 at the end.
  func read(into buffer: UnsafeMutableRawBufferPointer) throws(TransportError) -> Int {
    let wanted = min(buffer.count, size - offset)
    guard wanted > 0 else { return 0 }
    guard let descriptor else {
      bytes[offset..<offset + wanted].withUnsafeBytes { buffer.copyMemory(from: $0) }
      offset += wanted
      return wanted
    }
    let count = pread(descriptor, buffer.baseAddress, wanted, off_t(offset))
    guard count > 0 else {
      let reason =
        count == 0 ? "became shorter while it was sent" : String(cString: strerror(errno))
      throw TransportError(
        .unreadableBody, operation: operation, message: "the body's file \(reason)")
    }
    offset += count
    return count
  }

  /// libcurl begins anew when a kept connection turns out to be dead.
  func rewind(to position: Int) -> Bool {
    guard (0...size).contains(position) else { return false }
    offset = position
    return true
  }

  private static func unreadable(
    _ path: String, _ operation: String, _ error: Int32
  ) -> TransportError {
    TransportError(
      .unreadableBody, operation: operation, message: "\(path): \(String(cString: strerror(error)))"
    )
  }
}
