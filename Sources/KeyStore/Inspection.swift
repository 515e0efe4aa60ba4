import Descriptors
import OnionModel

/// Judges one key directory by a look and, where that is not enough, by its contents.
struct Inspection {
  let place: KeyPlace
  let owner: Int
  let label: ContainerLabel?
  let look: Look

  /// A line of base32 is under 100 bytes; tor reads at most some of it.
  static let clientFileLimit = 4096

  /// Reads what the look saw, through the folder's descriptor.
  func directory(_ folder: borrowing Descriptor) throws(FileError) -> KeyDirectory {
    let secret = try secret(folder)
    var directory = KeyDirectory(secret: secret)
    directory.flaws = ownership
    if case .whole(let address) = secret {
      directory.flaws += try contents(folder, address)
    }
    try readClients(folder, into: &directory)
    try readBalance(folder, into: &directory)
    for (name, entry) in look.entries where !Self.known.contains(name) {
      if name.isTemporary {
        directory.flaws += leftover("\(name)", entry)
      } else {
        directory.foreign.append("\(name)")
      }
    }
    directory.flaws.sort { $0.what < $1.what }
    directory.foreign.sort()
    return directory
  }

  static let secretName = FileName(KeyFiles.secretKey)
  static let publicName = FileName(KeyFiles.publicKey)
  static let hostname = FileName(KeyFiles.hostname)
  static let clients = FileName(KeyFiles.clients)
  static let balance = FileName(KeyFiles.onionBalance)
  private static let known: Set<FileName> = [secretName, publicName, hostname, clients, balance]

  private func secret(_ folder: borrowing Descriptor) throws(FileError) -> KeyDirectory.Secret {
    guard let entry = look.entries[Self.secretName] else { return .missing }
    guard entry.status.kind == .file else {
      return .damaged("it is \(entry.status.kind.rawValue), not a file")
    }
    let secret = try SecretKeyFile.judge(try folder.regularFile(Self.secretName))
    guard case .whole = secret, entry.status.links != 1,
      let flaw = flaws("\(Self.secretName)", entry, mode: 0o600).first
    else { return secret }
    return .damaged(Self.severalNames(entry.status.links) + " (\(flaw))")
  }

  /// Whose its other names are nobody knows, so nothing is changed of what they share.
  static func severalNames(_ count: Int) -> String {
    "it is a file of \(count) names (hard links), so its owner and mode are not changed: replace it by a copy of itself"
  }

  /// Owner, mode, label and links of everything that belongs here.
  private var ownership: [Deviation] {
    var flaws = flaws("\(place.instance)", look.instance, mode: 0o700)
    flaws += self.flaws("\(place)", look.folder, mode: 0o700)
    for name in Self.known {
      guard let entry = look.entries[name] else { continue }
      let kind: FileStatus.Kind = name == Self.clients ? .folder : .file
      guard entry.status.kind == kind else {
        // What is wrong with the secret is said by `secret`.
        if name != Self.secretName {
          flaws.append(
            Deviation(
              "\(place)/\(name)", expected: kind.rawValue, observed: entry.status.kind.rawValue))
        }
        continue
      }
      flaws += self.flaws("\(place)/\(name)", entry, mode: kind == .folder ? 0o700 : 0o600)
      if kind == .file, name != Self.secretName, entry.status.links != 1 {
        flaws.append(
          Deviation(
            "\(place)/\(name) links", expected: "1", observed: "\(entry.status.links)"))
      }
    }
    return flaws
  }

  private func flaws(_ what: String, _ entry: Look.Entry, mode: Int) -> [Deviation] {
    var flaws: [Deviation] = []
    let status = entry.status
    if status.owner != owner || status.group != owner {
      flaws.append(
        Deviation(
          "\(what) owner", expected: "\(owner):\(owner)",
          observed: "\(status.owner):\(status.group)"))
    }
    if status.mode != mode {
      flaws.append(
        Deviation("\(what) mode", expected: octal(mode), observed: octal(status.mode)))
    }
    if let label, !label.isBorne(by: entry.label) {
      flaws.append(
        Deviation("\(what) label", expected: label.files, observed: entry.label ?? "none"))
    }
    return flaws
  }

  /// Public key and `hostname` against the address that the secret makes.
  private func contents(
    _ folder: borrowing Descriptor, _ address: OnionAddress
  ) throws(FileError) -> [Deviation] {
    var flaws: [Deviation] = []
    for (name, wanted) in Self.publicFiles(address) {
      guard let entry = look.entries[name] else {
        flaws.append(Deviation("\(place)/\(name)", expected: "as the secret", observed: "absent"))
        continue
      }
      guard entry.status.kind == .file else { continue }
      guard try folder.holds(wanted, in: name) else {
        flaws.append(
          Deviation("\(place)/\(name)", expected: "as the secret", observed: "other content"))
        continue
      }
    }
    return flaws
  }

  static func publicFiles(_ address: OnionAddress) -> [(FileName, [UInt8])] {
    [
      (publicName, KeyFiles.publicKeyBytes(address)),
      (hostname, Array(KeyFiles.hostnameText(address).utf8)),
    ]
  }

  private func readClients(
    _ folder: borrowing Descriptor, into directory: inout KeyDirectory
  ) throws(FileError) {
    guard let entries = look.clients else {
      if look.entries[Self.clients] == nil {
        directory.flaws.append(
          Deviation("\(place)/\(Self.clients)", expected: "a folder", observed: "absent"))
      }
      return
    }
    let clients = try folder.folder(Self.clients)
    for (name, entry) in entries {
      let inner = "\(Self.clients)/\(name)"
      if name.isTemporary {
        directory.flaws += leftover(inner, entry)
        continue
      }
      guard let text = name.text, entry.status.kind == .file,
        entry.status.size <= Self.clientFileLimit
      else {
        directory.foreign.append(inner)
        continue
      }
      let content = try clients.regularFile(name).read(limit: Self.clientFileLimit)
      directory.clientFiles[text] = String(decoding: content, as: UTF8.self)
      directory.flaws += flaws("\(place)/\(inner)", entry, mode: 0o600)
      if entry.status.links != 1 {
        directory.flaws.append(
          Deviation("\(place)/\(inner) links", expected: "1", observed: "\(entry.status.links)"))
      }
    }
  }

  /// `ob_config`; one that is too long to be ours is foreign.
  private func readBalance(
    _ folder: borrowing Descriptor, into directory: inout KeyDirectory
  ) throws(FileError) {
    guard let entry = look.entries[Self.balance], entry.status.kind == .file else { return }
    guard entry.status.size <= Self.clientFileLimit else {
      directory.foreign.append("\(Self.balance)")
      return
    }
    let content = try folder.regularFile(Self.balance).read(limit: Self.clientFileLimit)
    directory.onionBalance = String(decoding: content, as: UTF8.self)
  }

  /// Seconds after which a temporary name is a crash's and nobody's work in progress: a write takes milliseconds.
  static let leftoverAge: Int64 = 60

  private func leftover(_ name: String, _ entry: Look.Entry) -> [Deviation] {
    guard entry.status.changed < Moment.now.earlier(seconds: Self.leftoverAge) else { return [] }
    return [Deviation("\(place)/\(name)", expected: "absent", observed: "left by a crash")]
  }
}

extension Descriptor {
  /// Whether an entry is a file with exactly this content.
  borrowing func holds(_ wanted: [UInt8], in name: FileName) throws(FileError) -> Bool {
    guard try status(of: name)?.kind == .file else { return false }
    let file = try regularFile(name)
    guard try file.status().size == wanted.count else { return false }
    return try file.read(limit: wanted.count) == wanted
  }
}

extension ContainerLabel {
  /// What the instance's files bear: what an engine's `:Z` would write.
  var files: String { "system_u:object_r:container_file_t:\(level)" }

  /// Type and level decide; user and role are the policy's business.
  func isBorne(by context: String?) -> Bool {
    context?.hasSuffix(":container_file_t:\(level)") == true
  }
}
