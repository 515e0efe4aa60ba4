import Engine
import Explaining
import OnionModel
import TorRuntime

/// The steps that concern containers, images and networks. Each is safe to repeat.
struct ContainerWork: Sendable {
  /// A new tor must be proven within this; product.md §4.
  static let proofLimit: Duration = .seconds(30)
  /// `tor --verify-config` takes 0.4 s; a loaded machine, three times that and more.
  static let verifyLimit: Duration = .seconds(60)

  let engine: EngineClient
  let agent: AgentID
  let layout: AgentLayout
  let torOwner: Int
  let folders: InstanceFolders
  let look: ContainerLook

  /// The caller has seen the sources of its mounts.
  func create(_ specification: ContainerSpecification) async throws -> StepEffect {
    if let old = try await engine.inspect(specification.name) {
      // A create that took effect before a crash: the same step again finds its work done.
      if old.state == .created, old.labels[ContainerLabelKey.agent] == agent.text,
        old.labels[ContainerLabelKey.specification] == specification.digest
      {
        return .created(containerID: old.id)
      }
      throw StepFailure(
        code: "name.taken", message: "a container named \(specification.name) is there already")
    }
    // Podman forgets a network's isolation when somebody looks at it through the Docker-compatible API.
    _ = try await engine.ensureNetwork(specification.network, agent: agent)
    let id = try await engine.create(specification, labels: specification.labels(agent: agent))
    return .created(containerID: id)
  }

  func start(_ name: String) async throws {
    let container = try await own(name)
    await look.distrust(container.id)
    // Docker waits its own back-off out before it starts one that is "restarting"; a restart does not.
    if container.state == .restarting {
      try await engine.restart(container.id, timeout: 33)
    } else {
      try await startWithoutLostNetworks(container)
    }
  }

  /// Docker lets a network go while only stopped containers are in it, and then starts none of them, also when one of
  /// the same name is made anew. What targets still need is joined again by the next plan.
  private func startWithoutLostNetworks(_ container: ContainerDetails) async throws(EngineError) {
    do {
      try await engine.start(container.id)
    } catch  where error.code == .notFound {
      let others = container.facts.networks.filter { $0 != container.facts.networkMode }
      if others.isEmpty { throw error }
      for network in others { try await engine.leaveNetwork(container.id, network) }
      try await engine.start(container.id)
    }
  }

  func join(_ name: String, _ network: String) async throws {
    let container = try await own(name)
    await look.distrust(container.id)
    try await engine.joinNetwork(container.id, network)
  }

  func leave(_ name: String, _ network: String) async throws {
    let container = try await own(name)
    guard container.facts.networkMode != network else {
      throw StepFailure(
        code: "network.own", message: "\(network) is \(container.name)'s own network",
        isTransient: false)
    }
    await look.distrust(container.id)
    try await engine.leaveNetwork(container.id, network)
  }

  func restart(_ name: String) async throws {
    let container = try await own(name)
    await look.distrust(container.id)
    try await engine.restart(container.id, timeout: 33)
  }

  func unpause(_ id: String) async throws {
    let container = try await own(id)
    guard container.state == .paused else { return }
    try await engine.unpause(container.id)
  }

  func rename(_ id: String, to name: String) async throws {
    let container = try await own(id)
    guard container.name != name else { return }
    try await engine.rename(container.id, to: name)
  }

  /// Stops tor in good order, then removes its container; one that is gone is fine.
  func remove(_ id: String) async throws {
    guard try await engine.inspect(id) != nil else { return }
    let container = try await own(id)
    do {
      try await engine.stop(container.id, timeout: 33)
    } catch  where error.code == .notFound {
      return
    }
    try await engine.remove(container.id, force: true)
  }

  /// The same for one that crash-loops. What it said last is read before it is gone; a log that cannot be read keeps
  /// nothing from being taken down.
  func takeDown(_ id: String) async throws -> StepEffect {
    var lines: [String] = []
    if let container = try await engine.inspect(id),
      container.labels[ContainerLabelKey.agent] == agent.text
    {
      do throws(EngineError) {
        lines = LogLines.excerpt(try await engine.logs(container.id, tail: LogLines.kept).lines)
      } catch {
        lines = ["its log cannot be read: \(error)"]
      }
    }
    try await remove(id)
    // What the agent's own guard says comes first; what `explain` makes of tor's lines, else.
    return .takenDown(
      log: lines, finding: LogLines.finding(in: lines) ?? Explanation.ofLog(lines).summary)
  }

  func update(_ specification: ContainerSpecification, _ id: String) async throws {
    let container = try await own(id)
    await look.distrust(container.id)
    try await engine.update(container.id, limits: specification.limits)
  }

  /// Only what bears our agent's label is ever touched.
  private func own(_ name: String) async throws -> ContainerDetails {
    guard let container = try await engine.inspect(name) else {
      throw StepFailure(code: "container.gone", message: "container \(name) is not there")
    }
    guard container.labels[ContainerLabelKey.agent] == agent.text else {
      throw StepFailure(
        code: "container.foreign",
        message: "container \(container.name) is not ours and is left alone",
        isTransient: false)
    }
    return container
  }

  /// `tor --verify-config` on the files that are in `etc/` now. The caller has seen the sources of its mounts.
  func verify(_ specification: ContainerSpecification) async throws {
    let result = try await engine.runOnce(
      specification,
      command: [
        "tor", "--verify-config", "--defaults-torrc", "\(TorLayout.etc)/defaults", "-f",
        TorLayout.torrcPath,
      ], name: "\(specification.name)-verify",
      labels: ["onionkeeper.verify": agent.text], timeout: Self.verifyLimit)
    guard result.exitCode == 0 else {
      let lines = LogLines.excerpt(result.log.lines)
      throw StepFailure(
        code: "tor.configuration",
        message: "tor refuses the configuration: "
          + (LogLines.finding(in: lines) ?? lines.suffix(2).joined(separator: " | ")),
        isTransient: false)
    }
  }

  /// Waits until everything that is promised of a running instance is seen, and says what was seen.
  func prove(
    _ specification: ContainerSpecification, _ options: [String], torrc: String,
    within limit: Duration = proofLimit
  ) async throws -> StepEffect {
    let end = ContinuousClock.now.advanced(by: limit)
    var pause = Duration.milliseconds(20)
    while true {
      switch try await patientlyExamine(specification, options) {
      case .proven(let proof, let id):
        await look.distrust(id)
        return .proven(proof, containerID: id, torrc: torrc)
      case .never(let reason):
        throw StepFailure(code: "proof.failed", message: reason)
      case .notYet(let reason):
        guard ContinuousClock.now < end else {
          throw StepFailure(
            code: "proof.failed",
            message: "\(specification.name) is not proven after \(limit): \(reason)"
              + (await lastWords(specification.name)))
        }
      }
      try await Task.sleep(for: pause)
      pause = min(pause * 2, .milliseconds(500))
    }
  }

  private enum Verdict {
    case proven(ProcessProof, String)
    case notYet(String)
    case never(String)
  }

  /// One call that an engine does not answer is no failed proof.
  private func patientlyExamine(
    _ specification: ContainerSpecification, _ options: [String]
  ) async throws -> Verdict {
    do {
      return try await examine(specification, options)
    } catch let error as EngineError where error.isTransient && error.code != .cancelled {
      return .notYet(error.description)
    }
  }

  private func examine(
    _ specification: ContainerSpecification, _ options: [String]
  ) async throws -> Verdict {
    let container = try await own(specification.name)
    guard container.state == .running else {
      if container.facts.exitCode == 78 {
        return .never("the start guard refused" + (await lastWords(specification.name)))
      }
      return .notYet("container is \(container.state), exit code \(container.facts.exitCode)")
    }
    // Networks of targets are joined and left beside this; a plan judges them each pass.
    let wrong = specification.deviations(
      of: container.facts, joined: Set(container.facts.networks))
    if let first = wrong.first { return .never("the engine made another container: \(first)") }
    guard case .present(let proof) = await look.proof(of: container.facts.pid) else {
      return .notYet("its process is not tor yet")
    }
    if let breach = proof.breaches(user: torOwner, label: specification.label).first {
      return .never("less confined than promised: \(breach)")
    }
    do {
      let tor = try await ControlClient(
        run: folders.run(of: specification.instance), owner: torOwner
      ).observe()
      guard tor.serviceOptions == options else {
        return .notYet("tor runs another configuration than its torrc says")
      }
      return .proven(proof, container.id)
    } catch {
      return .notYet(error.description)
    }
  }

  /// What tor said last, and what it most likely means; nothing if its log cannot be read.
  private func lastWords(_ name: String) async -> String {
    let lines: [String]
    do {
      lines = LogLines.excerpt(try await engine.logs(name, tail: LogLines.kept).lines)
    } catch {
      return ""
    }
    if let finding = LogLines.finding(in: lines) { return " (\(finding))" }
    let end = lines.suffix(2).joined(separator: " | ")
    return end.isEmpty ? "" : " (last lines: \(end))"
  }
}
