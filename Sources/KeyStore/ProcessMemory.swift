import CLinux
public import Descriptors
import Glibc

/// What a crash of this process may show of its memory: nothing.
public enum ProcessMemory {
  /// The signals of a crash. Swift's runtime answers each with a report that shows the bytes which registers point to.
  private static let crashes = [SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGQUIT, SIGSEGV, SIGTRAP]

  /// No core dump, whatever the limits and the machine's core_pattern say (PR_SET_DUMPABLE; RLIMIT_CORE, which children
  /// inherit: `age` holds keys too), and no report of a crash but the runtime's one line. Before any key is read.
  /// - Throws: Where the kernel, or a filter before it, does not do so.
  public static func conceal() throws(FileError) {
    var none = rlimit(rlim_cur: 0, rlim_max: 0)
    guard clinux_forbid_dumps() == 0,
      setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &none) == 0
    else { throw FileError(errno, "forbid dumps of", "this process") }
    for number in crashes { signal(number, SIG_DFL) }
    guard isConcealed else { throw FileError(EPERM, "forbid dumps of", "this process") }
  }

  /// As the kernel says it.
  public static var isConcealed: Bool {
    var limit = rlimit()
    return clinux_dumpable() == 0
      && getrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &limit) == 0 && limit.rlim_cur == 0
      && limit.rlim_max == 0
  }
}
