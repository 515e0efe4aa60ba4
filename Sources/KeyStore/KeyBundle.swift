import Crypto
import Descriptors
import Glibc
public import OnionModel

/// Secret keys, each proven to make its address: made, read from somewhere, or taken from the key folder to be exported.
/// Nothing of them can be read or printed from outside.
public final class KeyBundle: Sendable {
  public struct Entry: Hashable, Sendable {
    /// Where it was, for people: a path, a name in an archive.
    public var origin: String
    /// Where it belongs, if its source says so.
    public var place: KeyPlace?
    /// Derived from the secret alone.
    public var address: OnionAddress
    /// What its owner should know: others can read the source, a `hostname` beside it says another address.
    public var warnings: [String]
  }

  public let entries: [Entry]
  /// `hs_ed25519_secret_key` of each entry, in order.
  private let secrets: SecretBytes

  fileprivate init(_ entries: [Entry], _ secrets: consuming SecretBytes) {
    self.entries = entries
    self.secrets = secrets
  }

  /// A new key of the system's randomness.
  static func generate() throws -> KeyBundle {
    let secret = try SecretBytes(count: SecretKeyFile.count)
    secret.mutableBytes.copyBytes(from: SecretKeyFile.header)
    let key = try ExpandedKey.generate(
      into: UnsafeMutableRawBufferPointer(
        rebasing: secret.mutableBytes[SecretKeyFile.header.count...]))
    let entry = Entry(
      origin: "generated", place: nil, address: OnionAddress(publicKey: key), warnings: [])
    return KeyBundle([entry], secret)
  }

  /// Lends the 96 bytes of an entry's file; they are valid for the body alone.
  func withSecret<Result: ~Copyable>(
    _ index: Int, _ body: (UnsafeRawBufferPointer) throws -> Result
  ) rethrows -> Result {
    // The last use of the pointer is not one of its owner.
    defer { withExtendedLifetime(self) {} }
    let start = index * SecretKeyFile.count
    return try body(
      UnsafeRawBufferPointer(rebasing: secrets.bytes[start..<start + SecretKeyFile.count]))
  }
}

extension KeyBundle {
  /// The same keys, described otherwise.
  func mapping(_ change: (inout Entry) -> Void) throws -> KeyBundle {
    var entries = entries
    for index in entries.indices { change(&entries[index]) }
    return KeyBundle(entries, try SecretBytes(copying: secrets.bytes))
  }

  /// One of the keys.
  func only(_ index: Int) throws -> KeyBundle {
    KeyBundle([entries[index]], try withSecret(index) { try SecretBytes(copying: $0) })
  }
}

/// Gathers keys into a bundle; the same key twice is one.
struct KeyCollector: ~Copyable {
  /// Keys of one source: twice the most services that were ever tried on one host. Each proof takes a millisecond.
  static let limit = 4096

  private(set) var entries: [KeyBundle.Entry] = []
  private var secrets: SecretBytes

  init() throws(FileError) { secrets = try SecretBytes(count: SecretKeyFile.count) }

  var isEmpty: Bool { entries.isEmpty }

  /// - Throws: `key.unusable` if the bytes are no key.
  mutating func add(
    _ file: UnsafeRawBufferPointer, origin: String, place: KeyPlace? = nil
  ) throws -> OnionAddress {
    // A proof takes a millisecond, a look at bytes nearly nothing: what is here already is not proven again.
    let twin = twin(of: file)
    if twin.isHere(at: place), let address = twin.address { return address }
    let address = try twin.address ?? proven(file, origin)
    guard entries.count < Self.limit else {
      throw unusable(origin, "holds more than \(Self.limit) keys")
    }
    try reserve(entries.count + 1)
    UnsafeMutableRawBufferPointer(
      rebasing: secrets.mutableBytes[(entries.count * SecretKeyFile.count)...]
    )
    .copyMemory(from: file)
    entries.append(KeyBundle.Entry(origin: origin, place: place, address: address, warnings: []))
    return address
  }

  private func proven(
    _ file: UnsafeRawBufferPointer, _ origin: String
  ) throws -> OnionAddress {
    switch SecretKeyFile.judge(file) {
    case .whole(let address): return address
    case .damaged(let why): throw unusable(origin, "is no whole key: \(why)")
    case .missing: throw unusable(origin, "is no key")
    }
  }

  /// Entries with just these bytes.
  private struct Twin {
    var address: OnionAddress?
    var places: [KeyPlace?] = []

    func isHere(at place: KeyPlace?) -> Bool { places.contains { $0 == place } }
  }

  private func twin(of file: UnsafeRawBufferPointer) -> Twin {
    var twin = Twin()
    guard file.count == SecretKeyFile.count, let wanted = file.baseAddress,
      let known = secrets.bytes.baseAddress
    else { return twin }
    for (index, entry) in entries.enumerated()
    where memcmp(wanted, known + index * SecretKeyFile.count, SecretKeyFile.count) == 0 {
      twin.address = entry.address
      twin.places.append(entry.place)
    }
    return twin
  }

  /// Notes something about the key that was added last.
  mutating func warn(_ text: String) {
    guard !entries.isEmpty else { return }
    entries[entries.count - 1].warnings.append(text)
  }

  private mutating func reserve(_ count: Int) throws(FileError) {
    guard count * SecretKeyFile.count > secrets.bytes.count else { return }
    let larger = try SecretBytes(count: secrets.bytes.count * 2)
    larger.mutableBytes.copyMemory(from: secrets.bytes)
    secrets = larger
  }

  consuming func bundle() -> KeyBundle { KeyBundle(entries, secrets) }
}

/// What was read is no usable key.
func unusable(_ origin: String, _ why: String) -> KeyStoreError {
  KeyStoreError(.keyUnusable, "read", "\(origin) \(why)")
}
