public import Definitions
import Engine
import Journaling
import KeyStore
public import OnionModel
import Planning
import SELinux
import Transport

/// `render`: what tor and the engine are given for one service's instance, without giving it to them.
public struct RenderReport: Sendable {
  public struct Member: Encodable, Sendable {
    public var name: ServiceName
    /// `nil` while its key is not made, or not known here.
    public var address: OnionAddress?
  }

  public var instance: InstanceName
  /// All services of the instance, in order of name.
  public var members: [Member]
  public var torrc: String
  public var dockerfile: String
  /// `onionkeeper-blog`: the query's `name` of the create request.
  public var container: String
  public var image: String
  /// The body of `POST /containers/create`, JSON.
  public var request: [UInt8]
  /// What stands in it for something that is not known, and why.
  public var placeholders: [String]
}

/// Renders from the accepted revision of a host that is set up, or from a folder for any host.
public struct Renderer: Sendable {
  static let agentPlaceholder = "<agent id>"

  private let configuration: HostConfiguration

  public init(_ configuration: HostConfiguration) { self.configuration = configuration }

  /// From the accepted revision in the journal, beside a running agent or alone.
  /// - Parameter asksEngine: for the gateway's address and those of containers; without it nothing but files is read.
  /// - Throws: `KeepingError` for a host that is not set up, has accepted nothing, or has no such service.
  public func accepted(_ name: ServiceName, asksEngine: Bool) async throws -> RenderReport {
    let agent = try AgentHouse.identity(configuration)
    let journal = try await Journal.open(
      readOnly: "\(configuration.layout.state)/\(Journal.fileName)")
    let memory = try await journal.memory(agent: agent, now: wallTime())
    guard let accepted = try await journal.accepted() else {
      throw KeepingError(
        "no revision is accepted yet: `onionkeeper apply` first, or render a folder (--repository DIR)"
      )
    }
    var reader = RevisionReader()
    let result = reader.read(
      accepted.revision, RepositoryFiles(accepted.files), lastGood: try await journal.lastGood(),
      configuration)
    try await journal.close()
    let keys = KeyRoot(path: configuration.layout.keys, id: agent)
    var observed: Observed
    if asksEngine {
      let world = LiveWorld(
        layout: configuration.layout, agent: agent,
        socket: try SetUp.socket(configuration, pinned: memory.engine?.kind), keys: keys,
        http: try HTTPClient(), log: { _ in })
      observed = await world.observe(result.desired, memory)
      if let reason = observed.engine.unknownReason {
        throw KeepingError("the engine does not answer (without --ask it is not needed): \(reason)")
      }
    } else {
      observed = .unseen
      observed.pins = await keys.pins()
      observed.hasSELinux = LiveWorld.selinux().isOn
    }
    return try report(
      name, result, observed, memory, agent: agent,
      engine: observed.engine.value ?? memory.engine ?? .unasked(.docker))
  }

  /// From a folder of definitions, for the host of any host file: no host, journal or engine is needed.
  /// - Throws: `KeepingError` with every error of the service's file, or where there is no such service.
  public func folder(
    _ files: RepositoryFiles, _ name: ServiceName, engine: EngineIdentity.Kind
  ) throws -> RenderReport {
    let reading = readRevision(files)
    guard !reading.isRefused else {
      throw KeepingError(reading.repository.map(\.description).joined(separator: "\n"))
    }
    guard let commit = CommitID(String(repeating: "0", count: 40)),
      let agent = AgentID(String(repeating: "0", count: 32))
    else { throw KeepingError("no commit") }
    let revision = AcceptedRevision(
      commit: commit, previous: nil, acceptedAt: Timestamp(seconds: 0), removalsAnnounced: false,
      identity: configuration.identity)
    var reader = RevisionReader()
    let result = reader.read(revision, files, lastGood: [:], configuration)
    return try report(
      name, result, .unseen, Memory(agent: agent), agent: nil, engine: .unasked(engine))
  }

  private func report(
    _ name: ServiceName, _ result: RevisionReader.Result, _ observed: Observed, _ memory: Memory,
    agent: AgentID?, engine: EngineIdentity
  ) throws -> RenderReport {
    guard
      let found = rendering(
        of: name, in: result.desired, from: observed, knowing: memory, engine: engine)
    else { throw refusal(name, result) }
    let specification = found.specification
    var labels = specification.labels(agent: memory.agent)
    labels[ContainerLabelKey.agent] = agent?.text ?? Self.agentPlaceholder
    return RenderReport(
      instance: specification.instance,
      members: found.configuration.services.map { .init(name: $0.name, address: $0.address) },
      torrc: found.torrc, dockerfile: found.recipe.dockerfile, container: specification.name,
      image: specification.image,
      request: try EngineClient.createRequest(specification, labels: labels),
      placeholders: placeholders(found, agent))
  }

  private func placeholders(_ found: InstanceRendering, _ agent: AgentID?) -> [String] {
    var lines: [String] = []
    if found.configuration.needsGateway, found.gateway == nil {
      lines.append(
        "\(InstanceRendering.gatewayPlaceholder): the host in network \(found.specification.network), known once the engine is asked"
      )
    }
    for name in found.configuration.services.flatMap(\.ports).compactMap(\.target.containerName)
    where found.configuration.containers[name] == nil {
      lines.append(
        "\(InstanceRendering.placeholder(container: name)): known once the engine is asked")
    }
    if agent == nil {
      lines.append("\(Self.agentPlaceholder): made by `onionkeeper setup`")
      if let file = configuration.networkNote, file != "off" {
        lines.append("the lines of \(file) are that machine's and not shown in the torrc")
      }
    }
    return lines
  }

  /// Why there is nothing to render.
  private func refusal(_ name: ServiceName, _ result: RevisionReader.Result) -> KeepingError {
    if let reason = result.desired.stopped[name] {
      return KeepingError("\(name) must not run: \(reason)")
    }
    if let found = result.rejections[name], !found.isEmpty {
      return KeepingError(found.map(\.description).joined(separator: "\n"))
    }
    let known = result.desired.services.map(\.name.text)
    if result.desired.defined.contains(name) {
      return KeepingError(
        "\(name) is not for \(configuration.host): its `hosts` select neither that name nor its labels"
      )
    }
    let hint =
      nearest(to: name.text, among: known).map { "did you mean \($0)?" }
      ?? "here are \(known.isEmpty ? "none" : known.joined(separator: ", "))"
    return KeepingError("no service \(name) is defined (\(hint))")
  }
}

extension Observed {
  /// Nobody has looked at anything.
  fileprivate static var unseen: Observed {
    Observed(
      now: wallTime(), keyRoot: .unknown("not read"), stateRoot: .unknown("not read"),
      engine: .unknown("not asked"), containers: .unknown("not asked"),
      image: .unknown("not asked"), pins: .unknown("not read"), retired: .unknown("not read"))
  }
}

extension EngineIdentity {
  /// One that was not asked: its kind alone decides what a network is called.
  fileprivate static func unasked(_ kind: Kind) -> EngineIdentity {
    EngineIdentity(kind: kind, version: "", id: "")
  }
}
