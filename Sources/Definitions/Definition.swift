public import OnionModel

/// One valid definition: what `services/NAME.yaml` says, and the text that says it.
///
/// Stored as its text and the defaults that it was read with, and read anew when it comes back: a journal outlives
/// the fields of this type. Store one a row, so that a text which a later version refuses costs nothing else.
public struct Definition: Hashable, Sendable {
  public let name: ServiceName
  /// `services/blog.yaml`
  public let file: String
  /// What tells its bytes from others: Git's blob id, or a digest.
  public let blob: String
  public let source: [UInt8]
  public let defaults: Defaults
  public let hosts: HostSelector
  /// As the text says; `effective` leaves withdrawn clients out.
  public let service: OnionService
  public let warnings: [Diagnostic]
  /// Where each port's target stands, for what a host refuses.
  let targetPlaces: [Place]
  /// Where `hosts` stands, for what concerns the whole.
  let hostsPlace: Place
  let addressPlace: Place?
  let formerlyPlace: Place?
  /// Keys of clients that a rejected later version no longer listed: out until a valid version comes.
  public private(set) var withdrawn: Set<String> = []

  init(
    name: ServiceName, origin: DefinitionOrigin, defaults: Defaults, hosts: HostSelector,
    service: OnionService, warnings: [Diagnostic], value: FieldValue
  ) {
    self.name = name
    file = origin.file
    blob = origin.blob
    source = origin.bytes
    self.defaults = defaults
    self.hosts = hosts
    self.service = service
    self.warnings = warnings
    targetPlaces = value["ports"]?.list.map { $0["target"]?.place ?? $0.place } ?? []
    hostsPlace = value["hosts"]?.place ?? value.place
    addressPlace = value["address"]?.place
    formerlyPlace = value["formerly"]?.place
  }

  /// The service without withdrawn clients; `nil` where it asks for clients and none is left.
  public var effective: OnionService? {
    guard case .clients(let clients) = service.access, !withdrawn.isEmpty else { return service }
    let left = clients.filter { !withdrawn.contains($0.key) }
    guard !left.isEmpty else { return nil }
    var service = service
    service.access = .clients(left)
    return service
  }

  /// The same with more clients withdrawn.
  func withdrawing(_ keys: Set<String>) -> Definition {
    var definition = self
    definition.withdrawn.formUnion(keys)
    return definition
  }

  func error(_ place: Place?, _ path: String, _ message: String) -> Diagnostic {
    Diagnostic(
      file: file, line: place?.line, column: place?.column, path: path, message: message)
  }
}

/// Where a definition's bytes come from.
struct DefinitionOrigin: Hashable, Sendable {
  var file: String
  var blob: String
  var bytes: [UInt8]
}

extension Definition: Codable {
  private enum CodingKeys: String, CodingKey {
    case name, file, blob, source, defaults, withdrawn
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(name, forKey: .name)
    try container.encode(file, forKey: .file)
    try container.encode(blob, forKey: .blob)
    // Valid, so it is UTF-8.
    try container.encode(String(decoding: source, as: UTF8.self), forKey: .source)
    try container.encode(defaults, forKey: .defaults)
    try container.encode(withdrawn.sorted(), forKey: .withdrawn)
  }

  /// - Throws: `DecodingError`, also where this version no longer reads the text as a valid definition.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    let name = try container.decode(ServiceName.self, forKey: .name)
    let origin = DefinitionOrigin(
      file: try container.decode(String.self, forKey: .file),
      blob: try container.decode(String.self, forKey: .blob),
      bytes: Array(try container.decode(String.self, forKey: .source).utf8))
    let defaults = try container.decode(Defaults.self, forKey: .defaults)
    let withdrawn = try container.decode([String].self, forKey: .withdrawn)
    switch readDefinition(name: name, origin: origin, defaults: defaults) {
    case .valid(let definition): self = definition.withdrawing(Set(withdrawn))
    case .invalid(let diagnostics, _):
      throw DecodingError.dataCorruptedError(
        forKey: .source, in: container,
        debugDescription: diagnostics.first?.description ?? "not a valid definition")
    }
  }
}
