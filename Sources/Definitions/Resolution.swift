public import OnionModel

/// The host that definitions are resolved for: from its host file.
public struct HostContext: Sendable {
  public var name: HostName
  public var labels: [String: String]
  public var allow: AllowList
  /// `allow.services`
  public var serviceLimit: Int
  /// `allow.singleHop`
  public var allowsSingleHop: Bool

  public init(
    name: HostName, labels: [String: String], allow: AllowList, serviceLimit: Int = 500,
    allowsSingleHop: Bool = false
  ) {
    self.name = name
    self.labels = labels
    self.allow = allow
    self.serviceLimit = serviceLimit
    self.allowsSingleHop = allowsSingleHop
  }
}

/// What a revision comes to on one host.
public struct HostDefinitions: Hashable, Sendable {
  /// What became of a service whose definition was not accepted as it stands.
  public enum Fallback: String, Hashable, Sendable, Codable {
    case lastGood, stopped, notStarted
  }

  /// A service of this host that is not as its file says.
  public struct Rejection: Hashable, Sendable {
    public var fallback: Fallback
    public var diagnostics: [Diagnostic]
  }

  /// What runs here, in order of name: valid definitions, or last good ones.
  public var services: [OnionService] = []
  /// Must not run, and why.
  public var stopped: [ServiceName: String] = [:]
  /// Defined here or perhaps here, without a usable definition: not started, and no removal either.
  public var unsettled: Set<ServiceName> = []
  /// Every service that the revision defines, on whatever host; also the former name of a renamed one whose new
  /// file is rejected.
  public var defined: Set<ServiceName> = []
  /// What to remember for the next resolution, on whatever host. Replace the old one whole: it is narrower where a
  /// rejected file withdrew a client, and it forgets what is no longer defined.
  public var lastGood: [ServiceName: Definition] = [:]
  /// What `services` with a sealed key need, by file, where the revision has it.
  public var sealedKeys: [String: SealedKey] = [:]
  /// By service, those of this host.
  public var rejections: [ServiceName: Rejection] = [:]
  /// Errors that arise on this host only (its `allow`, its last good definitions), in order of file and place.
  public var diagnostics: [Diagnostic] = []

  /// Nothing defined.
  public init() {}
}

/// Resolves a revision that is not refused for one host: "what is wrong stays where it is wrong" (product.md §2).
///
/// - A valid definition that this host allows is taken, and becomes the last good one.
/// - A rejected one (invalid, in conflict, not allowed here) leaves its service at the last good one, unless that
///   might be more open than what the rejected file wants: then it is stopped, or clients are withdrawn.
/// - The same holds for what contradicts others of its instance on this host.
/// - Without a last good one it is not started. A renamed service goes on under its former name meanwhile.
public func resolve(
  _ reading: RevisionReading, lastGood: [ServiceName: Definition], host: HostContext
) -> HostDefinitions {
  var resolver = Resolver(reading: reading, lastGood: lastGood, host: host)
  return resolver.resolve()
}

private struct Resolver {
  let reading: RevisionReading
  let lastGood: [ServiceName: Definition]
  let host: HostContext
  private var result = HostDefinitions()
  private var running: [ServiceName: OnionService] = [:]
  /// Services of `running` whose new definition was taken.
  private var taken: [ServiceName: Definition] = [:]

  init(reading: RevisionReading, lastGood: [ServiceName: Definition], host: HostContext) {
    self.reading = reading
    self.lastGood = lastGood
    self.host = host
  }

  mutating func resolve() -> HostDefinitions {
    result.defined = Set(reading.services.keys)
    for name in result.defined.sorted() {
      switch reading.services[name] {
      case .valid(let definition): consider(definition)
      case .invalid(let diagnostics, let part):
        fallBack(name, part, diagnostics)
      case nil: break
      }
    }
    // A rejected one may fall back to where it meets others; each turn rejects one of `taken` at least.
    while rejectClashes() {}
    stopSharedSingleHops()
    keepWithinLimit()
    result.services = running.values.sorted { $0.name < $1.name }
    for case .sealed(let file) in result.services.map(\.key) {
      result.sealedKeys[file] = reading.sealedKeys[file]
    }
    result.diagnostics = result.diagnostics.sortedByPlace()
    return result
  }

  private func isHere(_ hosts: HostSelector) -> Bool {
    hosts.matches(host.name, labels: host.labels)
  }

  private mutating func consider(_ definition: Definition) {
    let name = definition.name
    guard isHere(definition.hosts) else {
      result.lastGood[name] = definition
      return
    }
    let refusals = refusals(of: definition)
    guard refusals.isEmpty else {
      reject(definition, refusals)
      return
    }
    result.lastGood[name] = definition
    running[name] = definition.service
    taken[name] = definition
  }

  /// What this host's `allow` says against a definition.
  private func refusals(of definition: Definition) -> [Diagnostic] {
    var refusals = definition.service.ports.enumerated().compactMap { index, port in
      host.allow.refusal(of: port.target).map { message in
        let place =
          definition.targetPlaces.indices.contains(index) ? definition.targetPlaces[index] : nil
        return definition.error(place, "ports[\(index)].target", message)
      }
    }
    if definition.service.tor.isSingleHop, !host.allowsSingleHop {
      let message = "true is not allowed here: allow.singleHop is false"
      refusals.append(definition.error(at: "tor.singleHop", message))
    }
    if let image = definition.customImage {
      let message = "\(image) is not allowed here: allow.customImages is false"
      refusals.append(definition.error(at: "container.image", message))
    }
    return refusals
  }

  /// Rejects a definition that is valid by itself, for what this host says of it.
  private mutating func reject(_ definition: Definition, _ diagnostics: [Diagnostic]) {
    running[definition.name] = nil
    taken[definition.name] = nil
    result.lastGood[definition.name] = nil
    result.diagnostics += diagnostics
    fallBack(
      definition.name, RejectedPart(definition), (definition.warnings + diagnostics).sortedByPlace()
    )
  }

  private mutating func fallBack(
    _ name: ServiceName, _ part: RejectedPart, _ diagnostics: [Diagnostic]
  ) {
    func note(_ fallback: HostDefinitions.Fallback) {
      result.rejections[name] = .init(fallback: fallback, diagnostics: diagnostics)
    }
    guard let last = result.lastGood[name] ?? lastGood[name] else {
      keepFormer(part, diagnostics)
      if part.hosts.map(isHere) ?? true {
        result.unsettled.insert(name)
        note(.notStarted)
      }
      return
    }
    let narrowed = last.narrowed(by: part)
    result.lastGood[name] = narrowed
    guard isHere(last.hosts) else {
      if let hosts = part.hosts, isHere(hosts) {
        result.unsettled.insert(name)
        note(.notStarted)
      }
      return
    }
    let file = diagnostics.first?.file ?? last.file
    if let reason = narrowed.refusal(by: part, in: file) ?? refusals(of: last).first?.reason {
      result.stopped[name] = reason
      note(.stopped)
    } else if let service = narrowed.effective {
      running[name] = service
      note(.lastGood)
    }
  }

  /// A renamed service whose new file is rejected goes on under the name that it bore before.
  private mutating func keepFormer(_ part: RejectedPart, _ diagnostics: [Diagnostic]) {
    guard let former = part.formerly, reading.services[former] == nil, lastGood[former] != nil
    else { return }
    result.defined.insert(former)
    fallBack(former, part, diagnostics)
  }

  /// `allow.services`: those that were accepted before come first, then by name.
  private mutating func keepWithinLimit() {
    guard running.count > host.serviceLimit else { return }
    let count = running.count
    let order = running.keys.sorted {
      let (left, right) = (lastGood[$0] != nil, lastGood[$1] != nil)
      return left == right ? $0 < $1 : left
    }
    for name in order.dropFirst(host.serviceLimit) {
      guard let definition = result.lastGood[name] else { continue }
      let message =
        "\(count) services name this host, and allow.services is \(host.serviceLimit):"
        + " this one does not run"
      let error = definition.error(definition.hostsPlace, "hosts", message)
      running[name] = nil
      taken[name] = nil
      if lastGood[name] == nil {
        result.lastGood[name] = nil
        result.unsettled.insert(name)
      } else {
        result.stopped[name] = message
      }
      result.diagnostics.append(error)
      result.rejections[name] = .init(
        fallback: lastGood[name] == nil ? .notStarted : .stopped, diagnostics: [error])
    }
  }

  /// Rejects newly taken definitions that cannot be beside others on this host.
  /// - Returns: whether there were any.
  private mutating func rejectClashes() -> Bool {
    if let (definition, other) = addressClash() {
      let message = "is still that of \(other), which stays at its last good definition"
      reject(definition, [definition.error(at: "address", message)])
      return true
    }
    var clashes: [(Definition, [Diagnostic])] = []
    for group in groups() where mayContradict(group) {
      for definition in group where taken[definition.name] != nil {
        let other = group.first { $0.name != definition.name && definition.contradicts($0) }
        if let other { clashes.append((definition, definition.contradictions(to: other))) }
      }
    }
    for (definition, diagnostics) in clashes { reject(definition, diagnostics) }
    return !clashes.isEmpty
  }

  /// What runs here and shares an instance, as far as it is defined.
  private func groups() -> [[Definition]] {
    Dictionary(grouping: running.values, by: \.instance).values.filter { $0.count > 1 }
      .map { members in members.map(\.name).sorted().compactMap { result.lastGood[$0] } }
      .sorted { ($0.first?.file ?? "") < ($1.first?.file ?? "") }
  }

  /// Last good definitions of other times may meet, too. What asked for anonymity keeps it.
  private mutating func stopSharedSingleHops() {
    for group in groups() {
      for definition in group where definition.service.tor.isSingleHop {
        guard let other = group.first(where: { $0.name != definition.name }) else { continue }
        let diagnostics = definition.contradictions(to: other)
        running[definition.name] = nil
        result.stopped[definition.name] =
          "\(definition.file) says tor.singleHop: true, and \(other.file) is in its instance too"
        result.diagnostics += diagnostics
        let known = result.rejections[definition.name]?.diagnostics ?? []
        result.rejections[definition.name] = .init(
          fallback: .stopped, diagnostics: (known + diagnostics).sortedByPlace())
      }
    }
  }

  /// A newly taken definition whose address a service has that stays at its last good one.
  private func addressClash() -> (Definition, ServiceName)? {
    for (name, service) in running.sorted(by: { $0.key < $1.key }) where taken[name] == nil {
      guard let address = service.address else { continue }
      if let other = taken.values.filter({ $0.service.address == address }).min(by: {
        $0.name < $1.name
      }) {
        return (other, name)
      }
    }
    return nil
  }
}

extension Definition {
  /// This last good definition less the clients that a rejected later one no longer lists.
  fileprivate func narrowed(by part: RejectedPart) -> Definition {
    guard part.openness != .provenPublic, let listed = part.listedKeys else { return self }
    return withdrawing(Set(service.access.clients.map(\.key)).subtracting(listed))
  }

  /// Why this last good definition may be more open than a rejected later one; `nil` if it is not.
  fileprivate func refusal(by part: RejectedPart, in file: String) -> String? {
    switch service.access {
    case .open:
      if part.openness == .provenPublic { return nil }
      return "its file is rejected and does not prove that it is public, as the last good one is"
        + " (mend \(file))"
    case .clients:
      if effective != nil { return nil }
      return "its file is rejected and lists none of the last good one's clients (mend \(file))"
    }
  }
}

extension Diagnostic {
  /// Without its place: what a target's refusal says names the target itself.
  fileprivate var reason: String { path.hasSuffix(".target") ? message : "\(path): \(message)" }
}
