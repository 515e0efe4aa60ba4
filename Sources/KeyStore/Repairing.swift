import Descriptors
import Glibc
public import OnionModel

extension KeyRoot {
  /// Puts everything but the secret key's bytes right: owner, mode, label, public key, `hostname`, client files exactly as
  /// wished (new ones are there before old ones go), `ob_config`. What nobody defined moves to `retired/foreign.NAME-<day>/`.
  ///
  /// The secret is proven to make the wished address first, and is changed only through the descriptor of that proof.
  /// - Parameter now: For the name of the folder that foreign entries move to.
  /// - Throws: `key.missing`, `key.damaged` or `key.mismatch`, and nothing has been written.
  public func repair(
    _ place: KeyPlace, _ wish: KeyDirectoryWish, now: Timestamp
  ) throws(KeyStoreError) {
    try changing("repair") { root in
      let folder = try folder(place, root, "repair")
      let secret = try verifiedSecret(wish.address, in: folder, "repair")
      let mender = Mender(wish: wish)
      try mender.mend(try root.keys.folder(FileName(place.instance.text)), mode: 0o700)
      try mender.mend(folder, mode: 0o700)
      try mender.mend(secret, called: Inspection.secretName, of: folder)

      let retired = try root.own.folder(Self.retired)
      // One a day: whoever puts things there without end fills neither `retired/` nor its list.
      let name = "foreign.\(place.service)-\(now.compact.prefix { $0 != "T" })"
      for (file, content) in Inspection.publicFiles(wish.address) {
        try clear(file, of: .file, in: folder, to: retired, name)
        try mender.put(content, in: file, of: folder)
      }
      if let text = wish.onionBalance {
        try clear(Inspection.balance, of: .file, in: folder, to: retired, name)
        try mender.put(Array(text.utf8), in: Inspection.balance, of: folder)
      }
      try clear(Inspection.clients, of: .folder, in: folder, to: retired, name)
      if try folder.status(of: Inspection.clients) == nil {
        try folder.makeFolder(Inspection.clients)
      }
      let clients = try folder.folder(Inspection.clients)
      try mender.mend(clients, mode: 0o700)
      for (file, text) in wish.clientFiles.sorted(by: { $0.key < $1.key }) {
        try clear(FileName(file), of: .file, in: clients, to: retired, name)
        try mender.put(Array(text.utf8), in: FileName(file), of: clients)
      }
      try clients.synchronize()
      try removeExtras(clients, wish, to: retired, name)
      try clients.synchronize()
      try clearForeign(folder, mender, to: retired, name)
      try folder.synchronize()
    }
  }

  /// Client files that are no longer wished go for good (they hold public keys); what else is there moves away.
  private func removeExtras(
    _ clients: borrowing Descriptor, _ wish: KeyDirectoryWish, to retired: borrowing Descriptor,
    _ name: String
  ) throws {
    for extra in try clients.names(limit: Look.clientLimit)
    where extra.text.map({ wish.clientFiles[$0] == nil }) ?? true {
      guard let status = try clients.status(of: extra) else { continue }
      let isClient = extra.bytes.suffix(5).elementsEqual(".auth".utf8)
      if isClient, !extra.isTemporary, status.kind == .file,
        status.size <= Inspection.clientFileLimit
      {
        try clients.unlink(extra)
      } else {
        try clearAway(extra, of: clients, to: retired, name)
      }
    }
  }

  private func clearForeign(
    _ folder: borrowing Descriptor, _ mender: Mender, to retired: borrowing Descriptor,
    _ name: String
  ) throws {
    var known: Set<FileName> = [
      Inspection.secretName, Inspection.publicName, Inspection.hostname, Inspection.clients,
    ]
    if mender.wish.onionBalance != nil { known.insert(Inspection.balance) }
    for entry in try folder.names(limit: Look.entryLimit) where !known.contains(entry) {
      try clearAway(entry, of: folder, to: retired, name)
    }
  }

  /// What a crash left goes for good; one that cannot be removed so, and everything else, moves away.
  private func clearAway(
    _ entry: FileName, of folder: borrowing Descriptor, to retired: borrowing Descriptor,
    _ name: String
  ) throws {
    if entry.isTemporary {
      do {
        return try folder.removeTemporary(entry)
      } catch {
        // Too deep or too full for one of ours: somebody else's.
      }
    }
    try moveAway(entry, of: folder, to: retired, name)
  }

  /// Moves an entry away if it is of another kind than what belongs there.
  private func clear(
    _ entry: FileName, of kind: FileStatus.Kind, in folder: borrowing Descriptor,
    to retired: borrowing Descriptor, _ name: String
  ) throws {
    guard let status = try folder.status(of: entry), status.kind != kind else { return }
    try moveAway(entry, of: folder, to: retired, name)
  }

  /// How many foreign entries of one name and day are told apart by a number.
  private static let numbers = 100

  private func moveAway(
    _ entry: FileName, of folder: borrowing Descriptor, to retired: borrowing Descriptor,
    _ name: String
  ) throws {
    if try retired.status(of: FileName(name)) == nil {
      try retired.makeFolder(FileName(name))
      try retired.synchronize()
    }
    let target = try retired.folder(FileName(name))
    for number in 0..<Self.numbers {
      let newName = number == 0 ? entry : FileName(bytes: entry.bytes + Array("-\(number)".utf8))
      guard try target.status(of: newName) == nil else { continue }
      try folder.rename(entry, to: target, as: newName)
      try target.synchronize()
      return
    }
    throw KeyStoreError(
      .io, "repair", "\(target.path) already holds \(Self.numbers) entries named \(entry)")
  }
}

/// Gives objects the owner, mode and label that are wished.
private struct Mender {
  let wish: KeyDirectoryWish

  /// By descriptor, and only what differs.
  func mend(_ object: borrowing Descriptor, mode: Int) throws(FileError) {
    let status = try object.status()
    if status.owner != wish.owner || status.group != wish.owner {
      try object.setOwner(wish.owner)
    }
    // A change of owner clears setuid and setgid: ask again.
    if try object.status().mode != mode { try object.setMode(mode) }
    if let label = wish.label, !label.isBorne(by: try object.label()) {
      try object.setLabel(label.files)
    }
  }

  /// The same for a file that anybody may have linked to from elsewhere, or from here to elsewhere.
  func mend(
    _ file: borrowing Descriptor, called name: FileName, of folder: borrowing Descriptor
  ) throws {
    let status = try file.status()
    var isRight =
      status.owner == wish.owner && status.group == wish.owner && status.mode == 0o600
    if let label = wish.label { isRight = try isRight && label.isBorne(by: file.label()) }
    if isRight { return }
    // The name must be this object's, and its only one: then no other can be somebody else's.
    guard let named = try folder.status(of: name), named.links == 1, named.isSameObject(as: status)
    else {
      throw KeyStoreError(
        .keyDamaged, "repair", "\(file.path): \(Inspection.severalNames(status.links))")
    }
    try mend(file, mode: 0o600)
  }

  /// Writes a public file anew unless it is exactly as wished. An existing inode is never changed: it may have another
  /// name somewhere else.
  func put(
    _ content: [UInt8], in name: FileName, of folder: borrowing Descriptor
  ) throws(FileError) {
    if let status = try folder.status(of: name), status.kind == .file, status.links == 1,
      status.owner == wish.owner, status.group == wish.owner, status.mode == 0o600,
      try folder.holds(content, in: name), try isLabelled(name, in: folder)
    {
      return
    }
    try folder.write(content, to: name, FileAttributes(owner: wish.owner, label: wish.label?.files))
  }

  private func isLabelled(
    _ name: FileName, in folder: borrowing Descriptor
  ) throws(FileError) -> Bool {
    guard let label = wish.label else { return true }
    return label.isBorne(by: try folder.file(name, .holding).label())
  }
}
