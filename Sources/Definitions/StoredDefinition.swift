public import OnionModel

/// A definition as a journal keeps it: its text, and what it was read with.
public struct StoredDefinition: Hashable, Sendable, Codable {
  public let name: ServiceName
  public let file: String
  public let blob: String
  let source: String
  let defaults: Defaults
  let withdrawn: [String]

  public init(_ definition: Definition) {
    name = definition.name
    file = definition.file
    blob = definition.blob
    // Valid, so it is UTF-8.
    source = String(decoding: definition.source, as: UTF8.self)
    defaults = definition.defaults
    withdrawn = definition.withdrawn.sorted()
  }

  /// The definition, read anew.
  /// - Parameter cache: spares the reading where the revision holds the same bytes.
  /// - Returns: what it is refused for, where this version no longer takes the text.
  public func definition(from cache: DefinitionCache) -> Result<Definition, DefinitionRefusal> {
    let origin = DefinitionOrigin(file: file, blob: blob, bytes: Array(source.utf8))
    let known = cache.reading(name, file: file, blob: blob, defaults: defaults)
    let reading =
      known?.definition?.source == origin.bytes
      ? known : readDefinition(name: name, origin: origin, defaults: defaults)
    switch reading {
    case .valid(let definition)?: return .success(definition.withdrawing(Set(withdrawn)))
    case .invalid(let diagnostics, _)?: return .failure(DefinitionRefusal(diagnostics: diagnostics))
    case nil: return .failure(DefinitionRefusal(diagnostics: []))
    }
  }
}

extension Definition {
  /// Whether both are stored by the same words.
  public func isStoredAs(_ other: Definition) -> Bool {
    name == other.name && file == other.file && blob == other.blob && defaults == other.defaults
      && withdrawn == other.withdrawn && source == other.source
  }
}

/// A stored text that this version does not take.
public struct DefinitionRefusal: Error, Sendable {
  public let diagnostics: [Diagnostic]
}

extension Definition: Codable {
  public func encode(to encoder: any Encoder) throws {
    try StoredDefinition(self).encode(to: encoder)
  }

  /// - Throws: `DecodingError`, also where this version no longer reads the text as a valid definition.
  public init(from decoder: any Decoder) throws {
    switch try StoredDefinition(from: decoder).definition(from: DefinitionCache()) {
    case .success(let definition): self = definition
    case .failure(let refusal):
      throw DecodingError.dataCorrupted(
        .init(
          codingPath: decoder.codingPath,
          debugDescription: refusal.diagnostics.first?.description ?? "not a valid definition"))
    }
  }
}
