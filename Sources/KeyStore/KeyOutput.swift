import Descriptors
import Glibc

/// Where exported keys go.
public enum KeyOutput: Hashable, Sendable {
  /// A file that is not there yet, made 0600 and whole.
  case newFile(String)
  case standardOutput
}

extension KeyOutput {
  /// Writes what is sealed.
  /// - Throws: `key.present` if the file is there already; nothing is replaced.
  public func write(_ sealed: [UInt8]) throws(KeyStoreError) {
    try converting("export") { try sealed.withUnsafeBytes { try write($0) } }
  }

  func write(_ bytes: UnsafeRawBufferPointer) throws {
    switch self {
    case .standardOutput:
      var written = 0
      while written < bytes.count {
        let count = Glibc.write(
          STDOUT_FILENO, bytes.baseAddress?.advanced(by: written), bytes.count - written)
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { throw FileError(errno, "write", "standard output") }
        written += count
      }
    case .newFile(let path):
      let parts = path.split(separator: "/")
      guard path.hasPrefix("/"), let name = parts.last else {
        throw FileError(EINVAL, "write", FileName(path).description)
      }
      let folder = try Descriptor.folder(at: "/" + parts.dropLast().joined(separator: "/"))
      do {
        try folder.writeNew(bytes, to: FileName(String(name)))
      } catch {
        guard error.number == EEXIST else { throw error }
        throw KeyStoreError(
          .keyPresent, "export", "\(FileName(path)) is already there; nothing was replaced")
      }
    }
  }
}

extension KeyBundle {
  /// Writes the archive of `sealedArchive`, readable by whoever gets it.
  /// - Throws: `key.unusable` if it would go to a terminal; `key.present` if the file is there already.
  public func writeArchive(to output: KeyOutput) throws(KeyStoreError) {
    try converting("export") {
      guard output != .standardOutput || isatty(STDOUT_FILENO) == 0 else {
        throw KeyStoreError(
          .keyUnusable, "export",
          "standard output is a terminal, which would show the keys: -o FILE, or pipe them on")
      }
      try archive().withBytes { try output.write($0) }
    }
  }
}
