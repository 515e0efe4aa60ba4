import Descriptors
import Glibc
import OnionModel
import Testing

@testable import KeyStore

/// What can happen to a key directory.
enum Fault: String, CaseIterable {
  case none
  case secretMissing, secretTruncated, secretLong, secretHeader, secretUnclamped, secretOther
  case secretLink, secretPipe, secretFolder
  case publicMissing, publicOther, publicFlippedSign, publicEmpty, publicFolder, publicLink,
    publicHardLink
  case hostnameMissing, hostnameOther, hostnameCRLF, hostnameHuge
  case ownerFolder, ownerInstance, ownerSecret, ownerHostname, groupSecret, modeFolder, modeInstance
  case modeSecret, modePublic, setuid
  case clientsMissing, clientsLink, clientsFile, clientMissing, clientOther, clientExtra,
    clientOwner
  case clientPipe, clientHuge, clientName
  case foreignFile, foreignLink, foreignSocket, foreignTree, foreignNewline, foreignBytes
  case leftover

  /// How the secret is seen.
  enum Secret { case whole, missing, damaged, other }

  var secret: Secret {
    switch self {
    case .secretMissing: .missing
    case .secretOther: .other
    case .secretTruncated, .secretLong, .secretHeader, .secretUnclamped, .secretLink, .secretPipe,
      .secretFolder:
      .damaged
    default: .whole
    }
  }

  /// Something is to be repaired, be it a flaw, a foreign entry or a client file.
  var isRepairable: Bool { secret == .whole && self != .none }
}

@Suite struct StatesTests {
  let spot = place("shared/blog")

  @Test(arguments: Fault.allCases) func isSeenAndRepaired(_ fault: Fault) async throws {
    let folder = try KeyFolder()
    let address = try await folder.store.generate(spot, owner: KeyFolder.owner, access: clients)
    let wish = folder.wish(address, access: clients)
    let secret = try folder.bytes("shared/blog/hs_ed25519_secret_key")
    try break_(fault, in: folder, address)

    let seen = try #require(await folder.observe(spot)[spot]?.value)
    let isClean = seen.flaws.isEmpty && seen.foreign.isEmpty && seen.clientFiles == wish.clientFiles
    switch fault.secret {
    case .whole:
      #expect(seen.secret == .whole(address))
      #expect(isClean == !fault.isRepairable, "\(seen)")
      try await folder.store.repair(spot, wish, now: now)
      #expect(try folder.bytes("shared/blog/hs_ed25519_secret_key") == secret)
      let healed = try #require(await folder.observe(spot)[spot]?.value)
      #expect(healed == KeyDirectory(secret: .whole(address), clientFiles: wish.clientFiles))
    case .missing:
      #expect(seen.secret == .missing)
      #expect(await code { try await folder.store.repair(spot, wish, now: now) } == .keyMissing)
    case .damaged:
      guard case .damaged = seen.secret else {
        Issue.record("\(seen)")
        return
      }
      #expect(await code { try await folder.store.repair(spot, wish, now: now) } == .keyDamaged)
    case .other:
      guard case .whole(let other) = seen.secret else {
        Issue.record("\(seen)")
        return
      }
      #expect(other != address)
      #expect(await code { try await folder.store.repair(spot, wish, now: now) } == .keyMismatch)
    }
    #expect(try folder.bytes("outside") == Array("outside".utf8), "nothing outside is touched")
    #expect(try folder.descriptor().status(of: "outside")?.mode == 0o644)
    #expect(try folder.descriptor().status(of: "outside")?.owner == 0)
  }

  private func break_(_ fault: Fault, in folder: KeyFolder, _ address: OnionAddress) throws {
    let here = "\(folder.path)/shared/blog"
    let secret = "shared/blog/hs_ed25519_secret_key"
    let clients = "shared/blog/authorized_clients"
    let directory = try folder.descriptor("shared/blog")
    try folder.descriptor().write(Array("outside".utf8), to: "outside", FileAttributes(mode: 0o644))
    let outside = "\(folder.path)/outside"
    func link(_ name: String) throws { try #require(symlink(outside, "\(here)/\(name)") == 0) }
    func owned(_ inner: String, _ user: uid_t, _ group: gid_t = 7942) throws {
      try #require(chown("\(folder.path)/\(inner)", user, group) == 0)
    }
    func mode(_ inner: String, _ bits: mode_t) throws {
      try #require(chmod("\(folder.path)/\(inner)", bits) == 0)
    }
    func emptied(_ name: FileName) throws { try directory.unlink(name) }
    var key = try folder.bytes(secret)

    switch fault {
    case .none: break
    case .secretMissing: try emptied("hs_ed25519_secret_key")
    case .secretTruncated: try folder.write(secret, Array(key.dropLast()))
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
      try emptied("hs_ed25519_secret_key")
      try folder.write("shared/real", key)
      try #require(symlink("../real", "\(here)/hs_ed25519_secret_key") == 0)
    case .secretPipe:
      try emptied("hs_ed25519_secret_key")
      try #require(mkfifo("\(here)/hs_ed25519_secret_key", 0o600) == 0)
    case .secretFolder:
      try emptied("hs_ed25519_secret_key")
      try directory.makeFolder("hs_ed25519_secret_key")
    case .publicMissing: try emptied("hs_ed25519_public_key")
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
      try emptied("hs_ed25519_public_key")
      try directory.makeFolder("hs_ed25519_public_key")
      try folder.write("shared/blog/hs_ed25519_public_key/inner", [1])
    case .publicLink:
      try emptied("hs_ed25519_public_key")
      try link("hs_ed25519_public_key")
    case .publicHardLink:
      try emptied("hs_ed25519_public_key")
      try #require(Glibc.link(outside, "\(here)/hs_ed25519_public_key") == 0)
    case .hostnameMissing: try emptied("hostname")
    case .hostnameOther: try folder.write("shared/blog/hostname", Array("example.onion\n".utf8))
    case .hostnameCRLF: try folder.write("shared/blog/hostname", Array("\(address)\r\n".utf8))
    case .hostnameHuge:
      try folder.write("shared/blog/hostname", [UInt8](repeating: 0, count: 1 << 19))
    case .ownerFolder: try owned("shared/blog", 0, 0)
    case .ownerInstance: try owned("shared", 0)
    case .ownerSecret: try owned(secret, 0)
    case .ownerHostname: try owned("shared/blog/hostname", 1)
    case .groupSecret: try owned(secret, 7942, 0)
    case .modeFolder: try mode("shared/blog", 0o755)
    case .modeInstance: try mode("shared", 0o2711)
    case .modeSecret: try mode(secret, 0o644)
    case .modePublic: try mode("shared/blog/hs_ed25519_public_key", 0o666)
    case .setuid: try mode(secret, 0o4600)
    case .clientsMissing, .clientsLink, .clientsFile:
      for name in try folder.descriptor(clients).names(limit: 10) {
        try folder.descriptor(clients).unlink(name)
      }
      try directory.removeFolder("authorized_clients")
      if fault == .clientsLink {
        try #require(symlink(folder.path, "\(here)/authorized_clients") == 0)
      }
      if fault == .clientsFile { try folder.write(clients, []) }
    case .clientMissing: try folder.descriptor(clients).unlink("alice.auth")
    case .clientOther: try folder.write("\(clients)/alice.auth", Array("descriptor:x25519:B".utf8))
    case .clientExtra:
      try folder.write("\(clients)/mallory.auth", try folder.bytes("\(clients)/alice.auth"))
    case .clientOwner: try owned("\(clients)/alice.auth", 0)
    case .clientPipe: try #require(mkfifo("\(folder.path)/\(clients)/x.auth", 0o600) == 0)
    case .clientHuge:
      try folder.write("\(clients)/alice.auth", [UInt8](repeating: 65, count: 1 << 16))
    case .clientName:
      try folder.descriptor(clients).write([1], to: FileName(bytes: [0xff, 0x0a]))
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
    }
  }

  @Test func foreignEntriesAreKept() async throws {
    let folder = try KeyFolder()
    let address = try await folder.store.generate(spot, owner: KeyFolder.owner)
    for round in 0..<2 {
      try folder.write("shared/blog/notes.txt", Array("round \(round)".utf8))
      try await folder.store.repair(spot, folder.wish(address), now: now)
    }
    let kept = ".onionkeeper/retired/foreign.blog-\(now.compact)"
    #expect(try folder.names(kept) == ["notes.txt", "notes.txt-1"])
    #expect(try folder.bytes("\(kept)/notes.txt") == Array("round 0".utf8))
    #expect(await folder.store.retired() == .present([]))
  }

  /// The folder itself is something else: held, never followed.
  @Test(arguments: ["link", "file", "instanceLink", "pipe"])
  func aFolderReplaced(_ by: String) async throws {
    let folder = try KeyFolder()
    let address = try await folder.store.generate(spot, owner: KeyFolder.owner)
    let path = "\(folder.path)/shared"
    try #require(rename("\(path)/blog", "\(folder.path)/away") == 0)
    switch by {
    case "link": try #require(symlink("\(folder.path)/away", "\(path)/blog") == 0)
    case "file": try folder.write("shared/blog", [1])
    case "pipe": try #require(mkfifo("\(path)/blog", 0o600) == 0)
    default:
      try #require(rmdir(path) == 0)
      try #require(mkdir("\(folder.path)/real", 0o700) == 0)
      try #require(symlink("real", path) == 0)
      try #require(rename("\(folder.path)/away", "\(folder.path)/real/blog") == 0)
    }
    guard case .damaged = try #require(await folder.observe(spot)[spot]?.value?.secret) else {
      Issue.record("not seen as damaged")
      return
    }
    let wish = folder.wish(address)
    #expect(await code { try await folder.store.repair(spot, wish, now: now) } == .keyDamaged)
    #expect(
      await code { _ = try await folder.store.retire(spot, address, now: now) } == .keyDamaged)
    #expect(await code { _ = try await folder.store.generate(spot, owner: 7942) } == .keyLost)
    // Undefined, it is nobody's business.
    #expect(await folder.observe()[spot] == nil)
  }

  @Test func aMountIsNotEntered() async throws {
    let folder = try KeyFolder()
    let address = try await folder.store.generate(spot, owner: KeyFolder.owner)
    let path = "\(folder.path)/shared/blog"
    try #require(mount("none", path, "tmpfs", 0, nil) == 0)
    defer { umount2(path, 2 /* MNT_DETACH */) }
    #expect(await folder.observe(spot)[spot]?.unknownReason != nil)
    #expect(
      await code { try await folder.store.repair(spot, folder.wish(address), now: now) } == .io)
  }

  @Test func tooManyNamesAreUnknown() async throws {
    let folder = try KeyFolder()
    _ = try await folder.store.generate(spot, owner: KeyFolder.owner)
    let clients = try folder.descriptor("shared/blog/authorized_clients")
    for number in 0...Look.clientLimit { _ = try clients.newFile(FileName("\(number).auth")) }
    #expect(await folder.observe(spot)[spot]?.unknownReason != nil)
  }

  @Test func labelsAreSeenAndSet() async throws {
    let folder = try KeyFolder()
    let label = ContainerLabel(type: "container_t", level: "s0:c1,c2")
    let address = try await folder.store.generate(
      spot, owner: KeyFolder.owner, access: clients, label: label)
    func flaws() async -> [Deviation]? {
      await folder.store.observe([spot], owner: 7942, labels: [spot.instance: label])[spot]?
        .value?.flaws
    }
    let secret = FileName("hs_ed25519_secret_key")
    #expect(await flaws()?.map(\.what) == ["shared label"], "the instance's folder is made before")
    var wish = folder.wish(address, access: clients)
    wish.label = label
    try await folder.store.repair(spot, wish, now: now)
    #expect(await flaws() == [])
    try folder.descriptor("shared/blog").file(secret).setLabel("system_u:object_r:etc_t:s0")
    try folder.descriptor("shared/blog/authorized_clients").file("bob.auth").setLabel("x")
    #expect(await flaws()?.count == 2)
    try await folder.store.repair(spot, wish, now: now)
    #expect(await flaws() == [])
    #expect(
      try folder.descriptor("shared/blog").file(secret).label()
        == "system_u:object_r:container_file_t:s0:c1,c2")
  }
}
