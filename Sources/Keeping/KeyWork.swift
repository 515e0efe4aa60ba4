import Descriptors
import Engine
import Glibc
import Journaling
import KeyStore
import OnionModel
import Transport

/// What the `keys` commands share: this host's key folder and journal, opened beside a running agent.
struct KeyWork: Sendable {
  let configuration: HostConfiguration
  let keys: KeyRoot
  let journal: Journal
  let agent: AgentID
  /// Who asked for it.
  let uid: Int

  /// - Throws: `KeepingError` without root, or if the host is not set up.
  init(_ configuration: HostConfiguration, uid: Int) async throws {
    guard geteuid() == 0 else {
      throw KeepingError("keys are root's alone: run this as root")
    }
    let agent = try AgentHouse.identity(configuration)
    self.configuration = configuration
    self.agent = agent
    self.uid = uid
    keys = KeyRoot(path: configuration.layout.keys, id: agent)
    journal = try await AgentHouse.openJournal(configuration, keys: keys)
  }

  /// The services of the accepted revision on this host.
  func definitions() async throws -> [ServiceName: OnionService] {
    guard let (revision, files) = try await journal.accepted() else { return [:] }
    var reader = RevisionReader()
    let desired = reader.read(
      revision, .init(files), lastGood: try await journal.lastGood(), configuration
    ).desired
    return Dictionary(desired.services.map { ($0.name, $0) }) { first, _ in first }
  }

  /// The host's number for tor's user, as the engine maps it. An engine that does not answer keeps no key from being
  /// brought in: then it is the unmapped number, which the next pass puts right.
  func owner() async throws -> Int {
    let memory = try await journal.memory(agent: agent, now: wallTime())
    do {
      let engine = try await LiveWorld.connect(
        socket: try SetUp.socket(configuration, pinned: memory.engine?.kind),
        http: try HTTPClient())
      return engine.description.torOwner ?? TorLayout.user
    } catch {
      return TorLayout.user
    }
  }

  /// Every key directory, and every pin.
  /// - Throws: `KeepingError` if either cannot be seen.
  func look() async throws -> (
    directories: [KeyPlace: KeyDirectory], pins: [ServiceName: OnionAddress]
  ) {
    guard case .present(let pins) = await keys.pins() else {
      throw KeepingError(
        "the pinned addresses cannot be read: \(await keys.pins().unknownReason ?? "not there")")
    }
    var directories: [KeyPlace: KeyDirectory] = [:]
    for (place, seen) in await keys.observe([], owner: TorLayout.user) {
      if let reason = seen.unknownReason {
        throw KeepingError("\(place) cannot be read: \(reason)")
      }
      directories[place] = seen.value
    }
    return (directories, pins)
  }

  /// What lies in `retired/`.
  /// - Throws: `KeepingError` if it cannot be seen.
  func retired() async throws -> [RetiredKey] {
    switch await keys.retired() {
    case .present(let retired): return retired
    case .absent: return []
    case .unknown(let reason): throw KeepingError(reason)
    }
  }

  /// Where a service's key is, and its address.
  func place(of service: ServiceName) async throws -> (KeyPlace, OnionAddress) {
    let (directories, pins) = try await look()
    let whole = directories.filter { $0.key.service == service && $0.value.address != nil }
    let pinned = whole.filter { pins[service] == nil || $0.value.address == pins[service] }
    guard let (place, directory) = pinned.first, let address = directory.address else {
      let there = directories.keys.filter { $0.service == service }.sorted()
      throw KeepingError(
        "no whole key of \(service)\(pins[service].map { " (\($0))" } ?? "") is here"
          + (there.isEmpty
            ? "" : "; what lies at \(there.map(\.description).joined(separator: ", ")) is not it"))
    }
    guard pinned.count == 1 else {
      throw KeepingError(
        "\(service) has several key directories: \(pinned.keys.sorted().map(\.description).joined(separator: ", "))"
      )
    }
    return (place, address)
  }

  /// Tells the journal, and so the receivers, who did what.
  func record(
    _ kind: EventKind, _ action: String, _ place: KeyPlace?, _ address: OnionAddress?,
    _ message: String, outcome: String = "succeeded", service: ServiceName? = nil
  ) async throws {
    let service = service ?? place?.service
    let event = Event(
      kind: kind, subject: service.map { "service/\($0)" } ?? "host", time: wallTime(),
      data: EventData(
        host: configuration.host, service: service, instance: place?.instance,
        action: action, outcome: outcome, message: "uid \(uid) \(message)", address: address))
    try await journal.record([event])
  }

  /// The recipients that were named, else those of the host file.
  func recipients(_ named: [String]) throws -> [String] {
    let recipients = named.isEmpty ? configuration.backupRecipients : named
    guard !recipients.isEmpty else {
      throw KeepingError(
        "seal to whom? --recipient age1…, or backup.recipients in \(configuration.file)")
    }
    return recipients
  }
}

/// An absolute path, whatever was given.
func absolute(_ path: String) throws(KeepingError) -> String {
  guard !path.hasPrefix("/") else { return path }
  guard let pointer = getcwd(nil, 0) else {
    throw KeepingError("\(path): there is no working directory")
  }
  defer { free(pointer) }
  return String(cString: pointer) + "/" + path
}
