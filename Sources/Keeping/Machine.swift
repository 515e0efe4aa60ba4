import Descriptors
import Glibc
import KeyStore
import OnionModel

/// This machine, as systemd tells one from its copy: a clone gets another `/etc/machine-id`, or is given one (machine-id(5)).
enum Machine {
  static let file = "/etc/machine-id"
  /// 32 digits and a line's end.
  private static let limit = 64

  /// A digest, for the id itself is not to be shown around (machine-id(5)); `nil` where this machine has none.
  static func identity(_ path: String = Machine.file) throws(KeepingError) -> String? {
    do throws(FileError) {
      let slash = path.lastIndex(of: "/") ?? path.startIndex
      let folder = try Descriptor.folder(
        at: slash == path.startIndex ? "/" : String(path[..<slash]))
      let bytes = try folder.regularFile(
        FileName(String(path[path.index(after: slash)...])), .crossingMounts
      ).read(limit: limit)
      let text = String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
      // "uninitialized", or empty: of an image that has not started yet.
      guard text.utf8.count == 32, text.allSatisfy(\.isHexDigit) else { return nil }
      return sha256("onionkeeper machine \(text)")
    } catch {
      // A link to somewhere else, or none: what cannot be told holds nobody up.
      if error.isAbsence || error.number == ELOOP { return nil }
      throw KeepingError("\(path) cannot be read: \(error.reason)")
    }
  }

  /// Marks a folder that bears no mark yet, and refuses one that is in use on another machine.
  /// - Parameter isMoved: a person says that the other machine is gone.
  static func check(
    _ keys: KeyRoot, isMoved: Bool = false, file: String = Machine.file
  ) async throws {
    guard let own = try identity(file) else { return }
    switch await keys.machine() {
    case .present(own): return
    case .absent: try await keys.writeMachine(own)
    case .present where isMoved, .unknown where isMoved: try await keys.writeMachine(own)
    case .unknown(let reason): throw KeepingError("\(reason); nothing was touched")
    case .present:
      throw KeepingError(
        "\(keys.path) is in use on another machine (its /etc/machine-id was another): this machine is a copy of that one,"
          + " or the disk was moved. Two hosts with the same keys take the visitors from each other, so nothing was"
          + " touched. Is the other one off for good: `onionkeeper setup --moved`. Is this the copy: give it empty folders"
          + " (`directories` in the host file), a host name of its own, and `onionkeeper setup`")
    }
  }
}
