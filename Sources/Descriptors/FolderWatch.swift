@preconcurrency import Dispatch
import Glibc
import Synchronization

/// Tells that something moved in a set of folders (inotify(7)): an edge that only says when to look again, never what to
/// think.
///
/// Folders are opened by descriptor like everything else and watched through `/proc/self/fd`, so a name that is swapped
/// for a link watches nothing outside. What happens to temporary names (`Descriptor.temporaryPrefix`) is not told: they
/// are unfinished work. No thread is held while nothing happens.
public final class FolderWatch: Sendable {
  /// A folder below a root, and what of it is of interest.
  public struct Place: Hashable, Sendable {
    /// An absolute path; links on the way are its owner's business.
    public var root: String
    /// One name or several joined by `/`; `nil`: the root itself.
    public var name: FileName?
    /// Only these entries; `nil`: all.
    public var entries: Set<FileName>?
    /// Whether changes of its entries' owner, mode and content count, or only their coming and going.
    public var hearsAttributes: Bool

    public init(
      _ root: String, _ name: FileName? = nil, entries: Set<FileName>? = nil,
      hearsAttributes: Bool = true
    ) {
      self.root = root
      self.name = name
      self.entries = entries
      self.hearsAttributes = hearsAttributes
    }
  }

  /// What counts of a watched folder.
  private struct Interest {
    /// `nil`: all entries.
    var entries: Set<FileName>?
  }

  private struct State {
    /// By the kernel's watch descriptor.
    var watches: [Int32: Interest] = [:]
    var places: Set<Place> = []
    /// Something moved, so folders may have come or gone; nothing was watched yet; or one is not watched.
    var isStale = true
    /// Something moved since `renew` was last called.
    var hasNews = false
  }

  /// One element when something moved; several before it is taken are one.
  public let news: AsyncStream<Void>

  private let number: Int32
  private let bell: AsyncStream<Void>.Continuation
  private let source: any DispatchSourceRead
  private let state = Mutex(State())

  /// Watches nothing yet.
  /// - Throws: `EMFILE` where the user has too many of them (fs.inotify.max_user_instances).
  public init() throws(FileError) {
    number = inotify_init1(Int32(IN_NONBLOCK | IN_CLOEXEC))
    guard number >= 0 else { throw FileError(errno, "watch", "folders") }
    (news, bell) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    source = DispatchSource.makeReadSource(
      fileDescriptor: number, queue: DispatchQueue(label: "onionkeeper.watch"))
    let (number, bell) = (number, bell)
    source.setCancelHandler {
      close(number)
      bell.finish()
    }
    source.setEventHandler { [weak self] in self?.takeEvents() }
    source.resume()
  }

  deinit { source.cancel() }

  /// Something moved since the last `renew`.
  public var hasNews: Bool { state.withLock { $0.hasNews } }

  /// Watches just these places, and forgets all news: whoever looks at them after this sees what they were about.
  ///
  /// Does next to nothing while the places stay the same and nothing moved. A place that is not there, or no folder, is
  /// left out: its coming is heard in the folder above, if that is watched.
  /// - Parameter isThorough: Look at every place anew: what is mounted over a folder is not told.
  /// - Returns: Why a place that is there could not be watched (`ENOSPC`: fs.inotify.max_user_watches); `nil` if all are.
  public func renew(_ places: Set<Place>, isThorough: Bool = false) -> FileError? {
    state.withLock { state -> FileError? in
      drain(&state)
      state.hasNews = false
      guard isThorough || state.isStale || places != state.places else { return nil }
      state.isStale = false
      state.places = places
      var kept: [Int32: Interest] = [:]
      var failure: FileError?
      for (root, places) in Dictionary(grouping: places, by: \.root) {
        do throws(FileError) {
          let folder = try Descriptor.folder(at: root)
          for place in places { try add(place, below: folder, to: &kept, &failure) }
        } catch {
          if !Self.absences.contains(error.number) { failure = error }
        }
      }
      for watch in state.watches.keys where kept[watch] == nil { inotify_rm_watch(number, watch) }
      state.watches = kept
      if failure != nil { state.isStale = true }
      return failure
    }
  }

  private static let absences: Set<Int32> = [ENOENT, ENOTDIR, ELOOP, EXDEV]

  private func add(
    _ place: Place, below root: borrowing Descriptor, to kept: inout [Int32: Interest],
    _ failure: inout FileError?
  ) throws(FileError) {
    do {
      guard let name = place.name else { return try watch(root, place, &kept) }
      try watch(try root.folder(name), place, &kept)
    } catch  where Self.absences.contains(error.number) {
      // As `renew` says.
    } catch  where error.number == EMFILE || error.number == ENFILE {
      throw error
    } catch {
      failure = error
    }
  }

  private static let comingAndGoing =
    IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF
  private static let attributes = IN_ATTRIB | IN_MODIFY | IN_CLOSE_WRITE

  private func watch(
    _ folder: borrowing Descriptor, _ place: Place, _ kept: inout [Int32: Interest]
  ) throws(FileError) {
    var mask = UInt32(Self.comingAndGoing) | UInt32(IN_ONLYDIR) | UInt32(IN_MASK_ADD)
    if place.hearsAttributes { mask |= UInt32(Self.attributes) }
    let watch = inotify_add_watch(number, "/proc/self/fd/\(folder.number)", mask)
    guard watch >= 0 else { throw FileError(errno, "watch", folder.path) }
    // Two places may be one folder.
    var entries = place.entries
    if let other = kept[watch] {
      entries = entries.flatMap { entries in other.entries.map { entries.union($0) } }
    }
    kept[watch] = Interest(entries: entries)
  }

  /// Nothing is taken from the kernel's queue meanwhile: for tests of its overflow.
  func holding(_ body: () throws -> Void) rethrows { try state.withLock { _ in try body() } }

  private func takeEvents() {
    let isNews = state.withLock { state in
      drain(&state)
      return state.hasNews
    }
    if isNews { bell.yield() }
  }

  /// Reads of one call: 64 KiB are about 2,000 events; the rest makes the source fire again.
  private static let reads = 16

  private func drain(_ state: inout State) {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 8)
    defer { buffer.deallocate() }
    for _ in 0..<Self.reads {
      let count = read(number, buffer.baseAddress, buffer.count)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return }
      judge(UnsafeRawBufferPointer(rebasing: buffer[..<count]), &state)
    }
  }

  private func judge(_ events: UnsafeRawBufferPointer, _ state: inout State) {
    let head = MemoryLayout<inotify_event>.size
    var offset = 0
    while offset + head <= events.count {
      let event = events.loadUnaligned(fromByteOffset: offset, as: inotify_event.self)
      let end = offset + head + Int(event.len)
      guard end <= events.count else { return }
      let name = events[(offset + head)..<end].prefix { $0 != 0 }
      if counts(event, FileName(bytes: name), state) {
        state.isStale = true
        state.hasNews = true
      }
      offset = end
    }
  }

  private func counts(_ event: inotify_event, _ name: FileName, _ state: State) -> Bool {
    // The queue ran over: anything may have moved.
    if event.mask & UInt32(IN_Q_OVERFLOW) != 0 { return true }
    guard let interest = state.watches[event.wd] else { return false }
    if name.bytes.starts(with: Descriptor.temporaryPrefix.utf8) { return false }
    guard let entries = interest.entries, !name.bytes.isEmpty else { return true }
    return entries.contains(name)
  }
}
