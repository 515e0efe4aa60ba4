import Descriptors
import Glibc

/// Why an instance's folders could not be made, mended or removed.
public struct FolderError: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Code: String, Hashable, Sendable {
    /// The operating system refused: `number` is its `errno`.
    case system
    /// More entries than are looked at: somebody filled the folder.
    case tooMany
  }

  public var code: Code
  /// What was done: `write etc`, `remove run`.
  public var operation: String
  /// What happened and where.
  public var message: String
  /// `errno`
  public var number: Int32

  init(_ operation: String, _ error: FileError) {
    code = error.number == E2BIG ? .tooMany : .system
    self.operation = operation
    message = "\(error)"
    number = error.number
  }

  public var description: String { "instance folders, \(operation): \(message)" }
}
