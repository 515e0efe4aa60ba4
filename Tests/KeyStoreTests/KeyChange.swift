import Descriptors
import Glibc
import OnionModel
import Spawning
import Testing

@testable import KeyStore

/// A change of a key folder that a cut or a failing disk may meet anywhere; `Tests/KeyDeed` does it.
enum KeyChange: String, CaseIterable {
  case setUp, generate, importKey, repair, clients, retire, restore, move, pin, anchor
}

/// A folder before a change, and what must hold of it after any part of the change.
///
/// A key that was there is there, whole; a pin is whole; the neighbour is as it was; and doing it again, as the next pass
/// does, brings what it would have brought.
struct ChangeStage {
  let change: KeyChange
  /// The folder as it is before the change; each trial has a copy.
  let folder: KeyFolder
  /// What `shared/blog` must keep; `nil` before it has a key.
  private(set) var address: OnionAddress?
  private let neighbour: OnionAddress

  private let spot = place("shared/blog")
  private let target = place("new/news")
  private let wiki = place("wiki/wiki")
  private static let foreign = Array("somebody's notes".utf8)

  init(_ change: KeyChange) async throws {
    self.change = change
    folder = try KeyFolder(in: KeyFolder.memory)
    let store = folder.store
    neighbour = try await store.generate(wiki, owner: KeyFolder.owner)
    switch change {
    case .setUp, .generate: return
    case .importKey:
      try folder.write("source", try Corpus.file(Corpus.plain), owner: 0)
      return
    default: break
    }
    let address = try await store.generate(spot, owner: KeyFolder.owner, Self.companions(["bob"]))
    self.address = address
    switch change {
    case .repair:
      let directory = try folder.descriptor("shared/blog")
      try directory.unlink("hs_ed25519_public_key")
      try directory.write(Array("x".utf8), to: "hostname")
      try directory.write(Self.foreign, to: "notes")
      try directory.file("hs_ed25519_secret_key").setOwner(1)
      try directory.setMode(0o755)
    case .restore: _ = try await store.retire(spot, address, now: now)
    case .pin: try folder.descriptor(".onionkeeper/pins").unlink("blog")
    case .anchor: try await store.writeAnchor(Anchor(commit: Self.commit("a"), source: "old"))
    default: break
    }
  }

  /// Its root: one that is still to be set up lies inside.
  func root(_ path: String) -> String { change == .setUp ? "\(path)/fresh" : path }

  static var build: String {
    let parts = #filePath.split(separator: "/").dropLast(3)
    return "/" + parts.joined(separator: "/") + "/.build/debug"
  }

  /// Runs the change on a folder, under `Faulting`.
  /// - Returns: How it ended, what it said, and which calls it made.
  func run(
    _ mode: String, on path: String, deed: String? = nil
  ) throws -> (code: Int, output: String, calls: [NotedCall]) {
    let log = "\(path).log"
    defer { unlink(log) }
    var command = [
      "\(Self.build)/Faulting", log, path, mode, "\(Self.build)/KeyDeed", deed ?? change.rawValue,
      root(path), "\(KeyFolder.owner)",
    ]
    if let address { command.append(address.text) }
    let (code, output) = try spawn(command)
    let parts = log.split(separator: "/")
    let text = try Descriptor.folder(at: "/" + parts.dropLast().joined(separator: "/"))
      .file(FileName(String(parts.last ?? ""))).read(limit: 1 << 22)
    let calls = String(decoding: text, as: UTF8.self).split(separator: "\n").compactMap {
      NotedCall($0)
    }
    return (code, String(decoding: output, as: UTF8.self), calls)
  }

  /// What must hold after any part of it, and that it can be ended.
  /// - Parameter isDoubled: A folder is at two places at once, which no file system with a journal leaves.
  func check(_ path: String, isDoubled: Bool = false, _ trial: Comment) async throws {
    if change == .setUp { return try checkSetUp(root(path), trial) }
    let store = KeyRoot(path: path, id: KeyFolder.agent)
    let seen = await store.observe([spot, target, wiki], owner: KeyFolder.owner)
    for (place, found) in seen {
      #expect(found == .absent || found.value?.address != nil, "\(place): \(found); \(trial)")
    }
    #expect(seen[wiki]?.value == KeyDirectory(secret: .whole(neighbour)), trial)
    let pins = try #require(await store.everyPin().value, trial)
    #expect(pins.damaged == [:], trial)
    #expect(pins.addresses[wiki.service] == neighbour, trial)
    let held =
      seen.values.compactMap { $0.value?.address }
      + (await store.retired().value ?? []).map(\.address)
    if let address {
      #expect(held.contains(address), "the key is lost: \(trial)")
      for pin in pins.addresses.values { #expect(pin == address || pin == neighbour, trial) }
    } else if let pin = pins.addresses[spot.service] {
      #expect(held.contains(pin), "pinned before it was there: \(trial)")
    }
    #expect(await store.anchor().unknownReason == nil, trial)
    if isDoubled { return }
    try await finish(store, seen)
    try await checkEnd(store, path, trial)
  }

  private func checkSetUp(_ path: String, _ trial: Comment) throws {
    #expect(KeyRoot.marker(path).unknownReason == nil, trial)
    try KeyRoot.setUp(path, id: KeyFolder.agent)
    #expect(KeyRoot.marker(path) == .present(KeyFolder.agent), trial)
    for inner in ["pins", "retired", "backup"] {
      _ = try Descriptor.folder(at: "\(path)/.onionkeeper/\(inner)")
    }
  }

  /// What the next pass does: what is not done yet.
  private func finish(
    _ store: KeyRoot, _ seen: [KeyPlace: Observation<KeyDirectory>]
  ) async throws {
    let there = seen[spot]?.value?.address
    switch change {
    case .setUp: break
    case .generate, .importKey:
      if let there {
        try await store.pin(spot.service, there, at: spot)
      } else if change == .generate {
        _ = try await store.generate(spot, owner: KeyFolder.owner)
      } else {
        let keys = try await KeyReader().read(.path("\(store.path)/source"))
        _ = try await store.importKey(keys, to: spot, owner: KeyFolder.owner)
      }
    case .repair, .clients: break
    case .retire:
      if there != nil { _ = try await store.retire(spot, address, now: now) }
    case .restore:
      try await store.restore(
        "blog-\(now.compact)", to: spot, valid(address), owner: KeyFolder.owner)
    case .move:
      try await store.move(from: spot, to: target, valid(address), owner: KeyFolder.owner)
    case .pin: try await store.pin(spot.service, valid(address), at: spot)
    case .anchor: try await store.writeAnchor(Anchor(commit: Self.commit("b"), source: "new"))
    }
  }

  private func checkEnd(_ store: KeyRoot, _ path: String, _ trial: Comment) async throws {
    let root = try Descriptor.folder(at: path)
    // A minute later.
    for inner in [".onionkeeper", ".onionkeeper/pins", "shared", "new"] as [FileName] {
      do {
        try root.folder(inner).removeLeftovers(changedBefore: .max, limit: 1000)
      } catch {
        guard error.isAbsence else { throw error }
      }
    }
    let pins = await store.pins().value ?? [:]
    let end = change == .move ? target : spot
    if change == .retire {
      #expect(await store.observe([spot], owner: KeyFolder.owner)[spot] == .absent, trial)
      #expect(await store.retired().value?.map(\.address) == [valid(address)], trial)
      #expect(pins[spot.service] == address, trial)
      return
    }
    let found = await store.observe([end], owner: KeyFolder.owner)[end]?.value?.address
    let last = try #require(address ?? found, trial)
    let names = ["alice", "bob", "carol"]
    let clients = KeyFiles.clientFiles(access: Self.access(names), address: last)
    try await store.repair(
      end,
      KeyDirectoryWish(address: last, owner: KeyFolder.owner, clientFiles: clients, label: nil),
      now: now)
    #expect(
      await store.observe([end], owner: KeyFolder.owner)[end]?.value
        == KeyDirectory(secret: .whole(last), clientFiles: clients), trial)
    #expect(pins == [end.service: last, wiki.service: neighbour], trial)
    #expect(
      try Set(root.folder(FileName(end.instance.text)).names(limit: 10))
        == [FileName(end.service.text)], trial)
    if change == .repair {
      let kept = try root.folder(".onionkeeper/retired")
        .folder(FileName("foreign.blog-\(now.compact.prefix(8))"))
      #expect(try kept.file("notes").read(limit: 100) == Self.foreign, trial)
    }
    if change == .importKey { #expect(last == Corpus.plain, trial) }
  }

  private static func access(_ names: [String]) -> Access {
    .clients(names.map { AuthorizedClient(name: $0, key: String(repeating: "A", count: 52)) })
  }

  private static func companions(_ names: [String]) -> CompanionFiles {
    CompanionFiles(access: access(names))
  }

  private static func commit(_ digit: Character) -> CommitID {
    valid(CommitID(String(repeating: digit, count: 40)))
  }
}
