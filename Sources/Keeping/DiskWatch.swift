import Descriptors
import KeyStore
import OnionModel
import Synchronization

/// Says at once when something moves on the disk that a pass looks at: key directories, the files of instances, the host
/// file. Only a pass decides what it means.
final class DiskWatch: Sendable {
  /// A person's command is several events; this long they are gathered into one pass.
  static let gathering: Duration = .milliseconds(50)
  /// So many passes at once; whoever goes on moving things has one a second.
  private static let burst = 20.0
  /// What is mounted over a folder is told by nobody: every so many passes each place is looked at anew.
  private static let thoroughEvery = 10

  private struct State {
    var passes = 0
    var complaint: String?
  }

  private let folders: FolderWatch?
  private let layout: AgentLayout
  private let hostFile: String
  private let log: @Sendable (String) -> Void
  private let state = Mutex(State())

  /// - Parameter hostFile: its absolute path.
  init(layout: AgentLayout, hostFile: String, log: @escaping @Sendable (String) -> Void) {
    self.layout = layout
    self.hostFile = hostFile
    self.log = log
    do {
      folders = try FolderWatch()
    } catch {
      log("\(error): changes on the disk are seen once an interval")
      folders = nil
    }
  }

  /// Just before a look: what moved up to now is about to be seen, what moves from now on is news.
  func renew(_ desired: Desired, _ memory: Memory) {
    guard let folders else { return }
    let isThorough = state.withLock { state in
      state.passes += 1
      return state.passes % Self.thoroughEvery == 0
    }
    let failure = folders.renew(places(desired, memory), isThorough: isThorough)
    let complaint = failure.map { "\($0)" }
    let isNew = state.withLock { state in
      let isNew = complaint != nil && state.complaint == nil
      state.complaint = complaint
      return isNew
    }
    if isNew, let complaint {
      log(
        "not every folder can be watched (fs.inotify.max_user_watches?), so changes there are seen once an interval:"
          + " \(complaint)")
    }
  }

  /// Rings for what no pass has looked at since, until the task is cancelled.
  func follow(_ ring: @Sendable () -> Void) async {
    guard let folders else { return }
    var left = Self.burst
    var last = ContinuousClock.now
    for await _ in folders.news {
      left = min(Self.burst, left + Double(last.duration(to: .now).components.seconds))
      let pause = left < 1 ? Duration.seconds(1) : Self.gathering
      do { try await Task.sleep(for: pause) } catch { return }
      guard folders.hasNews else { continue }
      ring()
      left = max(0, left - 1)
      last = .now
    }
  }

  private func places(_ desired: Desired, _ memory: Memory) -> Set<FolderWatch.Place> {
    typealias Place = FolderWatch.Place
    var places: Set<Place> = [
      Place(layout.keys), Place(layout.keys, FileName("\(RootMarker.folder)/pins")),
      Place(layout.state, entries: ["instances"], hearsAttributes: false),
      Place(layout.state, "instances", hearsAttributes: false),
    ]
    let slash = hostFile.lastIndex(of: "/") ?? hostFile.startIndex
    let folder = slash == hostFile.startIndex ? "/" : String(hostFile[..<slash])
    places.insert(Place(folder, entries: [FileName(String(hostFile[slash...].dropFirst()))]))
    var keys = Set(desired.services.map { KeyPlace(instance: $0.instance, service: $0.name) })
    for (service, instance) in memory.services {
      keys.insert(KeyPlace(instance: instance, service: service))
    }
    for place in keys {
      places.insert(Place(layout.keys, FileName(place.instance.text)))
      places.insert(Place(layout.keys, FileName("\(place)")))
      places.insert(Place(layout.keys, FileName("\(place)/\(KeyFiles.clients)")))
    }
    for instance in Set(keys.map(\.instance)).union(memory.instances.keys) {
      // `run/` and `data/` are their tor's, which may change their mode as often as it likes.
      places.insert(Place(layout.state, FileName("instances/\(instance)"), hearsAttributes: false))
      places.insert(Place(layout.state, FileName("instances/\(instance)/etc")))
    }
    return places
  }
}
