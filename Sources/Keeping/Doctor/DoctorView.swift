import Engine
import KeyStore
import OnionModel
import TorRuntime
import Transport

/// What needs the definitions, the keys and the engine together.
extension Doctor {
  func agentView(
    _ configuration: HostConfiguration, _ sight: AgentSight?, _ engine: EngineFacts?
  ) async -> [DoctorFinding] {
    guard let sight else { return [] }
    var found = await keys(configuration, sight, engine)
    guard let engine, let description = engine.description.value else { return found }
    do {
      let client = try await EngineClient.connect(socket: engine.socket, http: try HTTPClient())
      found += try await twins(configuration, sight, client)
      found += await image(configuration, sight, client)
      found += try await targets(configuration, sight, client, description)
    } catch {
      found.append(
        DoctorFinding(.engine, .unknown, "it stopped answering while it was asked: \(error)"))
    }
    return found
  }

  private func keys(
    _ configuration: HostConfiguration, _ sight: AgentSight, _ engine: EngineFacts?
  ) async -> [DoctorFinding] {
    let root = KeyRoot(path: configuration.layout.keys, id: sight.agent)
    let owner = engine?.description.value?.torOwner ?? TorLayout.user
    let services = sight.desired.services
    let places = Set(services.map { KeyPlace(instance: $0.instance, service: $0.name) })
    let pins = await root.everyPin()
    return KeyCheck(
      services: services, keys: await root.observe(places, owner: owner),
      pins: pins.map(\.addresses), damagedPins: pins.value?.damaged ?? [:],
      backups: await root.backups(), recipients: configuration.backupRecipients,
      file: configuration.file,
      isKept: AgentPresence.look(configuration.layout).value == true
    ).findings
  }

  /// Another agent that works with the same engine under the same names, and strangers at our keys.
  private func twins(
    _ configuration: HostConfiguration, _ sight: AgentSight, _ client: EngineClient
  ) async throws(EngineError) -> [DoctorFinding] {
    let all = try await client.containers()
    let prefix = "\(configuration.layout.prefix)-"
    var found: [DoctorFinding] = []
    let others = all.filter { container in
      container.labels[ContainerLabelKey.agent].map { $0 != sight.agent.text } == true
        && container.name.hasPrefix(prefix)
    }
    if let first = others.first {
      found.append(
        DoctorFinding(
          .agent, .broken,
          "another agent's containers bear our prefix \(prefix): \(first.name)"
            + (others.count > 1 ? " and \(others.count - 1) more" : ""),
          mend: ["give one of the agents another agent.name"]))
    }
    let root = configuration.layout.keys
    for instance in Set(sight.desired.services.map(\.instance)).sorted(by: { $0.text < $1.text }) {
      let folder = configuration.layout.keyFolder(instance)
      let users = all.filter {
        $0.state == .running && $0.labels[ContainerLabelKey.agent] != sight.agent.text
          && $0.reaches(folder, below: root)
      }
      guard let user = users.first else { continue }
      found.append(
        DoctorFinding(
          .keys, .broken, "container \(user.name) is not ours and mounts the keys of \(instance)",
          mend: ["\(client.description.identity.kind.rawValue) stop \(user.name)"]))
    }
    return found
  }

  private func image(
    _ configuration: HostConfiguration, _ sight: AgentSight, _ client: EngineClient
  ) async -> [DoctorFinding] {
    let recipe = configuration.recipe
    var built: Observation<Timestamp>
    do {
      let images = try await client.images(reference: recipe.reference)
      built = images.first.map { .present($0.created) } ?? .absent
    } catch {
      built = .unknown(error.description)
    }
    return ImageCheck(
      recipe: recipe, kind: client.description.identity.kind, built: built, now: wallTime(),
      file: configuration.file, state: configuration.layout.state,
      versions: await versions(configuration, sight, client)
    ).findings
  }

  /// Of the tors that answer at their control sockets.
  private func versions(
    _ configuration: HostConfiguration, _ sight: AgentSight, _ client: EngineClient
  ) async -> [InstanceName: String] {
    let folders = InstanceFolders(stateRoot: configuration.layout.state)
    let owner = client.description.torOwner ?? TorLayout.user
    var found: [InstanceName: String] = [:]
    for instance in sight.memory.instances.keys.sorted(by: { $0.text < $1.text }) {
      do throws(ControlError) {
        found[instance] = try await ControlClient(run: folders.run(of: instance), owner: owner)
          .observe().version
      } catch {
        // It does not run, or is not to be seen without root: `status` says so.
        continue
      }
    }
    return found
  }

  private func targets(
    _ configuration: HostConfiguration, _ sight: AgentSight, _ client: EngineClient,
    _ description: EngineDescription
  ) async throws(EngineError) -> [DoctorFinding] {
    let layout = configuration.layout
    let kind = description.identity.kind
    var uses: [Target: TargetCheck.Use] = [:]
    for service in sight.desired.services {
      let network = layout.networkName(service.instance, kind)
      for port in service.ports {
        var use =
          uses[port.target] ?? TargetCheck.Use(target: port.target, services: [], networks: [])
        if !use.services.contains(service.name) { use.services.append(service.name) }
        use.networks.insert(network)
        uses[port.target] = use
      }
    }
    guard !uses.isEmpty else { return [] }
    let names = Set(uses.values.flatMap(\.networks))
    var networks: [String: Observation<NetworkObservation>] = [:]
    for name in names {
      do {
        networks[name] =
          try await client.network(name, agent: sight.agent)
          .map { .present($0) } ?? .absent
      } catch  where !error.concernsEngine {
        networks[name] = .unknown(error.description)
      }
    }
    var containers: [String: Observation<TargetContainer>] = [:]
    let summaries = try await client.containers()
    for name in uses.keys.compactMap(\.containerName) {
      containers[name] = targetContainer(name, in: summaries, besides: names)
    }
    return await TargetCheck(
      uses: uses.values.sorted { $0.target.description < $1.target.description },
      networks: networks, containers: containers, local: localAddresses(),
      owner: description.torOwner ?? TorLayout.user, dialer: Dialer()
    ).findings()
  }
}

extension AgentLayout {
  /// The network of an instance: one for all on Docker, one an instance on Podman.
  func networkName(_ instance: InstanceName, _ kind: EngineIdentity.Kind) -> String {
    switch kind {
    case .docker: prefix
    case .podman: containerName(instance)
    }
  }
}
