public import OnionModel

/// A whole revision, read: what each service's file says, and what is wrong.
public struct RevisionReading: Hashable, Sendable {
  /// Every service that the revision defines, on whatever host, valid or not.
  public internal(set) var services: [ServiceName: ServiceReading] = [:]
  /// What concerns the repository as a whole. Any error refuses the revision.
  public internal(set) var repository: [Diagnostic] = []
  /// Errors of files in `services/` that define nothing.
  public internal(set) var strays: [Diagnostic] = []
  /// Sealed keys that definitions name, by file: those that look like one.
  public internal(set) var sealedKeys: [String: SealedKey] = [:]

  /// Whether the revision is refused as a whole: the last accepted one stays.
  public var isRefused: Bool { repository.hasErrors }

  /// Everything, in order of file and place.
  public var diagnostics: [Diagnostic] {
    (repository + strays + services.values.flatMap(\.diagnostics)).sortedByPlace()
  }
}

/// What was read before, by blob: unchanged files are not read again. A value: pass the last one in, keep the new.
/// It holds only what the latest revision had, so it does not grow.
public struct DefinitionCache: Sendable {
  struct Key: Hashable, Sendable {
    var name: ServiceName
    var file: String
    var blob: String
    var defaults: Defaults
  }

  var readings: [Key: ServiceReading] = [:]

  public init() {}

  func reading(
    _ name: ServiceName, file: String, blob: String, defaults: Defaults
  ) -> ServiceReading? {
    readings[Key(name: name, file: file, blob: blob, defaults: defaults)]
  }
}

/// product.md §2: a tree of ours has no more.
private let serviceLimit = 10_000

/// Reads a revision. Pure: the same files give the same reading, whatever the cache holds.
///
/// Files are judged one by one; then what they say of each other: one address or sealed key in two definitions,
/// `formerly` of a service that is still defined, two `formerly` of one name, contradictions inside an instance. Such a
/// conflict rejects the services involved, only.
public func readRevision(_ files: RepositoryFiles, cache: inout DefinitionCache) -> RevisionReading
{
  var reading = RevisionReading()
  let defaults = readRepositoryFile(files, into: &reading)
  var fresh = DefinitionCache()
  var misnamed: [(ServiceName, RepositoryFiles.File, Diagnostic)] = []
  for file in files.files where file.path.hasPrefix("services/") {
    let leaf = String(file.path.dropFirst("services/".count))
    if leaf == ".gitkeep" || (leaf.hasPrefix("README") && !leaf.contains("/")) { continue }
    guard leaf.hasSuffix(".yaml"), let name = ServiceName(String(leaf.dropLast(5))) else {
      let error = Diagnostic(file: file.path, message: stray(leaf))
      if let name = meantName(leaf) {
        misnamed.append((name, file, error))
      } else {
        reading.strays.append(error)
      }
      continue
    }
    reading.services[name] = read(name, file, defaults, from: cache, into: &fresh)
  }
  // `blog.yml` where no `blog.yaml` is: the service is meant to be there, so it is rejected and not removed.
  for (name, file, error) in misnamed {
    guard reading.services[name] == nil else {
      reading.strays.append(error)
      continue
    }
    let found = read(name, file, defaults, from: cache, into: &fresh)
    reading.services[name] = .invalid([error] + found.diagnostics, found.rejectedPart)
  }
  if reading.services.count > serviceLimit {
    reading.repository.append(
      Diagnostic(
        file: "services",
        message: "has \(reading.services.count) definitions (at most \(serviceLimit))"))
  }
  cache = fresh
  rejectConflicts(in: &reading, of: files)
  return reading
}

/// The same without a memory.
public func readRevision(_ files: RepositoryFiles) -> RevisionReading {
  var cache = DefinitionCache()
  return readRevision(files, cache: &cache)
}

private func read(
  _ name: ServiceName, _ file: RepositoryFiles.File, _ defaults: Defaults,
  from cache: DefinitionCache, into fresh: inout DefinitionCache
) -> ServiceReading {
  let bytes: [UInt8]
  switch file.content {
  case .bytes(let content): bytes = content
  case .tooLarge(let size):
    let message = "is \(size) bytes long (at most \(YAMLDocument.byteLimit))"
    return .invalid([Diagnostic(file: file.path, message: message)], .unknown)
  }
  let key = DefinitionCache.Key(
    name: name, file: file.path, blob: file.blob, defaults: defaults)
  let reading =
    cache.readings[key]
    ?? namingConflict(
      readDefinition(
        name: name, origin: DefinitionOrigin(file: file.path, blob: file.blob, bytes: bytes),
        defaults: defaults), file.path, bytes)
  fresh.readings[key] = reading
  return reading
}

/// Instead of what the parser stumbles over behind it, the marker that Git leaves where it could not merge.
private func namingConflict(
  _ reading: ServiceReading, _ path: String, _ bytes: [UInt8]
) -> ServiceReading {
  guard case .invalid(_, let part) = reading else { return reading }
  let marker = Array("<<<<<<< ".utf8)
  let lines = bytes.split(separator: 0x0a, omittingEmptySubsequences: false)
  guard let line = lines.firstIndex(where: { $0.starts(with: marker) }) else { return reading }
  return .invalid(
    [
      Diagnostic(
        file: path, line: line + 1, column: 1,
        message: "a merge conflict that nobody resolved (`git mergetool`, then commit)")
    ], part)
}

/// Reads onionkeeper.yaml: its defaults, and its errors into `reading.repository`.
private func readRepositoryFile(
  _ files: RepositoryFiles, into reading: inout RevisionReading
) -> Defaults {
  let name = "onionkeeper.yaml"
  func refuse(_ message: String, line: Int? = nil, column: Int? = nil) {
    reading.repository.append(
      Diagnostic(file: name, line: line, column: column, message: message))
  }
  guard let file = files.file(name) else {
    refuse("is missing: this is not an Onionkeeper repository (a file that says version: 1)")
    return Defaults()
  }
  guard case .bytes(let bytes) = file.content else {
    refuse("is too large (at most \(YAMLDocument.byteLimit) bytes)")
    return Defaults()
  }
  let document = readDocument(bytes: bytes, file: name, fields: DefinitionFields.repository)
  let root = document.document.root
  if document.document.isWhole, root.map({ $0.pairs.contains { $0.key == "version" } }) != true {
    refuse(
      "has no version: this is not an Onionkeeper repository (version: 1)",
      line: root?.place.line ?? 1, column: root?.place.column ?? 1)
    reading.repository += document.diagnostics.filter { $0.path != "version" }
  } else {
    reading.repository += document.diagnostics
  }
  let defaults = document.value?["defaults"]
  for bucket in [TorBucket.introDoS, .proofOfWork] {
    if let error = bucket.contradiction(in: defaults?["tor"], file: name) {
      reading.repository.append(error)
    }
  }
  return Defaults(defaults)
}

private func stray(_ leaf: String) -> String {
  if leaf.contains("/") { return "is in a folder of its own (services/NAME.yaml)" }
  if leaf.hasSuffix(".yaml") {
    return "is not a service's name (NAME.yaml, NAME 1 to 48 of a–z 0–9 -, not - first)"
  }
  return "is no definition (NAME.yaml)"
}

/// `blog` of `blog.yml`, `Blog.yaml`, `blog.YAML`; nothing of `blog.yaml.bak`.
private func meantName(_ leaf: String) -> ServiceName? {
  let lower = leaf.lowercased()
  for ending in [".yaml", ".yml"] where lower.hasSuffix(ending) {
    return ServiceName(String(lower.dropLast(ending.count)))
  }
  return nil
}

extension ServiceReading {
  /// What a rejection goes by.
  var rejectedPart: RejectedPart {
    switch self {
    case .valid(let definition): RejectedPart(definition)
    case .invalid(_, let part): part
    }
  }
}
