import Definitions
import FoundationEssentials
import GitSource
import Journaling
import OnionModel

/// Keeps what was read, so that an unchanged revision costs nothing in a pass.
struct RevisionReader {
  /// What a revision comes to on this host.
  struct Result {
    var desired: Desired
    /// By service of this host, what its file was rejected for.
    var rejections: [ServiceName: [Diagnostic]]
    var diagnostics: [Diagnostic]
    /// To be remembered for the next revision; `nil` if it was already.
    var lastGood: [ServiceName: LastGood]?
  }

  private var cache = DefinitionCache()
  private var latest: (commit: CommitID, result: Result)?

  /// The host file moved: what it allows must be asked again.
  mutating func forget() { latest = nil }

  /// Why the revision is refused as a whole; `nil` if it is not.
  mutating func refusal(of files: RepositoryFiles) -> String? {
    let reading = readRevision(files, cache: &cache)
    guard reading.isRefused else { return nil }
    return reading.repository.map(\.description).joined(separator: "\n")
  }

  func nothing(_ configuration: HostConfiguration) -> Desired {
    Desired(
      host: configuration.host, revision: nil, layout: configuration.layout, services: [],
      recipe: configuration.recipe, network: configuration.network, identity: configuration.identity
    )
  }

  /// Resolves an accepted revision for this host.
  mutating func read(
    _ revision: AcceptedRevision, _ files: RepositoryFiles, lastGood: [ServiceName: LastGood],
    _ configuration: HostConfiguration
  ) -> Result {
    let reading = readRevision(files, cache: &cache)
    let before = lastGood.compactMapValues { decode($0.text) }
    let resolved = resolve(reading, lastGood: before, host: configuration.context)
    let kept = resolved.rejections.compactMapValues { rejection -> String? in
      guard rejection.fallback == .lastGood else { return nil }
      return rejection.diagnostics.first { $0.severity == .error }?.description ?? "rejected"
    }
    let desired = Desired(
      host: configuration.host, revision: revision.commit, layout: configuration.layout,
      services: resolved.services, kept: kept, stopped: resolved.stopped,
      unsettled: resolved.unsettled,
      defined: resolved.defined, recipe: configuration.recipe, network: configuration.network,
      identity: configuration.identity, removalsAnnounced: revision.removalsAnnounced)
    var good: [ServiceName: LastGood] = [:]
    for (name, definition) in resolved.lastGood {
      guard let text = encode(definition) else { continue }
      good[name] = LastGood(
        blob: definition.blob, text: text,
        revision: lastGood[name].flatMap { $0.text == text ? $0.revision : nil } ?? revision.commit)
    }
    return Result(
      desired: desired, rejections: resolved.rejections.mapValues(\.diagnostics),
      diagnostics: (reading.diagnostics + resolved.diagnostics), lastGood: good)
  }

  mutating func known(_ commit: CommitID) -> Result? {
    guard let latest, latest.commit == commit else { return nil }
    var result = latest.result
    result.lastGood = nil
    return result
  }

  mutating func remember(_ result: Result, of commit: CommitID) { latest = (commit, result) }

  /// A text that a later version refuses costs that one service its last good definition, and nothing else.
  private func decode(_ text: String) -> Definition? {
    do { return try JSONDecoder().decode(Definition.self, from: Data(text.utf8)) } catch {
      return nil
    }
  }

  private func encode(_ definition: Definition) -> String? {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
      return String(decoding: try encoder.encode(definition), as: UTF8.self)
    } catch { return nil }
  }
}

extension RepositoryFiles {
  /// The part of a listing that decides, by path relative to the folder of `onionkeeper.yaml`.
  init(_ listing: TreeListing) {
    self.init(
      listing.files.map { file in
        switch file.content {
        case .bytes(let bytes): File(path: file.path, blob: file.blob, content: .bytes(bytes))
        case .tooLarge(let size, _):
          File(path: file.path, blob: file.blob, content: .tooLarge(size: size))
        }
      })
  }

  /// What the journal keeps. A file that is too large is kept as such: it must not look removed.
  var accepted: [String: AcceptedFile] {
    var kept: [String: AcceptedFile] = [:]
    for file in files {
      switch file.content {
      case .bytes(let bytes): kept[file.path] = AcceptedFile(blob: file.blob, bytes: bytes)
      case .tooLarge(let size):
        kept[file.path] = AcceptedFile(blob: "\(oversize)\(size):\(file.blob)", bytes: [])
      }
    }
    return kept
  }

  init(_ kept: [String: AcceptedFile]) {
    self.init(
      kept.map { path, file in
        let parts = file.blob.split(separator: ":")
        if file.blob.hasPrefix(oversize), parts.count == 3, let size = Int(parts[1]) {
          return File(path: path, blob: String(parts[2]), content: .tooLarge(size: size))
        }
        return File(path: path, blob: file.blob, content: .bytes(file.bytes))
      })
  }
}

private let oversize = "oversize:"
