import Glibc

/// Whether this kernel's SELinux labels and enforces (selinuxfs: `enforce` holds `0` or `1`).
public enum SELinuxMode: String, Hashable, Sendable {
  /// No selinuxfs: nothing must be labelled, nothing is confined by it.
  case disabled
  /// Labels are kept and denials logged, nothing is refused.
  case permissive
  case enforcing

  /// Labels mean something.
  public var isOn: Bool { self != .disabled }

  /// - Parameter root: Where the host's file system begins; `/` but in tests.
  /// - Throws: `LabelError` if the file is there and cannot be read or says neither.
  public static func detect(root: String = "/") throws(LabelError) -> SELinuxMode {
    let path = root + (root.hasSuffix("/") ? "" : "/") + "sys/fs/selinux/enforce"
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else {
      if errno == ENOENT || errno == ENOTDIR { return .disabled }
      throw LabelError(.system, "read \(path)", String(cString: strerror(errno)))
    }
    defer { close(file) }
    var bytes = [UInt8](repeating: 0, count: 16)
    let count = read(file, &bytes, bytes.count)
    guard count >= 0 else {
      throw LabelError(.system, "read \(path)", String(cString: strerror(errno)))
    }
    switch bytes.prefix(count).filter({ $0 != UInt8(ascii: "\n") }) {
    case [UInt8(ascii: "0")]: return .permissive
    case [UInt8(ascii: "1")]: return .enforcing
    default:
      throw LabelError(.malformed, "read \(path)", "neither 0 nor 1: not the kernel's selinuxfs")
    }
  }
}
