import Descriptors
import Engine
import Executing
import KeyStore
public import OnionModel
import SELinux
import Synchronization
import TorRuntime

extension LiveWorld {
  public func perform(_ step: Step) async throws(StepFailure) -> StepEffect {
    let began = ContinuousClock.now
    do {
      let effect = try await carryOut(step.action)
      log("\(step.action.summary): done in \(seconds(since: began)) s\(reason(step))")
      return effect
    } catch {
      let failure = failure(error)
      log("\(step.action.summary): FAILED: \(failure)\(reason(step))")
      throw failure
    }
  }

  private func seconds(since began: ContinuousClock.Instant) -> Double {
    let parts = began.duration(to: .now).components
    // One division, so that the result prints as the decimal that it is.
    return Double(parts.seconds * 1000 + parts.attoseconds / 1_000_000_000_000_000) / 1000
  }

  private func reason(_ step: Step) -> String {
    let what = step.deviations.first.map { ": \($0)" } ?? ""
    return step.cause == .drift ? " [drift\(what)]" : ""
  }

  private func failure(_ error: any Error) -> StepFailure {
    do {
      throw error
    } catch let failure as StepFailure {
      return failure
    } catch let error as EngineError {
      if error.code == .unreachable || error.code == .timeout { forgetEngine() }
      return StepFailure(error)
    } catch let error as KeyStoreError {
      return StepFailure(error)
    } catch let error as FolderError {
      return StepFailure(error)
    } catch let error as ControlError {
      return StepFailure(error)
    } catch let error as FileError {
      return StepFailure(error)
    } catch let error as LabelError {
      return StepFailure(code: "label.\(error.code.rawValue)", message: error.description)
    } catch is CancellationError {
      return StepFailure(code: "cancelled", message: "the agent was told to stop")
    } catch {
      return StepFailure(code: "unexpected", message: "\(error)")
    }
  }

  private func carryOut(_ action: Action) async throws -> StepEffect {
    switch action {
    case .generateKey, .unsealKey, .unsealAside, .backUpKey, .pin, .repairKeys, .retireKey,
      .restoreKey,
      .moveKey:
      return try await carryOutKeys(action)
    case .buildImage(let recipe): return try await build(recipe)
    case .ensureNetwork(let name):
      _ = try await engine().ensureNetwork(name, agent: agent)
    case .removeNetwork(let name):
      try await engine().removeNetwork(name, agent: agent)
    // The memory alone changes, by the executor's note.
    case .forgetService: break
    case .labelPrivate(let type): try privateFolders.label(type: type)
    case .forgetInstance(let instance):
      let name = layout.containerName(instance)
      // Somebody else's under our name mounts nothing of what is removed here.
      if let container = try await engine().inspect(name),
        container.labels[ContainerLabelKey.agent] == agent.text
      {
        throw StepFailure(code: "container.present", message: "container \(name) is still there")
      }
      try folders.remove(instance)
    default: return try await carryOutInstance(action)
    }
    return .none
  }

  private func build(_ recipe: ImageRecipe) async throws -> StepEffect {
    let workshop = ImageWorkshop(
      engine: try await engine(), folder: "\(layout.state)/images", progress: log)
    return try await cancellably { .built(imageID: try await workshop.build(recipe)) }
  }

  /// In a task of its own, so that `stop` ends it without the other steps.
  private func cancellably(
    _ body: @escaping @Sendable () async throws -> StepEffect
  ) async throws -> StepEffect {
    let task = Task { try await body() }
    let number = cancellable.withLock { $0.add(task) }
    defer { cancellable.withLock { $0.remove(number) } }
    return try await withTaskCancellationHandler {
      try await task.value
    } onCancel: {
      task.cancel()
    }
  }

  private func carryOutKeys(_ action: Action) async throws -> StepEffect {
    switch action {
    case .generateKey(let place, let owner, let companions, let label):
      return .generated(
        try await keys.generate(place, owner: owner, companions, label: label))
    case .unsealKey(
      let place, let sealed, let identity, let address, let owner, let companions, let label):
      let keys = keys
      return try await cancellably {
        .generated(
          try await keys.unseal(
            place, sealed, identity: identity, address: address, owner: owner, companions,
            label: label))
      }
    case .unsealAside(let place, let sealed, let identity, let address, let owner):
      let keys = keys
      return try await cancellably {
        .retired(
          id: try await keys.unsealAside(
            sealed, for: place, identity: identity, address: address, owner: owner,
            now: wallTime()
          ).id)
      }
    case .backUpKey(let place, let address, let recipients):
      guard let address else {
        throw StepFailure(
          code: "key.missing", message: "the key of \(place) has not been made", isTransient: false)
      }
      let keys = keys
      return try await cancellably {
        try await keys.backUp(place, address, recipients: recipients)
        return .none
      }
    case .pin(let service, let address, let place):
      try await keys.pin(service, address, at: place)
    case .repairKeys(let place, let wish):
      try await keys.repair(place, wish, now: wallTime())
    case .retireKey(let place, let address):
      let id = try await keys.retire(place, address, now: wallTime())
      // It still bears the label that its container read it by. What fails here, the next look finds.
      if Self.selinux().isOn {
        do { try privateFolders.label(type: PrivateFolders.type()) } catch { log("\(error)") }
      }
      return .retired(id: id)
    case .restoreKey(let id, let place, let address):
      try await keys.restore(id, to: place, address, owner: torOwner)
    case .moveKey(let old, let place, let address):
      try await keys.move(from: old, to: place, address, owner: torOwner)
    default: break
    }
    return .none
  }

  private func carryOutInstance(_ action: Action) async throws -> StepEffect {
    let work = ContainerWork(
      engine: try await engine(), agent: agent, layout: layout, torOwner: torOwner,
      folders: folders, look: look)
    switch action {
    case .writeFiles(let configuration, let network, let owner, let label):
      let files = try await render(configuration, network).files
      try folders.write(
        files, instance: configuration.instance, owner: owner, label: label,
        data: configuration.network.dataFolder)
    case .verifyConfiguration(let specification):
      try HostFolders.check(specification.mounts)
      // A verifying tor reads the DataDirectory too. Where no container runs, nobody writes what is walked; one that the
      // engine starts again and again, since its tor cannot read what is there, writes nothing either.
      let state = try await engine().inspect(specification.name)?.state
      if state != .running, state != .paused { try reown(specification) }
      try await work.verify(specification)
    case .createContainer(let specification):
      try HostFolders.check(specification.mounts)
      let effect = try await work.create(specification)
      // It is there and does not run, so nobody writes what is walked here.
      try reown(specification)
      return effect
    case .joinNetwork(_, let container, let network):
      try await work.join(container, network)
    case .leaveNetwork(_, let container, let network):
      try await work.leave(container, network)
    case .startContainer(_, let name): try await work.start(name)
    case .restartContainer(_, let name): try await work.restart(name)
    case .unpauseContainer(_, let id): try await work.unpause(id)
    case .renameContainer(_, let id, let name): try await work.rename(id, to: name)
    case .removeContainer(_, let id): try await work.remove(id)
    case .takeDown(_, let id): return try await work.takeDown(id)
    case .updateLimits(let specification, let id): try await work.update(specification, id)
    case .reload(let configuration, let network):
      let (files, options) = try await render(configuration, network)
      try await checkKeys(of: configuration)
      try await ControlClient(run: folders.run(of: configuration.instance), owner: torOwner)
        .reload(torrc: files.torrc, expecting: options)
      return .reloaded(torrc: sha256(files.torrc))
    case .prove(let specification, let configuration, let network),
      .adoptContainer(let specification, let configuration, let network, _):
      let (files, options) = try await render(configuration, network)
      return try await work.prove(specification, options, torrc: sha256(files.torrc))
    default: break
    }
    return .none
  }

  /// Gives what lies in `data/` and `run/` to the user that tor has now. Only while no container of the instance runs.
  private func reown(_ specification: ContainerSpecification) throws {
    for mount in specification.mounts
    where mount.destination == TorLayout.data || mount.destination == TorLayout.run {
      let folder = mount.source.split(separator: "/").last.map(String.init) ?? ""
      let count = try folders.reown(folder, of: specification.instance, owner: torOwner)
      if count > 0 { log("\(count) objects in \(mount.source) belong to user \(torOwner) now") }
    }
  }

  /// tor reads key and client files anew at a reload, and opens a service that has lost its clients: they must be just
  /// those that are configured.
  private func checkKeys(of configuration: InstanceConfiguration) async throws(StepFailure) {
    let places = Set(
      configuration.services.map { KeyPlace(instance: configuration.instance, service: $0.name) })
    let found = await keys.observe(places, owner: torOwner)
    for service in configuration.services {
      let place = KeyPlace(instance: configuration.instance, service: service.name)
      let directory = found[place]?.value
      guard let address = service.address, directory?.address == address,
        directory?.clientFiles == service.companions.clientFiles(of: address),
        directory?.onionBalance == service.companions.onionBalanceText
      else {
        throw StepFailure(
          code: "keys.moved",
          message:
            "key directory \(place) is not as configured any more, so its tor is not reloaded")
      }
    }
  }

  /// The files with the gateway's address as the network has it now.
  private func render(
    _ configuration: InstanceConfiguration, _ network: String
  ) async throws -> (files: InstanceFiles, options: [String]) {
    let gateway = try await engine().network(network, agent: agent)?.gateway
    guard let files = configuration.files(gateway: gateway),
      let options = configuration.serviceOptions(gateway: gateway)
    else {
      guard configuration.needsGateway, gateway == nil else {
        throw StepFailure(
          code: "configuration.unresolved",
          message: "the address of a key or of a target's container is not known any more")
      }
      throw StepFailure(
        code: "network.missing",
        message: "network \(network) is not there, so the gateway's address is not known")
    }
    return (files, options)
  }
}
