import Journaling
public import OnionModel

/// A plan for people and programs: what `plan` prints and `--json` gives.
public struct PlanReport: Encodable, Sendable {
  public struct StepReport: Encodable, Sendable {
    public var action: String
    public var cause: Cause
    public var service: ServiceName?
    /// One readable line.
    public var text: String
    public var deviations: [Deviation]
  }

  public struct GroupReport: Encodable, Sendable {
    /// `host`, or the instance's name.
    public var subject: String
    public var steps: [StepReport]
    /// What is done instead if the new container fails its proof, or a step up to the restart fails.
    public var fallback: [StepReport]
  }

  public struct WaitingReport: Encodable, Sendable {
    public var kind: String
    public var service: ServiceName?
    public var instance: InstanceName?
    public var message: String
  }

  public var revision: CommitID?
  /// The plan is for a commit that was fetched and trusted, and is not accepted yet.
  public var isCandidate: Bool
  public var groups: [GroupReport]
  public var waiting: [WaitingReport]
  /// Services that this host would put away.
  public var removals: [ServiceName]
  public var diagnostics: [Diagnostic]
  /// Why the repository cannot be used, or its newest commit may not act.
  public var sourceTrouble: String?
  /// What of the repository is waited for without trouble: a soak time.
  public var sourceNote: String?
  /// The promises that the plan would have broken; nothing of it was executed.
  public var refusal: String?

  public init(
    _ plan: Plan, isCandidate: Bool, diagnostics: [Diagnostic], sourceTrouble: String?,
    sourceNote: String? = nil, refusal: String? = nil
  ) {
    revision = plan.revision
    self.isCandidate = isCandidate
    groups = plan.groups.map { group in
      GroupReport(
        subject: group.subject.description, steps: group.steps.map(StepReport.init),
        fallback: group.fallback.map(StepReport.init))
    }
    waiting = plan.waiting.map {
      WaitingReport(
        kind: $0.kind.rawValue, service: $0.service, instance: $0.instance, message: $0.message)
    }
    removals = plan.removals.keys.sorted()
    self.diagnostics = diagnostics
    self.sourceTrouble = sourceTrouble
    self.sourceNote = sourceNote
    self.refusal = refusal
  }

  /// After a pass: what is still to do or waited for.
  public init(_ report: PassReport) {
    self.init(
      report.plan, isCandidate: false, diagnostics: report.diagnostics,
      sourceTrouble: report.sourceTrouble, sourceNote: report.sourceNote, refusal: report.refusal)
  }

  /// Something could not be seen, so that nothing could be decided: a person or a timer should try again.
  public var isBlind: Bool {
    let kinds: Set<String> = Set(
      [Waiting.Kind.notMounted, .engineUnreachable, .engineForeign, .unknown].map(\.rawValue))
    return isWithoutRevision || waiting.contains { kinds.contains($0.kind) }
  }

  /// Nothing was ever accepted and the repository gives nothing: what is desired is not known.
  public var isWithoutRevision: Bool { revision == nil && sourceTrouble != nil }

  public var hasSteps: Bool { groups.contains { !$0.steps.isEmpty } }
}

extension PlanReport.StepReport {
  init(_ step: Step) {
    action = step.action.name
    cause = step.cause
    service = step.service
    text = step.action.summary
    deviations = step.deviations
  }
}

extension Action {
  /// What it does, in one line for people.
  public var summary: String {
    switch self {
    case .buildImage(let recipe): "build image \(recipe.reference) on \(recipe.base)"
    case .ensureNetwork(let name): "make network \(name)"
    case .removeNetwork(let name): "remove network \(name)"
    case .generateKey(let place, _, let companions, _):
      "make a key in \(place)\(companions.access.asksForClients ? ", with its client files" : "") and pin it"
    case .unsealKey(let place, let sealed, _, let address, _, _, _):
      "open \(sealed)\(address.map { " of \($0)" } ?? "") into \(place) and pin it"
    case .backUpKey(let place, _, let recipients):
      "seal a backup of the key in \(place) to \(recipients.count) recipients"
    case .pin(let service, let address, _): "pin \(service) to \(address)"
    case .repairKeys(let place, _): "put key directory \(place) right (never its secret key)"
    case .retireKey(let place, let address):
      "move key directory \(place) to retired/\(address.map { " (\($0))" } ?? "")"
    case .restoreKey(let id, let place, let address):
      "take \(address) back from retired/\(id) to \(place)"
    case .moveKey(let old, let place, let address):
      "move the key of \(address) from \(old) to \(place)"
    case .writeFiles(let configuration, _, _, _):
      "write torrc, guard and sums of \(configuration.instance)"
    case .labelPrivate(let type):
      "label .onionkeeper/ and the journal \(type), which no container reads"
    case .verifyConfiguration: "let tor verify the configuration"
    case .createContainer(let specification): "create container \(specification.name)"
    case .joinNetwork(_, let name, let network): "join container \(name) to network \(network)"
    case .leaveNetwork(_, let name, let network):
      "take container \(name) out of network \(network)"
    case .startContainer(_, let name): "start container \(name)"
    case .unpauseContainer(_, let id): "unpause container \(id.prefix(12))"
    case .renameContainer(_, let id, let name): "rename container \(id.prefix(12)) to \(name)"
    case .removeContainer(_, let id):
      "stop and remove container \(id.prefix(64 == id.count ? 12 : 64))"
    case .takeDown(_, let id): "take crash-looping container \(id.prefix(12)) down, and back off"
    case .restartContainer(_, let name): "restart container \(name)"
    case .updateLimits(let specification, _):
      "put limits and restart policy of \(specification.name) back"
    case .reload(let configuration, _): "reload tor of \(configuration.instance)"
    case .prove(let specification, _, _):
      "prove \(specification.name): user, capabilities, confinement, control port"
    case .adoptContainer(let specification, _, _, _): "take \(specification.name) over as it runs"
    case .forgetInstance(let instance): "forget instance \(instance) (its entry guards are kept)"
    case .forgetService(let service): "forget service \(service), which has no key here"
    }
  }
}
