import Descriptors
import Glibc
public import OnionModel

/// The folders `instances/NAME/{etc,data,run}` below the state directory.
///
/// | folder | owner, mode | in the container |
/// |---|---|---|
/// | `instances/`, `NAME/` | root 0700 | - |
/// | `etc/` | root 0755, files 0644 | read-only: torrc, start guard, sums |
/// | `data/` | tor 0700 | DataDirectory: its entry guards outlive everything |
/// | `run/` | tor 0700 | control socket and cookie |
///
/// What lies in `data/` and `run/` is tor's, hence hostile: only the two folders themselves are looked at and mended.
/// Nothing below the state directory is reached through a link. All calls block, shortly.
public struct InstanceFolders: Sendable {
  /// torrc of 50 services with 100 ports each is about 200 KiB.
  public static let fileLimit = 256 * 1024
  /// Names in `etc/`: four, and what a crash or a person left.
  private static let etcLimit = 1000
  /// 2,000 instances are the design's limit on a host.
  private static let instanceLimit = 20_000

  private let root: String

  /// - Parameter stateRoot: The state directory's absolute path. Links on the way to it are its owner's business.
  public init(stateRoot: String) { root = stateRoot }

  public func etc(of instance: InstanceName) -> String { "\(root)/instances/\(instance)/etc" }
  public func run(of instance: InstanceName) -> String { "\(root)/instances/\(instance)/run" }

  /// Instances that have a folder here, defined or not, in order. What bears no instance's name is left out.
  public func instances() throws(FolderError) -> [InstanceName] {
    do {
      return try Descriptor.folder(at: root).folder("instances", .crossingMounts)
        .names(limit: Self.instanceLimit).compactMap { $0.text.flatMap { InstanceName($0) } }
        .sorted()
    } catch {
      if error.isAbsence { return [] }
      throw FolderError("list instances", error)
    }
  }

  /// What is there, and each way in which it is not as it should be.
  /// - Parameter data: The name of tor's data folder (`TorNetwork.dataFolder`).
  /// - Returns: `.absent` if the instance has no folder or no `etc/` in it.
  public func observe(
    _ instance: InstanceName, owner: Int, label: ContainerLabel?, data: String = "data"
  ) -> Observation<InstanceFolder> {
    let wish = FolderWish(owner: owner, label: label)
    do {
      let state = try Descriptor.folder(at: root)
      guard let instances = try existing("instances", in: state, .crossingMounts),
        let folder = try existing(FileName(instance.text), in: instances)
      else { return .absent }
      var flaws = try wish.private.flaws(of: instances, called: "instances")
      flaws += try wish.private.flaws(of: folder, called: "instances/\(instance)")
      guard let etc = try existing("etc", in: folder) else { return .absent }
      flaws += try wish.etc.flaws(of: etc, called: "etc")
      for name in [FileName(data), "run"] {
        if let kind = try folder.status(of: name)?.kind, kind == .folder {
          flaws += try wish.tor.flaws(of: try folder.folder(name), called: "\(name)")
        } else {
          let kind = try folder.status(of: name)?.kind.rawValue ?? "nothing"
          flaws.append(Deviation("\(name)", expected: "a folder", observed: kind))
        }
      }
      let (digests, more) = try observe(etc, wish)
      return .present(InstanceFolder(digests: digests, flaws: flaws + more))
    } catch {
      return .unknown("\(error)")
    }
  }

  /// Makes or mends the folders, then writes what differs: `defaults`, `start`, `sums`, `torrc`, in this order, each whole and
  /// on the disk before the next; last removes whatever else lies in `etc/`.
  ///
  /// The order keeps a tor that an engine starts meanwhile shut: a new guard refuses old sums, and the torrc that may name
  /// a new service comes last.
  public func write(
    _ files: InstanceFiles, instance: InstanceName, owner: Int, label: ContainerLabel?,
    data: String = "data"
  ) throws(FolderError) {
    let wish = FolderWish(owner: owner, label: label)
    do {
      let state = try Descriptor.folder(at: root)
      let instances = try made("instances", in: state, wish.private, .crossingMounts)
      let folder = try made(FileName(instance.text), in: instances, wish.private)
      for name in [FileName(data), "run"] {
        try labelContents(of: name, in: folder, wish.tor)
        _ = try made(name, in: folder, wish.tor)
      }
      let etc = try made("etc", in: folder, wish.etc)
      for (name, text) in files.contents {
        try write(text, to: FileName(name), in: etc, wish.file)
      }
      let defined = Set(files.contents.map { FileName($0.name) })
      var budget = Self.etcLimit
      for name in try etc.names(limit: Self.etcLimit) where !defined.contains(name) {
        try removeTree(name, in: etc, budget: &budget)
      }
      try etc.synchronize()
    } catch {
      throw FolderError("write the files of \(instance)", error)
    }
  }

  /// Whoever moved the folder's label (`restorecon -RF`, another container's `:Z`) moved those in it, and a tor that may no
  /// longer replace its state loses its entry guards. The folder's own comes last, so that a crash leaves it to be seen.
  private func labelContents(
    of name: FileName, in folder: borrowing Descriptor, _ wish: FolderWish.Entry
  ) throws(FileError) {
    guard let label = wish.label, try folder.status(of: name)?.kind == .folder else { return }
    let object = try folder.folder(name)
    guard try object.label() != label else { return }
    var budget = Descriptor.labelBudget
    try object.labelContents(label, budget: &budget)
  }

  /// Removes `etc/` and `run/` with all in them; `data/` with its entry guards stays. Only once the container is gone.
  public func remove(_ instance: InstanceName) throws(FolderError) {
    do {
      let state = try Descriptor.folder(at: root)
      guard let instances = try existing("instances", in: state, .crossingMounts),
        let folder = try existing(FileName(instance.text), in: instances)
      else { return }
      var budget = removalBudget
      for name in [FileName("etc"), "run"] {
        try removeTree(name, in: folder, budget: &budget)
      }
      try folder.synchronize()
    } catch {
      throw FolderError("remove the files of \(instance)", error)
    }
  }

  /// Digests of the defined files, and a flaw for everything that is not as `write` leaves it.
  private func observe(
    _ etc: borrowing Descriptor, _ wish: FolderWish
  ) throws(FileError) -> (digests: [String: String], flaws: [Deviation]) {
    let defined = Set(InstanceFiles(torrc: "", guardScript: "", sums: "").contents.map(\.name))
    var digests: [String: String] = [:]
    var flaws: [Deviation] = []
    for name in try etc.names(limit: Self.etcLimit).sorted() {
      let called = "etc/\(name)"
      let kind = try etc.status(of: name)?.kind
      guard let text = name.text, defined.contains(text) else {
        flaws.append(Deviation(called, expected: "nothing", observed: kind?.rawValue ?? "nothing"))
        continue
      }
      guard kind == .file else {
        flaws.append(Deviation(called, expected: "a file", observed: kind?.rawValue ?? "nothing"))
        continue
      }
      let file = try etc.file(name)
      flaws += try wish.file.flaws(of: file, called: called)
      let size = try file.status().size
      guard size <= Self.fileLimit else {
        flaws.append(
          Deviation(called, expected: "at most \(Self.fileLimit) bytes", observed: "\(size) bytes"))
        continue
      }
      digests[text] = sha256(try file.read(limit: Self.fileLimit))
    }
    return (digests, flaws)
  }

  /// Leaves a file alone that is already as wished: a reader's copy stays the same.
  private func write(
    _ text: String, to name: FileName, in etc: borrowing Descriptor, _ wish: FolderWish.Entry
  ) throws(FileError) {
    let bytes = Array(text.utf8)
    switch try etc.status(of: name)?.kind {
    case .file:
      let file = try etc.file(name)
      if try file.status().size == bytes.count, try wish.flaws(of: file, called: "").isEmpty,
        try file.read(limit: bytes.count) == bytes
      {
        return
      }
    case .folder:
      var budget = Self.etcLimit
      try removeTree(name, in: etc, budget: &budget)
    default: break
    }
    try etc.write(
      bytes, to: name, FileAttributes(owner: wish.owner, mode: wish.mode, label: wish.label))
  }
}

/// The folder of that name, made if it is not there, put in place of anything else that bears the name, and mended.
private func made(
  _ name: FileName, in parent: borrowing Descriptor, _ wish: FolderWish.Entry,
  _ resolution: Descriptor.Resolution = []
) throws(FileError) -> Descriptor {
  switch try parent.status(of: name)?.kind {
  case .folder: break
  case nil: try parent.makeFolder(name)
  default:
    try parent.unlink(name)
    try parent.makeFolder(name)
  }
  let folder = try parent.folder(name, resolution)
  if try !wish.flaws(of: folder, called: "").isEmpty {
    try folder.apply(FileAttributes(owner: wish.owner, mode: wish.mode, label: wish.label))
  }
  try parent.synchronize()
  return folder
}

private func existing(
  _ name: FileName, in parent: borrowing Descriptor, _ resolution: Descriptor.Resolution = []
) throws(FileError) -> Descriptor? {
  do {
    return try parent.folder(name, resolution)
  } catch {
    if error.isAbsence { return nil }
    throw error
  }
}
