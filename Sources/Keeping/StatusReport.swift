import Engine
import Journaling
import KeyStore
public import OnionModel
import TorRuntime
import Transport

/// What `status` shows: from the journal, and from the engine if it answers.
public struct StatusReport: Encodable, Sendable {
  public struct ServiceReport: Encodable, Sendable {
    public var name: ServiceName
    public var instance: InstanceName
    public var address: OnionAddress?
    public var container: String?
    public var pid: Int?
    public var conditions: [ConditionReport]
    public var proof: ProofReport?
  }

  public struct ConditionReport: Encodable, Sendable {
    public var name: String
    public var status: String
    public var reason: String
    /// RFC 3339.
    public var since: String
  }

  /// `/proc/<pid>/status`, as it stands now.
  public struct ProofReport: Encodable, Sendable {
    public var uid: [Int]
    public var gid: [Int]
    /// CapInh, CapPrm, CapEff, CapBnd, CapAmb in hexadecimal.
    public var capabilities: [String]
    public var noNewPrivileges: Bool
    public var seccomp: Int
    public var label: String?
  }

  public struct EngineReport: Encodable, Sendable {
    public var kind: String?
    public var version: String?
    public var isReachable: Bool
    public var message: String?
  }

  public struct TroubleReport: Encodable, Sendable {
    public var key: String
    public var since: String
    public var message: String
  }

  public struct WebhookReport: Encodable, Sendable {
    public var name: String
    public var waiting: Int
    public var delivered: Int
    public var dead: Int
    public var lastError: String?
    public var disabled: String?
  }

  public var host: HostName
  public var agent: AgentID
  /// Whether an agent (or a command that writes) holds the folders.
  public var isRunning: Bool
  public var revision: CommitID?
  public var acceptedAt: String?
  public var engine: EngineReport
  /// `public`, `off`, or the file of a test network.
  public var network: String
  public var services: [ServiceReport]
  public var troubles: [TroubleReport]
  public var webhooks: [WebhookReport]

  public var isReady: Bool {
    services.allSatisfy { service in
      service.conditions.contains {
        $0.name == Condition.Name.ready.rawValue && $0.status == "true"
      }
    }
  }

  /// Reads journal, pins and engine; works beside a running agent and needs no network.
  public static func read(_ configuration: HostConfiguration) async throws -> StatusReport {
    let agent = try AgentHouse.identity(configuration)
    let journal = try await Journal.open(
      readOnly: "\(configuration.layout.state)/\(Journal.fileName)")
    let keys = KeyRoot(path: configuration.layout.keys, id: agent)
    let accepted = try await journal.acceptedRevision()
    let memory = try await journal.memory(agent: agent, now: wallTime())
    let (engine, containers) = await lookAtEngine(configuration, agent, memory)
    let pinLook = await keys.everyPin()
    let pins = pinLook.value?.addresses ?? [:]
    let conditions = try await journal.conditions()
    var services: [ServiceReport] = []
    for name in Set(conditions.keys).union(memory.services.keys).sorted() {
      let instance = memory.services[name] ?? InstanceName(name)
      let container = containers.first { $0.labels[ContainerLabelKey.instance] == instance.text }
      let proof = container.flatMap { ProcessReader().proof(of: $0.facts.pid).value }
      services.append(
        ServiceReport(
          name: name, instance: instance, address: pins[name], container: container?.name,
          pid: container.flatMap { $0.state == .running ? $0.facts.pid : nil },
          conditions: (conditions[name] ?? []).map(ConditionReport.init),
          proof: proof.map(ProofReport.init)))
    }
    var report = StatusReport(
      host: configuration.host, agent: agent, isRunning: isHeld(configuration),
      revision: accepted?.commit, acceptedAt: accepted?.acceptedAt.description, engine: engine,
      network: configuration.networkNote ?? "public", services: services,
      troubles: try await journal.raised().filter(\.isTrouble).map {
        TroubleReport(
          key: $0.key, since: $0.since.description,
          message: $0.event.data.message ?? $0.event.data.error ?? $0.event.kind.rawValue)
      },
      webhooks: try await journal.endpoints().map {
        WebhookReport(
          name: $0.name, waiting: $0.waiting, delivered: $0.delivered, dead: $0.dead,
          lastError: $0.lastError, disabled: $0.disabled)
      })
    if let reason = pinLook.unknownReason {
      // Without this, an address that could not be read would look like one that is not there yet.
      report.troubles.append(
        TroubleReport(
          key: "pins", since: wallTime().description, message: "addresses cannot be read: \(reason)"
        ))
    }
    for (service, damage) in (pinLook.value?.damaged ?? [:]).sorted(by: { $0.key < $1.key }) {
      report.troubles.append(
        TroubleReport(key: "pins/\(service)", since: wallTime().description, message: damage))
    }
    try await journal.close()
    return report
  }

  private static func isHeld(_ configuration: HostConfiguration) -> Bool {
    do {
      _ = try KeyRoot.lock(configuration.layout.keys)
      return false
    } catch { return error.code == .rootBusy }
  }

  private static func lookAtEngine(
    _ configuration: HostConfiguration, _ agent: AgentID, _ memory: Memory
  ) async -> (EngineReport, [ContainerDetails]) {
    do {
      let engine = try await LiveWorld.connect(
        socket: try SetUp.socket(configuration, pinned: memory.engine?.kind),
        http: try HTTPClient())
      var details: [ContainerDetails] = []
      for summary in try await engine.containers(of: agent) {
        do {
          if let found = try await engine.inspect(summary.id) { details.append(found) }
        } catch {
          // One that cannot be inspected hides no other: it is shown without a process.
          if error.concernsEngine { throw error }
        }
      }
      let identity = engine.description.identity
      return (
        EngineReport(
          kind: identity.kind.rawValue, version: identity.version, isReachable: true), details
      )
    } catch {
      return (EngineReport(isReachable: false, message: "\(error)"), [])
    }
  }
}

extension StatusReport.ConditionReport {
  init(_ recorded: RecordedCondition) {
    name = recorded.condition.name.rawValue
    status = recorded.condition.status.rawValue
    reason = recorded.condition.reason
    since = recorded.since.description
  }
}

extension StatusReport.ProofReport {
  init(_ proof: ProcessProof) {
    uid = proof.users
    gid = proof.groups
    capabilities = proof.capabilities.map { set in
      let text = String(set, radix: 16)
      return String(repeating: "0", count: max(0, 16 - text.count)) + text
    }
    noNewPrivileges = proof.hasNoNewPrivileges
    seccomp = proof.seccomp
    label = proof.label
  }
}
