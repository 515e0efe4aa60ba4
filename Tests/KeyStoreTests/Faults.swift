import CLinux
import Descriptors
import Glibc
import OnionModel
import Testing

@testable import KeyStore

/// What can happen to a key directory.
enum Fault: String, CaseIterable {
  case none
  case secretMissing, secretAndPublicMissing, allMissing, directoryMissing
  case secretTruncated, secretTruncatedPublicMissing
  case secretLong, secretHeader, secretUnclamped, secretOther, swapped
  case secretLink, secretPipe, secretFolder
  case publicMissing, publicOther, publicFlippedSign, publicEmpty, publicFolder, publicLink,
    publicHardLink
  case hostnameMissing, hostnameOther, hostnameCRLF, hostnameHuge
  case ownerFolder, ownerFolderOpen, ownerInstance, ownerSecret, ownerKeys, ownerHostname,
    groupSecret, modeFolder,
    modeInstance
  case modeSecret, modePublic, setuid, accessList
  case clientsMissing, clientsLink, clientsFile, clientMissing, clientOther, clientExtra,
    clientOwner, clientTwoLines, clientNotAuth, clientUnreadable
  case clientPipe, clientHuge, clientName
  case foreignFile, foreignLink, foreignSocket, foreignTree, foreignNewline, foreignBytes
  case leftover
}

/// Does these things to a whole directory `shared/blog` that has clients, beside another, `other/other`; `outside` is a
/// file that none may touch.
struct Vandal {
  let folder: KeyFolder
  let address: OnionAddress

  private let secret = "shared/blog/hs_ed25519_secret_key"
  private let clients = "shared/blog/authorized_clients"
  private var here: String { "\(folder.path)/shared/blog" }
  private var outside: String { "\(folder.path)/outside" }

  func inflict(_ fault: Fault) throws {
    try folder.descriptor().write(Array("outside".utf8), to: "outside", FileAttributes(mode: 0o644))
    let directory = try folder.descriptor("shared/blog")
    try harmSecret(fault, directory)
    try harmPublicFiles(fault, directory)
    try harmAttributes(fault)
    try harmClients(fault, directory)
    try addForeign(fault, directory)
  }

  private func harmSecret(_ fault: Fault, _ directory: borrowing Descriptor) throws {
    var key = try folder.bytes(secret)
    switch fault {
    case .secretMissing: try directory.unlink("hs_ed25519_secret_key")
    case .secretAndPublicMissing:
      try directory.unlink("hs_ed25519_secret_key")
      try directory.unlink("hs_ed25519_public_key")
    case .allMissing: try removeAll(directory)
    case .directoryMissing:
      try removeAll(directory)
      try folder.descriptor("shared").removeFolder("blog")
    case .swapped:
      let (one, other) = ("\(folder.path)/shared/blog", "\(folder.path)/other/other")
      try #require(clinux_rename_exchange(AT_FDCWD, one, AT_FDCWD, other) == 0)
    case .secretTruncated: try folder.write(secret, Array(key.dropLast()))
    case .secretTruncatedPublicMissing:
      try folder.write(secret, Array(key.dropLast()))
      try directory.unlink("hs_ed25519_public_key")
    case .secretLong: try folder.write(secret, key + [0])
    case .secretHeader:
      key[5] ^= 1
      try folder.write(secret, key)
    case .secretUnclamped:
      key[32] |= 1
      try folder.write(secret, key)
    case .secretOther:
      key[40] ^= 1
      try folder.write(secret, key)
    case .secretLink:
      try directory.unlink("hs_ed25519_secret_key")
      try folder.write("shared/real", key)
      try #require(symlink("../real", "\(here)/hs_ed25519_secret_key") == 0)
    case .secretPipe:
      try directory.unlink("hs_ed25519_secret_key")
      try #require(mkfifo("\(here)/hs_ed25519_secret_key", 0o600) == 0)
    case .secretFolder:
      try directory.unlink("hs_ed25519_secret_key")
      try directory.makeFolder("hs_ed25519_secret_key")
    default: break
    }
  }

  private func removeAll(_ directory: borrowing Descriptor) throws {
    try removeClients(directory)
    for name in try directory.names(limit: 10) { try directory.unlink(name) }
  }

  private func removeClients(_ directory: borrowing Descriptor) throws {
    for name in try folder.descriptor(clients).names(limit: 10) {
      try folder.descriptor(clients).unlink(name)
    }
    try directory.removeFolder("authorized_clients")
  }

  private func harmPublicFiles(_ fault: Fault, _ directory: borrowing Descriptor) throws {
    switch fault {
    case .publicMissing: try directory.unlink("hs_ed25519_public_key")
    case .publicOther:
      try folder.write(
        "shared/blog/hs_ed25519_public_key",
        KeyFiles.publicKeyBytes(OnionAddress(publicKey: [UInt8](repeating: 7, count: 32))))
    case .publicFlippedSign:
      var bytes = KeyFiles.publicKeyBytes(address)
      bytes[63] ^= 0x80
      try folder.write("shared/blog/hs_ed25519_public_key", bytes)
    case .publicEmpty: try folder.write("shared/blog/hs_ed25519_public_key", [])
    case .publicFolder:
      try directory.unlink("hs_ed25519_public_key")
      try directory.makeFolder("hs_ed25519_public_key")
      try folder.write("shared/blog/hs_ed25519_public_key/inner", [1])
    case .publicLink:
      try directory.unlink("hs_ed25519_public_key")
      try link("hs_ed25519_public_key")
    case .publicHardLink:
      try directory.unlink("hs_ed25519_public_key")
      try #require(Glibc.link(outside, "\(here)/hs_ed25519_public_key") == 0)
    case .hostnameMissing: try directory.unlink("hostname")
    case .hostnameOther: try folder.write("shared/blog/hostname", Array("example.onion\n".utf8))
    case .hostnameCRLF: try folder.write("shared/blog/hostname", Array("\(address)\r\n".utf8))
    case .hostnameHuge:
      try folder.write("shared/blog/hostname", [UInt8](repeating: 0, count: 1 << 19))
    default: break
    }
  }

  private func harmAttributes(_ fault: Fault) throws {
    switch fault {
    case .ownerFolder: try owned("shared/blog", 0, 0)
    case .ownerFolderOpen:
      try owned("shared/blog", 0, 0)
      try mode("shared/blog", 0o755)
    case .ownerInstance: try owned("shared", 0)
    case .ownerSecret: try owned(secret, 0)
    case .ownerKeys:
      try owned(secret, 0)
      try owned("shared/blog/hs_ed25519_public_key", 0)
    case .ownerHostname: try owned("shared/blog/hostname", 1)
    case .groupSecret: try owned(secret, 7942, 0)
    case .modeFolder: try mode("shared/blog", 0o755)
    case .modeInstance: try mode("shared", 0o2711)
    case .modeSecret: try mode(secret, 0o644)
    case .modePublic: try mode("shared/blog/hs_ed25519_public_key", 0o666)
    case .setuid: try mode(secret, 0o4600)
    case .accessList:
      // What setfacl -m u:1:r makes: version 2; owner rw, user 1 r, group none, mask r, others none.
      let entries: [(UInt8, UInt8, UInt8)] = [
        (1, 6, 0xff), (2, 4, 1), (4, 0, 0xff), (16, 4, 0xff), (32, 0, 0xff),
      ]
      let list = entries.reduce(into: [2, 0, 0, 0] as [UInt8]) { list, entry in
        list +=
          [entry.0, 0, entry.1, 0] + (entry.2 == 1 ? [1, 0, 0, 0] : [0xff, 0xff, 0xff, 0xff])
      }
      try folder.descriptor("shared/blog").file("hs_ed25519_secret_key")
        .setAttribute("system.posix_acl_access", list)
    default: break
    }
  }

  private func harmClients(_ fault: Fault, _ directory: borrowing Descriptor) throws {
    switch fault {
    case .clientsMissing, .clientsLink, .clientsFile:
      try removeClients(directory)
      if fault == .clientsLink {
        try #require(symlink(folder.path, "\(here)/authorized_clients") == 0)
      }
      if fault == .clientsFile { try folder.write(clients, []) }
    case .clientMissing: try folder.descriptor(clients).unlink("alice.auth")
    // Each alone: tor would open the service to everybody.
    case .clientTwoLines:
      let line = try folder.bytes("\(clients)/alice.auth")
      try alone(line + line)
    case .clientNotAuth:
      let line = try folder.bytes("\(clients)/alice.auth")
      try alone(nil)
      try folder.write("\(clients)/alice.key", line)
    case .clientUnreadable:
      try alone(try folder.bytes("\(clients)/alice.auth"))
      try owned("\(clients)/alice.auth", 0)
    case .clientOther: try folder.write("\(clients)/alice.auth", Array("descriptor:x25519:B".utf8))
    case .clientExtra:
      try folder.write("\(clients)/mallory.auth", try folder.bytes("\(clients)/alice.auth"))
    case .clientOwner: try owned("\(clients)/alice.auth", 0)
    case .clientPipe: try #require(mkfifo("\(folder.path)/\(clients)/x.auth", 0o600) == 0)
    case .clientHuge:
      try folder.write("\(clients)/alice.auth", [UInt8](repeating: 65, count: 1 << 16))
    case .clientName:
      try folder.descriptor(clients).write([1], to: FileName(bytes: [0xff, 0x0a]))
    default: break
    }
  }

  /// One client file, or none.
  private func alone(_ content: [UInt8]?) throws {
    for name in try folder.descriptor(clients).names(limit: 10) {
      try folder.descriptor(clients).unlink(name)
    }
    if let content { try folder.write("\(clients)/alice.auth", content) }
  }

  private func addForeign(_ fault: Fault, _ directory: borrowing Descriptor) throws {
    switch fault {
    case .foreignFile: try folder.write("shared/blog/notes.txt", [1])
    case .foreignLink: try link("link")
    case .foreignSocket: try #require(mknod("\(here)/socket", S_IFSOCK | 0o600, 0) == 0)
    case .foreignTree:
      var inner = "shared/blog"
      for _ in 0..<20 {
        try folder.descriptor(inner).makeFolder("deep")
        inner += "/deep"
      }
    case .foreignNewline: try directory.write([1], to: "a\nb")
    case .foreignBytes: try directory.write([1], to: FileName(bytes: [0xff]))
    case .leftover:
      // Old enough only for a look a minute later: repair takes it away at once.
      try directory.makeFolder(".new-1")
      try folder.write("shared/blog/notes", [1])
    default: break
    }
  }

  private func link(_ name: String) throws {
    try #require(symlink(outside, "\(here)/\(name)") == 0)
  }

  private func owned(_ inner: String, _ user: uid_t, _ group: gid_t = 7942) throws {
    try #require(chown("\(folder.path)/\(inner)", user, group) == 0)
  }

  private func mode(_ inner: String, _ bits: mode_t) throws {
    try #require(chmod("\(folder.path)/\(inner)", bits) == 0)
  }
}
