package import Definitions
import FoundationEssentials
import GitSource
package import Journaling
package import OnionModel

/// Keeps what was read, so that an unchanged revision costs nothing in a pass, and a changed one what has changed.
package struct RevisionReader {
  /// What a revision comes to on this host.
  package struct Result {
    package var desired: Desired
    /// By service of this host, what its file was rejected for.
    package var rejections: [ServiceName: [Diagnostic]]
    package var diagnostics: [Diagnostic]
    /// To be remembered for the next revision; `nil` if it was already.
    package var lastGood: [ServiceName: LastGood]?
  }

  package init() {}

  private var cache = DefinitionCache()
  /// The last good ones as they are stored: neither read nor written again while they stay.
  private var kept: [ServiceName: (text: String, definition: Definition)] = [:]
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
  package mutating func read(
    _ revision: AcceptedRevision, _ files: RepositoryFiles, lastGood: [ServiceName: LastGood],
    _ configuration: HostConfiguration
  ) -> Result {
    let reading = readRevision(files, cache: &cache)
    let before = decode(lastGood)
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
      identity: configuration.identity, removalsAnnounced: revision.removalsAnnounced,
      sealedKeys: resolved.sealedKeys, ageIdentity: configuration.ageIdentity,
      backupRecipients: configuration.backupRecipients)
    var good: [ServiceName: LastGood] = [:]
    let texts = encode(resolved.lastGood)
    for (name, definition) in resolved.lastGood {
      guard let text = texts[name] else { continue }
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
  private mutating func decode(_ lastGood: [ServiceName: LastGood]) -> [ServiceName: Definition] {
    let decoder = JSONDecoder()
    var definitions: [ServiceName: Definition] = [:]
    for (name, stored) in lastGood {
      if let known = kept[name], known.text == stored.text {
        definitions[name] = known.definition
        continue
      }
      do {
        let text = Data(stored.text.utf8)
        let read = try decoder.decode(StoredDefinition.self, from: text).definition(from: cache)
        guard case .success(let definition) = read else { continue }
        definitions[name] = definition
        kept[name] = (stored.text, definition)
      } catch { continue }
    }
    return definitions
  }

  private mutating func encode(_ definitions: [ServiceName: Definition]) -> [ServiceName: String] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    var texts: [ServiceName: (text: String, definition: Definition)] = [:]
    for (name, definition) in definitions {
      if let known = kept[name], known.definition.isStoredAs(definition) {
        texts[name] = known
        continue
      }
      do {
        let text = try encoder.encode(StoredDefinition(definition))
        texts[name] = (String(decoding: text, as: UTF8.self), definition)
      } catch { continue }
    }
    kept = texts
    return texts.mapValues(\.text)
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
