import CLinux
import Descriptors
import Glibc
import OnionModel
import Testing

@testable import KeyStore

/// What a container that owns its key directory can put there, and what root can be made to trip over.
enum Attack: String, CaseIterable {
  // Other names of foreign files.
  case secretHardLink, publicHardLink, hostnameHardLink, clientHardLink, balanceHardLink
  // Links to them.
  case secretLink, publicLink, hostnameLink, clientLink, clientsLink, balanceLink
  // What must not be opened.
  case secretPipe, secretSocket, secretDevice, publicDevice, hostnamePipe, hostnameSocket
  case clientDevice, clientsPipe, clientsDevice, foreignDevice
  case allBits
  case manyNames, manyClients, manyPlaces, manyLeftovers
  case newline, notUnicode
  case deepTree, deepLeftover
  case immutableSecret, immutableHostname, immutableFolder, immutableLeftover
  case mountOnSecret, mountOnHostname, mountOnClients, mountInside

  /// What must be said of it: a word of a flaw, of a foreign entry's name, of what is damaged or unknown.
  var word: String {
    switch self {
    case .secretHardLink: "hard links"
    case .publicHardLink, .hostnameHardLink, .clientHardLink, .balanceHardLink: "links"
    case .secretLink, .publicLink, .hostnameLink, .clientsLink, .balanceLink: "symbolic link"
    case .clientLink: "alice.auth"
    case .secretPipe, .hostnamePipe, .clientsPipe: "a named pipe"
    case .secretSocket, .hostnameSocket: "a socket"
    case .secretDevice, .publicDevice, .clientsDevice: "a device"
    case .clientDevice: "evil.auth"
    case .foreignDevice: "disk"
    case .allBits: "7777"
    case .manyNames, .manyClients, .manyPlaces: "more entries than allowed"
    case .manyLeftovers, .deepLeftover, .immutableLeftover: ""
    case .newline: #"a\x0ab"#
    case .notUnicode: #"\xff\xfe"#
    case .deepTree, .mountInside: "deep"
    case .immutableSecret: "hs_ed25519_secret_key owner"
    case .immutableHostname: "hostname"
    case .immutableFolder: "mode"
    case .mountOnSecret, .mountOnHostname, .mountOnClients: "another file system is mounted there"
    }
  }

  /// It makes a file many times over: in memory, for the files are the test's work and not ours.
  var isMany: Bool {
    switch self {
    case .manyNames, .manyClients, .manyPlaces, .manyLeftovers: true
    default: false
    }
  }

  /// What a repair must end with; `nil`: all is right again.
  var ending: KeyStoreError.Code? {
    switch self {
    case .secretHardLink, .secretLink, .secretPipe, .secretSocket, .secretDevice: .keyDamaged
    case .immutableSecret, .immutableHostname, .immutableFolder: .denied
    case .manyNames, .manyClients, .mountOnSecret, .mountOnHostname, .mountOnClients, .mountInside:
      .io
    default: nil
    }
  }
}

/// Inflicts attacks on `shared/blog`, which has clients. What lies in `outside/` belongs to somebody else.
struct Attacker {
  let folder: KeyFolder
  let address: OnionAddress

  static let many = 100_000
  private var here: String { "\(folder.path)/shared/blog" }
  private var outside: String { "\(folder.path)/outside" }
  private let clients = "authorized_clients"

  /// Files that would be right if they were ours: whoever only looks at contents takes them.
  func prepare() throws {
    let foreign = try folder.descriptor().makeFolder("outside", mode: 0o755)
    for (name, content) in [
      ("hs_ed25519_secret_key", try folder.bytes("shared/blog/hs_ed25519_secret_key")),
      ("hs_ed25519_public_key", KeyFiles.publicKeyBytes(address)),
      ("hostname", Array(KeyFiles.hostnameText(address).utf8)),
      ("alice.auth", try folder.bytes("shared/blog/authorized_clients/alice.auth")),
      ("ob_config", Array("MasterOnionAddress \(address)\n".utf8)),
    ] { try foreign.write(content, to: FileName(name), FileAttributes(owner: 1, mode: 0o644)) }
    try foreign.makeFolder("folder", mode: 0o755, owner: 1)
  }

  /// Everything of it that must stay: links come and go with the names that an attack makes.
  func outsideState() throws -> [FileName: String] {
    let foreign = try folder.descriptor("outside")
    var state: [FileName: String] = [:]
    for name in try foreign.names(limit: 100) {
      guard let status = try foreign.status(of: name) else { continue }
      let content = status.kind == .file ? try foreign.file(name).read(limit: 1000) : []
      let label = try foreign.file(name, .holding).label()
      state[name] =
        "\(status.kind) \(status.inode) \(status.owner):\(status.group) \(status.mode) \(label ?? "-") \(content)"
    }
    return state
  }

  func inflict(_ attack: Attack) throws {
    let directory = try folder.descriptor("shared/blog")
    switch attack {
    case .secretHardLink: try link("hs_ed25519_secret_key", directory)
    case .publicHardLink: try link("hs_ed25519_public_key", directory)
    case .hostnameHardLink: try link("hostname", directory)
    case .clientHardLink: try link("alice.auth", directory, in: clients)
    case .balanceHardLink: try link("ob_config", directory)
    case .secretLink: try symbolic("hs_ed25519_secret_key", directory)
    case .publicLink: try symbolic("hs_ed25519_public_key", directory)
    case .hostnameLink: try symbolic("hostname", directory)
    case .clientLink: try symbolic("alice.auth", directory, in: clients)
    case .balanceLink: try symbolic("ob_config", directory)
    case .clientsLink:
      try replaceClients(directory)
      try #require(symlink(outside, "\(here)/\(clients)") == 0)
    case .secretPipe: try node("hs_ed25519_secret_key", S_IFIFO)
    case .secretSocket: try node("hs_ed25519_secret_key", S_IFSOCK)
    case .secretDevice: try node("hs_ed25519_secret_key", S_IFCHR)
    case .publicDevice: try node("hs_ed25519_public_key", S_IFBLK)
    case .hostnamePipe: try node("hostname", S_IFIFO)
    case .hostnameSocket: try node("hostname", S_IFSOCK)
    case .clientDevice: try node("\(clients)/evil.auth", S_IFCHR)
    case .foreignDevice: try node("disk", S_IFBLK)
    case .clientsPipe, .clientsDevice:
      try replaceClients(directory)
      try node(clients, attack == .clientsPipe ? S_IFIFO : S_IFCHR)
    case .allBits:
      for name in [
        "", "/hs_ed25519_secret_key", "/hostname", "/\(clients)", "/\(clients)/bob.auth",
      ] { try #require(chmod(here + name, 0o7777) == 0) }
    case .manyNames: try many(in: here) { "n\($0)" }
    case .manyClients: try many(in: "\(here)/\(clients)") { "n\($0).auth" }
    case .manyPlaces: try many(in: "\(folder.path)/shared") { "s\($0)" }
    case .manyLeftovers: try many(in: "\(folder.path)/shared") { ".new-\($0)" }
    case .newline: try directory.write([1], to: "a\nb")
    case .notUnicode:
      try folder.descriptor("shared/blog/\(clients)").write([1], to: FileName(bytes: [0xff, 0xfe]))
    case .deepTree: try deep("deep", directory)
    case .deepLeftover: try deep(".new-1", directory)
    case .immutableSecret: try immutable("hs_ed25519_secret_key", owner: 1)
    case .immutableHostname: try immutable("hostname", owner: 1)
    case .immutableFolder: try immutable("", owner: 7942, mode: 0o755)
    case .immutableLeftover:
      try folder.write("shared/.new-1", [1])
      try Self.mark("\(folder.path)/shared/.new-1", isImmutable: true)
    case .mountOnSecret: try bind("\(outside)/hs_ed25519_secret_key", "hs_ed25519_secret_key")
    case .mountOnHostname: try bind("\(outside)/hostname", "hostname")
    case .mountOnClients: try bind("\(outside)/folder", clients)
    case .mountInside:
      try directory.makeFolder("deep")
      try #require(mount("none", "\(here)/deep", "tmpfs", 0, nil) == 0)
    }
  }

  /// Unmounts and makes mutable what an attack left, so that its folder can go.
  func clear() throws {
    let table = try Descriptor.folder(at: "/proc/self").file("mountinfo").read(limit: 1 << 22)
    for line in String(decoding: table, as: UTF8.self).split(separator: "\n").reversed() {
      let point = String(line.split(separator: " ")[4])
      if point.hasPrefix("\(folder.path)/") { umount2(point, detached) }
    }
    try Self.makeMutable(try folder.descriptor(), folder.path)
  }

  private static func makeMutable(_ folder: borrowing Descriptor, _ path: String) throws {
    for name in try folder.names(limit: 1_000_000) {
      guard let text = name.text, let kind = try folder.status(of: name)?.kind else { continue }
      guard kind == .file || kind == .folder else { continue }
      try mark("\(path)/\(text)", isImmutable: false)
      if kind == .folder, text != "deep" {
        try makeMutable(try folder.folder(name), "\(path)/\(text)")
      }
    }
  }

  /// FS_IOC_GETFLAGS, FS_IOC_SETFLAGS and FS_IMMUTABLE_FL of linux/fs.h, for 64-bit machines.
  private static func mark(_ path: String, isImmutable: Bool) throws {
    let file = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)
    try #require(file >= 0, "\(path)")
    defer { close(file) }
    var flags: Int32 = 0
    try #require(ioctl(file, 0x8008_6601, &flags) == 0, "/tmp must be on a file system with flags")
    let wished = isImmutable ? flags | 0x10 : flags & ~0x10
    if wished == flags { return }
    flags = wished
    try #require(ioctl(file, 0x4008_6602, &flags) == 0, "these tests run as root")
  }

  private func link(_ name: String, _ directory: borrowing Descriptor, in inner: String? = nil)
    throws
  {
    let path = "\(here)/\(inner.map { "\($0)/" } ?? "")\(name)"
    unlink(path)
    try #require(Glibc.link("\(outside)/\(name)", path) == 0)
  }

  private func symbolic(
    _ name: String, _ directory: borrowing Descriptor, in inner: String? = nil
  ) throws {
    let path = "\(here)/\(inner.map { "\($0)/" } ?? "")\(name)"
    unlink(path)
    try #require(symlink("\(outside)/\(name)", path) == 0)
  }

  /// Devices of a number that no driver has: whoever opens one gets ENXIO, and a test sees that.
  private func node(_ name: String, _ kind: mode_t) throws {
    unlink("\(here)/\(name)")
    try #require(mknod("\(here)/\(name)", kind | 0o666, 0xfe_fe) == 0)
  }

  private func replaceClients(_ directory: borrowing Descriptor) throws {
    for name in try folder.descriptor("shared/blog/\(clients)").names(limit: 10) {
      try folder.descriptor("shared/blog/\(clients)").unlink(name)
    }
    try directory.removeFolder(FileName(clients))
  }

  private func many(in path: String, _ count: Int = many, _ name: (Int) -> String) throws {
    for number in 0..<count {
      let file = creat("\(path)/\(name(number))", 0o600)
      try #require(file >= 0)
      close(file)
    }
  }

  private func deep(_ name: String, _ directory: borrowing Descriptor) throws {
    var path = "\(here)/\(name)"
    for _ in 0..<100 {
      try #require(mkdir(path, 0o700) == 0)
      path += "/deep"
    }
  }

  private func immutable(_ name: String, owner: uid_t, mode: mode_t = 0o600) throws {
    let path = name.isEmpty ? here : "\(here)/\(name)"
    try #require(chown(path, owner, owner) == 0 && chmod(path, mode) == 0)
    try Self.mark(path, isImmutable: true)
  }

  private func bind(_ source: String, _ name: String) throws {
    try #require(mount(source, "\(here)/\(name)", nil, 4096, nil) == 0)
  }
}
