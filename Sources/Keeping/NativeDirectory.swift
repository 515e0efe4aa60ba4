import Descriptors
import Glibc
import KeyStore
import OnionModel
import TorRuntime

/// A `HiddenServiceDir` of a tor that was set up by hand, as one look found it.
struct NativeDirectory: Sendable {
  enum Key: Sendable {
    /// Proven to make its address, and held in memory to be imported.
    case whole(KeyBundle)
    /// Only version 2's `private_key`.
    case version2
    case missing
    /// What is wrong with it.
    case unusable(String)

    var bundle: KeyBundle? { if case .whole(let bundle) = self { bundle } else { nil } }
  }

  struct Clients: Sendable {
    /// Stem of a file that tor takes, to the public key.
    var keys: [(name: String, key: String)] = []
    /// Names that tor does not take, and why.
    var ignored: [(name: String, why: String)] = []

    /// Somebody put something there: the service was not meant for everybody.
    var isEmpty: Bool { keys.isEmpty && ignored.isEmpty }
  }

  /// Two paths are one directory where these agree.
  var status: FileStatus
  var key: Key
  /// What its owner should know of the key, in terms of the path that the torrc has.
  var warnings: [String]
  /// Unknown where it cannot be read.
  var clients: Observation<Clients>
  /// Version 2's `client_keys` lies there: this service once asked its clients for keys.
  var hasFormerClients: Bool
  /// The masters of `ob_config`; `nil` where there is no such file or tor refuses it.
  var masters: [OnionAddress]?

  var address: OnionAddress? { key.bundle?.entries.first?.address }

  /// More clients fit into no descriptor of tor's.
  private static let clientLimit = 1000
  private static let fileLimit = 4096

  static func look(_ folder: consuming Descriptor, path: String) async throws -> NativeDirectory {
    let folder = folder
    let key = try await key(folder, path: path)
    return NativeDirectory(
      status: try folder.status(), key: key,
      warnings: (key.bundle?.entries ?? []).flatMap(\.warnings).map {
        named($0, folder, path)
      },
      clients: clients(folder),
      hasFormerClients: try folder.status(of: "client_keys") != nil,
      masters: try masters(folder))
  }

  private static func key(
    _ folder: borrowing Descriptor, path: String
  ) async throws -> Key {
    guard try folder.status(of: FileName(KeyFiles.secretKey)) != nil else {
      return try folder.status(of: "private_key") != nil ? .version2 : .missing
    }
    // The folder that is open here, and not what bears its name by then.
    let open = open(folder)
    do throws(KeyStoreError) {
      return .whole(try await KeyReader().read(.path(open)))
    } catch {
      return .unusable(named(error.message, folder, path))
    }
  }

  private static func open(_ folder: borrowing Descriptor) -> String {
    "/proc/self/fd/\(folder.number)/."
  }

  /// A message with the path that people know.
  private static func named(
    _ message: String, _ folder: borrowing Descriptor, _ path: String
  ) -> String {
    message.split(separator: open(folder), omittingEmptySubsequences: false).joined(separator: path)
  }

  private static func clients(_ folder: borrowing Descriptor) -> Observation<Clients> {
    do throws(FileError) {
      let name = FileName(KeyFiles.clients)
      guard let status = try folder.status(of: name) else { return .present(Clients()) }
      guard status.kind == .folder else { return .unknown("\(name) is \(status.kind.rawValue)") }
      let inner = try folder.folder(name, .crossingMounts)
      var clients = Clients()
      for name in try inner.names(limit: clientLimit).sorted() {
        guard name != FileName(KeyFiles.decoy) else { continue }
        switch try client(name, in: inner) {
        case .success(let key): clients.keys.append(key)
        case .failure(let refusal): clients.ignored.append(("\(name)", refusal.why))
        }
      }
      return .present(clients)
    } catch {
      return .unknown(error.description)
    }
  }

  private struct Refusal: Error { var why: String }

  private static func client(
    _ name: FileName, in folder: borrowing Descriptor
  ) throws(FileError) -> Result<(name: String, key: String), Refusal> {
    guard let text = name.text, ClientFile.isRead(text) else {
      return .failure(Refusal(why: "its name does not end in .auth"))
    }
    guard let status = try folder.status(of: name) else {
      return .failure(Refusal(why: "it vanished"))
    }
    guard status.kind == .file else {
      return .failure(
        Refusal(
          why: "it is \(status.kind.rawValue), and links are not followed here: copy the file"))
    }
    guard status.size <= fileLimit,
      let key = ClientFile.key(
        try folder.file(name, .peeking, .crossingMounts).read(limit: fileLimit))
    else {
      return .failure(Refusal(why: "it is not one line `descriptor:x25519:<52 base32>`"))
    }
    return .success((String(text.dropLast(".auth".count)), key))
  }

  private static func masters(_ folder: borrowing Descriptor) throws(FileError) -> [OnionAddress]? {
    let name = FileName(KeyFiles.onionBalance)
    guard let status = try folder.status(of: name), status.kind == .file,
      status.size <= fileLimit
    else { return nil }
    return OnionBalanceFile.masters(
      try folder.file(name, .peeking, .crossingMounts).read(limit: fileLimit))
  }
}
