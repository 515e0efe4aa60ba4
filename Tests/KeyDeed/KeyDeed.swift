import Glibc
import KeyStore
import OnionModel

/// `KeyDeed DEED FOLDER OWNER [ADDRESS]`: one change of a key folder, or one look at it, for tests that kill it or make
/// its system calls fail. What is before `begin` and after `end` does not count.
@main
struct KeyDeed {
  static func main() async {
    let words = CommandLine.arguments
    guard words.count >= 4, let deed = Deed(rawValue: words[1]), let owner = Int(words[3]) else {
      exit(64)
    }
    let address = words.count > 4 ? OnionAddress(words[4]) : nil
    do {
      let doer = Doer(path: words[2], owner: owner, address: address)
      say("ok \(try await doer.run(deed))")
    } catch let error as KeyStoreError {
      say("error \(error.code.rawValue) \(error.message)")
      exit(1)
    } catch {
      say("failure \(error)")
      exit(2)
    }
  }

  private static func say(_ text: String) {
    access("/onionkeeper/end", F_OK)
    puts(text)
    fflush(nil)
  }
}

/// What can be done to `shared/blog`; `wiki/wiki` is its neighbour.
enum Deed: String {
  case setUp, generate, importKey, repair, clients, retire, restore, move, pin, anchor, observe
}

struct Doer {
  let path: String
  let owner: Int
  let address: OnionAddress?

  func run(_ deed: Deed) async throws -> String {
    let agent = try made(AgentID(String(repeating: "a1", count: 16)))
    let store = KeyRoot(path: path, id: agent)
    let spot = try place("shared", "blog")
    let now = Timestamp(seconds: 1_795_587_678)
    // Read beforehand: sources are somebody else's.
    let keys = deed == .importKey ? try await KeyReader().read(.path("\(path)/source")) : nil
    Glibc.access("/onionkeeper/begin", F_OK)
    switch deed {
    case .setUp:
      try KeyRoot.setUp(path, id: agent)
    case .generate:
      return try await store.generate(spot, owner: owner, companions(["alice", "bob"])).text
    case .importKey:
      return try await store.importKey(
        try made(keys), to: spot, owner: owner, companions(["alice", "bob"])
      ).text
    case .repair:
      try await store.repair(spot, wish(["alice", "bob"]), now: now)
    case .clients:
      try await store.repair(spot, wish(["alice", "carol"]), now: now)
    case .retire:
      return try await store.retire(spot, made(address), now: now)
    case .restore:
      try await store.restore("blog-\(now.compact)", to: spot, made(address), owner: owner)
    case .move:
      try await store.move(from: spot, to: place("new", "news"), made(address), owner: owner)
    case .pin:
      try await store.pin(spot.service, made(address), at: spot)
    case .anchor:
      let commit = try made(CommitID(String(repeating: "b", count: 40)))
      try await store.writeAnchor(Anchor(commit: commit, source: "new"))
    case .observe: return try await observe(store, spot)
    }
    return ""
  }

  /// One word a question.
  private func observe(_ store: KeyRoot, _ spot: KeyPlace) async throws -> String {
    let wiki = try place("wiki", "wiki")
    let seen = await store.observe([spot, wiki], owner: owner)
    var words = [spot, wiki].map { word(seen[$0]) { $0.address == nil ? "keyless" : "whole" } }
    words.append(word(await store.pins()) { "\($0.count)" })
    words.append(word(await store.retired()) { "\($0.count)" })
    words.append(word(await store.anchor()) { _ in "there" })
    words.append(word(KeyRoot.marker(path)) { _ in "there" })
    return words.joined(separator: " ")
  }

  private func word<Value>(_ seen: Observation<Value>?, _ text: (Value) -> String) -> String {
    switch seen {
    case .present(let value)?: text(value)
    case .absent?, nil: "absent"
    case .unknown?: "unknown"
    }
  }

  private func companions(_ names: [String]) -> CompanionFiles {
    CompanionFiles(access: access(names))
  }

  private func access(_ names: [String]) -> Access {
    .clients(names.map { AuthorizedClient(name: $0, key: String(repeating: "A", count: 52)) })
  }

  private func wish(_ names: [String]) throws -> KeyDirectoryWish {
    let address = try made(address)
    return KeyDirectoryWish(
      address: address, owner: owner,
      clientFiles: KeyFiles.clientFiles(access: access(names), address: address), label: nil)
  }

  private func place(_ instance: String, _ service: String) throws -> KeyPlace {
    KeyPlace(
      instance: try made(InstanceName(instance)), service: try made(ServiceName(service)))
  }

  private struct NoValue: Error {}

  private func made<Value>(_ value: Value?) throws -> Value {
    guard let value else { throw NoValue() }
    return value
  }
}
