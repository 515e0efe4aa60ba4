public import OnionModel

/// What became of one definition file.
public enum ServiceReading: Hashable, Sendable {
  case valid(Definition)
  /// Rejected: all that is wrong, and what its readable part says about being open.
  case invalid([Diagnostic], RejectedPart)

  public var definition: Definition? {
    if case .valid(let definition) = self { definition } else { nil }
  }

  public var diagnostics: [Diagnostic] {
    switch self {
    case .valid(let definition): definition.warnings
    case .invalid(let diagnostics, _): diagnostics
    }
  }
}

/// Reads one definition; the same bytes and defaults always give the same.
func readDefinition(
  name: ServiceName, origin: DefinitionOrigin, defaults: Defaults
) -> ServiceReading {
  let reading = readDocument(
    bytes: origin.bytes, file: origin.file, fields: DefinitionFields.definition)
  let part = RejectedPart(reading, source: origin.bytes)
  guard let value = reading.value, value.isRecord else {
    return .invalid(reading.diagnostics, part)
  }
  var checker = DefinitionChecker(
    name: name, file: origin.file, value: value, defaults: defaults)
  checker.check()
  let diagnostics = (reading.diagnostics + checker.diagnostics).sortedByPlace()
  guard !diagnostics.hasErrors, let hosts = HostSelector(value["hosts"]) else {
    return .invalid(diagnostics, part)
  }
  return .valid(
    Definition(
      name: name, origin: origin, defaults: defaults, hosts: hosts,
      service: service(name, value, defaults: defaults), warnings: diagnostics, value: value))
}

/// The service of a value without errors.
private func service(_ name: ServiceName, _ value: FieldValue, defaults: Defaults) -> OnionService {
  let settings = defaults.merged(under: Defaults(value))
  let ports = value["ports"]?.list.compactMap { item -> OnionPort? in
    guard let virtual = item["virtual"]?.integer, let target = target(item["target"]) else {
      return nil
    }
    return OnionPort(virtual: virtual, target: target)
  }
  let isForClients = value["access"]?.text == "clients"
  return OnionService(
    name: name, instance: value["instance"]?.text.flatMap { InstanceName($0) },
    address: value["address"]?.text.flatMap { OnionAddress($0) }, key: keySource(value["key"]),
    formerly: value["formerly"]?.text.flatMap { ServiceName($0) },
    access: isForClients ? .clients(clients(value["clients"])) : .open, ports: ports ?? [],
    tor: settings.tor?.options ?? TorOptions(), limits: settings.limits,
    prune: settings.prune ?? .retire, isPaused: settings.isPaused ?? false)
}

private func keySource(_ value: FieldValue?) -> KeySource {
  if let file = value?["sealed"]?.text { return .sealed(file: file) }
  if value?["generate"] != nil { return .generatePerHost }
  return value?.text == "existing" ? .existing : .generate
}

private func target(_ value: FieldValue?) -> Target? {
  guard let text = value?.text else { return nil }
  do throws(TextProblem) { return try TargetText.parse(text) } catch { return nil }
}

private func clients(_ value: FieldValue?) -> [AuthorizedClient] {
  value?.list.compactMap { item in
    guard let name = item["name"]?.text, let key = item["key"]?.text.flatMap(ClientKey.read) else {
      return nil
    }
    return AuthorizedClient(name: name, key: key)
  }.sorted { $0.name < $1.name } ?? []
}

extension HostSelector {
  /// `nil` where a part of it is invalid.
  init?(_ value: FieldValue?) {
    guard let value else { return nil }
    let items = value.isRecord ? [value] : value.list
    var patterns: [Pattern] = []
    for item in items {
      if let pattern = item.text.flatMap({ Pattern($0) }) {
        patterns.append(pattern)
      } else if let labels = item["labels"]?.fields, !labels.isEmpty,
        labels.values.allSatisfy({ $0.text != nil })
      {
        patterns.append(.labels(labels.compactMapValues(\.text)))
      } else {
        return nil
      }
    }
    guard !patterns.isEmpty else { return nil }
    self.init(patterns)
  }
}
