import Glibc

/// A file call that failed: which, on what, and why. Never a content.
public struct FileError: Error, Hashable, Sendable, CustomStringConvertible {
  /// `errno`, or the nearest of it where the finding is our own (`EFBIG`: larger than the limit).
  public var number: Int32
  /// What was tried, for people: `open`, `read`, `rename`.
  public var operation: String
  /// On what, printable.
  public var path: String

  public init(_ number: Int32, _ operation: String, _ path: String) {
    self.number = number
    self.operation = operation
    self.path = path
  }

  /// The kernel's word for it.
  public var reason: String {
    switch number {
    case ELOOP: "a symbolic link is there, and links are not followed"
    case EXDEV: "another file system is mounted there, or the path leads out"
    case EFBIG: "larger than allowed"
    case E2BIG: "more entries than allowed"
    default: String(cString: strerror(number))
    }
  }

  public var description: String { "\(operation) \(path): \(reason)" }

  /// Nothing of that name is there.
  public var isAbsence: Bool { number == ENOENT }
}
