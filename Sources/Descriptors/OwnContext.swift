import Glibc

/// This process's own SELinux context, where it matters what the policy would make of it. Without SELinux nothing here
/// does anything.
public enum OwnContext {
  /// More than any context: the longest have a hundred bytes and a list of categories.
  private static let limit = 4096

  /// `user:role:type:level` as the kernel names it; `nil` without SELinux (AppArmor answers in the same file) or where
  /// it cannot be read.
  public static func read() -> String? {
    guard access("/sys/fs/selinux/enforce", F_OK) == 0 else { return nil }
    let file = open("/proc/self/attr/current", O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var bytes = [UInt8](repeating: 0, count: limit)
    let count = Glibc.read(file, &bytes, bytes.count)
    return count > 0 ? context(of: Array(bytes[..<count])) : nil
  }

  /// The words that start a program in our own domain.
  ///
  /// Debian's policy sends `ssh-keygen` of a service into `ssh_keygen_t`, which may read no file that a service makes:
  /// each signed revision was refused under enforcing. `runcon` is part of coreutils.
  /// - Parameter context: ours; `nil` without SELinux.
  public static func words(_ program: String, in context: String?) -> [String] {
    guard let context else { return [program] }
    return ["runcon", context, program]
  }

  /// Makes a socket at the lower end of our range of levels.
  ///
  /// The server's end of a Unix connection gets the client's level (`selinux_socket_unix_stream_connect`). With the
  /// upper end of an administrator's or a Debian service's range, `s0-s0:c0.c1023`, a container may do nothing to its
  /// own end of a connection that we make, and each attempt is a denial in the audit log.
  public static func lowSocket(_ domain: Int32, _ type: Int32) -> Int32 {
    guard let low = read().flatMap(lowered) else { return socket(domain, type, 0) }
    // Of this thread only, and ended before it is given back. A domain without setsockcreate gets the socket as it was.
    let attribute = open("/proc/thread-self/attr/sockcreate", O_WRONLY | O_CLOEXEC)
    guard attribute >= 0 else { return socket(domain, type, 0) }
    defer { close(attribute) }
    let isSet = write(attribute, low, low.utf8.count + 1) > 0
    let made = socket(domain, type, 0)
    let error = errno
    if isSet { _ = write(attribute, nil, 0) }
    errno = error
    return made
  }

  /// The context with the lower level alone; `nil` if it has no range.
  static func lowered(_ context: String) -> String? {
    let parts = context.split(separator: ":", maxSplits: 3)
    guard parts.count == 4, let dash = parts[3].firstIndex(of: "-") else { return nil }
    return parts[..<3].joined(separator: ":") + ":" + parts[3][..<dash]
  }

  /// The kernel ends it with a NUL.
  static func context(of bytes: [UInt8]) -> String? {
    let text = String(decoding: bytes.prefix { $0 != 0 && $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    return text.split(separator: ":", maxSplits: 3).count >= 3 ? text : nil
  }
}
