public import Descriptors
import Glibc

/// Something that could not be done with keys: what, where, and what to do next. Never a secret.
public struct KeyStoreError: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Code: String, Sendable {
    /// Something is where a key was to be put; nothing was overwritten.
    case keyPresent = "key.present"
    /// No key is where one was to be.
    case keyMissing = "key.missing"
    /// The service is pinned, so its key is lost rather than not there yet.
    case keyLost = "key.lost"
    /// The key there makes another address.
    case keyMismatch = "key.mismatch"
    /// The key there is not whole.
    case keyDamaged = "key.damaged"
    /// What was to be read as a key is none, or more than one.
    case keyUnusable = "key.unusable"
    /// A sealed key that the identity does not open, or something that could not be sealed.
    case keySealed = "key.sealed"
    /// The host has no `age`.
    case ageMissing = "age.missing"
    /// The folder's marker is another agent's, or its owner or mode is not safe.
    case rootForeign = "root.foreign"
    /// The folder bears no marker: not set up, or not mounted.
    case rootMissing = "root.missing"
    /// Another process holds the folder.
    case rootBusy = "root.busy"
    case diskFull = "disk.full"
    case diskReadOnly = "disk.readonly"
    case denied
    case timeout
    /// The task was told to stop; nothing was written.
    case cancelled
    case io
  }

  public var code: Code
  /// What was tried: `generate`, `repair`.
  public var operation: String
  public var message: String

  public init(_ code: Code, _ operation: String, _ message: String) {
    self.code = code
    self.operation = operation
    self.message = message
  }

  public init(_ error: FileError, _ operation: String) {
    let (code, advice): (Code, String) =
      switch error.number {
      case ENOSPC, EDQUOT: (.diskFull, ": make room; nothing was lost")
      case EROFS: (.diskReadOnly, ": mount it writable, and look for disk errors")
      case EACCES: (.denied, ": is the agent root, and does a security policy stand in the way?")
      case EPERM:
        (.denied, ": is it immutable (lsattr), or does a security policy stand in the way?")
      default: (.io, "")
      }
    self.init(code, operation, error.description + advice)
  }

  public var description: String { "\(code.rawValue): \(operation): \(message)" }

  /// Worth another try without anybody doing anything.
  public var isTransient: Bool {
    switch code {
    case .rootBusy, .diskFull, .diskReadOnly, .denied, .timeout, .cancelled, .io: true
    default: false
    }
  }
}

/// Runs a body whose file errors become the operation's.
func converting<Result: ~Copyable>(
  _ operation: String, _ body: () throws -> Result
) throws(KeyStoreError) -> Result {
  do {
    return try body()
  } catch let error as KeyStoreError {
    throw error
  } catch let error as FileError {
    throw KeyStoreError(error, operation)
  } catch {
    throw KeyStoreError(.io, operation, "\(error)")
  }
}
