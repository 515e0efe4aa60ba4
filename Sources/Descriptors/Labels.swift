import CLinux
import Glibc

extension Descriptor {
  private static let labelName = "security.selinux"
  /// A context is at most a page in the kernel.
  private static let labelLimit = 4096

  /// The SELinux context that it bears, without the kernel's ending NUL; `nil` if it bears none.
  public borrowing func label() throws(FileError) -> String? {
    guard let bytes = try attribute(Self.labelName, limit: Self.labelLimit) else { return nil }
    return String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
  }

  /// Sets the SELinux context. On a host without SELinux the kernel stores it unseen: ask `/sys/fs/selinux` first.
  public borrowing func setLabel(_ label: String) throws(FileError) {
    try setAttribute(Self.labelName, Array(label.utf8) + [0])
  }

  /// An extended attribute; `nil` if there is none, or none are possible here.
  /// - Throws: `EFBIG` above `limit` bytes.
  public borrowing func attribute(_ name: String, limit: Int) throws(FileError) -> [UInt8]? {
    var value = [UInt8](repeating: 0, count: limit)
    let count = value.withUnsafeMutableBytes {
      clinux_get_attribute(number, name, $0.baseAddress, $0.count)
    }
    if count >= 0 { return Array(value[..<count]) }
    switch errno {
    case ENODATA, ENOTSUP: return nil
    case ERANGE: throw FileError(EFBIG, "read attribute \(name) of", path)
    default: throw FileError(errno, "read attribute \(name) of", path)
    }
  }

  public borrowing func setAttribute(_ name: String, _ value: [UInt8]) throws(FileError) {
    // An array without elements has no address of its own.
    let bytes = value.isEmpty ? [0] : value
    guard clinux_set_attribute(number, name, bytes, value.count) == 0 else {
      throw FileError(errno, "set attribute \(name) of", path)
    }
  }

  /// Does nothing where there is none.
  public borrowing func removeAttribute(_ name: String) throws(FileError) {
    guard clinux_remove_attribute(number, name) != 0 else { return }
    guard errno == ENODATA || errno == ENOTSUP else {
      throw FileError(errno, "remove attribute \(name) of", path)
    }
  }
}
