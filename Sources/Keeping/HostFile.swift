import Definitions
public import OnionModel

/// A host file that cannot be used: every reason, with its place.
public struct HostFileError: Error, Sendable, CustomStringConvertible {
  public var diagnostics: [Diagnostic]

  public var description: String { diagnostics.map(\.description).joined(separator: "\n") }
}

/// Reads the host file and everything that it names.
public struct HostFile: Sendable {
  /// More is no host file.
  private static let limit = 256 << 10

  /// Whose host file it is.
  public enum Machine: Sendable {
    /// Owners, modes and every file that it names are looked at.
    case this
    /// Only the text counts, as in a repository's own CI: what it names lies on that machine's disk.
    case another
  }

  public let path: String
  let machine: Machine

  /// - Parameter path: absolute.
  public init(path: String, of machine: Machine = .this) {
    self.path = path
    self.machine = machine
  }

  /// - Throws: `HostFileError` with all that is wrong, in order of place.
  public func read() throws(HostFileError) -> HostConfiguration {
    let bytes: [UInt8]
    do throws(GuardRefusal) {
      bytes = try GuardedFile(
        path: path, what: "the host file", demand: machine == .this ? .owned : .anything
      ).read(limit: Self.limit)
    } catch {
      throw HostFileError(diagnostics: [Diagnostic(file: path, message: error.message)])
    }
    let reading = readDocument(bytes: bytes, file: path, fields: HostFields.all)
    guard let value = reading.value, value.isRecord else {
      throw HostFileError(diagnostics: reading.diagnostics)
    }
    var checker = HostChecker(file: path, machine: machine, digest: sha256(bytes))
    let configuration = checker.configuration(value)
    let found = (reading.diagnostics + checker.diagnostics).inOrderOfPlace()
    guard let configuration, !found.contains(where: { $0.severity == .error }) else {
      throw HostFileError(diagnostics: found)
    }
    return configuration
  }
}

extension [Diagnostic] {
  fileprivate func inOrderOfPlace() -> [Diagnostic] {
    enumerated().sorted { left, right in
      let (first, second) = (left.element, right.element)
      return (first.line ?? 0, first.column ?? 0, left.offset)
        < (second.line ?? 0, second.column ?? 0, right.offset)
    }.map(\.element)
  }
}
