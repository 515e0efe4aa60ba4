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
  /// What it says itself, without defaults.
  let own: Defaults
  /// An image of the repository's; `nil` for ours.
  let customImage: String?
  /// Where each port's target stands, for what a host refuses.
  let targetPlaces: [Place]
  /// Where other fields stand, by path, for what is found between files.
  private let places: [String: Place]
  /// Keys of clients that a rejected later version no longer listed: out until a valid version comes.
  public private(set) var withdrawn: Set<String> = []

  /// Fields that others are held against, or that a host may refuse.
  private static let placedPaths = [
    "hosts", "address", "formerly", "instance", "key.sealed", "container.image",
    "container.memory", "container.cpus", "container.pids", "tor.singleHop",
  ]

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
    own = Defaults(value)
    customImage = defaults.merged(under: own).customImage
    targetPlaces = value["ports"]?.list.map { $0["target"]?.place ?? $0.place } ?? []
    var places: [String: Place] = [:]
    for path in Self.placedPaths {
      var field: FieldValue? = value
      for key in path.split(separator: ".") { field = field?[String(key)] }
      places[path] = field?.place
    }
    self.places = places
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
    guard !keys.isSubset(of: withdrawn) else { return self }
    var definition = self
    definition.withdrawn.formUnion(keys)
    return definition
  }

  /// An error at one of its fields; where it says nothing of the field, at `hosts`, which each one has.
  func error(at path: String, _ message: String) -> Diagnostic {
    error(places[path] ?? places["hosts"], path, message)
  }

  func error(_ place: Place?, _ path: String, _ message: String) -> Diagnostic {
    Diagnostic(
      file: file, line: place?.line, column: place?.column, path: path, message: message)
  }

  /// Where `hosts` stands, for what concerns the whole.
  var hostsPlace: Place? { places["hosts"] }
}

/// Where a definition's bytes come from.
struct DefinitionOrigin: Hashable, Sendable {
  var file: String
  var blob: String
  var bytes: [UInt8]
}
