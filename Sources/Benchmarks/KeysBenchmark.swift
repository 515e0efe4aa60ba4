import Foundation
import Keeping
import KeyStore
import OnionModel

/// What looking at 1,000 healthy key directories costs, beside a C program that makes the same calls and thinks nothing.
///
/// On a file system in memory: what counts is what we add to the kernel, and its cache serves either in any case.
struct KeysBenchmark {
  static let runs = 41
  static let count = 1000
  /// Milliseconds, for each look but an agent's first.
  static let limit = 60.0

  func run() async throws {
    let folder = "/dev/shm/okb-keys-\(getpid())"
    defer { removeAll(folder) }
    guard let id = AgentID(String(repeating: "b0", count: 16)) else { return }
    try KeyRoot.setUp(folder, id: id)
    let maker = KeyRoot(path: folder, id: id)
    let places = try await fill(maker)
    // Elsewhere: no program runs from a file system in memory on some hosts.
    let program = "/tmp/okb-keys-\(getpid())"
    let source = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("Limits/keys.c").path
    defer { removeAll(program) }
    _ = try await Workbench.shell("cc -O2 -Wall -Werror -o \(program) \(source)")
    // What has just been changed is not remembered: a later change in the same tick would not show.
    try await Task.sleep(for: .seconds(3))

    var first: [Double] = []
    var again: [Double] = []
    for _ in 0..<5 {
      let store = KeyRoot(path: folder, id: id)
      first.append(try await time { try await look(store, places) })
      for _ in 0..<(Self.runs / 5) {
        again.append(try await time { try await look(store, places) })
      }
    }
    print("\(Self.count) healthy key directories, medians       ms   C ms   ratio")
    try await report("each look", again, "status", program, folder)
    try await report("an agent's first look, keys proven", first, "contents", program, folder)
    print(median(again) > Self.limit ? "over" : "within", "\(Self.limit) ms")
  }

  private func fill(_ store: KeyRoot) async throws -> Set<KeyPlace> {
    var places: Set<KeyPlace> = []
    let client = AuthorizedClient(name: "alice", key: String(repeating: "A", count: 52))
    for number in 0..<Self.count {
      guard let instance = InstanceName("s\(number)"), let service = ServiceName("s\(number)")
      else { continue }
      let place = KeyPlace(instance: instance, service: service)
      // Every tenth asks for clients.
      _ = try await store.generate(
        place, owner: TorLayout.user,
        CompanionFiles(access: number % 10 == 0 ? .clients([client]) : .open))
      places.insert(place)
    }
    return places
  }

  private func look(_ store: KeyRoot, _ places: Set<KeyPlace>) async throws {
    let found = await store.observe(places, owner: TorLayout.user)
    guard found.count == Self.count,
      found.values.allSatisfy({ $0.value?.address != nil && $0.value?.flaws == [] })
    else { throw KeepingError("a directory is not healthy") }
  }

  private func report(
    _ name: String, _ times: [Double], _ kind: String, _ program: String, _ folder: String
  ) async throws {
    let text = try await Workbench.shell("\(program) \(folder) \(Self.runs) \(kind)")
    let limit = (Double(text.trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0) / 1000
    let words = name.padding(toLength: 40, withPad: " ", startingAt: 0)
    let median = median(times)
    print(words, String(format: "%7.1f %6.1f %7.1f", median, limit, median / limit))
  }

  private func median(_ times: [Double]) -> Double { times.sorted()[times.count / 2] }

  private func time(_ body: () async throws -> Void) async throws -> Double {
    let start = ContinuousClock.now
    try await body()
    let (seconds, attoseconds) = start.duration(to: .now).components
    return Double(seconds) * 1e3 + Double(attoseconds) / 1e15
  }

  private func removeAll(_ folder: String) {
    do {
      try FileManager.default.removeItem(atPath: folder)
    } catch {
      print("\(folder) could not be removed: \(error)")
    }
  }
}
